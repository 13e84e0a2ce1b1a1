"""Use cases of whoever delivers: look after a lane, try again, replay.

A lane's lease says who sends. It is taken before anything is sent, and what has been acknowledged is noted before the
next event is sent; so only a death between an acknowledgement and its note has an event sent twice, and by the same
name then.
"""

import random
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum, auto
from math import ceil
from typing import Final, NamedTuple

from kickstand.kernel import clock, store
from kickstand.webhooks import gateway, rules
from kickstand.webhooks import service as webhooks
from kickstand.webhooks.errors import AlreadyPublished
from kickstand.webhooks.model import (
    Again,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    Failure,
    Health,
    Lane,
    LaneState,
    Outcome,
    Replay,
    Wake,
)
from kickstand.webhooks.store import (
    KEPT,
    DeliveryItem,
    EndpointsItem,
    HealthItem,
    LaneItem,
    abandon,
    advance,
    claim_trial,
    deliveries_between,
    finish,
    lanes_in,
    launch,
    let_go,
    park,
    postpone,
    repeat,
    settle,
    suspend,
    take,
)

LEASE: Final = timedelta(seconds=30)
"""Far longer than an attempt and the writes around it take."""

_TRIAL: Final = timedelta(seconds=gateway.DEADLINE_S + 5)
_BUDGET_S: Final = 12
"""No attempt begins later in an invocation; with the attempt's own ten seconds it stays below the functions' thirty."""

_PAGE: Final = 100


class Step(NamedTuple):
    """What a workflow does next.

    Attributes:
        next: ``wait`` for ``seconds`` and come again, ``done``, or ``park``: the lane has been given up.
    """

    next: str
    seconds: int = 0


class _Result(Enum):
    EMPTY = auto()
    """Nothing is pending any more."""
    FAILED = auto()
    """The lane has been left to a workflow, or to nobody."""
    MORE = auto()
    """Something is pending, but the time is up."""
    LOST = auto()
    """Somebody else has the lane."""


class _Seen(NamedTuple):
    lane: Lane | None
    endpoint: Endpoint | None
    health: Health | None


# ── Messages of the queue ────────────────────────────────────────────────────────────────────────────────────────────


def do(errand: Wake | Again | Replay) -> None:
    """Do what a message asks for; whoever got it lets it come again when this raises."""
    match errand:
        case Wake():
            _look_after(errand)
        case Again():
            _send_again(errand)
        case Replay():
            _replay(errand)


def _look_after(wake: Wake) -> None:
    """Send what is pending in a lane, unless a workflow looks after it; hand it to one when that fails."""
    seen = _look(wake.client_id, wake.endpoint_id, wake.subject, wake.event_id)
    lane = seen.lane
    if lane is None or not lane.pending:
        return
    if not rules.is_for_the_queue(lane, wake):
        if lane.state is LaneState.RETRYING and not lane.launched:
            _launch(lane)  # whoever handed the lane over died before that
        return
    now = clock.now()
    lease = secrets.token_hex(16)
    if not take(lane, lease, now, now + LEASE, release=lane.state is not LaneState.OPEN):
        # Whoever has it will see what is new, but may die before; this message is the one that must not be lost then.
        gateway.ask([wake], delay_s=_seconds_until(lane.lease_until, now))
        return
    if lane.state is not LaneState.OPEN:
        lane = lane.model_copy(update={"state": LaneState.OPEN, "attempts": 0, "failing_since": None})
    turn = _Turn(lane.model_copy(update={"owner": lease, "launched": False}), seen, lease)
    result = turn.run()
    if result is _Result.MORE:
        gateway.ask([wake.model_copy(update={"release": None})])
        let_go(turn.lane, lease)
    elif result is _Result.FAILED and turn.lane.state is LaneState.RETRYING:
        _launch(turn.lane)


def _launch(lane: Lane) -> None:
    gateway.start_workflow(lane)
    launch(lane)


def _send_again(errand: Again) -> None:
    delivery, lane = store.load_all(
        [
            DeliveryItem.key(errand.endpoint_id, errand.subject, errand.event_id),
            LaneItem.key(errand.endpoint_id, errand.subject),
        ]
    )
    if delivery is None or lane is None:
        return
    with suppress(AlreadyPublished):
        repeat(delivery.entity, errand.replay, clock.now())
    store.forget()
    _look_after(
        Wake(
            client_id=errand.client_id,
            endpoint_id=errand.endpoint_id,
            subject=errand.subject,
            event_id=errand.event_id,
            release=lane.owner,
        )
    )


