"""Items of the webhooks table.

The writes on a lane are those of a machine with a lease: each says what it takes for granted, and answers whether that
was so.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.kernel.store import Action, Transaction, change, load_all, put
from kickstand.webhooks.errors import AlreadyPublished
from kickstand.webhooks.model import (
    Delivery,
    DeliveryState,
    Endpoint,
    Endpoints,
    Failure,
    Health,
    Lane,
    LaneState,
    Period,
)

KEPT: Final = timedelta(days=30)
"""How long events are kept, delivered or not: far longer than any stream repeats one."""

_LANE_KEPT: Final = KEPT + timedelta(days=1)
_HEALTH_KEPT: Final = timedelta(days=1)
_SEEN_OF_A_LANE: Final = 25


class WebhooksItem(Item[Entity]):
    """Anything in the webhooks table."""

    Meta = table_meta("WEBHOOKS_TABLE")


class EndpointsItem(WebhooksItem[Endpoints]):
    """A client's endpoints: ``CLIENT#<client id>`` / ``ENDPOINTS``."""

    KIND = "endpoints"
    KEYED_BY = ("client_id",)

    version = Value(int)
    endpoints = Value(tuple[Endpoint, ...])

    @staticmethod
    def key(client_id: int) -> Key["EndpointsItem"]:
        """Where a client's endpoints are kept."""
        return Key(EndpointsItem, f"CLIENT#{client_id}", "ENDPOINTS")


class EndpointIndex(GlobalSecondaryIndex[Any]):
    """What belongs to an endpoint: its deliveries in the order of time, its lanes that are retried, those parked."""

    class Meta:
        """The index."""

        index_name = "endpoints"
        projection = KeysOnlyProjection()

    listing = UnicodeAttribute(hash_key=True)
    place = UnicodeAttribute(range_key=True)


class LaneItem(WebhooksItem[Lane]):
    """A lane: ``LANE#<endpoint id>#<subject>`` / ``LANE``."""

    KIND = "lane"
    KEYED_BY = ("endpoint_id", "subject")

    listing = UnicodeAttribute(null=True)
    place = UnicodeAttribute(null=True)
    by_endpoint = EndpointIndex()

    client_id = Value(int)
    endpoint_id = Value(int)
    subject = Value(str)
    state = Value(LaneState)
    pending = Value(tuple[str, ...])
    lease = Value(str, null=True)
    lease_until = Value(datetime, null=True)
    owner = Value(str, null=True)
    launched = Value(bool)
    attempts = Value(int)
    failing_since = Value(datetime, null=True)
    due_at = Value(datetime, null=True)
    failure = Value(Failure, null=True)
    status = Value(int, null=True)
    given_up = Value(int)
    expires_at = Value(int)

    @staticmethod
    def key(endpoint_id: int, subject: str) -> Key["LaneItem"]:
        """Where a lane is kept."""
        return Key(LaneItem, f"LANE#{endpoint_id}#{subject}", "LANE")


class DeliveryItem(WebhooksItem[Delivery]):
    """An event for an endpoint: ``LANE#<endpoint id>#<subject>`` / ``DELIVERY#<event id>``."""

    KIND = "delivery"
    KEYED_BY = ("endpoint_id", "subject", "event_id")

    listing = UnicodeAttribute()
    place = UnicodeAttribute()

    state = Value(DeliveryState)
    delivered_at = Value(datetime, null=True)
    attempts = Value(int)
    replay = Value(str, null=True)
    expires_at = Value(int)

    @staticmethod
    def key(endpoint_id: int, subject: str, event_id: str) -> Key["DeliveryItem"]:
        """Where an event for an endpoint is kept."""
        return Key(DeliveryItem, f"LANE#{endpoint_id}#{subject}", f"DELIVERY#{event_id}")


