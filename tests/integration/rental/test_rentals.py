"""Use cases of rentals against the store."""

from uuid import UUID

import pytest
from botocore.session import Session

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound, VehicleUnavailable
from kickstand.fleet.model import VehicleState
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderInDebt, RiderNotFound
from kickstand.identity.model import Rider
from kickstand.kernel import store
from kickstand.kernel.place import Position
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.errors import (
    EndingRefused,
    ImplausiblePosition,
    NoActiveRental,
    RentalAlreadyEnded,
    RiderHasRental,
)
from kickstand.rental.model import EndReason, RentalState
from tests.support.city import NO_PARKING, NOBODY, OSLO, City


@pytest.fixture
def city(aws: Session) -> City:
    return City()


def test_a_started_rental_holds_the_vehicle_at_the_offered_tariff(city: City) -> None:
    rider, vehicle = city.rider(), city.vehicle()
    rental = rentals.start(city.client, rider.public_id, vehicle.public_id, OSLO)
    store.begin()
    assert rentals.find(city.client, rental.public_id) == rental
    assert rental.tariff == vehicle.offer
    assert rental.state is RentalState.STARTING
    held = fleet.find(city.client, vehicle.public_id)
    assert (held.state, held.rental_id) == (VehicleState.IN_USE, rental.id)
    assert rentals.find_active(city.client, rider.public_id) == rental
    assert rentals.list_by_rider(city.client, rider.public_id) == [rental]


def test_a_vehicle_is_rented_once_and_a_rider_rents_once(city: City) -> None:
    rider, other = city.rider(), city.rider()
    vehicle, another = city.vehicle(), city.vehicle()
    rentals.start(city.client, rider.public_id, vehicle.public_id)
    store.begin()
    with pytest.raises(VehicleUnavailable):
        rentals.start(city.client, other.public_id, vehicle.public_id)
    with pytest.raises(RiderHasRental):
        rentals.start(city.client, rider.public_id, another.public_id)


def test_who_owes_us_money_starts_nothing(city: City) -> None:
    city.client = clients.find(city.client.id).model_copy(update={"charges_riders": True})
    rider = city.rider("agatha")
    city.owe(city.client, "agatha")
    store.begin()
    with pytest.raises(RiderInDebt):
        rentals.start(city.client, rider.public_id, city.vehicle().public_id)
    city.owe(city.client, "agatha", in_debt=False)
    store.begin()
    assert rentals.start(city.client, rider.public_id, city.vehicle().public_id).rider_id == rider.id


def test_ending_decides_the_fare_and_frees_the_rider(city: City) -> None:
    rider, vehicle = city.rider(), city.vehicle()
    rental = rentals.start(city.client, rider.public_id, vehicle.public_id)
    store.begin()
    ended = rentals.end(city.client, rental.public_id, OSLO)
    assert ended.state is RentalState.ENDING
    assert ended.end_reason is EndReason.RIDER
    assert ended.fare is not None
    assert ended.fare.total == 0
    store.begin()
    with pytest.raises(RentalAlreadyEnded):
        rentals.end(city.client, rental.public_id)
    lifecycle.confirm_locked(rental.id)
    store.begin()
    assert rentals.find(city.client, rental.public_id).state is RentalState.COMPLETED
    assert fleet.find(city.client, vehicle.public_id).state is VehicleState.AVAILABLE
    rentals.start(city.client, rider.public_id, vehicle.public_id)


def test_a_rental_does_not_end_where_parking_is_forbidden(city: City) -> None:
    rider, vehicle = city.rider(), city.vehicle(verdict=NO_PARKING)
    rental = rentals.start(city.client, rider.public_id, vehicle.public_id)
    store.begin()
    with pytest.raises(EndingRefused, match="no parking"):
        rentals.end(city.client, rental.public_id)


def test_exchanged_coordinates_are_recognised(city: City) -> None:
    swapped = Position(longitude=OSLO.latitude, latitude=OSLO.longitude)
    with pytest.raises(ImplausiblePosition, match="swapped"):
        rentals.start(city.client, city.rider().public_id, city.vehicle().public_id, swapped)


def test_what_another_partner_owns_does_not_exist(city: City) -> None:
    stranger, _ = city.partner("Stranger", (2,))
    rider, vehicle = city.rider(), city.vehicle()
    with pytest.raises(RiderNotFound):
        rentals.start(stranger, rider.public_id, vehicle.public_id)
    with pytest.raises(VehicleNotFound):
        fleet.find(stranger, vehicle.public_id)
    with pytest.raises(RiderNotFound):
        rentals.start(city.client, NOBODY, vehicle.public_id)


def test_a_rental_that_ends_while_it_is_looked_up_is_not_the_active_one(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    rider = city.rider()
    rental = rentals.start(city.client, rider.public_id, city.vehicle().public_id)
    store.begin()
    find = identity.find

    def interrupted(client: ApiClient, public_id: UUID) -> Rider:
        rentals.end(city.client, rental.public_id)
        return find(client, public_id)

    monkeypatch.setattr(identity, "find", interrupted)
    with pytest.raises(NoActiveRental):
        rentals.find_active(city.client, rider.public_id)


def test_of_very_many_rentals_the_latest_are_listed(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rentals, "_MOST_LISTED", 2)
    rider, started = city.rider(), []
    for _ in range(3):
        started.append(rentals.start(city.client, rider.public_id, city.vehicle().public_id))
        rentals.end(city.client, started[-1].public_id)
        store.begin()
    listed = [each.id for each in rentals.list_by_rider(city.client, rider.public_id)]
    assert listed == [started[2].id, started[1].id]
