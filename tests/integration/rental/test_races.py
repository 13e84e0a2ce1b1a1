"""Many want the same at the same moment; the condition of one write decides, and without it they collide."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TypeVar
from uuid import UUID

import pytest
from pydantic import BaseModel

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import Category
from kickstand.kernel import store
from kickstand.kernel.errors import DomainError
from kickstand.rental import lifecycle, reservations
from kickstand.rental import service as rentals
from kickstand.rental.errors import NoVehicleFits, RentalAlreadyEnded, RiderHasRental
from kickstand.rental.model import Rental, Reservation
from local.server import Tables
from tests.support.city import City

Won = TypeVar("Won", bound=BaseModel)

CLIENTS = 32
ROUNDS = 50


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(scope="module")
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


def at_once(crowd: ThreadPoolExecutor, calls: Sequence[Callable[[], Won]]) -> tuple[list[Won], list[DomainError]]:
    """Who got through and what the others were told, when everybody has read before anybody writes."""
    starting = Barrier(len(calls))

    def run(call: Callable[[], Won]) -> Won | DomainError:
        store.begin()
        starting.wait()
        try:
            return call()
        except DomainError as error:
            return error

    results = list(crowd.map(run, calls))
    winners = [each for each in results if not isinstance(each, DomainError)]
    return winners, [each for each in results if isinstance(each, DomainError)]


def claim(city: City, user: str, cluster_id: int) -> Callable[[], Rental]:
    return lambda: rentals.start_at_cluster(city.client, user, cluster_id, Category.BIKE)


def start(city: City, rider: UUID, vehicle: UUID) -> Callable[[], Rental]:
    return lambda: rentals.start(city.client, rider, vehicle)


def test_one_of_32_riders_gets_the_vehicle(city: City, crowd: ThreadPoolExecutor) -> None:
    riders = [city.rider().public_id for _ in range(CLIENTS)]
    for _ in range(ROUNDS):
        vehicle = city.vehicle().public_id
        winners, losers = at_once(crowd, [start(city, rider, vehicle) for rider in riders])
        assert len(winners) == 1
        assert {type(error) for error in losers} == {VehicleUnavailable}
        store.begin()
        assert fleet.find(city.client, vehicle).rental_id == winners[0].id
        finish(city, winners[0])


def test_one_rider_gets_one_of_two_vehicles(city: City, crowd: ThreadPoolExecutor) -> None:
    rider = city.rider().public_id
    for _ in range(ROUNDS):
        vehicles = [city.vehicle().public_id for _ in range(2)]
        winners, losers = at_once(crowd, [start(city, rider, each) for each in vehicles])
        assert len(winners) == 1
        assert [type(error) for error in losers] == [RiderHasRental]
        finish(city, winners[0])


def test_32_riders_claim_the_five_bikes_of_a_cluster(city: City, crowd: ThreadPoolExecutor) -> None:
    for turn in range(10):
        cluster = city.cluster()
        bikes = {city.docked(cluster, number).id for number in range(1, 6)}
        winners, losers = at_once(
            crowd, [claim(city, f"Claimer {turn} {number}", cluster.id) for number in range(CLIENTS)]
        )
        assert {each.vehicle_id for each in winners} == bikes
        assert len(winners) == len(bikes)
        assert {type(error) for error in losers} == {NoVehicleFits}


def test_one_new_user_who_asks_eight_times_is_one_rider_with_one_rental(city: City, crowd: ThreadPoolExecutor) -> None:
    for turn in range(10):
        vehicles = [city.vehicle().id for _ in range(8)]
        user = f"Impatient {turn}"
        calls: list[Callable[[], Rental]] = [partial(rentals.start_for, city.client, user, each) for each in vehicles]
        winners, losers = at_once(crowd, calls)
        assert len(winners) == 1
        assert {type(error) for error in losers} == {RiderHasRental}


def test_a_reservation_and_a_start_do_not_both_get_the_vehicle(city: City, crowd: ThreadPoolExecutor) -> None:
    for turn in range(10):
        vehicle = city.vehicle().id
        starts: list[Callable[[], Rental | Reservation]] = [
            partial(rentals.start_for, city.client, f"Starter {turn} {n}", vehicle) for n in range(4)
        ]
        reserves: list[Callable[[], Rental | Reservation]] = [
            partial(reservations.reserve, city.client, f"Reserver {turn} {n}", vehicle) for n in range(4)
        ]
        winners, losers = at_once(crowd, [*starts, *reserves])
        assert len(winners) == 1
        assert {type(error) for error in losers} == {VehicleUnavailable}


def test_a_rental_ends_once(city: City, crowd: ThreadPoolExecutor) -> None:
    for _ in range(10):
        rental = rentals.start(city.client, city.rider().public_id, city.vehicle().public_id)
        winners, losers = at_once(crowd, [lambda: rentals.end(city.client, rental.public_id)] * 8)  # noqa: B023
        assert len(winners) == 1
        assert {type(error) for error in losers} == {RentalAlreadyEnded}
        store.begin()


def test_without_its_condition_a_vehicle_is_rented_many_times(
    city: City, crowd: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = store.Transaction.update

    def unconditional(tx: store.Transaction, key: object, actions: object, **_: object) -> None:
        update(tx, key, actions)  # type: ignore[arg-type]

    monkeypatch.setattr(store.Transaction, "update", unconditional)
    riders = [city.rider().public_id for _ in range(CLIENTS)]
    vehicle = city.vehicle().public_id
    winners, _ = at_once(crowd, [start(city, rider, vehicle) for rider in riders])
    assert len(winners) > 1


def finish(city: City, rental: Rental) -> None:
    rentals.end(city.client, rental.public_id)
    lifecycle.confirm_locked(rental.id)
    store.begin()
