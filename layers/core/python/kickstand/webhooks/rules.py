"""Decisions about endpoints and deliveries; pure."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from kickstand.webhooks.errors import EndpointExists, SecretRefused, TargetRefused, TooManyEndpoints
from kickstand.webhooks.model import (
    Delivery,
    DeliveryState,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Endpoints,
    EndpointState,
    Failure,
    Lane,
    LaneState,
    Name,
    OldSecret,
    Outcome,
    Standing,
    Wake,
)

MOST_ENDPOINTS: Final = 20
PERSEVERANCE: Final = timedelta(days=3)
"""How long an event is tried before its lane is parked."""

DELAYS: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600)
)
"""The waits after the first attempts; the last one repeats."""

SPREAD: Final = 0.2
"""By what share a wait is longer or shorter, so that what failed together is not tried together."""

_SUSPENSION: Final = timedelta(seconds=4)  # shorter than the shortest first wait: whoever found out may try again
_LONGEST_SUSPENSION: Final = timedelta(seconds=30)
_MOST_OLD_SECRETS: Final = 3
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_SECRET: Final = re.compile(r"[\x21-\x7e]{32,255}")
_URL: Final = re.compile(r"[\x21-\x7e]{1,1000}")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_PORTS: Final = {"https": 443, "http": 80}

_SPECIAL_V4: Final = tuple(
    IPv4Network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
    )
)
_GLOBAL_V6: Final = IPv6Network("2000::/3")
_SPECIAL_V6: Final = tuple(
    IPv6Network(each)
    # Protocols (Teredo among them), documentation, 6to4, AS112, documentation again.
    for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


# ── Endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────


def added(known: Endpoints, endpoint: Endpoint) -> Endpoints:
    """A client's endpoints with one more.

    Raises:
        TooManyEndpoints: the client has as many as it may have.
        EndpointExists: it has one with this address.
    """
    if len(known.endpoints) >= MOST_ENDPOINTS:
        raise TooManyEndpoints
    return _with(known, (*known.endpoints, endpoint))


def changed(known: Endpoints, endpoint: Endpoint) -> Endpoints:
    """A client's endpoints with this one in the place of its former self.

    Raises:
        EndpointExists: another one has its address.
    """
    return _with(known, tuple(endpoint if each.id == endpoint.id else each for each in known.endpoints))


def removed(known: Endpoints, endpoint_id: int) -> Endpoints:
    """A client's endpoints without one of them."""
    return _with(known, tuple(each for each in known.endpoints if each.id != endpoint_id))


def _with(known: Endpoints, endpoints: tuple[Endpoint, ...]) -> Endpoints:
    if len({each.url for each in endpoints}) < len(endpoints):
        raise EndpointExists
    return known.model_copy(update={"endpoints": endpoints, "version": known.version + 1})


def enabled(endpoint: Endpoint) -> Endpoint:
    """The endpoint, getting events."""
    return endpoint.model_copy(update={"state": EndpointState.ACTIVE, "disabled_reason": None})


def disabled(endpoint: Endpoint, reason: DisabledReason) -> Endpoint:
    """The endpoint, getting none; the first reason stays."""
    if endpoint.state is EndpointState.DISABLED:
        return endpoint
    return endpoint.model_copy(update={"state": EndpointState.DISABLED, "disabled_reason": reason})


def rotated(endpoint: Endpoint, secret: str, now: datetime, overlap: timedelta) -> Endpoint:
    """The endpoint with another secret; those before it go on signing for ``overlap``.

    The secret that it has already changes nothing, so that a rotation can be asked for again.
    """
    if secret == endpoint.secret:
        return endpoint
    until = now + overlap
    former = (OldSecret(secret=endpoint.secret, until=until), *valid_old_secrets(endpoint, now))
    kept = tuple(each.model_copy(update={"until": min(each.until, until)}) for each in former[:_MOST_OLD_SECRETS])
    return endpoint.model_copy(update={"secret": secret, "old_secrets": kept if overlap else ()})


def valid_old_secrets(endpoint: Endpoint, now: datetime) -> tuple[OldSecret, ...]:
    """The former secrets that still sign, the latest first."""
    return tuple(each for each in endpoint.old_secrets if now < each.until)


def checked_secret(secret: str) -> str:
    """A client's own secret.

    Raises:
        SecretRefused: it is too short or too long, or has characters that are not visible ASCII.
    """
    if not _SECRET.fullmatch(secret):
        raise SecretRefused
    return secret


