"""Identifiers that need no shared counter and no lookup table.

Inside, everything is named by an integer below 2**53 (exact in JSON and in every client language) that grows with
time, so paging by the last id follows time. Partners that were promised UUIDs get a version 4 UUID that carries the
integer: 69 bits are random, the other 53 are the id, masked by a hash of the random ones. Finding the integer again
needs neither an index nor a secret; the entity keeps its UUID beside the id, and whoever finds it by a presented UUID
compares the two.
"""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from threading import Lock
from typing import Final
from uuid import UUID

from kickstand.kernel import clock

_EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_RANDOM_BITS: Final = 13
_ID_BITS: Final = 53
_NONCE_BITS: Final = 122 - _ID_BITS
_TOKEN_LENGTH: Final = 43
_MOST_AHEAD: Final = 1_000
"""By how many milliseconds identifiers may run ahead of the clock, where very many are drawn at once."""

_drawing: Final = Lock()
_last = 0


def new_id() -> int:
    """A new identifier: 40 bits of milliseconds since 2025 (enough until 2059), then 13 random bits.

    A process never draws the same one twice, as it counts on within a millisecond. Two of them can within the same one
    (1 : 8192), so every creation is written under the condition that the key is free.
    """
    global _last  # noqa: PLW0603 - what this process has drawn
    elapsed = (clock.now() - _EPOCH) // _MILLISECOND
    with _drawing:
        ahead = (_last >> _RANDOM_BITS) - elapsed
        counts_on = 0 <= ahead < _MOST_AHEAD
        _last = _last + 1 if counts_on else (elapsed << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        return _last


def created_at(identifier: int) -> datetime:
    """When an identifier was drawn, to the millisecond."""
    return _EPOCH + (identifier >> _RANDOM_BITS) * _MILLISECOND


HIGHEST: Final = (1 << _ID_BITS) - 1
"""No identifier is higher."""


def first_id(at: datetime) -> int:
    """The lowest identifier of the millisecond of ``at``; from 0 to :data:`HIGHEST`, whatever the time."""
    elapsed = max(0, (at - _EPOCH) // _MILLISECOND)
    return min(elapsed << _RANDOM_BITS, HIGHEST)


def new_token(identifier: int) -> str:
    """A fresh name for what ``identifier`` names, for whoever was told it: 43 letters that nobody guesses.

    :func:`id_in` finds the identifier again; what is kept beside the entity has to be compared with what is presented.
    """
    return urlsafe_b64encode(identifier.to_bytes(8, "big") + secrets.token_bytes(24)).rstrip(b"=").decode()


def id_in(token: str) -> int | None:
    """The identifier inside a token made by :func:`new_token`; ``None`` for what cannot be one."""
    if not (len(token) == _TOKEN_LENGTH and token.isascii() and token.replace("-", "A").replace("_", "A").isalnum()):
        return None
    return int.from_bytes(urlsafe_b64decode(token + "=")[:8], "big")


def new_uuid(identifier: int) -> UUID:
    """A fresh version 4 UUID from which :func:`id_of` reads ``identifier`` back."""
    return uuid_of(identifier, secrets.randbits(_NONCE_BITS))


def uuid_of(identifier: int, nonce: int) -> UUID:
    """The UUID that a ``nonce`` of 69 bits makes of ``identifier``; entities take a random one, demos a fixed one."""
    payload = (nonce << _ID_BITS) | (identifier ^ _mask(nonce))
    return UUID(int=_with_version(payload))


def id_of(uuid: UUID) -> int:
    """The identifier inside a UUID made by :func:`new_uuid`; a meaningless number for any other UUID."""
    payload = _without_version(uuid.int)
    return (payload & ((1 << _ID_BITS) - 1)) ^ _mask(payload >> _ID_BITS)


def _mask(nonce: int) -> int:
    digest = blake2b(nonce.to_bytes(9, "big"), digest_size=8, person=b"kickstand").digest()
    return int.from_bytes(digest, "big") >> (64 - _ID_BITS)


# A version 4 UUID fixes bits 79-76 (the version) and 63-62 (the variant); the other 122 are free.
def _with_version(payload: int) -> int:
    high, middle, low = payload >> 74, (payload >> 62) & 0xFFF, payload & ((1 << 62) - 1)
    return (high << 80) | (0x4 << 76) | (middle << 64) | (0b10 << 62) | low


def _without_version(value: int) -> int:
    high, middle, low = value >> 80, (value >> 64) & 0xFFF, value & ((1 << 62) - 1)
    return (high << 74) | (middle << 62) | low
