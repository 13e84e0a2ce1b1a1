"""Requests as API Gateway hands them over, and answers as it wants them (payload format 2.0)."""

import gzip
import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

_GZIP_FROM_BYTES: Final = 1024
_GZIP_LEVEL: Final = 1
_LONGEST_PLAIN_BYTES: Final = 5_000_000
_REFUSED: Final = re.compile(r";q=0(\.0*)?$")
_SHUT: Final = {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
_UNSEEN: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}

Event = dict[str, Any]
Answer = dict[str, Any]


class UnreadableBody(ValueError):
    """A body that is not what its encoding says."""


class RepeatedMember(ValueError):
    """A member of a form that is given more than once."""


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

    def repeated(self, name: str) -> list[str]:
        """All values of a query parameter, in their order.

        Joined, they could not be told from one value with commas; so they are read from the query as it was sent.
        """
        sent = parse_qsl(self.event.get("rawQueryString") or "", keep_blank_values=True)
        return [value for each, value in sent if each == name]

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
    def form(self) -> dict[str, str]:
        """The members of a form (``application/x-www-form-urlencoded``).

        Raises:
            UnreadableBody: the body is not text.
            RepeatedMember: a member is given more than once.
        """
        try:
            members = parse_qsl(self.body.decode(), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError as error:
            raise UnreadableBody from error
        form = dict(members)
        if len(form) < len(members):
            raise RepeatedMember
        return form

    @property
    def id(self) -> str:
        """API Gateway's id of the request."""
        return str(self.event.get("requestContext", {}).get("requestId", ""))

    def accepts_gzip(self) -> bool:
        """Whether the client takes a gzip body."""
        offered = self.headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
        return any(coding.split(";")[0] == "gzip" and not _REFUSED.search(coding) for coding in offered)

    def has(self, etag: str) -> bool:
        """Whether the client already holds the representation named ``etag`` (``If-None-Match``, weak comparison)."""
        presented = self.headers.get("if-none-match", "")
        tags = {tag.strip().removeprefix("W/") for tag in presented.split(",")}
        return "*" in tags or etag.removeprefix("W/") in tags


@dataclass(frozen=True)
class Representation:
    """A cacheable answer.

    Attributes:
        etag: entity tag, with its quotes.
        max_age: seconds for which clients may use it without asking.
        body: JSON bytes.
        packed: their gzip form, where it is known already. A client that takes gzip needs nothing else; without both,
            it has the representation already (304).
    """

    etag: str
    max_age: int
    body: bytes | None = None
    packed: bytes | None = None


@dataclass(frozen=True)
class Page:
    """An answer for people: a page of HTML for one browser, which keeps nothing of it and tells nobody its address.

    Attributes:
        allowed: what the page may load and do, by directive of the Content Security Policy; nothing else.
    """

    html: str
    status: int = 200
    allowed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Redirect:
    """An answer that sends a browser on to another address, which does not learn where it comes from."""

    location: str


def page_answer(page: Page) -> Answer:
    """A page of HTML."""
    policy = "; ".join(f"{directive} {sources}" for directive, sources in (_SHUT | dict(page.allowed)).items())
    headers = {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
    }
    return {"statusCode": page.status, "headers": headers | _UNSEEN, "body": page.html}


def redirect_answer(redirect: Redirect) -> Answer:
    """A 303: whatever the browser did here, there it only looks."""
    return {"statusCode": 303, "headers": {"location": redirect.location} | _UNSEEN, "body": ""}


def json_answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Answer:
    """A JSON answer; nobody keeps it unless ``headers`` say so."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "cache-control": "no-store"} | (headers or {}),
        "body": body.decode(),
    }


def cached_answer(request: Request, representation: Representation, credential: str | None) -> Answer:
    """A 200 with entity tag, compressed where that pays, or a 304 without body.

    What a client gets depends on the header ``credential``, where its operation asks who is calling.
    """
    body, packed = representation.body, representation.packed
    headers = {
        "etag": f"W/{representation.etag.removeprefix('W/')}",  # weak: plain and compressed share it
        "cache-control": f"private, max-age={representation.max_age}",
        "vary": f"accept-encoding, {credential}" if credential else "accept-encoding",
    }
    if request.has(representation.etag) or (body is None and packed is None):
        return {"statusCode": 304, "headers": headers, "body": ""}
    # Lambda hands over 6 MB, with every quote of a plain body escaped: what is too long for that leaves compressed.
    pack = request.accepts_gzip() or body is None or len(body) > _LONGEST_PLAIN_BYTES
    if pack and packed is None and body is not None and len(body) >= _GZIP_FROM_BYTES:
        packed = compress(body)
    if packed is None or not pack:
        return json_answer(200, body or b"", headers)
    return {
        "statusCode": 200,
        "headers": headers | {"content-type": "application/json", "content-encoding": "gzip"},
        "body": b64encode(packed).decode(),
        "isBase64Encoded": True,
    }


def compress(body: bytes) -> bytes:
    """The gzip form of a body, fast rather than small."""
    return gzip.compress(body, _GZIP_LEVEL, mtime=0)