class HealthItem(WebhooksItem[Health]):
    """What lately happened at an endpoint: ``ENDPOINT#<id>`` / ``HEALTH``."""

    KIND = "health"
    KEYED_BY = ("endpoint_id",)

    endpoint_id = Value(int)
    timeouts = Value(int)
    suspended_until = Value(datetime)
    expires_at = Value(int)

    @staticmethod
    def key(endpoint_id: int) -> Key["HealthItem"]:
        """Where it is kept."""
        return Key(HealthItem, f"ENDPOINT#{endpoint_id}", "HEALTH")


# ── Endpoints ────────────────────────────────────────────────────────────────────────────────────────────────────────


def replace(former: Endpoints, endpoints: Endpoints) -> bool:
    """Keep a client's endpoints, unless others have changed them."""
    unchanged = EndpointsItem.version == former.version
    condition = unchanged if former.version else EndpointsItem.pk.does_not_exist()
    return put(EndpointsItem.of(endpoints), condition=condition)


# ── What is to be sent ───────────────────────────────────────────────────────────────────────────────────────────────


def add(delivery: Delivery) -> None:
    """Keep an event and put it at the end of its lane.

    Raises:
        AlreadyPublished: it is kept already.
    """
    at = delivery.published_at
    place = f"{_moment(at)}#{delivery.subject}#{delivery.event_id}"
    with Transaction() as tx:
        tx.create(
            DeliveryItem.of(
                delivery,
                listing=str(delivery.endpoint_id),
                place=place,
                expires_at=int((at + KEPT).timestamp()),
            ),
            otherwise=AlreadyPublished,
        )
        tx.update(LaneItem.key(delivery.endpoint_id, delivery.subject), _appending(delivery, at))


def repeat(delivery: Delivery, replay: str, now: datetime) -> None:
    """Put an event that has been delivered at the end of its lane again.

    Raises:
        AlreadyPublished: it waits there already, or this replay has had it sent again before.
    """
    once = DeliveryItem.replay.does_not_exist() | (DeliveryItem.replay != replay)
    with Transaction() as tx:
        tx.update(
            DeliveryItem.key_of(delivery),
            [DeliveryItem.state.set(DeliveryState.PENDING), DeliveryItem.replay.set(replay)],
            condition=(DeliveryItem.state == DeliveryState.DELIVERED) & once,
            otherwise=AlreadyPublished,
        )
        tx.update(LaneItem.key(delivery.endpoint_id, delivery.subject), _appending(delivery, now))


def _appending(delivery: Delivery, now: datetime) -> list[Action]:
    defaults = Lane(client_id=delivery.client_id, endpoint_id=delivery.endpoint_id, subject=delivery.subject)
    return [
        LaneItem.pending.set((LaneItem.pending | []).append([delivery.event_id])),
        LaneItem.expires_at.set(_lane_expiry(now)),
        LaneItem.kind.set(LaneItem.KIND),
        *(
            getattr(LaneItem, name).set(getattr(LaneItem, name) | getattr(defaults, name))
            for name in ("client_id", "endpoint_id", "subject", "state", "launched", "attempts", "given_up")
        ),
    ]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _lane_expiry(now: datetime) -> int:
    return int((now + _LANE_KEPT).timestamp())


# ── Lanes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def take(lane: Lane, lease: str, now: datetime, until: datetime, *, release: bool = False) -> bool:
    """Take the lease of a lane, as it was read; answers whether it was free and still so.

    Args:
        lane: the lane as it was read, with something pending.
        lease: names whoever takes it.
        now: leases that end before have ended.
        until: when this one ends.
        release: whether the lane is taken from its owner.
    """
    actions = [LaneItem.lease.set(lease), LaneItem.lease_until.set(until)]
    if release:
        actions += _open()
    free = LaneItem.lease_until.does_not_exist() | (LaneItem.lease_until <= now)
    owner = LaneItem.owner.does_not_exist() if lane.owner is None else LaneItem.owner == lane.owner
    same = (LaneItem.state == lane.state) & owner & (LaneItem.pending[0] == lane.pending[0])
    return change(LaneItem.key_of(lane), actions, condition=free & same)


