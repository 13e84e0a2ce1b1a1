import gzip
import json
from collections.abc import Iterator
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.fleet import listing
from kickstand.fleet.listing import Listing, Rendering, Sighting, entry_of, sightings
from kickstand.fleet.listing_store import Bucket, Entry, Gone, pack
from kickstand.fleet.model import Unavailability, Vehicle, VehicleState
from kickstand.geo.model import EndRefusal, Verdict
from kickstand.kernel.place import Position
from tests.support.vehicles import Pair, vehicle

# ── What a change means ──────────────────────────────────────────────────────────────────────────────────────────────


def shown(old: Vehicle | None, new: Vehicle | None) -> list[tuple[int, int, bool]]:
    return [(each.network_id, each.revision, each.entry is not None) for each in sightings(old, new)]


@pytest.mark.parametrize("state", VehicleState)
def test_only_available_vehicles_show(state: VehicleState) -> None:
    assert (entry_of(vehicle(1, state=state)) is not None) is (state is VehicleState.AVAILABLE)


def test_a_vehicle_shows_only_where_a_ride_may_start() -> None:
    no_parking = Verdict(geofence_version=1, ride_start_allowed=True, end_refusal=EndRefusal.NO_PARKING)
    assert entry_of(vehicle(1, verdict=no_parking))
    assert entry_of(vehicle(1, verdict=no_parking.model_copy(update={"ride_start_allowed": False}))) is None


def test_coming_going_and_moving_are_news() -> None:
    free, rented = vehicle(1, revision=4), vehicle(1, revision=5, state=VehicleState.IN_USE)
    assert shown(None, free) == [(1, 4, True)]
    assert shown(free, rented) == [(1, 5, False)]
    assert shown(rented, free.model_copy(update={"revision": 6})) == [(1, 6, True)]
    assert shown(free, None) == [(1, 5, False)]
    assert shown(free, vehicle(1, revision=5, network_id=2)) == [(1, 5, False), (2, 5, True)]
    assert shown(rented, vehicle(1, revision=6, network_id=2)) == [(2, 6, True)]
    assert shown(free, vehicle(1, revision=5, network_id=2, state=VehicleState.IN_STOCK)) == [(1, 5, False)]


@pytest.mark.parametrize(
    "differently", [{"battery_percent": 79}, {"position": Position(longitude=10.76, latitude=59.91)}, {"code": "WXYZ"}]
)
def test_what_riders_see_is_news(differently: dict[str, object]) -> None:
    assert shown(vehicle(1), vehicle(1, revision=2, **differently)) == [(1, 2, True)]


def test_what_riders_do_not_see_is_no_news() -> None:
    rented = vehicle(1, state=VehicleState.IN_USE)
    assert not shown(vehicle(1), vehicle(1, revision=2, locked=False))
    assert not shown(rented, vehicle(1, revision=2, state=VehicleState.ON_HOLD, battery_percent=1))
    assert not shown(None, rented)
    assert not shown(rented, None)
    assert not shown(
        rented,
        vehicle(1, unavailabilities=frozenset({Unavailability.LOW_BATTERY})).model_copy(
            update={"state": VehicleState.UNAVAILABLE, "network_id": 2}
        ),
    )


# ── Order does not matter ────────────────────────────────────────────────────────────────────────────────────────────

vehicles = st.builds(
    vehicle,
    st.just(1),
    state=st.sampled_from([VehicleState.AVAILABLE, VehicleState.AVAILABLE, VehicleState.IN_USE]),
    battery_percent=st.integers(50, 52),
    network_id=st.integers(1, 2),
)


@given(st.lists(vehicles, min_size=1, max_size=12), st.randoms(use_true_random=False), st.data())
def test_shuffled_and_doubled_changes_leave_the_last_state(
    lives: list[Vehicle], random: Random, data: st.DataObject
) -> None:
    states = [each.model_copy(update={"revision": number}) for number, each in enumerate(lives, 1)]
    history: list[Pair] = list(zip([None, *states], states, strict=False))
    arriving = [*history, *random.choices(history, k=len(history))]
    random.shuffle(arriving)
    buckets: dict[int, Bucket | None] = {1: None, 2: None}
    while arriving:
        batch = [arriving.pop() for _ in range(data.draw(st.integers(1, len(arriving))))]
        learnt = [sighting for pair in batch for sighting in sightings(*pair)]
        for network_id, bucket in buckets.items():
            mine = [each for each in learnt if each.network_id == network_id]
            buckets[network_id] = listing._merged(network_id, 1, bucket, mine) or bucket
    last = entry_of(states[-1])
    for network_id, bucket in buckets.items():
        listed = list(bucket.entries()) if bucket else []
        expected = [last] if last and states[-1].network_id == network_id else []
        assert [each._replace(revision=0) for each in listed] == [each._replace(revision=0) for each in expected]


def test_a_bucket_stays_as_it_is_without_news() -> None:
    (seen,) = sightings(None, vehicle(1, revision=3))
    bucket = listing._merged(1, 1, None, [seen])
    assert bucket is not None
    assert listing._merged(1, 1, bucket, [seen, seen._replace(revision=2), Sighting(1, 1, 3, None)]) is None


