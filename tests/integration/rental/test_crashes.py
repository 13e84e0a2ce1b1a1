"""A rental's whole life, with the process dying after each of its writes, and with records doubled and shuffled."""

import random
from typing import Any

import pytest

from kickstand.billing import service as billing
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Vehicle
from kickstand.geo import service as geo
from kickstand.identity.model import Rider
from kickstand.kernel import store
from kickstand.rental import service as rentals
from kickstand.rental.errors import NoActiveRental, RentalAlreadyEnded, RiderHasRental
from kickstand.rental.model import Rental
from kickstand.rental.store import OpenRentalItem
from local.server import Tables
from tests.support import zones
from tests.support.city import OSLO
from tests.support.world import Dying, World


@pytest.fixture
def world(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(monkeypatch)
    store.begin()
    if geo.geofence(1) is None:
        geo.put_zones(1, world.city.parking, [zones.zone(1)])
    return world


def start(world: World, rider: Rider, vehicle: Vehicle) -> Rental:
    """What an app does: start, and where no answer came, see what came of it."""

    def attempt() -> Rental:
        try:
            return rentals.start(world.city.client, rider.public_id, vehicle.public_id, OSLO)
        except RiderHasRental:
            return rentals.find_active(world.city.client, rider.public_id)

    rental: Rental = world.insist(attempt)
    return rental


def end(world: World, rental: Rental) -> Rental:
    def attempt() -> Rental:
        try:
            return rentals.end(world.city.client, rental.public_id, OSLO)
        except RentalAlreadyEnded:
            return rentals.find(world.city.client, rental.public_id)

    ended: Rental = world.insist(attempt)
    return ended


def life(world: World) -> dict[str, Any]:
    """A ride of ten minutes and a good kilometre, and everything that is known about it afterwards."""
    store.begin()
    rider, vehicle = world.city.rider(), world.city.vehicle()
    world.settle()
    with world.dying:
        rental = start(world, rider, vehicle)
        world.settle()
        world.advance(300)
        world.ride(vehicle, zones.at(700, 0))
        world.settle()
        world.advance(300)
        world.ride(vehicle, zones.at(1400, 0))
        world.settle()
        end(world, rental)
        world.settle()
        world.finish(rental)
    return summary(world, rider, vehicle, rental)


def summary(world: World, rider: Rider, vehicle: Vehicle, rental: Rental) -> dict[str, Any]:
    store.begin()
    done = rentals.get(rental.id)
    back = fleet.vehicle(vehicle.id)
    charge = billing.charge_of(rental.id)
    assert done.fare is not None
    assert charge is not None
    with pytest.raises(NoActiveRental):
        rentals.find_active(world.city.client, rider.public_id)
    assert store.load(OpenRentalItem.key(rider.id)) is None
    return {
        "state": done.state,
        "version": done.version,
        "fare": (done.fare.total, done.fare.vat, [line.kind for line in done.fare.lines]),
        "distance": done.distance_m,
        "receipt": done.receipt is not None and done.receipt in world.documents,
        "vehicle": (back.state, back.rental_id, back.unavailabilities),
        "charge": charge.fare.total,
        "workflow": rental.id in world.started,
        "announced": rental.id in world.announced,
        "obeyed": sorted({command.action for command in world.published if command.rental_id == rental.id}),
    }


def test_dying_after_any_write_changes_nothing_in_the_end(world: World) -> None:
    world.dying = Dying()
    expected = life(world)
    assert expected["fare"][0] == (1000 + 10 * 250) * 125 // 100
    assert expected["vehicle"][0] == "available"
    writes = world.dying.writes
    assert writes > 10
    for at in range(1, writes + 1):
        world.dying = Dying(at)
        assert life(world) == expected, f"after write {at} of {writes}"
        assert world.dying.writes >= at


@pytest.mark.parametrize("seed", range(12))
def test_records_doubled_and_shuffled_change_nothing(world: World, seed: int) -> None:
    world.dying = Dying()
    expected = life(world)
    world.shuffle = random.Random(seed)
    assert life(world) == expected
