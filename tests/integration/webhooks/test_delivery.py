"""Events on their way to receivers that take them, refuse them, keep us waiting, or are gone."""

import random
import threading
import time
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest

from kickstand.kernel import aws, items, store
from kickstand.webhooks import delivery, gateway, rules, service
from kickstand.webhooks.errors import DeliveryNotFound, EndpointDisabled, EndpointNotFound
from kickstand.webhooks.model import (
    DeliveryStatus,
    DisabledReason,
    EndpointState,
    Failure,
    LaneState,
    Outcome,
    Wake,
)
from kickstand.webhooks.store import DeliveryItem, take
from local.server import Tables
from tests.support.post_office import CLIENT, TAKEN, Parcel, PostOffice, failing
from tests.support.world import Crash

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
def office(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> PostOffice:
    monkeypatch.setenv("WEBHOOK_TARGETS", "public")
    store.begin()
    for known in service.endpoints(CLIENT):
        store.begin()
        service.remove(CLIENT, known.id)
    return PostOffice(monkeypatch)


def statuses(office: PostOffice, endpoint_id: int, status: DeliveryStatus | None = None) -> dict[str, str]:
    store.begin()
    page = service.deliveries(CLIENT, endpoint_id, status)
    return {each.delivery.event_id: each.status.value for each in page.deliveries}


# ── The good case ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_event_goes_to_every_endpoint_that_wants_it(office: PostOffice) -> None:
    every = office.register("https://one.example/a")
    trips = office.register("https://two.example", "/trips/events")
    office.register("https://three.example", "/reservations")
    office.register("https://other.example", client=CLIENT + 1)
    office.publish("1")
    office.settle()
    assert {each.url: each.name for each in office.parcels} == {
        "https://one.example/a/trips/events": f"{every.id}.trip-1.1",
        "https://two.example/trips/events": f"{trips.id}.trip-1.1",
    }
    assert {each.body for each in office.parcels} == {'{"event":"1"}'}
    assert statuses(office, every.id) == {"1": "delivered"}
    lane = office.lane(every)
    assert (lane.state, lane.pending, lane.lease) == (LaneState.OPEN, (), None)
    assert office.is_idle


def test_an_event_that_comes_twice_is_sent_once(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1", "1")
    office.settle()
    office.publish("1")
    office.settle()
    office.passes(20 * DAY)
    office.publish("1")
    office.settle()
    assert office.taken == ["1"]
    assert office.lane(endpoint).pending == ()


def test_events_of_a_subject_come_in_their_order_whatever_their_ids(office: PostOffice) -> None:
    office.register()
    office.publish("9", "3", "7", "1")
    office.settle()
    assert office.taken == ["9", "3", "7", "1"]


def test_whoever_has_no_endpoint_gets_nothing_and_costs_nothing(office: PostOffice) -> None:
    office.publish("1")
    assert office.is_idle


@pytest.mark.parametrize(("subject", "event"), [("trip 1", "1"), ("trip.1", "1"), ("", "1"), ("trip-1", "a" * 101)])
def test_names_that_could_not_be_told_apart_are_refused(office: PostOffice, subject: str, event: str) -> None:
    with pytest.raises(ValueError, match="letters"):
        service.publish(CLIENT, "/trips", subject, event, {})


# ── Failures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_fails_five_times_gets_everything_once_and_in_order(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(500, Failure.BROKEN, 301, Failure.UNREACHABLE, 404)
    office.publish("1", "2")
    office.settle()
    assert statuses(office, endpoint.id) == {"1": "retrying", "2": "retrying"}
    office.publish("3")
    office.passes(HOUR)
    assert [each.event for each in office.parcels] == ["1", "1", "1", "1", "1", "1", "2", "3"]
    assert office.taken == ["1", "2", "3"]
    waits = [
        (later.at - earlier.at).total_seconds()
        for earlier, later in zip(office.parcels[:5], office.parcels[1:6], strict=True)
    ]
    assert waits == [5, 30, 120, 600, 1800]
    assert len({each.name for each in office.parcels[:6]}) == 1
    assert len({each.body for each in office.parcels[:6]}) == 1
    assert office.is_idle
    lane = office.lane(endpoint)
    assert (lane.state, lane.owner, lane.attempts, lane.failure) == (LaneState.OPEN, None, 0, None)
    assert list(office.executions.values()) == ["SUCCEEDED"]
    store.begin()
    (first,) = [each for each in service.deliveries(CLIENT, endpoint.id).deliveries if each.delivery.event_id == "1"]
    assert (first.status, first.attempts) == (DeliveryStatus.DELIVERED, 6)


def test_while_a_workflow_has_a_lane_messages_leave_it_alone(office: PostOffice) -> None:
    office.register()
    office.conduct = failing(500)
    office.publish("1")
    office.settle()
    office.publish("2", "3")
    office.settle()
    assert [each.event for each in office.parcels] == ["1"]
    office.passes(5 * SECOND)
    assert office.taken == ["1", "2", "3"]


def test_another_subject_does_not_wait(office: PostOffice) -> None:
    office.register()
    office.conduct = failing(500)
    office.publish("1")
    office.publish("2", subject="trip-2")
    office.settle()
    assert office.taken == ["2"]


def test_an_event_that_fails_behind_another_has_three_days_of_its_own(office: PostOffice) -> None:
    endpoint = office.register()
    fate: dict[str, int] = {"1": 3, "2": 2}

    def conduct(parcel: Parcel) -> Outcome:
        fate[parcel.event] -= 1
        return TAKEN if fate[parcel.event] < 0 else Outcome(failure=Failure.STATUS, status=500)

    office.conduct = conduct
    office.publish("1", "2")
    office.passes(HOUR)
    events = [each.event for each in office.parcels]
    assert events == ["1", "1", "1", "1", "2", "2", "2"]
    waits = [
        (later.at - earlier.at).total_seconds()
        for earlier, later in zip(office.parcels[:-1], office.parcels[1:], strict=True)
    ]
    assert waits == [5, 30, 120, 0, 5, 30]
    assert office.lane(endpoint).state is LaneState.OPEN


def test_after_three_days_a_lane_is_parked_until_it_is_replayed(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = lambda _: Outcome(failure=Failure.STATUS, status=500)
    office.publish("1", "2")
    office.passes(rules.PERSEVERANCE)
    assert list(office.executions.values()) == ["FAILED"]
    assert {each.event for each in office.parcels} == {"1"}
    assert len(office.parcels) == 15
    assert office.parcels[-1].at - office.parcels[0].at == rules.PERSEVERANCE
    assert statuses(office, endpoint.id, DeliveryStatus.PARKED) == {"1": "parked", "2": "parked"}
    assert statuses(office, endpoint.id, DeliveryStatus.RETRYING) == {}
    office.passes(5 * DAY)
    assert len(office.parcels) == 15
    assert office.is_idle

    office.conduct = lambda _: TAKEN
    service.replay(CLIENT, endpoint.id)
    office.settle()
    assert office.taken == ["1", "2"]
    assert statuses(office, endpoint.id, DeliveryStatus.PARKED) == {}
    assert office.is_idle


def test_news_for_a_parked_lane_let_it_try_again(office: PostOffice) -> None:
    office.register()
    office.conduct = lambda _: Outcome(failure=Failure.STATUS, status=500)
    office.publish("1")
    office.passes(4 * DAY)
    office.conduct = lambda _: TAKEN
    office.publish("1")  # no news
    office.settle()
    assert office.taken == []
    office.publish("2")
    office.settle()
    assert office.taken == ["1", "2"]


def test_a_replay_spares_the_wait(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(*[500] * 8)
    office.publish("1")
    office.passes(3 * HOUR)
    assert office.lane(endpoint).attempts == 7
    office.conduct = lambda _: TAKEN
    service.replay(CLIENT, endpoint.id)
    office.settle()
    assert office.taken == ["1"]
    office.passes(DAY)
    assert office.taken == ["1"]
    assert list(office.executions.values()) == ["SUCCEEDED"]


def test_a_replay_that_fails_begins_anew(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = lambda _: Outcome(failure=Failure.STATUS, status=500)
    office.publish("1")
    office.passes(4 * DAY)
    service.replay(CLIENT, endpoint.id)
    office.passes(2 * DAY)
    assert statuses(office, endpoint.id) == {"1": "retrying"}
    assert sorted(office.executions.values()) == ["FAILED", "RUNNING"]
    office.conduct = lambda _: TAKEN
    office.passes(DAY)
    assert office.taken == ["1"]


def test_events_that_are_forgotten_are_not_sent(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = lambda _: Outcome(failure=Failure.STATUS, status=500)
    office.publish("1")
    office.passes(4 * DAY)
    office.conduct = lambda _: TAKEN
    office.passes(27 * DAY)
    service.replay(CLIENT, endpoint.id)
    office.settle()
    assert office.taken == []
    assert office.lane(endpoint).pending == ()


# ── Endpoints that change ────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_gone_gets_nothing_more(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(410)
    office.publish("1")
    office.publish("2", subject="trip-2")
    office.settle()
    known = office.endpoint(endpoint.id)
    assert known is not None
    assert (known.state, known.disabled_reason) == (EndpointState.DISABLED, DisabledReason.GONE)
    office.publish("3")
    office.passes(4 * DAY)
    assert [each.event for each in office.parcels] == ["1"]
    assert statuses(office, endpoint.id) == {"1": "parked", "2": "parked"}
    assert office.executions == {}
    with pytest.raises(EndpointDisabled):
        service.replay(CLIENT, endpoint.id)

    store.begin()
    service.change(CLIENT, endpoint.id, enable=True)
    office.settle()
    assert sorted(office.taken) == ["1", "2"]


def test_who_is_gone_after_some_attempts_raises_no_alarm(office: PostOffice) -> None:
    office.register()
    office.conduct = failing(500, 500, 410)
    office.publish("1")
    office.passes(HOUR)
    assert list(office.executions.values()) == ["SUCCEEDED"]


def test_who_has_moved_while_its_former_place_was_gone_is_tried_there(office: PostOffice) -> None:
    endpoint = office.register("https://old.example")

    def moving(parcel: Parcel) -> Outcome:
        if parcel.url.startswith("https://old"):
            store.begin()
            service.change(CLIENT, endpoint.id, url="https://new.example")
            return Outcome(failure=Failure.GONE, status=410)
        return TAKEN

    office.conduct = moving
    office.publish("1")
    office.passes(5 * SECOND)
    assert [each.url for each in office.parcels] == [
        "https://old.example/trips/events",
        "https://new.example/trips/events",
    ]
    known = office.endpoint(endpoint.id)
    assert known is not None
    assert known.state is EndpointState.ACTIVE


def test_a_pause_keeps_what_waits_and_nothing_that_happens_meanwhile(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(500)
    office.publish("1")
    office.settle()
    store.begin()
    service.change(CLIENT, endpoint.id, enable=False)
    office.publish("2")
    office.passes(HOUR)
    assert [each.event for each in office.parcels] == ["1"]
    assert list(office.executions.values()) == ["SUCCEEDED"]
    store.begin()
    service.change(CLIENT, endpoint.id, enable=True)
    office.settle()
    assert office.taken == ["1"]


def test_an_endpoint_that_is_removed_gets_nothing_more(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(500)
    office.publish("1", "2")
    office.settle()
    store.begin()
    service.remove(CLIENT, endpoint.id)
    office.publish("3")
    office.passes(4 * DAY)
    assert len(office.parcels) == 1
    assert office.lane(endpoint).pending == ()
    assert list(office.executions.values()) == ["SUCCEEDED"]
    for call in (service.find, service.remove, service.deliveries, service.replay):
        store.begin()
        with pytest.raises(EndpointNotFound):
            call(CLIENT, endpoint.id)


def test_a_new_secret_signs_the_next_attempt(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(500)
    office.publish("1")
    office.settle()
    store.begin()
    rotated = service.rotate_secret(CLIENT, endpoint.id, overlap=timedelta(0))
    assert rotated.secret != endpoint.secret
    office.passes(5 * SECOND)  # the office checks each signature with the secret that is valid then
    assert office.taken == ["1"]


# ── Slow receivers ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_keeps_us_waiting_is_not_tried_by_others_at_once(office: PostOffice) -> None:
    endpoint = office.register()
    other = office.register("https://other.example")
    office.conduct = lambda parcel: (
        TAKEN if parcel.url.startswith("https://other") else Outcome(failure=Failure.TIMEOUT)
    )
    for number in range(20):
        office.publish(str(number), subject=f"trip-{number}")
        office.settle()
    tried = [each for each in office.parcels if each.name.startswith(f"{endpoint.id}.")]
    assert len(tried) == 1
    assert len(office.taken) == 20  # by the other endpoint
    waiting = office.lane(endpoint, "trip-7")
    assert (waiting.state, waiting.attempts, waiting.failure) == (LaneState.RETRYING, 1, Failure.SUSPENDED)
    assert office.lane(other, "trip-7").pending == ()

    office.conduct = lambda _: TAKEN
    office.passes(HOUR)
    assert sorted(office.taken, key=int) == sorted([str(each) for each in range(20)] * 2, key=int)


def test_one_lane_tries_who_has_kept_us_waiting(office: PostOffice) -> None:
    office.register()
    office.conduct = lambda _: Outcome(failure=Failure.TIMEOUT)
    for number in range(50):
        office.publish("1", subject=f"trip-{number}")
    office.passes(HOUR)
    first_minute = [each for each in office.parcels if each.at - office.parcels[0].at < timedelta(minutes=1)]
    assert len(first_minute) <= 4
    assert len(office.parcels) <= 12


def test_who_answers_again_is_trusted_at_once(office: PostOffice) -> None:
    office.register()
    office.conduct = failing(Failure.TIMEOUT)
    office.publish("1")
    office.passes(5 * SECOND)
    assert office.taken == ["1"]
    for number in range(2, 12):
        office.publish(str(number), subject=f"trip-{number}")
    office.settle()
    assert len(office.taken) == 11


def test_a_quick_failure_suspends_nobody(office: PostOffice) -> None:
    office.register()
    office.conduct = failing(500, Failure.UNREACHABLE)
    office.publish("1")
    office.publish("2", subject="trip-2")
    office.publish("3", subject="trip-3")
    office.settle()
    assert office.taken == ["3"]


def test_a_long_lane_is_handed_on(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = office.register()
    spent = iter(range(0, 10_000, 5))  # every look at the clock costs five seconds
    monkeypatch.setattr(time, "monotonic", lambda: float(next(spent)))
    events = [str(each) for each in range(12)]
    office.publish(*events)
    office.forget_messages(but=1)
    office.settle()
    assert office.taken == events
    assert office.lane(endpoint).lease is None
    assert office.dead == []


def test_a_long_lane_is_handed_on_within_a_workflow(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    office.register()
    office.conduct = failing(500)
    events = [str(each) for each in range(12)]
    office.publish(*events)
    office.settle()
    spent = iter(range(0, 10_000, 5))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(spent)))
    office.passes(5 * SECOND)
    assert office.taken == events
    assert list(office.executions.values()) == ["SUCCEEDED"]


# ── Two at a time ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_consumers_of_one_lane_send_nothing_twice(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1")
    sending, go_on = threading.Event(), threading.Event()

    def slow(_: Parcel) -> Outcome:
        sending.set()
        assert go_on.wait(5)
        return TAKEN

    office.conduct = slow
    wake = Wake(client_id=CLIENT, endpoint_id=endpoint.id, subject="trip-1", event_id="1")

    def consume() -> None:
        store.begin()
        delivery.do(wake)

    first = threading.Thread(target=consume)
    first.start()
    assert sending.wait(5)
    consume()  # finds the lane taken
    office.publish("2")  # comes while the first is being sent
    consume()
    assert office.parcels == []
    go_on.set()
    first.join()
    assert office.taken == ["1", "2"]
    office.passes(DAY)
    assert office.taken == ["1", "2"]
    assert office.lane(endpoint).lease is None


def test_a_message_that_finds_its_lane_taken_outlives_who_has_taken_it(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1")
    office.forget_messages()
    wake = Wake(client_id=CLIENT, endpoint_id=endpoint.id, subject="trip-1", event_id="1")

    def die(_: Parcel) -> Outcome:
        office.conduct = lambda _: TAKEN
        store.begin()
        delivery.do(wake)  # the same message, which the queue may deliver twice, and forgets when one is done with it
        raise Crash

    office.conduct = die
    store.begin()
    with pytest.raises(Crash):
        delivery.do(wake)
    assert office.taken == []
    office.passes(delivery.LEASE + SECOND)
    assert office.taken == ["1"]


def test_who_comes_too_late_sends_nothing(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = office.register()
    office.publish("1")
    office.forget_messages()
    wake = Wake(client_id=CLIENT, endpoint_id=endpoint.id, subject="trip-1", event_id="1")

    def late(*arguments: Any, **named: Any) -> bool:
        monkeypatch.setattr(delivery, "take", take)
        reads = copy_context()
        reads.run(store.begin)
        reads.run(delivery.do, wake)  # somebody else does it, between our reading and our taking
        office.publish("2")
        office.forget_messages()
        return take(*arguments, **named)

    monkeypatch.setattr(delivery, "take", late)
    store.begin()
    delivery.do(wake)
    office.passes(delivery.LEASE)
    assert office.taken == ["1", "2"]


def test_whoever_lost_the_lease_stops(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1", "2")
    seen: list[str] = []

    def overtaken(parcel: Parcel) -> Outcome:
        seen.append(parcel.event)
        if len(seen) == 1:  # so slow that somebody else thinks us dead, and does everything
            office.now += delivery.LEASE
            store.begin()
            delivery.do(Wake(client_id=CLIENT, endpoint_id=endpoint.id, subject="trip-1"))
            store.begin()
        return TAKEN

    office.conduct = overtaken
    office.passes(DAY)
    assert seen == ["1", "1", "2"]
    lane = office.lane(endpoint)
    assert (lane.pending, lane.lease, lane.state) == ((), None, LaneState.OPEN)


@pytest.mark.parametrize("seed", range(8))
def test_messages_doubled_and_shuffled_change_nothing(office: PostOffice, seed: int) -> None:
    endpoint = office.register()
    chance = random.Random(seed)
    office.shuffle = chance

    def conduct(_: Parcel) -> Outcome:
        match chance.random():
            case low if low < 0.3:
                return Outcome(failure=Failure.STATUS, status=500)
            case low if low < 0.4:
                return Outcome(failure=Failure.TIMEOUT)
            case _:
                return TAKEN

    office.conduct = conduct
    for number in range(6):
        for trip in range(3):
            office.publish(str(number), subject=f"trip-{trip}")
        office.passes(timedelta(seconds=chance.choice([0, 3, 40])))
    office.passes(DAY)
    for trip in range(3):
        name = f"trip-{trip}"
        taken = [each.event for each in office.parcels if f".{name}." in each.name and each.outcome == TAKEN]
        assert taken == [str(number) for number in range(6)]
        assert office.lane(endpoint, name).pending == ()
    assert office.is_idle
    assert office.dead == []


# ── Replays ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_event_is_sent_again_by_its_name(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1", "2")
    office.settle()
    service.replay(CLIENT, endpoint.id, name=f"{endpoint.id}.trip-1.1")
    office.settle()
    assert office.taken == ["1", "2", "1"]
    assert len({(each.name, each.body) for each in office.parcels}) == 2
    for name in ("", "x", f"{endpoint.id}.trip-1.9", f"{endpoint.id + 1}.trip-1.1"):
        store.begin()
        with pytest.raises(DeliveryNotFound):
            service.replay(CLIENT, endpoint.id, name=name)


def test_one_event_that_waits_is_sent_now(office: PostOffice) -> None:
    endpoint = office.register()
    office.conduct = failing(500, 500, 500)
    office.publish("1")
    office.passes(timedelta(minutes=1))
    office.conduct = lambda _: TAKEN
    store.begin()
    service.replay(CLIENT, endpoint.id, name=f"{endpoint.id}.trip-1.1")
    office.settle()
    assert office.taken == ["1"]
    office.passes(HOUR)
    assert office.taken == ["1"]


@pytest.mark.parametrize("seed", [None, *range(5)])
def test_everything_since_a_time_is_sent_again_in_its_order(
    office: PostOffice, monkeypatch: pytest.MonkeyPatch, seed: int | None
) -> None:
    monkeypatch.setattr(delivery, "_PAGE", 3)
    endpoint = office.register()
    office.publish("1", "2")
    office.passes(HOUR)
    since = office.now
    office.passes(HOUR)
    for number in range(3, 9):
        office.publish(str(number))
        office.passes(SECOND)
    office.publish("9", subject="trip-2")
    office.passes(SECOND)
    office.parcels.clear()
    office.shuffle = None if seed is None else random.Random(seed)
    store.begin()
    service.replay(CLIENT, endpoint.id, since=since)
    office.passes(DAY)
    assert [each for each in office.taken if each != "9"] == [str(each) for each in range(3, 9)]
    assert office.taken.count("9") == 1


def test_a_replay_does_each_event_once_though_its_messages_come_twice(office: PostOffice) -> None:
    endpoint = office.register()
    since = office.now
    office.publish(*[str(each) for each in range(10)])
    office.passes(SECOND)
    office.parcels.clear()
    office.shuffle = random.Random(1)
    store.begin()
    service.replay(CLIENT, endpoint.id, since=since)
    office.passes(DAY)
    assert sorted(office.taken, key=int) == [str(each) for each in range(10)]


def test_a_replay_makes_up_for_messages_that_were_lost(office: PostOffice) -> None:
    endpoint = office.register()
    since = office.now
    office.publish("1", "2")
    office.forget_messages()
    office.passes(DAY)
    assert office.parcels == []
    store.begin()
    service.replay(CLIENT, endpoint.id, since=since)
    office.settle()
    assert office.taken == ["1", "2"]


def test_a_replay_goes_through_everything_page_by_page(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_PAGE", 3)
    endpoint = office.register()
    since = office.now
    office.conduct = lambda _: Outcome(failure=Failure.STATUS, status=500)
    for number in range(8):
        office.publish("1", subject=f"parked-{number}")
    office.passes(4 * DAY)
    for number in range(8):
        office.publish("1", subject=f"retried-{number}")
    office.settle()
    office.conduct = lambda _: TAKEN
    office.publish("1", "2", subject="delivered")
    office.passes(SECOND)
    assert len(office.taken) == 2
    store.begin()
    service.replay(CLIENT, endpoint.id, since=since)
    office.settle()
    assert len(office.taken) == 2 + 16 + 2
    assert office.dead == []


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deliveries_are_listed_newest_first_and_by_pages(office: PostOffice) -> None:
    endpoint = office.register()
    for number in range(7):
        office.publish(str(number), subject=f"trip-{number}")
        office.passes(SECOND)
    found: list[str] = []
    after: str | None = None
    for _ in range(4):
        store.begin()
        page = service.deliveries(CLIENT, endpoint.id, after=after, most=2)
        found += [each.delivery.event_id for each in page.deliveries]
        after = page.after
    assert found == ["6", "5", "4", "3", "2", "1", "0"]
    assert after is None


def test_deliveries_are_listed_by_how_far_they_are(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1", subject="delivered")
    office.settle()
    office.conduct = lambda _: Outcome(failure=Failure.STATUS, status=503)
    office.publish("2", subject="parked")
    office.passes(4 * DAY)
    office.publish("3", "4", subject="retried")
    office.settle()
    office.publish("5", subject="pending")
    for status, expected in {
        DeliveryStatus.DELIVERED: {"1"},
        DeliveryStatus.PARKED: {"2"},
        DeliveryStatus.RETRYING: {"3", "4"},
        DeliveryStatus.PENDING: {"5"},
    }.items():
        assert statuses(office, endpoint.id, status) == dict.fromkeys(expected, status.value)
    assert set(statuses(office, endpoint.id)) == {"1", "2", "3", "4", "5"}
    store.begin()
    (parked,) = service.deliveries(CLIENT, endpoint.id, DeliveryStatus.PARKED).deliveries
    assert parked.outcome == Outcome(failure=Failure.STATUS, status=503)
    assert (parked.attempts, parked.due_at) == (15, None)


# ── The services behind ──────────────────────────────────────────────────────────────────────────────────────────────


def test_messages_that_the_queue_refuses_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Queue:
        def send_message_batch(self, **_: Any) -> dict[str, Any]:
            return {"Failed": [{"Code": "InternalError"}]}

    monkeypatch.setattr(aws, "client", lambda _: Queue())
    with pytest.raises(gateway.PublishingFailed, match="InternalError"):
        gateway.ask([Wake(client_id=1, endpoint_id=2, subject="trip-1")])


def test_what_is_kept_expires(office: PostOffice) -> None:
    endpoint = office.register()
    office.publish("1")
    office.settle()
    client: Any = items.connection().client
    found = client.scan(TableName=DeliveryItem.Meta.table_name)["Items"]
    ours = [each for each in found if str(endpoint.id) in each["pk"]["S"]]
    assert {each["kind"]["S"] for each in ours} == {"delivery", "lane"}
    spans = [int(each["expires_at"]["N"]) - office.now.timestamp() for each in ours]
    assert all(29 * 86_400 < span < 32 * 86_400 for span in spans)
