"""Vehicles that must not be rented for a while, in every state that they can be in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import TransitionRefused, VehicleUnavailable
from kickstand.fleet.model import Hold, Unavailability, Vehicle, VehicleState, VehicleTrigger
from kickstand.fleet.store import VehicleItem
from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention
from local.server import Tables
from tests.support.city import City

BROKEN, BLOCKED, LOW = Unavailability.BROKEN, Unavailability.BLOCKED, Unavailability.LOW_BATTERY
Step = Callable[[store.Transaction, Vehicle], None]


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


def do(vehicle: Vehicle, step: Step) -> Vehicle:
    """Take a step with a vehicle as it is now; what it has become."""
    store.begin()
    with store.Transaction() as tx:
        step(tx, fleet.vehicle(vehicle.id))
    store.begin()
    return fleet.vehicle(vehicle.id)


def withdraw(reason: Unavailability) -> Step:
    return lambda tx, vehicle: fleet.withdraw(tx, vehicle, reason)


def restore(reason: Unavailability) -> Step:
    return lambda tx, vehicle: fleet.restore(tx, vehicle, reason)


def rent(tx: store.Transaction, vehicle: Vehicle) -> None:
    fleet.rent(tx, vehicle, 5, 1)


def give_back(trigger: VehicleTrigger = VehicleTrigger.RETURN, reason: Unavailability | None = None) -> Step:
    return lambda tx, vehicle: fleet.give_back(tx, vehicle, 5, trigger, reason)


def reserve(tx: store.Transaction, vehicle: Vehicle) -> None:
    fleet.reserve(tx, vehicle, Hold(reservation_id=7, rider_id=1, until=clock.now() + timedelta(minutes=15)))


def test_a_vehicle_that_waits_is_nobodys_until_its_last_reason_is_gone(city: City) -> None:
    vehicle = city.vehicle()
    assert do(vehicle, withdraw(BROKEN)).state is VehicleState.UNAVAILABLE
    both = do(vehicle, withdraw(BLOCKED))
    assert both.state is VehicleState.UNAVAILABLE
    assert both.unavailabilities == {BROKEN, BLOCKED}
    with pytest.raises(VehicleUnavailable):
        do(vehicle, rent)
    assert do(vehicle, restore(BROKEN)).state is VehicleState.UNAVAILABLE
    free = do(vehicle, restore(BLOCKED))
    assert (free.state, free.unavailabilities) == (VehicleState.AVAILABLE, frozenset())


def test_the_same_reason_counts_once(city: City) -> None:
    vehicle = city.vehicle()
    once = do(vehicle, withdraw(BROKEN))
    assert do(vehicle, withdraw(BROKEN)) == once
    assert do(vehicle, restore(BLOCKED)) == once


@pytest.mark.parametrize("paused", [False, True])
def test_a_vehicle_in_use_stays_so_and_is_nobodys_afterwards(city: City, paused: bool) -> None:
    vehicle = city.vehicle()
    do(vehicle, rent)
    if paused:
        do(vehicle, lambda tx, _: fleet.hold(tx, vehicle.id, 5))
    ridden = do(vehicle, withdraw(BROKEN))
    assert ridden.state is (VehicleState.ON_HOLD if paused else VehicleState.IN_USE)
    assert ridden.rental_id == 5
    returned = do(vehicle, give_back())
    assert (returned.state, returned.rental_id) == (VehicleState.UNAVAILABLE, None)
    assert do(vehicle, restore(BROKEN)).state is VehicleState.AVAILABLE


def test_what_is_repaired_during_the_ride_is_everybodys_afterwards(city: City) -> None:
    vehicle = city.vehicle()
    for step in (rent, withdraw(BROKEN)):
        do(vehicle, step)
    assert fleet.clear(vehicle.id, BROKEN)
    assert do(vehicle, give_back()).state is VehicleState.AVAILABLE


@pytest.mark.parametrize(
    ("trigger", "reason", "state"),
    [
        (VehicleTrigger.WITHDRAW, Unavailability.LOCK_UNCONFIRMED, VehicleState.UNAVAILABLE),
        (VehicleTrigger.WITHDRAW, BROKEN, VehicleState.UNAVAILABLE),
        (VehicleTrigger.LOSE, None, VehicleState.LOST),
    ],
)
def test_reasons_of_before_and_at_the_end_of_a_ride_add_up(
    city: City, trigger: VehicleTrigger, reason: Unavailability | None, state: VehicleState
) -> None:
    vehicle = city.vehicle()
    for step in (rent, withdraw(BROKEN)):
        do(vehicle, step)
    returned = do(vehicle, give_back(trigger, reason))
    assert returned.state is state
    assert returned.unavailabilities == {BROKEN} | ({reason} if reason else set())
    (item,) = VehicleItem.query(f"VEHICLE#{vehicle.id}", VehicleItem.sk == "VEHICLE")
    assert len(item.to_dynamodb_dict()["unavailabilities"]["L"]) == len(returned.unavailabilities)


def test_a_reservation_loses_its_vehicle(city: City) -> None:
    vehicle = city.vehicle()
    do(vehicle, reserve)
    withdrawn = do(vehicle, withdraw(BROKEN))
    assert (withdrawn.state, withdrawn.hold) == (VehicleState.UNAVAILABLE, None)
    assert do(vehicle, lambda tx, each: fleet.release(tx, each, 7)) == withdrawn


@pytest.mark.parametrize("state", [VehicleState.WITH_OPERATOR, VehicleState.IN_STOCK, VehicleState.LOST])
def test_where_nobody_could_rent_it_the_reason_is_remembered(city: City, state: VehicleState) -> None:
    vehicle = city.vehicle()
    store.change(VehicleItem.key(vehicle.id), [VehicleItem.state.set(state)])
    withdrawn = do(vehicle, withdraw(BROKEN))
    assert withdrawn.state is state
    assert withdrawn.unavailabilities == {BROKEN}
    assert do(vehicle, restore(BROKEN)).state is state


def test_nothing_is_decided_on_what_is_not_so_any_more(city: City) -> None:
    """Two that have read the same vehicle: the second one has to look again."""
    steps: list[Step] = [withdraw(BROKEN), restore(LOW), give_back()]
    for late in steps:
        vehicle = city.vehicle()
        for step in (rent, withdraw(LOW)):
            do(vehicle, step)
        for meanwhile in (withdraw(BLOCKED), restore(LOW), give_back(VehicleTrigger.WITHDRAW, BLOCKED)):
            store.begin()
            seen = fleet.vehicle(vehicle.id)
            do(vehicle, meanwhile)
            with pytest.raises(Contention), store.Transaction() as tx:
                late(tx, seen)
            _reset(seen)


def _reset(vehicle: Vehicle) -> None:
    store.begin()
    actions: list[Any] = [
        VehicleItem.state.set(vehicle.state),
        VehicleItem.unavailabilities.set(list(vehicle.unavailabilities)),
        VehicleItem.rental_id.set(vehicle.rental_id),
    ]
    store.change(VehicleItem.key(vehicle.id), actions)


def test_reports_of_position_do_not_count_as_changes(city: City) -> None:
    vehicle = city.vehicle()
    seen = do(vehicle, rent)
    store.change(VehicleItem.key(vehicle.id), [VehicleItem.battery_percent.set(3), VehicleItem.revision.add(1)])
    with store.Transaction() as tx:
        fleet.give_back(tx, seen, 5)
    assert fleet.vehicle(vehicle.id).state is VehicleState.AVAILABLE


def test_only_its_rental_gives_a_vehicle_back(city: City) -> None:
    vehicle = city.vehicle()
    with pytest.raises(TransitionRefused):
        do(vehicle, give_back())
