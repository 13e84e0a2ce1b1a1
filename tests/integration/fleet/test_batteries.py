"""Vehicles without charge wait for it, and nobody waits for them."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Hold, Telemetry, Unavailability, Vehicle, VehicleState
from kickstand.fleet.service import Standing
from kickstand.kernel import clock, store
from tests.support.capacity import measured
from tests.support.city import ALLOWED, BIKE, OSLO, City

_U, _S = Unavailability, VehicleState
LOW, CONTROLLER = _U.LOW_BATTERY, _U.LOW_CONTROLLER_BATTERY


@pytest.fixture
def city(aws: Session) -> City:
    return City()


def reports(vehicle: Vehicle, percent: int, **differently: Any) -> Vehicle:
    """A report, and what the vehicle is then; never more than one read and one write."""
    store.begin()
    at = fleet.vehicle(vehicle.id).reported_at + timedelta(seconds=10)
    said = {"battery_percent": percent, "locked": True, **differently}
    store.begin()
    with measured() as usage:
        telemetry = Telemetry(vehicle_id=vehicle.id, at=at, position=OSLO, **said)
        assert fleet.receive(telemetry, Standing(OSLO, "8809993867fffff", ALLOWED))
    assert usage.calls == ["BatchGetItem", "UpdateItem"]
    store.begin()
    return fleet.vehicle(vehicle.id)


def test_a_vehicle_that_runs_low_cannot_be_rented_until_it_is_charged(city: City) -> None:
    vehicle = city.vehicle()
    for percent, state, reasons in (
        (10, _S.AVAILABLE, set()),
        (9, _S.UNAVAILABLE, {LOW}),
        (0, _S.UNAVAILABLE, {LOW}),
        (14, _S.UNAVAILABLE, {LOW}),
        (15, _S.AVAILABLE, set()),
        (10, _S.AVAILABLE, set()),
    ):
        found = reports(vehicle, percent)
        assert (found.battery_percent, found.state, set(found.unavailabilities)) == (percent, state, reasons)


def test_another_reason_stays_when_it_is_charged(city: City) -> None:
    vehicle = city.vehicle()
    reports(vehicle, 3)
    store.begin()
    with store.Transaction() as tx:
        fleet.withdraw(tx, fleet.vehicle(vehicle.id), _U.BROKEN)
    found = reports(vehicle, 100)
    assert (found.state, set(found.unavailabilities)) == (_S.UNAVAILABLE, {_U.BROKEN})


def test_who_rides_keeps_riding_and_the_next_one_does_not(city: City) -> None:
    vehicle = city.vehicle()
    store.begin()
    with store.Transaction() as tx:
        fleet.rent(tx, fleet.vehicle(vehicle.id), 5, city.client.id)
    found = reports(vehicle, 4, locked=False)
    assert (found.state, found.rental_id, set(found.unavailabilities)) == (_S.IN_USE, 5, {LOW})
    store.begin()
    with store.Transaction() as tx:
        fleet.give_back(tx, fleet.vehicle(vehicle.id), 5)
    store.begin()
    assert fleet.vehicle(vehicle.id).state is _S.UNAVAILABLE


def test_a_reservation_loses_a_vehicle_that_would_not_take_its_rider_anywhere(city: City) -> None:
    vehicle = city.vehicle()
    store.begin()
    with store.Transaction() as tx:
        hold = Hold(reservation_id=7, rider_id=1, until=clock.now() + timedelta(minutes=15))
        fleet.reserve(tx, fleet.vehicle(vehicle.id), hold)
    assert reports(vehicle, 40).hold == hold
    found = reports(vehicle, 4)
    assert (found.state, found.hold, set(found.unavailabilities)) == (_S.UNAVAILABLE, None, {LOW})


def test_what_has_no_motor_needs_no_charge(city: City) -> None:
    found = reports(city.vehicle(model=BIKE), 0)
    assert (found.state, set(found.unavailabilities)) == (_S.AVAILABLE, set())


def test_electronics_have_a_battery_of_their_own(city: City) -> None:
    bike = city.vehicle(model=BIKE)
    assert reports(bike, 0, controller_battery_percent=9).unavailabilities == {CONTROLLER}
    assert reports(bike, 0).unavailabilities == {CONTROLLER}, "nothing was said about it"
    assert reports(bike, 0, controller_battery_percent=14).state is _S.UNAVAILABLE
    assert reports(bike, 0, controller_battery_percent=15).state is _S.AVAILABLE


def test_a_network_says_what_is_low(city: City) -> None:
    network = fleet.network(city.network_id)
    fleet.put_network(network.model_copy(update={"low_battery_percent": 30}))
    vehicle = city.vehicle()
    assert reports(vehicle, 29).unavailabilities == {LOW}
    fleet.put_network(network.model_copy(update={"low_battery_percent": 0}))
    assert reports(vehicle, 0).state is _S.AVAILABLE


def test_somebody_who_takes_it_meanwhile_rides(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    change, riders = store.change, [5]

    def interrupted(*arguments: Any, **options: Any) -> bool:
        if riders:
            with store.Transaction() as tx:
                fleet.rent(tx, vehicle, riders.pop(), city.client.id)
        return change(*arguments, **options)

    monkeypatch.setattr(store, "change", interrupted)
    with pytest.raises(store.Contention):
        reports(vehicle, 4)
    found = reports(vehicle, 4)
    assert (found.state, found.rental_id, set(found.unavailabilities)) == (_S.IN_USE, 5, {LOW})
