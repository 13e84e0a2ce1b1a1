"""Starting a rental for a partner's own user: at a vehicle, or anywhere in a cluster."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound, VehicleUnavailable
from kickstand.fleet.model import Category, VehicleState
from kickstand.identity import penalties
from kickstand.identity import service as identity
from kickstand.identity.service import Contact
from kickstand.kernel import clock, store
from kickstand.kernel.errors import DomainError
from kickstand.kernel.place import Position
from kickstand.pricing.errors import PlanNotFound, PlanNotValid
from kickstand.rental import lifecycle, reservations
from kickstand.rental import service as rentals
from kickstand.rental.errors import (
    AbilityMissing,
    ImplausiblePosition,
    NoVehicleFits,
    RiderHasRental,
    TooManyPenaltyPoints,
)
from kickstand.rental.model import RentalState, ReservationState, RiderPosition
from kickstand.rental.service import StartTerms
from local.server import Tables
from tests.support.capacity import measured
from tests.support.city import BIKE, E_BIKE, OSLO, City

NEAR = Position(longitude=10.7523, latitude=59.9139)
BERGEN = Position(longitude=5.3221, latitude=60.3913)


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(autouse=True)
def _fresh(city: City) -> None:
    store.begin()


def refused(error: type[DomainError], call: Callable[[], object]) -> None:
    store.begin()
    with pytest.raises(error):
        call()
    store.begin()


def test_a_new_user_is_taken_in_with_the_first_rental(city: City) -> None:
    vehicle = city.vehicle()
    contact = Contact("Jane Doe", "jane@mail.example")
    rental = rentals.start_for(city.client, "User1", vehicle.id, StartTerms(contact=contact))
    store.begin()
    user = identity.external(city.client, "User1")
    rider = identity.find_by_id(user.rider_id)
    assert (rental.rider_id, rental.external_rider_id) == (rider.id, "User1")
    assert (rider.display_name, rider.email) == ("Jane Doe", "jane@mail.example")
    ridden = fleet.vehicle(vehicle.id)
    assert (ridden.state, ridden.rental_id) == (VehicleState.IN_USE, rental.id)
    assert (ridden.last_rental_id, ridden.last_client_id) == (rental.id, city.client.id)
    assert ridden.taken_from == OSLO
    refused(RiderHasRental, lambda: rentals.start_for(city.client, "User1", city.vehicle().id))


def test_what_a_partner_tells_later_replaces_what_it_told_before(city: City) -> None:
    user = identity.ensure_external(city.client, "Retold")
    told = StartTerms(contact=Contact(email="second@mail.example"))
    rentals.start_for(city.client, "Retold", city.vehicle().id, told)
    store.begin()
    rider = identity.find_by_id(user.rider_id)
    assert (rider.display_name, rider.email) == (None, "second@mail.example")


def test_another_partners_user_of_the_same_name_is_somebody_else(city: City) -> None:
    other, _ = city.partner("Elsewhere")
    first = rentals.start_for(city.client, "Same", city.vehicle().id)
    second = rentals.start_for(other, "Same", city.vehicle().id)
    assert first.rider_id != second.rider_id


def test_a_vehicle_of_another_network_does_not_exist(city: City) -> None:
    stranger, _ = city.partner("Paris", network_ids=(99,))
    refused(VehicleNotFound, lambda: rentals.start_for(stranger, "U", city.vehicle().id))


def test_a_start_takes_one_reading_and_one_writing(city: City) -> None:
    identity.ensure_external(city.client, "Counted")
    vehicle = city.vehicle()
    fleet.known_network(1)
    terms = StartTerms(plan_id=city.plan(trip_price=500).id, position=RiderPosition(position=NEAR))
    store.begin()
    with measured() as usage:
        rentals.start_for(city.client, "Counted", vehicle.id, terms)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    assert usage.read_units <= 5
    assert usage.write_units <= 12


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        (StartTerms(position=RiderPosition(position=BERGEN)), ImplausiblePosition),
        (StartTerms(position=RiderPosition(position=BERGEN, accuracy_m=1_000)), ImplausiblePosition),
        (StartTerms(plan_id=4711), PlanNotFound),
    ],
)
def test_refused_terms_start_nothing(city: City, terms: StartTerms, error: type[DomainError]) -> None:
    vehicle = city.vehicle()
    refused(error, lambda: rentals.start_for(city.client, "Nobody", vehicle.id, terms))
    assert fleet.vehicle(vehicle.id).state is VehicleState.AVAILABLE
    assert identity.find_external(city.client, "Nobody") is None


def test_a_position_may_be_as_wrong_as_it_says(city: City) -> None:
    far = Position(longitude=OSLO.longitude, latitude=OSLO.latitude + 0.02)  # 2.2 km
    refused(
        ImplausiblePosition,
        lambda: rentals.start_for(
            city.client, "Vague", city.vehicle().id, StartTerms(position=RiderPosition(position=far, accuracy_m=1_000))
        ),
    )
    vague = RiderPosition(position=far, accuracy_m=1_500)
    assert rentals.start_for(city.client, "Vague", city.vehicle().id, StartTerms(position=vague)).rider_start == far


def test_a_speed_limit_needs_a_vehicle_that_obeys_it(city: City) -> None:
    limited = StartTerms(max_speed_kmh=15)
    refused(AbilityMissing, lambda: rentals.start_for(city.client, "Slow", city.vehicle(model=BIKE).id, limited))
    assert rentals.start_for(city.client, "Slow", city.vehicle().id, limited).max_speed_kmh == 15


def test_a_plan_is_committed_with_what_is_left_of_it(city: City) -> None:
    chosen = city.plan(trip_price=500, free_minutes_per_day=30)
    rental = rentals.start_for(city.client, "Planned", city.vehicle().id, StartTerms(plan_id=chosen.id))
    assert rental.plan == chosen
    assert rental.allowance is not None
    assert (rental.allowance.free_minutes_left, rental.allowance.registration_due) == (30, True)


def test_a_plan_in_another_currency_and_too_many_points_are_refused(city: City) -> None:
    euros = StartTerms(plan_id=city.plan(currency="EUR").id)
    refused(PlanNotValid, lambda: rentals.start_for(city.client, "Rich", city.vehicle().id, euros))
    strict = city.plan(max_penalty_points=0)
    identity.ensure_external(city.client, "Naughty")
    penalties.add(city.client, "Naughty", 1)
    terms = StartTerms(plan_id=strict.id)
    refused(TooManyPenaltyPoints, lambda: rentals.start_for(city.client, "Naughty", city.vehicle().id, terms))
    assert rentals.start_for(city.client, "Naughty", city.vehicle().id).plan is None


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cluster_gives_the_category_that_was_asked_for(city: City) -> None:
    cluster = city.cluster()
    bike, e_bike = city.docked(cluster, 1), city.docked(cluster, 2, E_BIKE)
    store.begin()
    rental = rentals.start_at_cluster(city.client, "C1", cluster.id, Category.E_BIKE)
    assert (rental.vehicle_id, rental.start_spot) == (e_bike.id, e_bike.spot)
    refused(NoVehicleFits, lambda: rentals.start_at_cluster(city.client, "C2", cluster.id, Category.E_BIKE))
    refused(NoVehicleFits, lambda: rentals.start_at_cluster(city.client, "C2", cluster.id, Category.SCOOTER))
    assert rentals.start_at_cluster(city.client, "C2", cluster.id, Category.BIKE).vehicle_id == bike.id


def test_an_empty_cluster_has_nothing(city: City) -> None:
    cluster = city.cluster()
    refused(NoVehicleFits, lambda: rentals.start_at_cluster(city.client, "C3", cluster.id, Category.BIKE))


def test_what_a_rider_has_reserved_comes_first(city: City) -> None:
    cluster = city.cluster()
    vehicles = [city.docked(cluster, number) for number in (1, 2, 3)]
    reservation = reservations.reserve(city.client, "Holder", vehicles[2].id)
    store.begin()
    rental = rentals.start_at_cluster(city.client, "Holder", cluster.id, Category.BIKE)
    assert (rental.vehicle_id, rental.reservation_id) == (vehicles[2].id, reservation.id)
    store.begin()
    assert reservations.get(reservation.id).state is ReservationState.COMPLETED


def test_a_claim_takes_two_readings_and_one_writing(city: City) -> None:
    cluster = city.cluster()
    city.docked(cluster, 1)
    identity.ensure_external(city.client, "Claiming")
    store.begin()
    with measured() as usage:
        rentals.start_at_cluster(city.client, "Claiming", cluster.id, Category.BIKE)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_users_rentals_by_time_and_state(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[datetime, int]] = []
    real = clock.now
    start = real()
    for hours in range(3):
        monkeypatch.setattr(clock, "now", lambda hours=hours: start + timedelta(hours=hours))
        store.begin()
        rental = rentals.start_for(city.client, "Lister", city.vehicle().id)
        lifecycle.reject_unlock(rental.id)
        begun.append((rental.started_at, rental.id))
    store.begin()
    everything = [rental_id for _, rental_id in reversed(begun)]

    def listed(since: datetime, until: datetime | None = None, *states: RentalState) -> list[int]:
        store.begin()
        return [each.id for each in rentals.list_external(city.client, "Lister", states, since, until)]

    assert listed(begun[0][0]) == everything
    assert listed(begun[1][0]) == everything[:2]
    assert listed(begun[0][0], begun[2][0]) == everything[1:]
    assert listed(begun[2][0], begun[0][0]) == []
    assert listed(begun[0][0], None, RentalState.CANCELLED) == everything
    assert listed(begun[0][0], None, RentalState.COMPLETED) == []


def test_a_reserved_vehicle_is_its_holders_only(city: City) -> None:
    vehicle = city.vehicle()
    reservations.reserve(city.client, "Mine", vehicle.id)
    refused(VehicleUnavailable, lambda: rentals.start_for(city.client, "Yours", vehicle.id))
    rider = city.rider()
    refused(VehicleUnavailable, lambda: rentals.start(city.client, rider.public_id, vehicle.public_id))
    assert rentals.start_for(city.client, "Mine", vehicle.id).vehicle_id == vehicle.id