# ── Targets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Target(NamedTuple):
    """Where a URL leads."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def base_url(url: str, *, anywhere: bool) -> str:
    """A client's URL as it is kept: without a slash at its end.

    Raises:
        TargetRefused: as :func:`target` does, and for a query or a fragment, which a path cannot follow.
    """
    known = target(url, anywhere=anywhere)
    if "?" in url or "#" in url:
        raise TargetRefused("The URL is a base to which paths are added: it has neither a query nor a fragment")
    return f"{known.scheme}://{known.authority.lower()}{known.path.rstrip('/')}"


def target(url: str, *, anywhere: bool) -> Target:
    """Where a URL leads.

    Raises:
        TargetRefused: it is none, or not one with ``https``; with ``anywhere``, ``http`` will do.
    """
    if not _URL.fullmatch(url) or "\\" in url:
        raise TargetRefused("The URL has 1 to 1000 visible ASCII characters and no backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise TargetRefused("The URL cannot be read") from None
    if parts.scheme != "https" and not (anywhere and parts.scheme == "http"):
        raise TargetRefused("The URL begins with https://")
    if "@" in parts.netloc:
        raise TargetRefused("The URL holds no user and no password")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname) or port == 0:
        raise TargetRefused("The URL names no host")
    return Target(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path)


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet could be reached at.

    Everything that has a special purpose is not, and nothing that carries another address inside: IPv4-mapped, 6to4,
    Teredo and NAT64 would lead to hosts that the address itself does not name.
    """
    parsed = ip_address(address)
    match parsed:
        case IPv4Address():
            return not any(parsed in each for each in _SPECIAL_V4)
        case IPv6Address():
            return parsed in _GLOBAL_V6 and not any(parsed in each for each in _SPECIAL_V6)


# ── Deliveries ───────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_name(text: str) -> Name | None:
    """The parts of a delivery's name; ``None`` for what is none."""
    match text.split("."):
        case [endpoint, subject, event] if endpoint.isascii() and endpoint.isdigit() and are_names(subject, event):
            return Name(int(endpoint), subject, event)
        case _:
            return None


def are_names(*texts: str) -> bool:
    """Whether these can be parts of a delivery's name: up to 100 letters, digits, hyphens and underscores each."""
    return all(_NAME.fullmatch(text) for text in texts)


def signature(endpoint: Endpoint, body: str, now: datetime) -> str:
    """The value of the signature's header: ``t=<ms>,v0=<hex>``, with one ``v0`` for every secret that signs.

    The oldest secret comes last: a receiver that looks at one signature only looks at the last one, and knows the old
    secret for certain. Whoever looks at all of them finds the one for its own.
    """
    milliseconds = (now - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
    signed = f"{milliseconds}.{body}".encode()
    secrets = [endpoint.secret, *(each.secret for each in valid_old_secrets(endpoint, now))]
    values = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={milliseconds}", *(f"v0={value}" for value in values)])


def outcome(status: int) -> Outcome:
    """What an answer means."""
    match status:
        case 410:
            return Outcome(failure=Failure.GONE, status=status)
        case _ if 200 <= status < 300:  # noqa: PLR2004 - the class of statuses that says success
            return Outcome(failure=None, status=status)
        case _:
            return Outcome(failure=Failure.STATUS, status=status)


def next_attempt(attempts: int, failing_since: datetime, now: datetime, chance: float) -> datetime | None:
    """When an event is tried again that has been tried ``attempts`` times; ``None`` when that was enough.

    Args:
        attempts: at least one.
        failing_since: when the first of them was.
        now: when the last of them was.
        chance: from 0 to 1, spreads the waits.
    """
    end = failing_since + PERSEVERANCE
    if now >= end:
        return None
    wait = DELAYS[min(attempts, len(DELAYS)) - 1] * (1 - SPREAD + 2 * SPREAD * chance)
    return min(now + wait, end)


def suspension(timeouts: int) -> timedelta:
    """How long an endpoint is left alone that has kept us waiting so many times in a row."""
    doubled: int = 2 ** min(timeouts - 1, 10)
    return min(_SUSPENSION * doubled, _LONGEST_SUSPENSION)


def is_for_the_queue(lane: Lane, wake: Wake) -> bool:
    """Whether whoever got the message looks after the lane: it is open, is taken from its owner, or has news."""
    if wake.release is not None and wake.release == lane.owner:
        return True
    return lane.state is LaneState.OPEN or (lane.state is LaneState.PARKED and len(lane.pending) > lane.given_up)


def standing(delivery: Delivery, lane: Lane | None) -> Standing:
    """How far a delivery is, in its lane."""
    if delivery.state is DeliveryState.DELIVERED or lane is None:
        return Standing(delivery=delivery, status=DeliveryStatus.DELIVERED, attempts=delivery.attempts)
    status = DeliveryStatus.PENDING if lane.state is LaneState.OPEN else DeliveryStatus(lane.state.value)
    if lane.pending[:1] != (delivery.event_id,):
        return Standing(delivery=delivery, status=status, attempts=0)
    last = Outcome(failure=lane.failure, status=lane.status) if lane.failure else None
    return Standing(delivery=delivery, status=status, attempts=lane.attempts, outcome=last, due_at=lane.due_at)