def _replay(errand: Replay) -> None:
    """Do a page of a replay, and ask for the next one."""
    if errand.lanes is not None:
        lanes, after = lanes_in(errand.endpoint_id, errand.lanes, errand.after, _PAGE)
        released = {
            each.subject: each.owner
            for each in lanes
            if each.failing_since is None or each.failing_since < errand.asked_at
        }
    elif errand.period is not None:
        found, after = deliveries_between(errand.endpoint_id, errand.period, errand.after, _PAGE)
        released = dict.fromkeys(_repeated(errand, found))
    else:
        return
    wakes = [
        Wake(client_id=errand.client_id, endpoint_id=errand.endpoint_id, subject=subject, release=owner)
        for subject, owner in released.items()
    ]
    gateway.ask([*wakes, *_following(errand, after)])


def _repeated(errand: Replay, deliveries: Iterable[Delivery]) -> Iterator[str]:
    """Put deliveries into their lanes again, one after the other, for that is their order; yields the subjects."""
    for each in deliveries:
        if each.delivered_at is not None and each.delivered_at >= errand.asked_at:
            continue
        with suppress(AlreadyPublished):  # it waits already, or whoever did this page before has repeated it
            repeat(each, errand.id, clock.now())
        yield each.subject


def _following(errand: Replay, after: str | None) -> list[Replay]:
    if after is not None:
        return [errand.model_copy(update={"after": after})]
    match errand.lanes:
        case LaneState.PARKED:
            return [errand.model_copy(update={"lanes": LaneState.RETRYING, "after": None})]
        case LaneState.RETRYING if errand.period is not None:
            return [errand.model_copy(update={"lanes": None, "after": None})]
        case _:
            return []


# ── The workflow ─────────────────────────────────────────────────────────────────────────────────────────────────────


def retry(client_id: int, endpoint_id: int, subject: str, owner: str) -> Step:
    """Send what is pending in a lane that has been handed to the workflow ``owner``, if it is due."""
    seen = _look(client_id, endpoint_id, subject)
    lane = seen.lane
    if lane is None or lane.owner != owner:
        return Step("done")
    now = clock.now()
    if lane.state is LaneState.PARKED or (lane.due_at is not None and now < lane.due_at):
        return _step_after(lane)
    lease = secrets.token_hex(16)
    if not take(lane, lease, now, now + LEASE):
        return Step("wait", _seconds_until(lane.lease_until, now))
    turn = _Turn(lane, seen, lease)
    match turn.run():
        case _Result.EMPTY:
            return Step("done")
        case _Result.FAILED:
            return _step_after(turn.lane)
        case _Result.MORE | _Result.LOST:
            let_go(turn.lane, lease)
            return Step("wait")


def _step_after(lane: Lane) -> Step:
    if lane.state is LaneState.RETRYING:
        return Step("wait", _seconds_until(lane.due_at, clock.now()))
    asked_for = lane.failure in {Failure.GONE, Failure.DISABLED}
    return Step("done" if asked_for else "park")


# ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _look(client_id: int, endpoint_id: int, subject: str, event_id: str | None = None) -> _Seen:
    if event_id is not None:
        store.expect(DeliveryItem.key(endpoint_id, subject, event_id))
    lane, known, health = store.load_all(
        [LaneItem.key(endpoint_id, subject), EndpointsItem.key(client_id), HealthItem.key(endpoint_id)]
    )
    return _Seen(
        lane.entity if lane else None,
        known.entity.find(endpoint_id) if known else None,
        health.entity if health else None,
    )


