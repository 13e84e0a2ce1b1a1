import json
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from kickstand.fleet import listing, listing_store, projection
from kickstand.fleet.listing import ALL, DOCKED, RENTABLE, Listing, Rendering, VehicleEntry
from kickstand.fleet.listing_store import BucketItem, HeaderItem
from kickstand.fleet.model import Vehicle, VehicleState
from kickstand.fleet.store import VehicleItem
from kickstand.kernel import clock, store
from kickstand.kernel.consumers import Stuck
from kickstand.kernel.errors import Contention
from kickstand.kernel.place import Position
from reactions.fleet import project_listings
from tests.support.vehicles import MORNING, Pair, item, records, vehicle

GONE = VehicleState.IN_USE
LATER = MORNING + timedelta(hours=1)
DECOMMISSIONED = VehicleState.DECOMMISSIONED


@pytest.fixture(autouse=True)
def _account(aws: object) -> None:
    store.begin()


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What reaches DynamoDB."""
    made: list[tuple[str, Any]] = []
    client = VehicleItem._get_connection().connection.client
    original = client._make_api_call

    def record(operation: str, arguments: Any) -> Any:
        made.append((operation, arguments))
        return original(operation, arguments)

    monkeypatch.setattr(client, "_make_api_call", record)
    return made


def react(*pairs: Pair) -> None:
    assert project_listings(records(pairs), None) == {"batchItemFailures": []}
    store.begin()


def read(network_id: int = 1, view: str = ALL) -> Listing[VehicleEntry]:
    store.begin()
    return listing.read(network_id, view=view)


def listed(network_id: int = 1, view: str = RENTABLE) -> dict[int, int]:
    """Battery levels by vehicle; of those that anybody may rent."""
    return {entry.id: entry.battery for entry in read(network_id, view).entries()}


def test_before_any_vehicle_the_listing_is_empty() -> None:
    empty = read()
    assert list(empty.entries()) == []
    assert listing.etag(1) == empty.etag


def test_vehicles_come_change_and_go() -> None:
    one, two = vehicle(1), vehicle(2)
    react((None, one), (None, two))
    assert listed() == {1: 80, 2: 80}
    react((one, vehicle(1, revision=2, state=GONE)), (two, vehicle(2, revision=2, battery_percent=79)))
    assert listed() == {2: 79}
    react((vehicle(1, revision=2, state=GONE), vehicle(1, revision=3, battery_percent=60)))
    assert listed() == {1: 60, 2: 79}


def test_a_vehicle_that_changes_network_changes_listing() -> None:
    react((None, vehicle(1)))
    react((vehicle(1), vehicle(1, revision=2, network_id=2)))
    assert (listed(1), listed(2)) == ({}, {1: 80})
    react((vehicle(1, revision=2, network_id=2), vehicle(1, revision=3)))
    assert (listed(1), listed(2)) == ({1: 80}, {})


def test_what_was_seen_before_changes_nothing() -> None:
    react((None, vehicle(1)))
    react((vehicle(1), vehicle(1, revision=2, state=GONE)))
    before = read().etag
    react((None, vehicle(1)))
    assert listed() == {}
    assert read().etag == before


# ── Order and repetition ─────────────────────────────────────────────────────────────────────────────────────────────


def life(vehicle_id: int, random: Random, changes: int) -> list[Pair]:
    states: list[Vehicle | None] = [None]
    for revision in range(1, changes + 1):
        state = random.choice([VehicleState.AVAILABLE, VehicleState.AVAILABLE, GONE, DECOMMISSIONED])
        network_id = random.choice([1, 1, 1, 2])
        battery = random.randint(5, 100)
        states.append(
            vehicle(vehicle_id, revision=revision, state=state, network_id=network_id, battery_percent=battery)
        )
    return list(pairwise(states))


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_and_doubled_records_end_in_the_truth(seed: int) -> None:
    random = Random(seed)
    lives = [life(vehicle_id, random, 8) for vehicle_id in range(1, 20)]
    history = [pair for each in lives for pair in each]
    arriving = history + history
    random.shuffle(arriving)
    while arriving:
        size = random.randint(1, 60)
        react(*arriving[:size])
        del arriving[:size]
    for network_id in (1, 2):
        last = [each[-1][1] for each in lives]
        truth = {
            each.id: each.battery_percent
            for each in last
            if each and each.network_id == network_id and each.state is VehicleState.AVAILABLE
        }
        assert listed(network_id) == truth


def departed() -> set[int]:
    (bucket,) = listing_store.read_buckets("VEHICLES", [(1, 1)]).values()
    return set(listing_store.departures(bucket.packed))


def test_departures_are_remembered_for_as_long_as_a_stream_keeps_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    react((vehicle(1), vehicle(1, revision=2, state=DECOMMISSIONED)))
    now = clock.now()
    assert departed() == {1}
    monkeypatch.setattr(clock, "now", lambda: now + projection._REMEMBERED)
    react((None, vehicle(65)))
    assert departed() == set()


# ── What it costs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_batch_is_one_reading_and_one_writing(calls: list[tuple[str, Any]]) -> None:
    react(*((None, vehicle(number)) for number in range(1, 101)))
    assert [operation for operation, _ in calls] == ["BatchGetItem", "TransactWriteItems"]
    assert len(calls[1][1]["TransactItems"]) == 66  # every bucket once, and the headers of the views that moved
    calls.clear()
    react(*((vehicle(n), vehicle(n, revision=2, battery_percent=70)) for n in (1, 2, 65)))
    assert len(calls[1][1]["TransactItems"]) == 4
    calls.clear()
    react((vehicle(1, revision=2, battery_percent=70), vehicle(1, revision=3, battery_percent=70, located_at=LATER)))
    assert len(calls[1][1]["TransactItems"]) == 2


def test_changes_that_riders_do_not_see_cost_nothing(calls: list[tuple[str, Any]]) -> None:
    one, there = vehicle(1), Position(longitude=10, latitude=59)
    ridden = vehicle(2, state=GONE, rental_id=5, taken_from=one.position)
    moved = ridden.model_copy(
        update={"revision": 2, "position": there, "located_at": one.located_at + timedelta(hours=1)}
    )
    react((one, vehicle(1, revision=2, locked=False)), (ridden, moved))
    assert calls == []


def test_repeated_records_cost_a_reading(calls: list[tuple[str, Any]]) -> None:
    react((None, vehicle(1)))
    calls.clear()
    react((None, vehicle(1)))
    assert [operation for operation, _ in calls] == ["BatchGetItem"]


def test_an_unchanged_listing_costs_one_reading_of_one_item(calls: list[tuple[str, Any]]) -> None:
    react((None, vehicle(1)), (None, vehicle(2)))
    read()
    calls.clear()
    first = read()
    assert [operation for operation, _ in calls] == ["BatchGetItem"]
    (keys,) = [each["Keys"] for each in calls[0][1]["RequestItems"].values()]
    assert len(keys) == 1
    assert listing.etag(1) == first.etag
    assert len(calls) == 1


def test_only_buckets_that_moved_are_read(calls: list[tuple[str, Any]]) -> None:
    react((None, vehicle(1)), (None, vehicle(2)), (None, vehicle(3)))
    before = read()
    react((vehicle(2), vehicle(2, revision=2, battery_percent=70)))
    calls.clear()
    after = read()
    assert after.etag != before.etag
    (keys,) = [each["Keys"] for each in calls[1][1]["RequestItems"].values()]
    assert [key["pk"]["S"] for key in keys] == ["VEHICLES#1#02"]


def test_who_reads_what_can_be_rented_does_not_notice_rides(calls: list[tuple[str, Any]]) -> None:
    riding = vehicle(2, state=GONE)
    react((None, vehicle(1)), (None, riding), (None, vehicle(66)))
    before = read(view=RENTABLE)
    react((riding, vehicle(2, revision=2, state=VehicleState.ON_HOLD, battery_percent=9)))
    calls.clear()
    assert read(view=RENTABLE) == before
    assert [operation for operation, _ in calls] == ["BatchGetItem"]
    assert read(view=DOCKED).etag != before.etag
    assert read().etag != before.etag


def test_networks_are_read_together(calls: list[tuple[str, Any]]) -> None:
    react((None, vehicle(1)), (None, vehicle(2, network_id=2, model_id=8)))
    calls.clear()
    store.begin()
    etag = listing.etag(2, 1)
    both = listing.read(2, 1)
    assert [operation for operation, _ in calls] == ["BatchGetItem"] * 2
    assert (both.etag, both.models, listing.models(1)) == (etag, frozenset({1, 8}), frozenset({1}))
    assert [entry.id for entry in both.entries()] == [2, 1]
    assert listing.etag(1, 2) != etag


def test_a_surface_renders_what_it_reads() -> None:
    def render(network_id: int, entry: VehicleEntry) -> bytes:
        return json.dumps([network_id, entry.id, entry.code, entry.battery]).encode()

    answer = Rendering[VehicleEntry](b"[", b",", b"]")
    react((None, vehicle(2)), (None, vehicle(1)))
    assert json.loads(answer.body(read(), render).plain) == [[1, 1, "0001", 80], [1, 2, "0002", 80]]


# ── Others write at the same time ────────────────────────────────────────────────────────────────────────────────────


def test_who_loses_a_race_decides_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    original = listing_store.write

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(listing_store, "write", original)
        react((None, vehicle(65)))  # the same bucket
        original(*arguments)

    monkeypatch.setattr(listing_store, "write", overtaken)
    react((None, vehicle(1)))
    assert listed() == {1: 80, 65: 80}


def test_the_same_bucket_is_not_overwritten_by_who_read_an_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    react((None, vehicle(1)))
    original = listing_store.write

    def overtaken(*arguments: Any) -> None:
        monkeypatch.setattr(listing_store, "write", original)
        react((None, vehicle(65)))
        original(*arguments)

    monkeypatch.setattr(listing_store, "write", overtaken)
    react((vehicle(1), vehicle(1, revision=2, state=DECOMMISSIONED)))
    assert listed() == {65: 80}


def test_when_patience_ends_the_batch_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def always_late(*_arguments: Any) -> None:
        raise Contention

    monkeypatch.setattr(listing_store, "write", always_late)
    with pytest.raises(Stuck):
        project_listings(records([(None, vehicle(1)), (None, vehicle(2))]), None)
    answer = project_listings(records([(None, vehicle(1))]), None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}


# ── Rebuilding ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_is_made_anew_from_the_vehicles() -> None:
    truth = [vehicle(1, revision=4), vehicle(2, revision=9, state=GONE), vehicle(3, revision=2, network_id=2)]
    for each in truth:
        item(each).save()
    wrong = [vehicle(1, revision=4, battery_percent=1), vehicle(2, revision=3), vehicle(3), vehicle(4)]
    react(*((None, each) for each in wrong))
    for header in HeaderItem.query("VEHICLES#1"):
        header.delete()
    assert listed() == {}
    assert listing.rebuild(1) == 2
    assert (listed(), listed(view=ALL)) == ({1: 80}, {1: 80, 2: 80})
    react(*((None, each) for each in wrong))
    assert (listed(), listed(view=ALL)) == ({1: 80}, {1: 80, 2: 80})


def test_rebuilding_does_not_undo_what_the_stream_has_told_since() -> None:
    item(vehicle(1, revision=4)).save()
    react((vehicle(1, revision=4), vehicle(1, revision=5, battery_percent=50)))
    react((vehicle(65, revision=1), vehicle(65, revision=2, state=DECOMMISSIONED)))
    assert listing.rebuild(1) == 1
    assert listed() == {1: 50}


def test_rebuilding_an_empty_network_lists_nothing() -> None:
    assert listing.rebuild(1) == 0
    assert not list(BucketItem.scan(BucketItem.kind == BucketItem.KIND))
