"""The platform's own routes: health, demo, outbox, clock, vehicles and workflows below ``/_local``."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.clock import Clock
from local.docs import Docs, page
from local.outbox import Outbox
from local.types import Json
from local.vehicles import ControlError, Vehicles
from local.workflows import Workflows
from local.wsgi import Request, Response, json_response

_LONGEST_JUMP_SECONDS = 10 * 366 * 86_400


@dataclass(frozen=True)
class Control:
    """Answers what is not part of a deployed API."""

    clock: Clock
    outbox: Outbox
    vehicles: Vehicles
    workflows: Workflows
    docs: Docs
    bases: Mapping[str, str]
    demo: Callable[[], Json]
    ready: Callable[[], bool]

    def serve(self, request: Request) -> Response | None:
        """The answer to a request for the platform itself; None when it is for an API."""
        path = request.path
        if path == "/":
            return self._index()
        if path == "/docs" or path.startswith("/docs/"):
            return self.docs.serve(path) or _error(404, "there is no such page")
        if not path.startswith("/_local/"):
            return None
        try:
            return self._local(request, path.removeprefix("/_local/").split("/"))
        except ControlError as error:
            return _error(400, str(error))

    def _local(self, request: Request, parts: list[str]) -> Response:
        match request.method, parts:
            case "GET", ["health"]:
                return json_response(200, {"status": "ok"}) if self.ready() else _error(503, "starting")
            case "GET", ["demo"]:
                return json_response(200, self.demo())
            case "GET", ["outbox"]:
                return json_response(200, self.outbox.entries())
            case "DELETE", ["outbox"]:
                self.outbox.clear()
                return Response(204)
            case "GET", ["clock"]:
                return json_response(200, {"now": self.clock.now().isoformat()})
            case "POST", ["clock"]:
                return json_response(200, {"now": self.clock.advance(_seconds(_object(request))).isoformat()})
            case "GET", ["vehicles", vehicle]:
                return json_response(200, self.vehicles.control(vehicle, {}))
            case "POST", ["vehicles", vehicle]:
                return json_response(200, self.vehicles.control(vehicle, _object(request)))
            case "GET", ["workflows"]:
                found = [item for arn in self.workflows.machines for item in self.workflows.executions(arn)]
                return json_response(200, {"executions": found})
        return _error(404, "there is no such route")

    def _index(self) -> Response:
        apis = "".join(f"<li><code>{base}</code> {name}</li>" for name, base in sorted(self.bases.items()))
        return page(
            "Kickstand",
            f"<h1>Kickstand</h1><p>The platform is running on this machine.</p><ul>{apis}</ul>"
            '<ul><li><a href="/docs">API references</a></li><li><a href="/_local/demo">Demo credentials and ids</a></li>'
            '<li><a href="/_local/outbox">Outbox</a></li><li><a href="/_local/clock">Clock</a></li>'
            '<li><a href="/_local/workflows">Workflows</a></li></ul>',
        )


def _object(request: Request) -> dict[str, Json]:
    try:
        document = json.loads(request.body)
    except ValueError as error:
        raise ControlError("the body is not JSON") from error
    if not isinstance(document, dict):
        raise ControlError("the body is not a JSON object")
    return document


def _seconds(document: Mapping[str, Json]) -> float:
    match document:
        case {"advance_seconds": int() | float() as seconds} if math.isfinite(seconds):
            if 0 <= seconds <= _LONGEST_JUMP_SECONDS:
                return float(seconds)
    raise ControlError("advance_seconds is a number of seconds from 0 to ten years")


def _error(status: int, message: str) -> Response:
    return json_response(status, {"message": message})
