"""The platform's own routes: health, demo, outbox, clock, browser, vehicles and workflows below ``/_local``."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.browser import Browser
from local.clock import Clock
from local.docs import Docs, page
from local.errors import ControlError
from local.outbox import Outbox
from local.types import Json
from local.vehicles import Vehicles
from local.workflows import Workflows
from local.wsgi import Request, Response, json_response

_CALM_SECONDS = 5
_LONGEST_JUMP_SECONDS = 10 * 366 * 86_400


@dataclass(frozen=True)
class Control:
    """Answers what is not part of a deployed API."""

    clock: Clock
    busy_after: Callable[[float], list[str]]
    outbox: Outbox
    browser: Browser
    vehicles: Vehicles
    workflows: Workflows
    docs: Docs
    bases: Mapping[str, str]
    demo: Callable[[], Json]
    environment: Mapping[str, str]

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
        if len(parts) == 2 and parts[0] == "vehicles" and request.method in {"GET", "POST"}:  # noqa: PLR2004 - and a name
            return self._vehicle(request, parts[1])
        answers: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "health"): lambda _: json_response(200, {"status": "ok"}),
            ("GET", "demo"): lambda _: json_response(200, self.demo()),
            ("GET", "environment"): lambda _: json_response(200, dict(self.environment)),
            ("GET", "outbox"): lambda _: json_response(200, self.outbox.entries()),
            ("DELETE", "outbox"): self._clear_outbox,
            ("GET", "clock"): lambda _: json_response(200, {"now": self.clock.now().isoformat()}),
            ("POST", "clock"): self._advance,
            ("POST", "browser"): lambda request: json_response(200, self.browser.visit(_object(request))),
            ("GET", "workflows"): self._executions,
        }
        answer = answers.get((request.method, "/".join(parts)))
        return answer(request) if answer else _error(404, "there is no such route")

    def _vehicle(self, request: Request, vehicle: str) -> Response:
        wanted = _object(request) if request.method == "POST" else {}
        described = self.vehicles.control(vehicle, wanted)
        if wanted.keys() & {"move_to", "dock", "undock"}:  # whoever then ends the rental means that it ends there
            self.busy_after(_CALM_SECONDS)
        return json_response(200, described)

    def _clear_outbox(self, _: Request) -> Response:
        self.outbox.clear()
        return Response(204)

    def _advance(self, request: Request) -> Response:
        seconds = _seconds(_object(request))
        # What is going on belongs to the time before: a workflow between two states would wait from the time after.
        self.busy_after(_CALM_SECONDS)
        return json_response(200, {"now": self.clock.advance(seconds).isoformat()})

    def _executions(self, _: Request) -> Response:
        found = [item for arn in self.workflows.machines for item in self.workflows.executions(arn)]
        return json_response(200, {"executions": found})

    def _index(self) -> Response:
        apis = "".join(f"<li><code>{base}</code> {name}</li>" for name, base in sorted(self.bases.items()))
        return page(
            "Kickstand",
            f"<h1>Kickstand</h1><p>The platform is running on this machine.</p><ul>{apis}</ul>"
            '<ul><li><a href="/docs">API references</a></li><li><a href="/_local/demo">Demo</a></li>'
            '<li><a href="/_local/outbox">Outbox</a></li><li><a href="/_local/clock">Clock</a></li>'
            '<li><a href="/_local/workflows">Workflows</a></li></ul>',
        )


def _object(request: Request) -> dict[str, Json]:
    try:
        document = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise ControlError("the body is not JSON") from error
    if not isinstance(document, dict):
        raise ControlError("the body is not a JSON object")
    return document


def _seconds(document: Mapping[str, Json]) -> float:
    match document:
        case {"advance_seconds": bool()}:
            pass
        case {"advance_seconds": int() | float() as seconds} if math.isfinite(seconds):
            if 0 <= seconds <= _LONGEST_JUMP_SECONDS:
                return float(seconds)
    raise ControlError("advance_seconds is a number of seconds from 0 to ten years")


def _error(status: int, message: str) -> Response:
    return json_response(status, {"message": message})
