"""Reservations: made, used, given up, expired, and taken away."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound, VehicleUnavailable
from kickstand.fleet.model import Unavailability, VehicleState
from kickstand.geo.model import NOWHERE
from kickstand.kernel import clock, ids, store
from kickstand.kernel.errors import DomainError
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan
from kickstand.rental import gateway, reservations
from kickstand.rental import service as rentals
from kickstand.rental.errors import ReservationClosed, ReservationNotFound, RiderHasReservation
from kickstand.rental.model import Reservation, ReservationState
from kickstand.rental.store import ReservationItem
from local.server import Tables
from reactions import rental as reactions
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.streams import batch
from tests.support.vehicles import records
from workflows import reservation as tasks


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(autouse=True)
def _fresh(city: City) -> None:
    store.begin()


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = clock.now() + timedelta(seconds=seconds)
    monkeypatch.setattr(clock, "now", lambda: now)
    store.begin()


def refused(error: type[DomainError], call: Callable[[], object]) -> None:
    store.begin()
    with pytest.raises(error):
        call()
    store.begin()


def reserve(city: City, user: str, plan: PricingPlan | None = None) -> Reservation:
    made = reservations.reserve(city.client, user, city.vehicle().id, plan.id if plan else None)
    store.begin()
    return made


def vehicle_state(reservation: Reservation) -> VehicleState:
    store.begin()
    return fleet.vehicle(reservation.vehicle_id).state


def test_it_holds_its_vehicle_for_a_quarter_of_an_hour(city: City) -> None:
    reservation = reserve(city, "R1")
    assert reservation.expires_at - reservation.created_at == timedelta(minutes=15)
    assert vehicle_state(reservation) is VehicleState.RESERVED
    assert reservations.list_active(city.client, "R1") == [reservation]
    refused(VehicleUnavailable, lambda: reservations.reserve(city.client, "R2", reservation.vehicle_id))
    refused(RiderHasReservation, lambda: reservations.reserve(city.client, "R1", city.vehicle().id))


def test_a_rider_who_asks_again_for_a_vehicle_has_it_already(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, plan = (
        reserve(city, "A1"),
        PricingPlan(id=ids.new_id(), client_id=city.client.id, name="D", currency="NOK", vat_percent=25),
    )
    pricing.put_plan(plan)
    store.begin()
    assert reservations.reserve(city.client, "A1", mine.vehicle_id) == mine
    refused(VehicleUnavailable, lambda: reservations.reserve(city.client, "A1", mine.vehicle_id, plan.id))
    other = city.partner("Namesake")[0]
    refused(VehicleUnavailable, lambda: reservations.reserve(other, "A1", mine.vehicle_id))
    monkeypatch.setattr(clock, "now", lambda: mine.expires_at)
    refused(VehicleUnavailable, lambda: reservations.reserve(city.client, "A1", mine.vehicle_id))


def test_it_takes_one_reading_and_one_writing(city: City) -> None:
    reserve(city, "R3")
    reservations.cancel(city.client, reservations.list_active(city.client, "R3")[0].id)
    vehicle = city.vehicle()
    store.begin()
    with measured() as usage:
        reservations.reserve(city.client, "R3", vehicle.id)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]


def test_other_partners_see_nothing(city: City) -> None:
    other, _ = city.partner("Elsewhere")
    reservation = reserve(city, "R4")
    refused(ReservationNotFound, lambda: reservations.find(other, reservation.id))
    refused(ReservationNotFound, lambda: reservations.cancel(other, reservation.id))
    stranger, _ = city.partner("Paris", network_ids=(99,))
    refused(VehicleNotFound, lambda: reservations.reserve(stranger, "R4", city.vehicle().id))


def test_nothing_is_reserved_where_rides_may_not_start(city: City) -> None:
    vehicle = city.vehicle(verdict=NOWHERE)
    refused(VehicleUnavailable, lambda: reservations.reserve(city.client, "R5", vehicle.id))


def test_cancelling_twice_is_cancelling_once(city: City) -> None:
    reservation = reserve(city, "R6")
    over = reservations.cancel(city.client, reservation.id)
    assert (over.state, over.by_operator) == (ReservationState.CANCELLED, False)
    store.begin()
    assert reservations.cancel(city.client, reservation.id) == over
    assert vehicle_state(reservation) is VehicleState.AVAILABLE
    assert reservations.list_active(city.client, "R6") == []
    assert reserve(city, "R6").is_active


def test_starting_completes_it(city: City) -> None:
    reservation = reserve(city, "R7")
    rental = rentals.start_for(city.client, "R7", reservation.vehicle_id)
    store.begin()
    over = reservations.get(reservation.id)
    assert (over.state, over.rental_id) == (ReservationState.COMPLETED, rental.id)
    assert rental.reservation_id == reservation.id
    refused(ReservationClosed, lambda: reservations.cancel(city.client, reservation.id))
    reservations.expire(reservation.id)
    assert vehicle_state(reservation) is VehicleState.IN_USE


def test_it_expires_by_itself(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    reservation = reserve(city, "R8")
    tasks.expire({"reservation_id": reservation.id}, None)
    assert vehicle_state(reservation) is VehicleState.RESERVED
    later(monkeypatch, 901)
    refused(VehicleUnavailable, lambda: rentals.start_for(city.client, "R8", reservation.vehicle_id))
    assert reservations.list_active(city.client, "R8") == []
    tasks.expire({"reservation_id": reservation.id}, None)
    store.begin()
    over = reservations.get(reservation.id)
    assert (over.state, over.ended_at, over.event.name) == (
        ReservationState.EXPIRED,
        reservation.expires_at,
        "ReservationExpired",
    )
    assert vehicle_state(reservation) is VehicleState.AVAILABLE
    tasks.expire({"reservation_id": reservation.id}, None)
    store.begin()
    assert reservations.get(reservation.id) == over
    refused(ReservationClosed, lambda: reservations.cancel(city.client, reservation.id))


def test_it_is_charged_by_its_plan(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = city.plan(reservation_price_per_minute=100)
    reservation = reserve(city, "R9", plan)
    later(monkeypatch, 121)
    over = reservations.cancel(city.client, reservation.id)
    assert over.fare is not None
    assert over.fare.total == 375


def test_its_workflow_starts_once_however_often_the_record_comes(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    monkeypatch.setattr(gateway, "start_reservation_workflow", lambda reservation_id, _: begun.append(reservation_id))
    reservation = reserve(city, "R10")
    over = reservations.cancel(city.client, reservation.id)
    made, ended = ReservationItem.of(reservation), ReservationItem.of(over)
    reactions.follow_reservations(batch((None, made), (made, ended)), None)
    assert begun == [reservation.id]


def test_our_staff_takes_the_vehicle_and_so_the_reservation(city: City) -> None:
    reservation = reserve(city, "R11")
    old = fleet.vehicle(reservation.vehicle_id)
    with store.Transaction() as tx:
        fleet.withdraw(tx, old, Unavailability.BLOCKED)
    store.begin()
    new = fleet.vehicle(reservation.vehicle_id)
    for _ in range(2):
        assert reactions.follow_holds(records([(old, new)]), None) == {"batchItemFailures": []}
    store.begin()
    over = reservations.get(reservation.id)
    assert (over.state, over.by_operator) == (ReservationState.CANCELLED, True)
    assert vehicle_state(reservation) is VehicleState.UNAVAILABLE