class _Turn:
    """What whoever holds a lane's lease does: sends what is pending, oldest first.

    Attributes:
        lane: as it is now, as far as we know.
    """

    def __init__(self, lane: Lane, seen: _Seen, lease: str) -> None:
        self.lane = lane
        self._endpoint = seen.endpoint
        self._health = seen.health
        self._lease = lease
        self._stop_at = time.monotonic() + _BUDGET_S

    def run(self) -> _Result:
        while True:
            result = self._send_oldest() or self._take_off_oldest()
            if result is not None:
                return result
            if time.monotonic() > self._stop_at:
                return _Result.MORE

    def _send_oldest(self) -> _Result | None:
        """``None`` when it need not be sent any more."""
        if self._endpoint is None:
            abandon(self.lane, self._lease)
            return _Result.EMPTY
        if self._endpoint.state is EndpointState.DISABLED:
            return self._park(Outcome(failure=Failure.DISABLED))
        delivery = self._oldest()
        if delivery is None:
            return None
        outcome = _attempt(self._endpoint, delivery, self._health)
        if outcome.failure is not None:
            return self._fail(self._endpoint, outcome)
        self._health = None
        settle(delivery, self.lane.attempts + 1, clock.now())
        return None

    def _oldest(self) -> Delivery | None:
        """``None`` when it needs no sending: it has been delivered, or is forgotten."""
        item = store.load(DeliveryItem.key(self.lane.endpoint_id, self.lane.subject, self.lane.pending[0]))
        if item is None or item.state is DeliveryState.DELIVERED:
            return None
        delivery: Delivery = item.entity
        return delivery if clock.now() < delivery.published_at + KEPT else None

    def _take_off_oldest(self) -> _Result | None:
        """``None`` when there is more."""
        lane, now = self.lane, clock.now()
        if len(lane.pending) == 1 and finish(lane, self._lease, now):
            return _Result.EMPTY
        if not advance(lane, self._lease, now + LEASE):
            return _Result.LOST
        if len(lane.pending) > 1:
            forgiven = {"attempts": 0, "failing_since": None, "failure": None, "status": None}
            self.lane = lane.model_copy(update={"pending": lane.pending[1:], **forgiven})
            return None
        item = store.load(LaneItem.key_of(lane))  # something has come while we were sending
        if item is None or item.lease != self._lease or not item.pending:
            return _Result.LOST
        self.lane = item.entity.model_copy(update={"owner": lane.owner, "launched": lane.launched})
        return None

    def _fail(self, endpoint: Endpoint, outcome: Outcome) -> _Result:
        now = clock.now()
        attempts, since = self.lane.attempts + 1, self.lane.failing_since or now
        self.lane = self.lane.model_copy(update={"attempts": attempts, "failing_since": since})
        if outcome.failure is Failure.GONE and webhooks.disable_gone(endpoint):
            return self._park(outcome)
        due_at = rules.next_attempt(attempts, since, now, random.random())  # noqa: S311 - jitter, not a secret
        if due_at is None:
            return self._park(outcome)
        waiting = {"state": LaneState.RETRYING, "due_at": due_at, "failure": outcome.failure, "status": outcome.status}
        self.lane = self.lane.model_copy(update=waiting)
        return _Result.FAILED if postpone(self.lane, self._lease) else _Result.LOST

    def _park(self, outcome: Outcome) -> _Result:
        given_up = {"state": LaneState.PARKED, "failure": outcome.failure, "status": outcome.status}
        self.lane = self.lane.model_copy(update=given_up)
        return _Result.FAILED if park(self.lane, self._lease) else _Result.LOST


def _attempt(endpoint: Endpoint, delivery: Delivery, health: Health | None) -> Outcome:
    timeouts = health.timeouts if health else 0
    now = clock.now()
    if health is not None and timeouts:
        suspended = now < health.suspended_until
        if suspended or not claim_trial(health, now + _TRIAL):
            return Outcome(failure=Failure.SUSPENDED)
    name = str(delivery.name)

    def stamp() -> dict[str, str]:
        signature = rules.signature(endpoint, delivery.body, clock.now())
        return {endpoint.scheme.id_header: name, endpoint.scheme.signature_header: signature}

    outcome = gateway.post(endpoint.url + delivery.path, delivery.body, stamp, about=name)
    if outcome.failure is Failure.TIMEOUT:
        _note_health(endpoint.id, timeouts + 1)
    elif timeouts:
        _note_health(endpoint.id, 0)
    return outcome


def _note_health(endpoint_id: int, timeouts: int) -> None:
    now = clock.now()
    until = now + rules.suspension(timeouts) if timeouts else now
    suspend(Health(endpoint_id=endpoint_id, timeouts=timeouts, suspended_until=until), now)


def _seconds_until(moment: datetime | None, now: datetime) -> int:
    """The whole seconds until then, at least one."""
    return max(1, ceil((moment - now).total_seconds())) if moment else 1
