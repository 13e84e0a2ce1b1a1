import gzip
import json
from collections.abc import Iterator
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.fleet import listing
from kickstand.fleet.listing import ALL, DOCKED, RENTABLE, Listing, Rendering, VehicleEntry, entry_of
from kickstand.fleet.listing_store import Bucket, Gone, VehicleCodec, departures, pack, unpack
from kickstand.fleet.model import (
    Hold,
    Maneuver,
    Progress,
    Purpose,
    Spot,
    Unavailability,
    Vehicle,
    VehicleState,
)
from kickstand.fleet.projection import Sighting
from kickstand.geo.model import EndRefusal, Verdict
from kickstand.kernel import ids
from kickstand.kernel.place import Position
from tests.support.vehicles import MORNING, Pair, vehicle

CODEC = VehicleCodec()
THERE = Position(longitude=10.76, latitude=59.91)
SPOT = Spot(cluster_id=5, cluster_name="Aker Brygge", number=2)
SPOTS = [Spot(cluster_id=number, cluster_name=f"Station {number}", number=7) for number in range(300)]


def entry(vehicle_id: int = 1, **differently: Any) -> VehicleEntry:
    shown = entry_of(vehicle(vehicle_id, **differently))
    assert shown is not None
    return shown


# ── How a vehicle shows ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", VehicleState)
def test_all_vehicles_show_but_the_decommissioned(state: VehicleState) -> None:
    shown = entry_of(vehicle(1, state=state))
    assert (shown is None) is (state is VehicleState.DECOMMISSIONED)
    assert shown is None or shown.rentable is (state is VehicleState.AVAILABLE)


def test_a_vehicle_can_be_rented_only_where_a_ride_may_start() -> None:
    no_parking = Verdict(geofence_version=1, ride_start_allowed=True, end_refusal=EndRefusal.NO_PARKING)
    assert entry(verdict=no_parking).rentable
    assert not entry(verdict=no_parking.model_copy(update={"ride_start_allowed": False})).rentable


def test_nobody_sees_where_a_vehicle_is_ridden() -> None:
    taken = Position(longitude=10.7, latitude=59.9)
    rental_id = ids.new_id()
    ridden = entry(state=VehicleState.IN_USE, rental_id=rental_id, taken_from=taken, position=THERE)
    assert (ridden.longitude, ridden.latitude) == (taken.longitude, taken.latitude)
    assert ridden.located_at == ids.created_at(rental_id).timestamp() * 1000
    back = entry(rental_id=None, taken_from=taken, position=THERE, last_rental_id=rental_id)
    assert (back.longitude, back.located_at) == (THERE.longitude, MORNING.timestamp() * 1000)


# ── What a change means ──────────────────────────────────────────────────────────────────────────────────────────────


def shown(old: Vehicle | None, new: Vehicle | None) -> list[tuple[int, int, bool]]:
    sightings = listing.vehicles.sightings(old, new)
    return [(each.network_id, each.revision, each.entry is not None) for each in sightings]


def test_coming_going_and_moving_are_news() -> None:
    free, gone = vehicle(1, revision=4), vehicle(1, revision=5, state=VehicleState.DECOMMISSIONED)
    assert shown(None, free) == [(1, 4, True)]
    assert shown(free, gone) == [(1, 5, False)]
    assert shown(gone, free.model_copy(update={"revision": 6})) == [(1, 6, True)]
    assert shown(free, None) == [(1, 5, False)]
    assert shown(free, vehicle(1, revision=5, network_id=2)) == [(1, 5, False), (2, 5, True)]
    assert shown(gone, vehicle(1, revision=6, network_id=2)) == [(2, 6, True)]
    assert shown(free, gone.model_copy(update={"network_id": 2})) == [(1, 5, False)]


