"""Requests and responses over WSGI, and servers for them."""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import waitress.server
from waitress import wasyncore

from local.types import Json

_BODY_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True)
class Response:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cookies: Iterable[str] = ()


class Request:
    """An HTTP request; header names in lower case, the path decoded."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.environ = environ
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        self.query_string: str = environ["QUERY_STRING"]

    @cached_property
    def raw_path(self) -> str:
        """The path as it was sent, not decoded."""
        return str(self.environ["REQUEST_URI"]).partition("?")[0]

    @cached_property
    def headers(self) -> dict[str, str]:
        """The headers; values of a repeated one are joined with commas."""
        found = {
            name[5:].replace("_", "-").lower(): value.encode("latin-1").decode("utf-8", "replace")
            for name, value in self.environ.items()
            if name.startswith("HTTP_")
        }
        if content_type := self.environ.get("CONTENT_TYPE"):
            found["content-type"] = content_type
        if content_length := self.environ.get("CONTENT_LENGTH"):
            found["content-length"] = content_length
        return found

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's parameters; values of a repeated one are joined with commas."""
        joined: dict[str, str] = {}
        for name, value in parse_qsl(self.query_string, keep_blank_values=True):
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined

    @cached_property
    def body(self) -> bytes:
        """The body."""
        return bytes(self.environ["wsgi.input"].read())

    @property
    def content_length(self) -> int:
        """How many bytes the body has."""
        return int(self.environ.get("CONTENT_LENGTH") or 0)


Answer: TypeAlias = Callable[[Request], Response]


def application(answer: Answer) -> WSGIApplication:
    """A WSGI application from a function of requests."""

    def serve(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = answer(Request(environ))
        headers = [(name, value) for name, value in response.headers.items() if name.lower() != "content-length"]
        headers += [("Set-Cookie", cookie) for cookie in response.cookies]
        if response.status not in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            length = response.headers.get("Content-Length", str(len(response.body)))
            headers.append(("Content-Length", length))
        start_response(f"{response.status} {_phrase(response.status)}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    return serve


def json_response(status: int, document: Json, headers: Mapping[str, str] | None = None) -> Response:
    """A response with a JSON body."""
    body = json.dumps(document).encode()
    return Response(status, {"Content-Type": "application/json", **(headers or {})}, body)


class Server:
    """An HTTP server on the loopback interface, in threads of this process."""

    def __init__(self, serve: WSGIApplication, port: int, threads: int) -> None:
        """Bind the port and begin to answer.

        Raises:
            OSError: when the port is taken.
        """
        self._sockets: dict[int, Json] = {}
        try:
            self._server = waitress.server.TcpWSGIServer(
                serve,
                map=self._sockets,
                host="127.0.0.1",
                port=port,
                threads=threads,
                ident="kickstand",
                max_request_body_size=_BODY_LIMIT,
                inbuf_overflow=_BODY_LIMIT,  # in memory: nobody would close temporary files for larger bodies
                outbuf_overflow=_BODY_LIMIT,
                connection_limit=1000,
                channel_timeout=60,
                backlog=1024,
            )
        except OSError:
            wasyncore.close_all(self._sockets, ignore_all=True)
            raise
        self.port = port
        self._thread = threading.Thread(target=self._server.run, name=f"http:{self.port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what is being answered, then close every socket."""
        self._server.task_dispatcher.shutdown()
        trigger: Json = self._server.trigger
        trigger.pull_trigger(lambda: wasyncore.close_all(self._sockets, ignore_all=True))
        self._thread.join()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
