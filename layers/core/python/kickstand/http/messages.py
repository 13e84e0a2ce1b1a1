"""Requests as API Gateway hands them over, and answers as it wants them (payload format 2.0)."""

import gzip
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass, field
from typing import Any, Final

_GZIP_FROM_BYTES: Final = 1024
_GZIP_LEVEL: Final = 1

Event = dict[str, Any]
Answer = dict[str, Any]


class UnreadableBody(ValueError):
    """A body that is not what its encoding says."""


class Request:
    """A view on an API Gateway v2 event; nothing is copied before it is asked for."""

    def __init__(self, event: Event) -> None:
        self.event = event

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name."""
        return self.event.get("headers") or {}

    @property
    def path(self) -> dict[str, str]:
        """Path parameters, decoded."""
        return self.event.get("pathParameters") or {}

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; repeated ones joined by commas."""
        return self.event.get("queryStringParameters") or {}

    @property
    def body(self) -> bytes:
        """The body's bytes; empty where there is none."""
        body = self.event.get("body") or ""
        if not self.event.get("isBase64Encoded"):
            return str(body).encode("utf-8", "surrogatepass")
        try:
            return b64decode(body, validate=True)
        except BadBase64 as error:
            raise UnreadableBody from error

    @property
    def id(self) -> str:
        """API Gateway's id of the request."""
        return str(self.event.get("requestContext", {}).get("requestId", ""))

    def accepts_gzip(self) -> bool:
        """Whether the client takes a gzip body."""
        return any(
            token.strip().split(";")[0] == "gzip" and not token.replace(" ", "").endswith(";q=0")
            for token in self.headers.get("accept-encoding", "").lower().split(",")
        )

    def has(self, etag: str) -> bool:
        """Whether the client already holds the representation named ``etag`` (``If-None-Match``, weak comparison)."""
        presented = self.headers.get("if-none-match", "")
        return presented.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in presented.split(",")}


@dataclass(frozen=True)
class Representation:
    """A cacheable answer.

    Attributes:
        body: JSON bytes; ``None`` when the client already has it (304).
        etag: strong entity tag, with its quotes.
        max_age: seconds for which clients may use it without asking.
        packed: the gzip form of ``body`` where it is known already.
    """

    etag: str
    max_age: int
    body: bytes | None = None
    packed: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def json_answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return {"statusCode": status, "headers": {"content-type": "application/json"} | (headers or {}), "body": body.decode()}


def cached_answer(request: Request, representation: Representation) -> Answer:
    """A 200 with entity tag, compressed where that pays, or a 304 without body."""
    headers = {
        "etag": representation.etag,
        "cache-control": f"private, max-age={representation.max_age}",
        "vary": "accept-encoding, x-auth-token",
        **representation.headers,
    }
    if representation.body is None or request.has(representation.etag):
        return {"statusCode": 304, "headers": headers, "body": ""}
    if len(representation.body) < _GZIP_FROM_BYTES or not request.accepts_gzip():
        return json_answer(200, representation.body, headers)
    packed = representation.packed or compress(representation.body)
    return {
        "statusCode": 200,
        "headers": headers | {"content-type": "application/json", "content-encoding": "gzip"},
        "body": b64encode(packed).decode(),
        "isBase64Encoded": True,
    }


def compress(body: bytes) -> bytes:
    """The gzip form of a body, fast rather than small."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
