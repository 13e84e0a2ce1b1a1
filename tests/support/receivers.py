"""Receivers of webhooks: how one checks a signature, and one that can be told how to behave."""

import hashlib
import hmac
import json
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
