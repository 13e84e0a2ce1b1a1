"""Use cases about webhooks: what clients arrange, and telling them something."""

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kickstand.kernel import clock, ids, store
from kickstand.webhooks import gateway, rules
from kickstand.webhooks.errors import AlreadyPublished, DeliveryNotFound, EndpointDisabled, EndpointNotFound
from kickstand.webhooks.model import (
    Again,
    Delivery,
    DeliveryState,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Endpoints,
    EndpointState,
    LaneState,
    Page,
    Period,
    Replay,
    SignatureScheme,
    Wake,
)
from kickstand.webhooks.store import (
    DeliveryItem,
    EndpointsItem,
    LaneItem,
    add,
    deliveries_of,
    lanes_in,
    pending_of,
    replace,
)
from kickstand.webhooks.stringify import stringify

OVERLAP: Final = timedelta(hours=24)
"""How long a former secret signs beside its successor."""

_SECRET_BYTES: Final = 32
_ATTEMPTS: Final = 9
_SPREAD_S: Final = 0.01


# ── Arrangements ─────────────────────────────────────────────────────────────────────────────────────────────────────


def register(
    client_id: int, url: str, events: Iterable[str], scheme: SignatureScheme, secret: str | None = None
) -> Endpoint:
    """Let a client be told of events at a URL.

    Args:
        client_id: the client.
        url: the base; an event's path is added to it.
        events: the paths wanted, or :data:`~kickstand.webhooks.model.EVERYTHING`.
        scheme: the headers that its surface has promised.
        secret: the key of the signatures; one is drawn where none is given.

    Raises:
        TargetRefused: events are not sent to such a URL.
        SecretRefused: the secret is easy to guess.
        TooManyEndpoints: it has twenty.
        EndpointExists: it has one with this URL.
    """
    endpoint = Endpoint(
        id=ids.new_id(),
        client_id=client_id,
        url=_checked(url),
        events=frozenset(events),
        scheme=scheme,
        secret=_secret(secret),
        created_at=clock.now(),
    )
    _rearrange(client_id, lambda known: known if known.find(endpoint.id) else rules.added(known, endpoint))
    return endpoint


def expect(client_id: int) -> None:
    """Announce that a client's endpoints will be needed, before the first read."""
    store.expect(EndpointsItem.key(client_id))


def endpoints(client_id: int) -> tuple[Endpoint, ...]:
    """A client's endpoints, oldest first."""
    return _known(client_id).endpoints


def find(client_id: int, endpoint_id: int) -> Endpoint:
    """A client's endpoint.

    Raises:
        EndpointNotFound: it has none of this id, whoever else may have.
    """
    return _found(_known(client_id), endpoint_id)


def change(
    client_id: int,
    endpoint_id: int,
    *,
    url: str | None = None,
    events: Iterable[str] | None = None,
    enable: bool | None = None,
) -> Endpoint:
    """Change what is given of an endpoint. Enabling it asks for what is parked to be sent.

    Raises:
        EndpointNotFound: the client has none of this id.
        TargetRefused: events are not sent to such a URL.
        EndpointExists: another endpoint has this URL.
    """
    find(client_id, endpoint_id)
    base = None if url is None else _checked(url)
    wanted = None if events is None else frozenset(events)

    def changed(known: Endpoints) -> Endpoints:
        endpoint = _found(known, endpoint_id)
        if base is not None:
            endpoint = endpoint.model_copy(update={"url": base})
        if wanted is not None:
            endpoint = endpoint.model_copy(update={"events": wanted})
        if enable is not None:
            endpoint = rules.enabled(endpoint) if enable else rules.disabled(endpoint, DisabledReason.PAUSED)
        return rules.changed(known, endpoint)

    endpoint = _found(_rearrange(client_id, changed), endpoint_id)
    if enable:
        gateway.ask([_replay_of(endpoint, None)])
    return endpoint


def rotate_secret(
    client_id: int, endpoint_id: int, secret: str | None = None, overlap: timedelta = OVERLAP
) -> Endpoint:
    """Give an endpoint another secret, drawn where none is given; the former one signs beside it for ``overlap``.

    Raises:
        EndpointNotFound: the client has none of this id.
        SecretRefused: the secret is easy to guess.
    """
    find(client_id, endpoint_id)
    wanted, now = _secret(secret), clock.now()

    def changed(known: Endpoints) -> Endpoints:
        return rules.changed(known, rules.rotated(_found(known, endpoint_id), wanted, now, overlap))

    return _found(_rearrange(client_id, changed), endpoint_id)


def remove(client_id: int, endpoint_id: int) -> None:
    """Forget an endpoint; what waits for it is dropped.

    Raises:
        EndpointNotFound: the client has none of this id.
    """
    find(client_id, endpoint_id)
    _rearrange(client_id, lambda known: rules.removed(known, endpoint_id))


def disable_gone(endpoint: Endpoint) -> bool:
    """Send an endpoint nothing more, as its answer asks; ``False`` when it leads elsewhere or nowhere by now."""

    def leads_there(known: Endpoints) -> bool:
        now = known.find(endpoint.id)
        return now is not None and now.url == endpoint.url

    def changed(known: Endpoints) -> Endpoints:
        if not leads_there(known):
            return known
        return rules.changed(known, rules.disabled(_found(known, endpoint.id), DisabledReason.GONE))

    store.forget()
    return leads_there(_rearrange(endpoint.client_id, changed))


def _known(client_id: int) -> Endpoints:
    item = store.load(EndpointsItem.key(client_id))
    return Endpoints(client_id=client_id, version=0) if item is None else item.entity


