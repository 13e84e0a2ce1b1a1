"""Places without hardware have what was left there, and nothing that somebody has taken since."""

from datetime import timedelta

import pytest
from botocore.session import Session

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Cluster, ClusterKind, Vehicle
from kickstand.kernel import clock, store
from tests.support.city import City

FIRST, SECOND = 71, 72


@pytest.fixture
def city(aws: Session) -> City:
    return City()


@pytest.fixture
def place(city: City) -> Cluster:
    return city.cluster(type_=ClusterKind.VIRTUAL)


def ride(city: City, vehicle: Vehicle, rental_id: int) -> None:
    store.begin()
    with store.Transaction() as tx:
        fleet.rent(tx, fleet.vehicle(vehicle.id), rental_id, city.client.id)
    store.begin()


def give_back(vehicle: Vehicle, rental_id: int) -> None:
    store.begin()
    with store.Transaction() as tx:
        fleet.give_back(tx, fleet.vehicle(vehicle.id), rental_id)
    store.begin()


def nobody_has_it(vehicle: Vehicle, place: Cluster) -> bool:
    store.begin()
    return fleet.vehicle(vehicle.id).spot is None and clusters.cluster(place.id).parked == {}


def test_what_was_left_has_a_place(city: City, place: Cluster) -> None:
    vehicle = city.vehicle()
    ride(city, vehicle, FIRST)
    give_back(vehicle, FIRST)
    assert clusters.park(vehicle.id, place.spot(1), clock.now(), ride=FIRST)
    store.begin()
    assert fleet.vehicle(vehicle.id).spot == place.spot(1)


def test_a_vehicle_that_the_next_rider_has_taken_already_gets_no_place(city: City, place: Cluster) -> None:
    vehicle = city.vehicle()
    ride(city, vehicle, FIRST)
    give_back(vehicle, FIRST)
    left = clock.now()
    ride(city, vehicle, SECOND)
    assert not clusters.park(vehicle.id, place.spot(1), left, ride=FIRST)
    assert nobody_has_it(vehicle, place)


def test_nor_does_one_that_the_next_rider_has_left_elsewhere(city: City, place: Cluster) -> None:
    vehicle = city.vehicle()
    ride(city, vehicle, FIRST)
    give_back(vehicle, FIRST)
    left = clock.now() + timedelta(milliseconds=1)
    ride(city, vehicle, SECOND)
    give_back(vehicle, SECOND)
    assert not clusters.park(vehicle.id, place.spot(1), left, ride=FIRST)
    assert nobody_has_it(vehicle, place)


def test_nor_does_one_that_is_taken_at_the_same_moment(
    city: City, place: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle()
    ride(city, vehicle, FIRST)
    give_back(vehicle, FIRST)
    commit, others = store.Transaction.commit, [SECOND]

    def interrupted(self: store.Transaction) -> None:
        if others:
            ride(city, vehicle, others.pop())
        commit(self)

    monkeypatch.setattr(store.Transaction, "commit", interrupted)
    assert not clusters.park(vehicle.id, place.spot(1), clock.now(), ride=FIRST)
    assert nobody_has_it(vehicle, place)