@pytest.mark.parametrize(
    "differently",
    [
        {"battery_percent": 79},
        {"position": THERE},
        {"code": "WXYZ"},
        {"state": VehicleState.IN_USE},
        {"unavailabilities": frozenset({Unavailability.BROKEN})},
        {"maneuver": Maneuver(command_id="1-lock", purpose=Purpose.END)},
        {"spot": SPOT},
        {"model_id": 2},
        {"hold": Hold(reservation_id=1, rider_id=2, until=MORNING)},
    ],
)
def test_what_clients_see_is_news(differently: dict[str, object]) -> None:
    assert shown(vehicle(1), vehicle(1, revision=2, **differently)) == [(1, 2, True)]


def test_what_clients_do_not_see_is_no_news() -> None:
    ridden = vehicle(1, state=VehicleState.IN_USE, rental_id=ids.new_id(), taken_from=THERE)
    gone = vehicle(1, state=VehicleState.DECOMMISSIONED)
    assert not shown(vehicle(1), vehicle(1, revision=2, locked=False))
    assert not shown(ridden, ridden.model_copy(update={"revision": 2, "position": Position(longitude=0, latitude=0)}))
    assert not shown(None, gone)
    assert not shown(gone, None)
    assert not shown(gone, gone.model_copy(update={"network_id": 2}))


# ── Order does not matter ────────────────────────────────────────────────────────────────────────────────────────────

vehicles = st.builds(
    vehicle,
    st.just(1),
    state=st.sampled_from([VehicleState.AVAILABLE, VehicleState.IN_USE, VehicleState.DECOMMISSIONED]),
    battery_percent=st.integers(50, 52),
    network_id=st.integers(1, 2),
    spot=st.sampled_from([None, SPOT]),
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
        learnt = [sighting for pair in batch for sighting in listing.vehicles.sightings(*pair)]
        for network_id, bucket in buckets.items():
            mine = [each for each in learnt if each.network_id == network_id]
            buckets[network_id] = listing.vehicles.merged(network_id, 1, bucket, mine) or bucket
    last = entry_of(states[-1])
    for network_id, bucket in buckets.items():
        for view, shows in ((ALL, True), (RENTABLE, last and last.rentable), (DOCKED, last and last.spot)):
            listed = list(unpack(CODEC, bucket.packed, view)) if bucket else []
            expected = [last] if last and shows and states[-1].network_id == network_id else []
            assert [each._replace(revision=0) for each in listed] == [each._replace(revision=0) for each in expected]


def test_a_bucket_stays_as_it_is_without_news() -> None:
    (seen,) = listing.vehicles.sightings(None, vehicle(1, revision=3))
    bucket = listing.vehicles.merged(1, 1, None, [seen])
    assert bucket is not None
    late = [seen, seen._replace(revision=2), Sighting[VehicleEntry](1, 1, 3, None)]
    assert listing.vehicles.merged(1, 1, bucket, late) is None


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ({}, {"battery_percent": 7}, {ALL, RENTABLE}),
        ({}, {"state": VehicleState.IN_USE}, {ALL, RENTABLE}),
        ({}, {"located_at": MORNING.replace(hour=9)}, {ALL}),
        ({"state": VehicleState.IN_USE}, {"state": VehicleState.ON_HOLD}, {ALL}),
        ({"state": VehicleState.IN_USE}, {"battery_percent": 7}, {ALL}),
        ({}, {"spot": SPOT}, {ALL, DOCKED}),
        ({"spot": SPOT}, {"battery_percent": 7}, {ALL, RENTABLE}),
        ({"spot": SPOT}, {"state": VehicleState.IN_USE}, {ALL, RENTABLE, DOCKED}),
        ({"spot": SPOT}, {"state": VehicleState.DECOMMISSIONED}, {ALL, RENTABLE, DOCKED}),
        ({}, {}, set()),
    ],
)
def test_a_view_moves_with_what_it_shows(before: dict[str, Any], after: dict[str, Any], moved: set[str]) -> None:
    def sighting(revision: int, **differently: Any) -> Sighting[VehicleEntry]:
        return Sighting(1, 1, revision, entry_of(vehicle(1, revision=revision, **differently)))

    first = listing.vehicles.merged(1, 1, None, [sighting(1, **before)])
    assert first is not None
    second = listing.vehicles.merged(1, 1, first, [sighting(2, **(before | after))])
    assert second is not None
    assert {view for view, version in second.views.items() if version != first.views[view]} == moved
    assert second.version != first.version