def settle(delivery: Delivery, attempts: int, now: datetime) -> None:
    """Keep that an event has been delivered, after so many attempts."""
    change(
        DeliveryItem.key_of(delivery),
        [
            DeliveryItem.state.set(DeliveryState.DELIVERED),
            DeliveryItem.delivered_at.set(now),
            DeliveryItem.attempts.set(attempts),
        ],
        condition=DeliveryItem.pk.exists(),
    )


def advance(lane: Lane, lease: str, until: datetime) -> bool:
    """Take the oldest event off a lane and keep the lease until ``until``; answers whether the lease was ours."""
    actions = [LaneItem.pending[0].remove(), LaneItem.lease_until.set(until), *_forgiven()]
    return change(LaneItem.key_of(lane), actions, condition=_held(lane, lease))


def finish(lane: Lane, lease: str, now: datetime) -> bool:
    """Take the last event off a lane and leave it to the queue; answers whether it was the last, and the lease ours."""
    actions = [
        LaneItem.pending[0].remove(),
        LaneItem.expires_at.set(_lane_expiry(now)),
        *_forgiven(),
        *_open(),
        *_unleased(),
    ]
    last = LaneItem.pending[1].does_not_exist()
    return change(LaneItem.key_of(lane), actions, condition=_held(lane, lease) & last)


def let_go(lane: Lane, lease: str) -> bool:
    """Give the lease back with things pending; answers whether it was ours."""
    return change(LaneItem.key_of(lane), _unleased(), condition=LaneItem.lease == lease)


def postpone(lane: Lane, lease: str) -> bool:
    """Leave a lane to the workflow ``lane.owner`` until ``lane.due_at``; answers whether the lease was ours."""
    actions = [
        LaneItem.state.set(LaneState.RETRYING),
        LaneItem.owner.set(lane.owner),
        LaneItem.due_at.set(lane.due_at),
        LaneItem.launched.set(lane.launched),
        *_blame(lane),
        *_listed(lane, LaneState.RETRYING),
        *_unleased(),
    ]
    return change(LaneItem.key_of(lane), actions, condition=_held(lane, lease))


def park(lane: Lane, lease: str) -> bool:
    """Leave a lane to nobody; answers whether the lease was ours."""
    actions = [
        LaneItem.state.set(LaneState.PARKED),
        LaneItem.owner.set(lane.owner),
        LaneItem.given_up.set(len(lane.pending)),
        LaneItem.due_at.remove(),
        *_blame(lane),
        *_listed(lane, LaneState.PARKED),
        *_unleased(),
    ]
    return change(LaneItem.key_of(lane), actions, condition=_held(lane, lease))


def launch(lane: Lane) -> None:
    """Keep that the workflow of a lane has been started."""
    change(LaneItem.key_of(lane), [LaneItem.launched.set(True)], condition=LaneItem.owner == lane.owner)


def abandon(lane: Lane, lease: str) -> bool:
    """Drop everything that is pending in a lane; answers whether the lease was ours."""
    actions = [LaneItem.pending.set([]), *_forgiven(), *_open(), *_unleased()]
    return change(LaneItem.key_of(lane), actions, condition=_held(lane, lease))


def _held(lane: Lane, lease: str) -> Condition:
    """That the lease is ours and nobody has taken the oldest event off."""
    held: Condition = (LaneItem.lease == lease) & (LaneItem.pending[0] == lane.pending[0])
    return held


def _open() -> list[Action]:
    return [
        LaneItem.state.set(LaneState.OPEN),
        LaneItem.owner.remove(),
        LaneItem.launched.set(False),
        LaneItem.due_at.remove(),
        LaneItem.listing.remove(),
        LaneItem.place.remove(),
    ]


def _forgiven() -> list[Action]:
    return [
        LaneItem.attempts.set(0),
        LaneItem.failing_since.remove(),
        LaneItem.failure.remove(),
        LaneItem.status.remove(),
    ]


