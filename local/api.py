"""The HTTP APIs of the template: routing, events and responses as API Gateway's HTTP APIs have them.

A slash at the end counts, because it does for the deployed API: ``/rides/`` is not the route ``/rides``, but reaches
``/rides/{name+}`` with an empty name. The log line of such a miss names the route that was probably meant.
"""

import base64
import binascii
import logging
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from local.clock import Clock
from local.functions import Functions
from local.stacks import ACCOUNT
from local.template import Api, Route
from local.types import Json
from local.wsgi import Request, Response, json_response

_access = logging.getLogger("local.access")
_REQUEST_LIMIT = 10 * 1024 * 1024
_EVENT_LIMIT = 6_291_556
_TEXTUAL = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass
class _Node:
    """One segment in the tree of routes."""

    static: dict[str, "_Node"] = field(default_factory=dict)
    parameters: dict[str, "_Node"] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    greedy: dict[str, tuple[str, Route]] = field(default_factory=dict)


class Router:
    """Finds a route: static segments before parameters, parameters before ``{name+}``."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.split("/")[1:]:
                if segment.endswith("+}"):
                    node.greedy[route.method] = (segment[1:-2], route)
                    break
                if segment.startswith("{"):
                    node = node.parameters.setdefault(segment[1:-1], _Node())
                else:
                    node = node.static.setdefault(segment, _Node())
            else:
                node.routes[route.method] = route

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route for a path that is not decoded, with the path's parameters decoded."""
        return next(_search(self._root, method, path.split("/")[1:]), None)


def _search(node: _Node, method: str, segments: list[str]) -> Iterator[tuple[Route, dict[str, str]]]:
    if not segments:
        if method in node.routes:
            yield node.routes[method], {}
        return
    head, rest = segments[0], segments[1:]
    if following := node.static.get(unquote(head)):
        yield from _search(following, method, rest)
    if head:
        for name, following in node.parameters.items():
            for route, values in _search(following, method, rest):
                yield route, {name: unquote(head), **values}
    if method in node.greedy:
        name, route = node.greedy[method]
        yield route, {name: unquote("/".join(segments))}


class Gateway:
    """Serves every HTTP API of the template under its base path."""

    def __init__(self, apis: Sequence[Api], functions: Functions, clock: Clock) -> None:
        ordered = sorted(apis, key=lambda api: len(api.base), reverse=True)
        self._apis = [(api, Router(api.routes)) for api in ordered]
        self._functions = functions
        self._clock = clock

    def serve(self, request: Request) -> Response:
        """Answer a request and log it: method, path, status, duration, function."""
        started = time.perf_counter()
        response, function = self._answer(request)
        milliseconds = (time.perf_counter() - started) * 1000
        _access.info("%s %s %s %.1f ms %s", request.method, request.raw_path, response.status, milliseconds, function)
        return response

    def _answer(self, request: Request) -> tuple[Response, str]:
        if request.content_length > _REQUEST_LIMIT:
            return _message(413, "Request Entity Too Large"), "-"
        path = request.raw_path
        for api, router in self._apis:
            if not path.startswith(f"{api.base}/"):
                continue
            found = router.find(request.method, path[len(api.base) :])
            if found is None:
                return _message(404, "Not Found"), _hint(router, request.method, path[len(api.base) :])
            route, parameters = found
            event = self._event(api, route, parameters, request)
            if len(event.get("body", "")) > _EVENT_LIMIT:
                return _message(413, "Request Entity Too Large"), "-"
            invocation = self._functions.invoke(route.function_arn, event)
            request_id = event["requestContext"]["requestId"]
            response = None if invocation.error else _response(invocation.result, request_id)
            return response or _message(500, "Internal Server Error"), invocation.function.name
        return _message(404, "Not Found"), "-"

    def _event(self, api: Api, route: Route, parameters: Mapping[str, str], request: Request) -> dict[str, Json]:
        """The request as a payload of format 2.0; the base path is part of ``rawPath``, as behind an API mapping."""
        headers = {name: value for name, value in request.headers.items() if name != "cookie"}
        now = self._clock.now()
        event: dict[str, Json] = {
            "version": "2.0",
            "routeKey": f"{route.method} {route.path}",
            "rawPath": request.path,
            "rawQueryString": request.query_string,
            "headers": headers,
            "requestContext": {
                "accountId": ACCOUNT,
                "apiId": api.name,
                "domainName": headers.get("host", "127.0.0.1"),
                "domainPrefix": headers.get("host", "127.0.0.1").split(".")[0],
                "http": {
                    "method": request.method,
                    "path": request.path,
                    "protocol": request.environ["SERVER_PROTOCOL"],
                    "sourceIp": request.environ.get("REMOTE_ADDR", "127.0.0.1"),
                    "userAgent": headers.get("user-agent", ""),
                },
                "requestId": str(uuid.uuid4()),
                "routeKey": f"{route.method} {route.path}",
                "stage": "$default",
                "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
                "timeEpoch": int(now.timestamp() * 1000),
            },
            "isBase64Encoded": False,
        }
        if cookies := request.headers.get("cookie"):
            event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
        if request.query:
            event["queryStringParameters"] = request.query
        if parameters:
            event["pathParameters"] = parameters
        if request.body:
            event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
        return event


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    """The body as text where its type is missing or says that it is text, otherwise in base 64."""
    if not content_type or content_type.startswith(_TEXTUAL) or "+json" in content_type:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _response(result: Json, request_id: str) -> Response | None:
    """A handler's result as a response; None when API Gateway could not read it."""
    headers = {"Apigw-Requestid": request_id}
    if not isinstance(result, Mapping) or "statusCode" not in result:
        return json_response(200, result, headers)
    body = result.get("body") or ""
    try:
        status = int(result["statusCode"])
        headers |= {str(name): str(value) for name, value in (result.get("headers") or {}).items()}
        content = base64.b64decode(body, validate=True) if result.get("isBase64Encoded") else body.encode()
    except (AttributeError, TypeError, ValueError, binascii.Error):
        return None
    if content and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "text/plain;charset=UTF-8"
    return Response(status, headers, content, tuple(result.get("cookies") or ()))


def _hint(router: Router, method: str, path: str) -> str:
    other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    if router.find(method, other):
        return f"- (there is a route for {other})"
    return "-"


def _message(status: int, text: str) -> Response:
    return json_response(status, {"message": text})