# ── Packing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

NAMES = {1: "Aker Brygge", 2: "Grønland «øst»", 2**52: ""}
spots = st.builds(
    lambda cluster_id, number, virtual: Spot(
        cluster_id=cluster_id, cluster_name=NAMES[cluster_id], number=number, virtual=virtual
    ),
    st.sampled_from(sorted(NAMES)),
    st.integers(1, 65_535),
    st.booleans(),
)
entries = st.builds(
    VehicleEntry,
    id=st.integers(0, 2**53 - 1),
    revision=st.integers(0, 2**32 - 1),
    public_id=st.builds(UUID, int=st.integers(0, 2**128 - 1)),
    code=st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=1, max_size=8),
    longitude=st.integers(-1_800_000_000, 1_800_000_000).map(lambda each: each / 10_000_000),
    latitude=st.integers(-900_000_000, 900_000_000).map(lambda each: each / 10_000_000),
    battery=st.integers(0, 100),
    located_at=st.integers(0, 2**53),
    state=st.sampled_from(VehicleState),
    purpose=st.sampled_from([None, *Purpose]),
    progress=st.sampled_from([None, *Progress]),
    reasons=st.frozensets(st.sampled_from(Unavailability)),
    model_id=st.integers(0, 2**53 - 1),
    held=st.booleans(),
    rentable=st.booleans(),
    spot=st.none() | spots,
)
gone_ones = st.dictionaries(
    st.integers(0, 2**53 - 1), st.builds(Gone, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
)


def bucket_of(*listed: VehicleEntry, number: int = 0, version: int = 1, gone: dict[int, Gone] | None = None) -> Bucket:
    return Bucket(
        listing="VEHICLES",
        network_id=1,
        number=number,
        version=version,
        views=dict.fromkeys((ALL, RENTABLE, DOCKED), version),
        packed=pack(CODEC, {each.id: each for each in listed}, gone or {}),
    )


@given(st.lists(entries, unique_by=lambda each: each.id), gone_ones)
def test_a_bucket_unpacks_to_what_was_packed(listed: list[VehicleEntry], gone: dict[int, Gone]) -> None:
    packed = bucket_of(*listed, gone=gone).packed
    by_id = sorted(listed, key=lambda each: each.id)
    assert list(unpack(CODEC, packed, ALL)) == by_id
    assert list(unpack(CODEC, packed, RENTABLE)) == [each for each in by_id if each.rentable]
    assert list(unpack(CODEC, packed, DOCKED)) == [each for each in by_id if each.spot]
    assert departures(packed) == gone


def test_a_code_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="9 characters"):
        bucket_of(entry()._replace(code="NINECHARS"))


@pytest.mark.parametrize("code", ["NINECHARS", "ab12", 'A"12', "ÅB12", "", "AB12\n"])
def test_no_vehicle_carries_a_code_that_a_listing_cannot_show(code: str) -> None:
    with pytest.raises(ValidationError):
        Vehicle.model_validate(vehicle(1).model_dump() | {"code": code})