def _unleased() -> list[Action]:
    return [LaneItem.lease.remove(), LaneItem.lease_until.remove()]


def _blame(lane: Lane) -> list[Action]:
    return [
        LaneItem.attempts.set(lane.attempts),
        LaneItem.failing_since.remove()
        if lane.failing_since is None
        else LaneItem.failing_since.set(lane.failing_since),
        LaneItem.failure.set(lane.failure),
        LaneItem.status.remove() if lane.status is None else LaneItem.status.set(lane.status),
    ]


def _listed(lane: Lane, state: LaneState) -> list[Action]:
    return [LaneItem.listing.set(_listing(lane.endpoint_id, state)), LaneItem.place.set(lane.subject)]


def _listing(endpoint_id: int, state: LaneState) -> str:
    return f"{endpoint_id}#{state.value}"


# ── Health ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def suspend(health: Health, now: datetime) -> None:
    """Keep that an endpoint has kept us waiting."""
    change(
        HealthItem.key_of(health),
        [
            HealthItem.kind.set(HealthItem.KIND),
            HealthItem.endpoint_id.set(health.endpoint_id),
            HealthItem.timeouts.set(health.timeouts),
            HealthItem.suspended_until.set(health.suspended_until),
            HealthItem.expires_at.set(int((now + _HEALTH_KEPT).timestamp())),
        ],
    )


def claim_trial(health: Health, until: datetime) -> bool:
    """Become the one who tries an endpoint after its suspension; answers whether nobody else has."""
    unchanged = HealthItem.suspended_until == health.suspended_until
    return change(HealthItem.key_of(health), [HealthItem.suspended_until.set(until)], condition=unchanged)


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def lanes_in(endpoint_id: int, state: LaneState, after: str | None, most: int) -> tuple[list[Lane], str | None]:
    """An endpoint's lanes in a state, by subject, and where to go on; eventually consistent."""
    listing = _listing(endpoint_id, state)
    beyond = EndpointIndex.place > after if after else None
    found = list(LaneItem.by_endpoint.query(listing, beyond, limit=most))
    items = load_all([LaneItem.key(endpoint_id, each.place) for each in found])
    lanes = [item.entity for item in items if item is not None and item.state is state]
    return lanes, found[-1].place if len(found) == most else None


def deliveries_of(endpoint_id: int, after: str | None, most: int) -> tuple[list[Delivery], str | None]:
    """An endpoint's deliveries, newest first, and where to go on; eventually consistent."""
    beyond = EndpointIndex.place < after if after else None
    return _deliveries(LaneItem.by_endpoint.query(str(endpoint_id), beyond, limit=most, scan_index_forward=False), most)


def deliveries_between(
    endpoint_id: int, period: Period, after: str | None, most: int
) -> tuple[list[Delivery], str | None]:
    """What has been published for an endpoint in a period, oldest first, and where to go on; eventually consistent."""
    # A page begins with what ended the one before; whoever sends that again finds it done.
    within = EndpointIndex.place.between(after or _moment(period.since), _moment(period.until))
    return _deliveries(LaneItem.by_endpoint.query(str(endpoint_id), within, limit=most), most)


def _deliveries(rows: Iterable[LaneItem], most: int) -> tuple[list[Delivery], str | None]:
    found = list(rows)
    items = load_all([Key(DeliveryItem, each.pk, each.sk) for each in found])
    return [item.entity for item in items if item is not None], found[-1].place if len(found) == most else None


def pending_of(lanes: Sequence[Lane]) -> list[tuple[Lane, Delivery]]:
    """What is pending in lanes, oldest first; of each lane no more than its oldest 25."""
    keys = [
        (lane, DeliveryItem.key(lane.endpoint_id, lane.subject, event_id))
        for lane in lanes
        for event_id in lane.pending[:_SEEN_OF_A_LANE]
    ]
    items = load_all([key for _, key in keys])
    return [(lane, item.entity) for (lane, _), item in zip(keys, items, strict=True) if item is not None]
