"""A dock that has closed on a vehicle is the proof that it is locked, whatever its own lock has said or not said."""

from datetime import timedelta

import pytest
from botocore.session import Session

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import ClusterKind, Unavailability, Vehicle, VehicleState
from kickstand.fleet.service import Standing
from kickstand.kernel import clock, store
from tests.support.capacity import measured
from tests.support.city import ALLOWED, E_BIKE, OSLO, City

_U = Unavailability
STANDING = Standing(OSLO, "8809993867fffff", ALLOWED)


@pytest.fixture
def city(aws: Session) -> City:
    return City()


def withdrawn(city: City, *reasons: Unavailability) -> Vehicle:
    vehicle = city.vehicle(model=E_BIKE)
    for reason in reasons:
        store.begin()
        with store.Transaction() as tx:
            fleet.withdraw(tx, fleet.vehicle(vehicle.id), reason)
    store.begin()
    return vehicle


@pytest.mark.parametrize(
    ("before", "state", "left"),
    [
        ({_U.LOCK_UNCONFIRMED}, VehicleState.AVAILABLE, set()),
        ({_U.LOCK_REJECTED}, VehicleState.AVAILABLE, set()),
        ({_U.LOCK_UNCONFIRMED, _U.LOCK_REJECTED, _U.BROKEN}, VehicleState.UNAVAILABLE, {_U.BROKEN}),
    ],
)
def test_what_a_dock_holds_is_locked(
    city: City, before: set[Unavailability], state: VehicleState, left: set[Unavailability]
) -> None:
    vehicle, place = withdrawn(city, *before), city.cluster()
    at = clock.now()
    store.begin()
    with measured() as usage:
        assert clusters.dock(vehicle.id, place.id, 1, at, STANDING)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    store.begin()
    found = fleet.vehicle(vehicle.id)
    assert (found.state, set(found.unavailabilities), found.spot) == (state, left, place.spot(1))


def test_what_is_known_later_about_its_lock_is_kept_when_the_dock_repeats_itself(city: City) -> None:
    vehicle, place = city.vehicle(model=E_BIKE), city.cluster()
    at = clock.now()
    store.begin()
    assert clusters.dock(vehicle.id, place.id, 1, at, STANDING)
    assert clusters.undock(vehicle.id, at + timedelta(seconds=1))
    store.begin()
    with store.Transaction() as tx:
        fleet.withdraw(tx, fleet.vehicle(vehicle.id), _U.LOCK_UNCONFIRMED)
    store.begin()
    assert not clusters.dock(vehicle.id, place.id, 1, at, STANDING)
    assert fleet.vehicle(vehicle.id).unavailabilities == {_U.LOCK_UNCONFIRMED}


def test_a_place_without_hardware_proves_nothing(city: City) -> None:
    vehicle, place = withdrawn(city, _U.LOCK_UNCONFIRMED), city.cluster(type_=ClusterKind.VIRTUAL)
    assert clusters.park(vehicle.id, place.spot(1), clock.now())
    store.begin()
    found = fleet.vehicle(vehicle.id)
    assert (found.spot, found.state, set(found.unavailabilities)) == (
        place.spot(1),
        VehicleState.UNAVAILABLE,
        {_U.LOCK_UNCONFIRMED},
    )