def fleet(vehicles_listed: int) -> Iterator[Bucket]:
    """Buckets of a city as they come from real ids and positions."""
    random = Random(7)
    plain = entry()
    numbered: dict[int, list[VehicleEntry]] = {number: [] for number in range(64)}
    for _ in range(vehicles_listed):
        vehicle_id = random.getrandbits(49) + 2**52
        numbered[vehicle_id % 64].append(
            plain._replace(
                id=vehicle_id,
                revision=random.randint(1, 100_000),
                public_id=UUID(int=random.getrandbits(128), version=4),
                code="".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=4)),
                longitude=round(random.gauss(10.75, 0.04), 7),
                latitude=round(random.gauss(59.91, 0.02), 7),
                battery=random.randint(5, 100),
                located_at=random.getrandbits(40),
                spot=SPOTS[random.randrange(300)] if random.random() < 0.3 else None,
            )
        )
    for number, listed in numbered.items():
        gone = {random.getrandbits(53): Gone(random.randint(1, 100_000), 1_800_000_000) for _ in range(8)}
        yield bucket_of(*listed, number=number, gone=gone)


def listing_of(*buckets: Bucket, etag: str = "", network_id: int = 1) -> Listing[VehicleEntry]:
    return Listing((network_id,), RENTABLE, etag, buckets, frozenset(), CODEC)


def rendered(_network_id: int, entry: VehicleEntry) -> bytes:
    location = {"latitude": entry.latitude, "longitude": entry.longitude}
    attributes = {"batteryLevel": entry.battery, "location": location, "code": entry.code, "zoneId": "1"}
    return json.dumps({"type": "vehicle", "id": str(entry.public_id), "attributes": attributes}).encode()


def test_fifty_thousand_vehicles_fit_into_items_and_into_an_answer() -> None:
    city = listing_of(*fleet(50_000))
    assert sum(1 for _ in city.entries()) == 50_000
    assert max(len(bucket.packed) for bucket in city.buckets) < 100_000  # an item holds 400 KB
    body = Rendering[VehicleEntry]().body(city, rendered).packed
    assert len(body) * 4 / 3 < 5_000_000  # in base64; an answer holds 6 MB
    assert len(json.loads(gzip.decompress(body))["data"]) == 50_000


# ── Rendering ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_what_moved_is_rendered_again() -> None:
    made: list[int] = []

    def render(_network_id: int, entry: VehicleEntry) -> bytes:
        made.append(entry.id)
        return str(entry.id).encode()

    answer = Rendering[VehicleEntry](b"[", b",", b"]")
    still, moving = bucket_of(entry(1), number=1), bucket_of(entry(2), number=2)
    body = answer.body(listing_of(still, moving, etag="a"), render)
    assert body.plain == gzip.decompress(body.packed) == b"[1,2]"
    assert made == [1, 2]
    assert answer.body(listing_of(still, moving, etag="a"), render) is body
    moved = bucket_of(entry(2), entry(3), number=2, version=2)
    body = answer.body(listing_of(still, moved, etag="b"), render)
    assert body.plain == gzip.decompress(body.packed) == b"[1,2,3]"
    assert made == [1, 2, 2, 3]
    empty = bucket_of(entry(9, state=VehicleState.LOST), number=1, version=3)
    assert answer.body(listing_of(empty, moved, etag="c"), render).plain == b"[2,3]"
    assert answer.body(listing_of(network_id=2), render).plain == b"[]"


def test_several_networks_are_one_answer_and_what_else_it_depends_on_counts() -> None:
    def render(network_id: int, entry: VehicleEntry) -> bytes:
        return b"%d" % (network_id * 10 + entry.id) if shows else b""

    shows = True
    answer = Rendering[VehicleEntry](b"[", b",", b"]")
    one, other = bucket_of(entry(1)), bucket_of(entry(2)).model_copy(update={"network_id": 2})
    both = Listing((1, 2), RENTABLE, "x", (one, other), frozenset(), CODEC)
    shown = {1: "shown", 2: "shown"}
    assert answer.body(both, render, shown).plain == b"[11,22]"
    shows = False
    assert answer.body(both, render, shown).plain == b"[11,22]"
    assert answer.body(both, render, shown | {1: "hidden"}).plain == b"[22]"
    alone = Listing((2,), RENTABLE, "y", (other,), frozenset(), CODEC)
    assert answer.body(alone, render, {2: "shown"}).plain == b"[22]", "it is not rendered anew for other readers"