# ── Packing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

entries = st.builds(
    Entry,
    vehicle_id=st.integers(0, 2**53 - 1),
    revision=st.integers(0, 2**32 - 1),
    public_id=st.builds(UUID, int=st.integers(0, 2**128 - 1)),
    code=st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=1, max_size=8),
    longitude=st.integers(-1_800_000_000, 1_800_000_000).map(lambda each: each / 10_000_000),
    latitude=st.integers(-900_000_000, 900_000_000).map(lambda each: each / 10_000_000),
    battery=st.integers(0, 100),
)
departures = st.dictionaries(
    st.integers(0, 2**53 - 1), st.builds(Gone, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
)


def bucket_of(*listed: Entry, number: int = 0, version: int = 1, gone: dict[int, Gone] | None = None) -> Bucket:
    content = {each.vehicle_id: each for each in listed}
    return Bucket(network_id=1, number=number, version=version, listed=len(content), packed=pack(content, gone or {}))


@given(st.lists(entries, unique_by=lambda each: each.vehicle_id), departures)
def test_a_bucket_unpacks_to_what_was_packed(listed: list[Entry], gone: dict[int, Gone]) -> None:
    bucket = bucket_of(*listed, gone=gone)
    assert bucket.content() == ({each.vehicle_id: each for each in listed}, gone)
    assert list(bucket.entries()) == sorted(listed)


def test_a_code_that_does_not_fit_is_refused() -> None:
    entry = entry_of(vehicle(1))
    assert entry is not None
    with pytest.raises(ValueError, match="9 characters"):
        bucket_of(entry._replace(code="NINECHARS"))


@pytest.mark.parametrize("code", ["NINECHARS", "ab12", 'A"12', "ÅB12", "", "AB12\n"])
def test_no_vehicle_carries_a_code_that_a_listing_cannot_show(code: str) -> None:
    with pytest.raises(ValidationError):
        Vehicle.model_validate(vehicle(1).model_dump() | {"code": code})


def fleet(vehicles_listed: int) -> Iterator[Bucket]:
    """Buckets of a city as they come from real ids and positions."""
    random = Random(7)
    numbered: dict[int, list[Entry]] = {number: [] for number in range(64)}
    for _ in range(vehicles_listed):
        vehicle_id = random.getrandbits(49) + 2**52
        numbered[vehicle_id % 64].append(
            Entry(
                vehicle_id,
                random.randint(1, 100_000),
                UUID(int=random.getrandbits(128), version=4),
                "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=4)),
                round(random.gauss(10.75, 0.04), 7),
                round(random.gauss(59.91, 0.02), 7),
                random.randint(5, 100),
            )
        )
    for number, listed in numbered.items():
        gone = {
            random.getrandbits(53): Gone(random.randint(1, 100_000), 1_800_000_000) for _ in range(len(listed) // 4)
        }
        yield bucket_of(*listed, number=number, gone=gone)


def rendered(_network_id: int, entry: Entry) -> bytes:
    location = {"latitude": entry.latitude, "longitude": entry.longitude}
    attributes = {"batteryLevel": entry.battery, "location": location, "code": entry.code, "zoneId": "1"}
    return json.dumps({"type": "vehicle", "id": str(entry.public_id), "attributes": attributes}).encode()


def test_fifty_thousand_vehicles_fit_into_items_and_into_an_answer() -> None:
    city = Listing(1, "", tuple(fleet(50_000)))
    assert len(city) == 50_000
    assert max(len(bucket.packed) for bucket in city.buckets) < 100_000  # an item holds 400 KB
    body = Rendering(rendered).body(city).packed
    assert len(body) * 4 / 3 < 5_000_000  # in base64; an answer holds 6 MB
    assert len(json.loads(gzip.decompress(body))["data"]) == 50_000


# ── Rendering ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_what_moved_is_rendered_again() -> None:
    made: list[int] = []

    def render(_network_id: int, entry: Entry) -> bytes:
        made.append(entry.vehicle_id)
        return str(entry.vehicle_id).encode()

    one, two, three = (entry_of(vehicle(number)) for number in (1, 2, 3))
    assert one
    assert two
    assert three
    answer = Rendering(render, b"[", b",", b"]")
    still, moving = bucket_of(one, number=1), bucket_of(two, number=2)
    body = answer.body(Listing(1, "a", (still, moving)))
    assert body.plain == gzip.decompress(body.packed) == b"[1,2]"
    assert made == [1, 2]
    assert answer.body(Listing(1, "a", (still, moving))) is body
    moved = bucket_of(two, three, number=2, version=2)
    body = answer.body(Listing(1, "b", (still, moved)))
    assert body.plain == gzip.decompress(body.packed) == b"[1,2,3]"
    assert made == [1, 2, 2, 3]
    empty = bucket_of(number=1, version=3)
    assert answer.body(Listing(1, "c", (empty, moved))).plain == b"[2,3]"
    assert answer.body(Listing(2, "a", ())).plain == b"[]"
