"""Calls operations as API Gateway does, without a server."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from gzip import decompress
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final
from urllib.parse import urlencode

from kickstand.clients import access
from kickstand.clients import service as clients
from kickstand.http.surface import Surface


@cache
def surface(name: str) -> Surface[Any]:
    """A surface with all its operations."""
    package = import_module(name)
    for module in iter_modules(package.__path__):
        import_module(f"{name}.{module.name}")
    found: Surface[Any] = getattr(import_module(f"{name}._surface"), name)
    return found


ERROR_CODE: Final = {"checkout": "code", "maas": "code", "voi": "errorCode"}
"""What the member of an error that holds its code is called on each surface."""


@dataclass(frozen=True)
class Reply:
    """What a client gets."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error_on_page(self) -> str | None:
        """The code that a page for people names."""
        if not self.headers.get("content-type", "").startswith("text/html"):
            return None
        found = re.search(rb'<main data-error="(\w+)">', self.body)
        return found[1].decode() if found else None


@dataclass(frozen=True)
class Client:
    """A client of one surface, with the headers it always sends."""

    surface: str
    headers: Mapping[str, str]

    def with_headers(self, **headers: str) -> "Client":
        """The same client, always sending more headers; their names with underscores for hyphens."""
        return Client(self.surface, {**self.headers, **{name.replace("_", "-"): v for name, v in headers.items()}})

    def call(
        self,
        operation_id: str,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
        raw: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Call an operation; ``body`` is sent as JSON, ``form`` as a form, ``raw`` as it is.

        A parameter of the query with several values is repeated. No error comes that the operation does not declare.
        """
        operation = surface(self.surface).operations[operation_id]
        module, _, function = operation.handler.rpartition(".")
        event = {
            "version": "2.0",
            "routeKey": f"{operation.method} {operation.path}",
            "rawPath": operation.path.format(**(path or {})) if path else operation.path,
            "rawQueryString": urlencode(query or {}, doseq=True),
            "headers": {"host": "api.example", **self.headers, **(headers or {})},
            "requestContext": {"requestId": "test", "http": {"method": operation.method}},
            "isBase64Encoded": False,
        }
        if path:
            event["pathParameters"] = dict(path)
        if query:
            event["queryStringParameters"] = {
                name: value if isinstance(value, str) else ",".join(value) for name, value in query.items()
            }
        if form is not None:
            event["body"] = b64encode(urlencode(form).encode()).decode()  # as API Gateway does with what is not JSON
            event["isBase64Encoded"] = True
        elif raw is not None or body is not None:
            event["body"] = raw if raw is not None else json.dumps(body)
        answer = getattr(import_module(module), function)(event, None)
        content = b64decode(answer["body"]) if answer.get("isBase64Encoded") else answer["body"].encode()
        if answer["headers"].get("content-encoding") == "gzip":
            content = decompress(content)
        reply = Reply(answer["statusCode"], answer["headers"], content)
        if reply.status >= 400:  # the OpenAPI document names those that a client can meet
            met = (reply.status, reply.error_on_page or reply.json[ERROR_CODE[self.surface]])
            common = import_module(f"{self.surface}._openapi").COMMON_ERRORS
            assert met in {(each.status, each.code) for each in (*operation.errors, *common)}, (operation_id, met)
        return reply


def voi(token: str | None) -> Client:
    """A client of the Voi surface."""
    return Client("voi", {"x-auth-token": token} if token else {})


def maas(token: str | None) -> Client:
    """A client of the MaaS surface; see :func:`access_token`."""
    return Client("maas", {"authorization": f"Bearer {token}"} if token else {})


def access_token(client_id: int) -> str:
    """An access token for a new credential of a client."""
    return access.exchange(*clients.issue_credential(client_id)).token
