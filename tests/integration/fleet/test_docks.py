"""Docks hold one vehicle each, and a vehicle stands in one dock at most, in whatever order their events arrive."""

from datetime import datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import ClusterNotFound
from kickstand.fleet.model import (
    Category,
    Cluster,
    ClusterKind,
    ClusterState,
    DockState,
    Spot,
    Vehicle,
    VehicleModel,
)
from kickstand.fleet.service import Standing
from kickstand.kernel import clock, ids, store
from kickstand.kernel.place import Position
from tests.support import zones
from tests.support.capacity import measured
from tests.support.city import ALLOWED, City


@pytest.fixture
def city(aws: Session) -> City:
    return City()


def cluster(position: Position | None = None, *, docks: int = 3, **differently: Any) -> Cluster:
    """A new cluster in the first network."""
    now = clock.now()
    made = Cluster(
        id=ids.new_id(),
        network_id=1,
        type=ClusterKind.PHYSICAL,
        name="Aker Brygge",
        title="Aker Brygge ved trikken",
        position=position or zones.at(400, 0),
        docks={str(number): DockState.WORKING for number in range(1, docks + 1)},
        created_at=now,
        updated_at=now,
    ).model_copy(update=differently)
    clusters.put_cluster(made)
    return made


def docks(vehicle: Vehicle, place: Cluster, number: int, at: datetime) -> bool:
    store.begin()
    return clusters.dock(vehicle.id, place.id, number, at, Standing(place.position, "8809993867fffff", ALLOWED))


def undocks(vehicle: Vehicle, at: datetime) -> bool:
    store.begin()
    return clusters.undock(vehicle.id, at)


def spot(vehicle: Vehicle) -> Spot | None:
    store.begin()
    return fleet.vehicle(vehicle.id).spot


def parked(place: Cluster) -> dict[str, int]:
    store.begin()
    return clusters.cluster(place.id).parked


def after(vehicle: Vehicle, seconds: float) -> datetime:
    return vehicle.reported_at + timedelta(seconds=seconds)


def test_a_cluster_is_changed_without_what_stands_there(city: City) -> None:
    vehicle, place = city.vehicle(), cluster(subtitle="Pier 1")
    docks(vehicle, place, 2, after(vehicle, 1))
    clusters.put_cluster(place.model_copy(update={"state": ClusterState.CLOSED, "subtitle": None, "parked": {}}))
    store.begin()
    changed = clusters.find_cluster(city.client, place.id)
    assert (changed.state, changed.subtitle, changed.parked) == (ClusterState.CLOSED, None, {"2": vehicle.id})
    assert [each.id for each in clusters.vehicles_at(changed)] == [vehicle.id]


def test_clusters_of_foreign_networks_do_not_exist(city: City) -> None:
    place = cluster()
    stranger, _ = city.partner("Stranger", (2,))
    with pytest.raises(ClusterNotFound):
        clusters.find_cluster(stranger, place.id)
    with pytest.raises(ClusterNotFound):
        clusters.find_cluster(city.client, place.id + 1)


def test_a_docked_vehicle_stands_locked_where_the_dock_is(city: City) -> None:
    vehicle, place = city.vehicle(), cluster()
    assert undocks(vehicle, after(vehicle, 1))
    assert docks(vehicle, place, 2, after(vehicle, 2))
    store.begin()
    found = fleet.vehicle(vehicle.id)
    assert found.spot == Spot(cluster_id=place.id, cluster_name="Aker Brygge", number=2)
    assert (found.position, found.locked, found.located_at) == (place.position, True, after(vehicle, 2))
    assert parked(place) == {"2": vehicle.id}


def test_every_order_of_docks_events_ends_alike(city: City) -> None:
    here, there = cluster(), cluster(zones.at(900, 0))
    for order in permutations(range(4)):
        vehicle = city.vehicle()
        events = [
            partial(docks, vehicle, here, 1, after(vehicle, 1)),
            partial(undocks, vehicle, after(vehicle, 2)),
            partial(docks, vehicle, there, 3, after(vehicle, 3)),
            partial(docks, vehicle, there, 2, after(vehicle, 4)),
        ]
        for number in order:
            events[number]()
        assert [event() for event in events] == [False] * 4, "repeated events are no news"
        assert spot(vehicle) == Spot(cluster_id=there.id, cluster_name="Aker Brygge", number=2)
        assert (parked(here), parked(there)) == ({}, {"2": vehicle.id})
        assert undocks(vehicle, after(vehicle, 5))
        assert (spot(vehicle), parked(there)) == (None, {})


def test_a_dock_that_takes_another_vehicle_has_lost_the_first(city: City) -> None:
    first, second, place = city.vehicle(), city.vehicle(), cluster()
    docks(first, place, 1, after(first, 1))
    docks(second, place, 2, after(first, 2))
    assert docks(second, place, 1, after(first, 3))
    assert (spot(first), parked(place)) == (None, {"1": second.id})
    assert not docks(first, place, 1, after(first, 1)), "the first one's own event comes once more"
    assert not docks(first, place, 1, after(first, 2)), "late: the dock has taken another since"
    assert docks(first, place, 2, after(first, 1.5)), "it went to another dock meanwhile, which is news"
    assert parked(place) == {"1": second.id, "2": first.id}


def test_docks_and_vehicles_that_do_not_exist_there_change_nothing(city: City) -> None:
    vehicle, place = city.vehicle(), cluster()
    at = after(vehicle, 1)
    foreign = cluster(network_id=2)
    nowhere = place.model_copy(update={"id": 404})
    stranger = vehicle.model_copy(update={"id": 404})
    assert not any(
        (
            docks(vehicle, place, 4, at),
            docks(vehicle, foreign, 1, at),
            docks(vehicle, nowhere, 1, at),
            docks(stranger, place, 1, at),
            undocks(stranger, at),
        )
    )
    assert (spot(vehicle), parked(place), parked(foreign)) == (None, {}, {})


def test_what_a_vehicle_said_later_of_its_lock_stands(city: City) -> None:
    vehicle, place = city.vehicle(), cluster()
    assert undocks(vehicle, after(vehicle, -60))
    assert fleet.vehicle(vehicle.id).locked
    assert docks(vehicle, place, 1, after(vehicle, -30))


def test_somebody_who_changes_the_dock_meanwhile_is_seen(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, place = city.vehicle(), city.vehicle(), cluster()
    commit, others = store.Transaction.commit, [second]

    def interrupted(self: store.Transaction) -> None:
        if others:
            docks(others.pop(), place, 1, after(first, 1))
        commit(self)

    monkeypatch.setattr(store.Transaction, "commit", interrupted)
    assert docks(first, place, 1, after(first, 2))
    assert (spot(first), spot(second)) == (Spot(cluster_id=place.id, cluster_name="Aker Brygge", number=1), None)
    assert parked(place) == {"1": first.id}


def test_a_vehicle_model_is_read_once_a_minute(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    model = VehicleModel(id=77, name="Bolt", category=Category.E_BIKE, max_range_m=60_000)
    fleet.put_model(model)
    fleet._models.clear()
    with measured() as usage:
        for _ in range(3):
            store.begin()
            fleet.expect_model(77)
            assert fleet.model(77) == model
        monkeypatch.setattr(clock, "_offset", clock.offset() + timedelta(seconds=61))
        store.begin()
        assert fleet.model(77) == model
    assert usage.calls == ["BatchGetItem"] * 2
    with pytest.raises(LookupError):
        fleet.model(78)
