"""Receivers of webhooks: how one checks a signature, and one that can be told how to behave."""

import hashlib
import hmac
import json
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kickstand.webhooks.stringify import stringify


def is_genuine(secret: str, header: str, body: bytes, *, now_ms: int | None = None, max_age_ms: int = 5_000) -> bool:
    """Whether a receiver takes a request for ours, by the validation that the API documents.

    It looks at the document and not at the bytes that came; the timestamp is the first element, and of several
    signatures of one version it remembers the last one.
    """
    first, *others = header.split(",")
    timestamp = int(first.split("=")[1])
    if now_ms is not None and max_age_ms > 0 and timestamp < now_ms - max_age_ms:
        return False
    signatures: dict[str, str] = {}
    for each in others:
        name, value = each.split("=")
        signatures[name] = value
    document: Any = json.loads(body, parse_int=float)  # JavaScript has no integers
    signed = f"{timestamp}.{stringify(document)}".encode()
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return signatures.get("v0") == expected


@dataclass(frozen=True)
class Received:
    """A request that a receiver has got whole; names of headers in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


Conduct = Callable[[Received, socket.socket], int | None]
"""What a receiver does with a request: the status that it answers, or ``None`` when it has seen to the connection."""


@dataclass
class Receiver:
    """A client's HTTP server on this machine; it takes everything unless told otherwise."""

    conduct: Conduct = lambda _received, _connection: 200
    got: list[Received] = field(default_factory=list)
    url: str = ""

    def documents(self, path: str | None = None) -> list[Any]:
        """What has come, in its order."""
        return [each.document for each in self.got if path in {None, each.path}]


@contextmanager
def running_receiver(context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver on a free port of the loopback interface, with TLS when it gets a ``context``."""
    receiver = Receiver()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            try:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                _serve(receiver, connection)
            except OSError:
                return  # the other side has had enough
            finally:
                connection.close()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()


def _serve(receiver: Receiver, connection: socket.socket) -> None:
    stream = connection.makefile("rb")
    line = stream.readline().decode("latin-1")
    if not line:
        return
    headers: dict[str, str] = {}
    while (header := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    received = Received(line.split()[1], headers, body, time.time())
    receiver.got.append(received)
    status = receiver.conduct(received, connection)
    if status is not None:
        connection.sendall(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
