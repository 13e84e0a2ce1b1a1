"""What counts as a vehicle's being locked for good."""

from datetime import timedelta

import pytest

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Action, CommandTrigger, Purpose, Unavailability, Vehicle, VehicleState
from kickstand.fleet.service import Standing
from kickstand.geo import service as geo
from kickstand.kernel import clock, store
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.model import EndReason, Rental, RentalState
from local.server import Tables
from tests.support import zones
from tests.support.city import ALLOWED, BIKE, OSLO, SCOOTER
from tests.support.world import World

STANDING = Standing(OSLO, "8809993867fffff", ALLOWED)


@pytest.fixture
def world(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(monkeypatch)
    store.begin()
    geo.put_zones(1, world.city.parking, [zones.zone(1)])
    world.settle()
    return world


def ride(world: World, vehicle: Vehicle) -> Rental:
    """Let somebody take a vehicle; it unlocks."""
    store.begin()
    rental = rentals.start(world.city.client, world.city.rider().public_id, vehicle.public_id)
    world.settle()
    world.advance(60)
    store.begin()
    assert rentals.get(rental.id).state is RentalState.IN_PROGRESS
    return rental


def known(vehicle: Vehicle) -> Vehicle:
    store.begin()
    return fleet.vehicle(vehicle.id)


def locks(world: World) -> list[int]:
    return [each.vehicle_id for each in world.published if each.action is Action.LOCK]


def test_an_old_answer_to_a_pause_does_not_restore_a_vehicle_whose_last_lock_nobody_knows(world: World) -> None:
    vehicle = world.city.vehicle(model=SCOOTER)
    rental = ride(world, vehicle)
    paused = fleet.send_command(7, vehicle.id, Action.LOCK, purpose=Purpose.PAUSE, rental_id=rental.id)
    lifecycle.end_internally(rental.id, EndReason.TOO_LONG)
    world.settle(answers=False)
    world.advance(60)
    world.go_off()
    world.settle(answers=False)
    assert known(vehicle).unavailabilities == {Unavailability.LOCK_UNCONFIRMED}
    world.say(vehicle.id, type="acknowledgement", command_id=paused.id, outcome="done")
    world.settle(answers=False)
    assert known(vehicle).state is VehicleState.UNAVAILABLE
    assert known(vehicle).unavailabilities == {Unavailability.LOCK_UNCONFIRMED}
    world.settle()  # what it was told last is answered at last
    assert known(vehicle).state is VehicleState.AVAILABLE


def test_a_bike_that_only_docks_lock_is_not_available_where_its_ride_was_ended_for_its_rider(world: World) -> None:
    place = world.city.cluster()
    bike = world.city.docked(place, 1, BIKE)
    rental = ride(world, bike)
    assert clusters.undock(bike.id, clock.now())
    store.begin()
    lifecycle.end_internally(rental.id, EndReason.TOO_LONG)
    world.settle()
    assert locks(world) == []
    assert rentals.get(rental.id).state is RentalState.ENDING
    world.advance(60)
    world.go_off()
    world.settle()
    assert rentals.get(rental.id).state is RentalState.COMPLETED
    assert known(bike).state is VehicleState.UNAVAILABLE
    assert known(bike).unavailabilities == {Unavailability.LOCK_UNCONFIRMED}
    assert clusters.dock(bike.id, place.id, 2, clock.now() + timedelta(seconds=1), STANDING)
    assert known(bike).state is VehicleState.AVAILABLE


def test_nor_where_it_answers_a_command_that_it_cannot_obey(world: World) -> None:
    bike = world.city.docked(world.city.cluster(), 1, BIKE)
    rental = ride(world, bike)
    assert clusters.undock(bike.id, clock.now())
    store.begin()
    lifecycle.end_internally(rental.id, EndReason.TOO_LONG)
    store.begin()
    cause = rentals.get(rental.id).event.id
    told = fleet.send_command(cause, bike.id, Action.LOCK, purpose=Purpose.END, rental_id=rental.id)
    store.begin()
    fleet.settle_command(bike.id, told.id, CommandTrigger.ACKNOWLEDGE)
    world.settle()
    assert rentals.get(rental.id).state is RentalState.ENDING
    world.advance(60)
    world.go_off()
    world.settle()
    assert known(bike).unavailabilities == {Unavailability.LOCK_UNCONFIRMED}


def test_a_dock_that_holds_a_bike_can_be_asked_to_keep_it(world: World) -> None:
    bike = world.city.docked(world.city.cluster(), 1, BIKE)
    rental = ride(world, bike)
    store.begin()
    lifecycle.end_internally(rental.id, EndReason.OPERATOR)
    world.settle()
    assert locks(world) == [bike.id]
    assert rentals.get(rental.id).state is RentalState.COMPLETED
    assert known(bike).state is VehicleState.AVAILABLE
