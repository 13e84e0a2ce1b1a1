"""Many want the same at the same moment; the condition of one write decides, and without it they collide."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleUnavailable
from kickstand.kernel import store
from kickstand.kernel.errors import DomainError
from kickstand.rental import service as rentals
from kickstand.rental.errors import RentalAlreadyEnded, RiderHasRental
from kickstand.rental.model import Rental
from local.server import Tables
from tests.support.city import City

CLIENTS = 32
ROUNDS = 50


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(scope="module")
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


def at_once(crowd: ThreadPoolExecutor, calls: list[Callable[[], Rental]]) -> tuple[list[Rental], list[DomainError]]:
    """Who got through and what the others were told, when everybody has read before anybody writes."""
    starting = Barrier(len(calls))

    def run(call: Callable[[], Rental]) -> Rental | DomainError:
        store.begin()
        starting.wait()
        try:
            return call()
        except DomainError as error:
            return error

    results = list(crowd.map(run, calls))
    winners = [each for each in results if isinstance(each, Rental)]
    return winners, [each for each in results if isinstance(each, DomainError)]


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
    rentals.confirm_locked(rental.id)
    store.begin()