def _found(known: Endpoints, endpoint_id: int) -> Endpoint:
    endpoint = known.find(endpoint_id)
    if endpoint is None:
        raise EndpointNotFound
    return endpoint


def _rearrange(client_id: int, decide: Callable[[Endpoints], Endpoints]) -> Endpoints:
    """Read a client's endpoints, decide, write; again from the start where somebody else was faster.

    Raises:
        Contention: somebody else always was.
    """
    for attempt in range(_ATTEMPTS):
        known = _known(client_id)
        decided = decide(known)
        if decided is known or replace(known, decided):
            return decided
        store.forget()
        time.sleep(random.uniform(0, _SPREAD_S * 2**attempt))  # noqa: S311 - jitter, not a secret
    raise store.Contention


def _checked(url: str) -> str:
    anywhere = gateway.anywhere()
    base = rules.base_url(url, anywhere=anywhere)
    gateway.check(rules.target(base, anywhere=anywhere))
    return base


def _secret(given: str | None) -> str:
    return secrets.token_urlsafe(_SECRET_BYTES) if given is None else rules.checked_secret(given)


def _token() -> str:
    return secrets.token_hex(16)


# ── Telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def publish(client_id: int, path: str, subject: str, event_id: str, payload: Mapping[str, Any]) -> None:
    """Tell a client something, at every endpoint that wants to know.

    An event is published once for each endpoint, however often this is called; whoever calls it for a record of a
    stream lets the record come again when it raises.

    Args:
        client_id: whom.
        path: the kind of event, as endpoints want it, and where below their URL it goes; begins with a slash.
        subject: events of one subject arrive in the order in which they were published.
        event_id: names the event within its subject. Both are up to 100 letters, digits, hyphens and underscores.
        payload: a JSON document; see :func:`~kickstand.webhooks.stringify.stringify`.

    Raises:
        ValueError: for a subject or an id of another form, or a document that JavaScript would change.
    """
    if not rules.are_names(subject, event_id):
        raise ValueError("subject and event_id are up to 100 letters, digits, hyphens and underscores")
    body = stringify(payload)
    wanting = [endpoint for endpoint in endpoints(client_id) if endpoint.wants(path)]
    for endpoint in wanting:
        delivery = Delivery(
            client_id=client_id,
            endpoint_id=endpoint.id,
            subject=subject,
            event_id=event_id,
            path=path,
            body=body,
            published_at=clock.now(),
        )
        try:
            add(delivery)
        except AlreadyPublished:
            continue
    wakes = [
        Wake(client_id=client_id, endpoint_id=endpoint.id, subject=subject, event_id=event_id) for endpoint in wanting
    ]
    gateway.ask(wakes)  # also for what was published before: whoever did may have died before asking


def replay(client_id: int, endpoint_id: int, *, since: datetime | None = None, name: str | None = None) -> None:
    """Have events sent to an endpoint now, in the background.

    Args:
        client_id: the client.
        endpoint_id: the endpoint.
        since: what has been published since is sent again, delivered or not.
        name: this event is, and no other; see :class:`~kickstand.webhooks.model.Name`. With neither, what is parked or
            waits for its next attempt is sent.

    Raises:
        EndpointNotFound: the client has none of this id.
        EndpointDisabled: the endpoint gets nothing.
        DeliveryNotFound: the endpoint has got no such event, or it is forgotten.
    """
    parts = rules.parse_name(name) if name is not None else None
    if parts is not None:
        store.expect(DeliveryItem.key(endpoint_id, parts.subject, parts.event_id))
    endpoint = find(client_id, endpoint_id)
    if endpoint.state is EndpointState.DISABLED:
        raise EndpointDisabled
    if name is None:
        gateway.ask([_replay_of(endpoint, since)])
        return
    if parts is None or parts.endpoint_id != endpoint_id:
        raise DeliveryNotFound
    if store.load(DeliveryItem.key(*parts)) is None:
        raise DeliveryNotFound
    again = Again(
        replay=_token(),
        client_id=client_id,
        endpoint_id=endpoint_id,
        subject=parts.subject,
        event_id=parts.event_id,
    )
    gateway.ask([again])


def _replay_of(endpoint: Endpoint, since: datetime | None) -> Replay:
    now = clock.now()
    period = None if since is None else Period(since=since.astimezone(UTC), until=now)
    return Replay(id=_token(), asked_at=now, client_id=endpoint.client_id, endpoint_id=endpoint.id, period=period)


def deliveries(
    client_id: int, endpoint_id: int, status: DeliveryStatus | None = None, *, after: str | None = None, most: int = 50
) -> Page:
    """An endpoint's deliveries, about ``most`` of them; a page can be short and yet have others after it.

    What is retried or parked comes by subject, everything else newest first.

    Raises:
        EndpointNotFound: the client has none of this id.
    """
    find(client_id, endpoint_id)
    if status in {DeliveryStatus.RETRYING, DeliveryStatus.PARKED}:
        lanes, following = lanes_in(endpoint_id, LaneState(status.value), after, most)
        waiting = tuple(rules.standing(delivery, lane) for lane, delivery in pending_of(lanes))
        return Page(deliveries=waiting, after=following)
    found, following = deliveries_of(endpoint_id, after, most)
    pending = {each.subject for each in found if each.state is DeliveryState.PENDING}
    items = store.load_all([LaneItem.key(endpoint_id, subject) for subject in sorted(pending)])
    lanes_by_subject = {item.subject: item.entity for item in items if item is not None}
    known = (rules.standing(each, lanes_by_subject.get(each.subject)) for each in found)
    return Page(deliveries=tuple(each for each in known if status in {None, each.status}), after=following)
