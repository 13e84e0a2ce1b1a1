"""Calls operations as API Gateway does, without a server."""

import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from gzip import decompress
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from urllib.parse import urlencode

from kickstand.http.surface import Surface


@cache
def surface(name: str) -> Surface[Any]:
    """A surface with all its operations."""
    package = import_module(name)
    for module in iter_modules(package.__path__):
        import_module(f"{name}.{module.name}")
    found: Surface[Any] = getattr(import_module(f"{name}._surface"), name)
    return found


@dataclass(frozen=True)
class Reply:
    """What a client gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """A client of one surface, with the headers it always sends."""

    surface: str
    headers: Mapping[str, str]

    def call(
        self,
        operation_id: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: object = None,
        raw: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call an operation; ``body`` is sent as JSON, ``raw`` as it is. No error comes that it does not declare."""
        operation = surface(self.surface).operations[operation_id]
        module, _, function = operation.handler.rpartition(".")
        event = {
            "version": "2.0",
            "routeKey": f"{operation.method} {operation.path}",
            "rawPath": operation.path.format(**(path or {})) if path else operation.path,
            "rawQueryString": urlencode(query or {}),
            "headers": {"host": "api.example", **self.headers, **(headers or {})},
            "requestContext": {"requestId": "test", "http": {"method": operation.method}},
            "isBase64Encoded": False,
        }
        if path:
            event["pathParameters"] = dict(path)
        if query:
            event["queryStringParameters"] = dict(query)
        if raw is not None or body is not None:
            event["body"] = raw if raw is not None else json.dumps(body)
        answer = getattr(import_module(module), function)(event, None)
        content = b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
        if answer["headers"].get("content-encoding") == "gzip":
            content = decompress(content)
        reply = Reply(answer["statusCode"], answer["headers"], content)
        if reply.status >= 400:  # the OpenAPI document names those that a client can meet
            met = (reply.status, reply.json["errorCode"])
            common = import_module(f"{self.surface}._openapi").COMMON_ERRORS
            assert met in {(each.status, each.code) for each in (*operation.errors, *common)}, (operation_id, met)
        return reply


def voi(token: str | None) -> Client:
    """A client of the Voi surface."""
    return Client("voi", {"x-auth-token": token} if token else {})
