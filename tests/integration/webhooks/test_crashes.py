"""The process dies after each of its writes, messages and requests: nothing is lost, nothing overtakes."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from kickstand.kernel import items, store
from kickstand.webhooks import rules, service
from kickstand.webhooks.model import EndpointState, Failure, LaneState, Outcome
from local.server import Tables
from tests.support.post_office import CLIENT, TAKEN, PostOffice, failing
from tests.support.world import Crash, Dying

DAY = timedelta(days=1)


class Fate(Dying):
    """Kills the process once, after its ``at``-th effect: a write, a message, a workflow's start or a request."""

    def __init__(self, office: PostOffice, at: int | None = None) -> None:
        super().__init__(at)
        office.after_effect = self._happened

    def _happened(self) -> None:
        self.writes += 1
        if self.writes == self.at:
            raise Crash


@pytest.fixture
def office(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> PostOffice:
    monkeypatch.setenv("WEBHOOK_TARGETS", "public")
    items.connect()
    return PostOffice(monkeypatch)


def begin(office: PostOffice) -> int:
    """A client with one endpoint, and no past."""
    store.begin()
    for known in service.endpoints(CLIENT):
        store.begin()
        service.remove(CLIENT, known.id)
    office.parcels.clear()
    office.executions.clear()
    return office.register().id


def plain(office: PostOffice) -> None:
    """Three events, the second of them while the first is on its way."""
    office.publish("1", "2")
    office.settle()
    office.publish("3")
    office.passes(DAY)


def refused(office: PostOffice) -> None:
    """The receiver fails three times, once with an event behind another."""
    office.conduct = failing(500, 500, None, 503)
    office.publish("1", "2")
    office.settle()
    office.publish("3")
    office.passes(DAY)


def given_up(office: PostOffice) -> None:
    """The receiver is away for four days, in which its lane is parked; then the lane is replayed."""
    back = office.now + 4 * DAY
    away = Outcome(failure=Failure.STATUS, status=500)
    office.conduct = lambda _: TAKEN if office.now >= back else away
    office.publish("1", "2", "3")
    office.passes(4 * DAY)
    for _ in range(20):
        store.begin()
        try:
            service.replay(CLIENT, service.endpoints(CLIENT)[0].id)
        except Crash:
            continue
        break
    office.passes(4 * DAY)


def gone(office: PostOffice) -> None:
    """The receiver asks for nothing more, and is enabled again later."""
    office.conduct = failing(500, 410)
    office.publish("1", "2", "3")
    office.passes(DAY)
    for _ in range(20):
        store.begin()
        try:
            (endpoint,) = service.endpoints(CLIENT)
            service.change(CLIENT, endpoint.id, enable=True)
        except Crash:
            continue
        break
    office.passes(DAY)


@pytest.mark.parametrize(
    ("story", "perseverance"),
    [
        pytest.param(plain, rules.PERSEVERANCE, id="plain"),
        pytest.param(refused, rules.PERSEVERANCE, id="refused"),
        pytest.param(gone, rules.PERSEVERANCE, id="gone"),
        # Three attempts; every further one takes the same steps.
        pytest.param(given_up, timedelta(seconds=40), id="given_up_soon"),
        pytest.param(given_up, rules.PERSEVERANCE, id="given_up", marks=pytest.mark.long),
    ],
)
def test_dying_anywhere_loses_nothing(
    office: PostOffice,
    story: Callable[[PostOffice], None],
    perseverance: timedelta,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "PERSEVERANCE", perseverance)
    endpoint_id = begin(office)
    with Fate(office) as fate:
        story(office)
    effects, requests = fate.writes, len(office.parcels)
    assert effects > 8
    assert office.taken == ["1", "2", "3"]
    for at in range(1, effects + 1):
        endpoint_id = begin(office)
        with Fate(office, at) as fate:
            story(office)
        where = f"after effect {at} of {effects}"
        assert fate.writes >= at, where
        assert list(dict.fromkeys(office.taken)) == ["1", "2", "3"], where
        assert sum(Counter(office.taken).values()) <= 4, where  # one of them twice, if death came before the note
        assert office.taken == sorted(office.taken), where
        assert len(office.parcels) <= requests + 2, where
        endpoint = office.endpoint(endpoint_id)
        assert endpoint is not None
        assert endpoint.state is EndpointState.ACTIVE
        lane = office.lane(endpoint)
        assert (lane.pending, lane.state, lane.lease, lane.owner) == ((), LaneState.OPEN, None, None), where
        assert "RUNNING" not in office.executions.values(), where
        assert office.is_idle, where
        assert office.dead == [], where


def test_an_event_is_sent_twice_only_by_who_dies_before_noting_its_acknowledgement(office: PostOffice) -> None:
    begin(office)
    with Fate(office) as fate:
        plain(office)
    twice = 0
    for at in range(1, fate.writes + 1):
        begin(office)
        with Fate(office, at):
            plain(office)
        twice += len(office.taken) - 3
        assert len({each.name for each in office.parcels}) == 3
    assert twice == 3  # once for each event: between the answer and the note
