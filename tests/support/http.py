"""Talks HTTP to a running platform, as partners do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from gzip import decompress
from typing import Any
from urllib.parse import urlencode

import urllib3


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are looked up in any case; ``content`` is as it was sent, packed or not."""

    request: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> bytes:
        """The content, unpacked."""
        return decompress(self.content) if self.headers.get("content-encoding") == "gzip" else self.content

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """What a successful answer of the Voi surface carries; fails for any other."""
        assert self.status == 200, f"{self.request}: {self.status} {self.body.decode()}"
        return self.json["data"]

    @property
    def document(self) -> Any:
        """The body of a successful answer of the MaaS surface; fails for any other."""
        assert self.status == 200, f"{self.request}: {self.status} {self.body.decode()}"
        return self.json

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and error code of an answer that is not a success; fails for a success."""
        assert self.status >= 400, f"{self.request}: {self.status} {self.body.decode()}"
        error = self.json
        return self.status, error.get("errorCode") or error["code"]


class Http:
    """A client of one server. It follows nothing, repeats nothing and unpacks nothing."""

    def __init__(self, base: str, headers: Mapping[str, str] | None = None) -> None:
        self._base = base
        self._headers = dict(headers or {})
        self._pool = urllib3.PoolManager(retries=False, timeout=30)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        form: Mapping[str, str] | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request, its body as JSON or as a form, to a path below the base or to a whole address.

        A parameter of the query with several values is repeated.
        """
        address = path if path.startswith("http") else self._base + path
        address += f"?{urlencode(query, doseq=True)}" if query else ""
        kind, content = None, None
        if body is not None:
            kind, content = "application/json", json.dumps(body).encode()
        elif form is not None:
            kind, content = "application/x-www-form-urlencoded", urlencode(form).encode()
        sent = self._headers | dict(headers or {}) | ({"content-type": kind} if kind else {})
        response = self._pool.request(method, address, body=content, headers=sent, redirect=False, decode_content=False)
        return Answer(f"{method} {path}", response.status, response.headers, response.data)

    def get(self, path: str, *, query: Mapping[str, str | Sequence[str]] | None = None, **headers: str) -> Answer:
        """Send a GET request; names of headers with underscores for hyphens."""
        return self.call("GET", path, query=query, headers={name.replace("_", "-"): v for name, v in headers.items()})

    def post(self, path: str, body: object = None) -> Answer:
        """Send a POST request."""
        return self.call("POST", path, body)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()
