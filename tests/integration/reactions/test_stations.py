"""What stations say of their docks, and vehicles of their commands, as the queue brings it."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Action, Cluster, ClusterKind, Progress, Purpose, Spot, Vehicle, VehicleState
from kickstand.geo import service as geo
from kickstand.kernel import clock, store
from kickstand.pricing.model import Fare
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.model import Rental, RentalState
from reactions.vehicles import receive_messages
from tests.support import zones
from tests.support.city import BIKE, City

FAR = zones.at(600, 0)


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    geo.put_zones(1, city.parking, [zones.zone(1)])
    return city


@pytest.fixture(autouse=True)
def channel(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr("kickstand.fleet.gateway.publish", sent.append)
    return sent


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], datetime]:
    """Lets an hour pass."""

    def pass_on() -> datetime:
        monkeypatch.setattr(clock, "_offset", clock.offset() + timedelta(hours=1))
        return clock.now()

    return pass_on


def say(**message: Any) -> list[Any]:
    at, sent_at = message.pop("at"), message.pop("sent_at", None)
    body = json.dumps({"at": at.isoformat(), **message})
    attributes = {"SentTimestamp": str(clock.milliseconds(sent_at or clock.now()))}
    batch = {"Records": [{"messageId": "m", "body": body, "attributes": attributes}]}
    failures: list[Any] = receive_messages(batch, None)["batchItemFailures"]
    store.begin()
    return failures


def docking(vehicle: Vehicle, cluster: Cluster, number: int, at: datetime, what: str = "docking") -> list[Any]:
    return say(type=what, cluster_id=cluster.id, number=number, vehicle_id=vehicle.id, at=at)


def reports(vehicle: Vehicle, east: float, at: datetime, *, locked: bool = False) -> list[Any]:
    position = zones.at(east, 0)
    return say(
        type="telemetry",
        vehicle_id=vehicle.id,
        at=at,
        longitude=position.longitude,
        latitude=position.latitude,
        battery_percent=60,
        locked=locked,
    )


def ride(city: City, vehicle: Vehicle) -> Rental:
    store.begin()
    rental = rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    store.begin()
    return rental


def known(vehicle: Vehicle) -> Vehicle:
    store.begin()
    return fleet.vehicle(vehicle.id)


def test_a_dock_that_opens_starts_the_ride_and_a_dock_that_closes_ends_it(city: City) -> None:
    here, there = city.cluster(), city.cluster(position=FAR)
    vehicle = city.docked(here, 1)
    rental = ride(city, vehicle)
    start = clock.now()
    assert docking(vehicle, here, 1, start, "undocking") == []
    assert rentals.get(rental.id).state is RentalState.IN_PROGRESS
    assert (known(vehicle).spot, known(vehicle).locked) == (None, False)
    assert docking(vehicle, there, 5, start + timedelta(milliseconds=1)) == []
    over = rentals.get(rental.id)
    assert (over.state, over.end_spot) == (RentalState.COMPLETED, there.spot(5))
    stands = known(vehicle)
    assert (stands.state, stands.rental_id, stands.spot) == (VehicleState.AVAILABLE, None, there.spot(5))
    assert (stands.position, stands.locked) == (FAR, True)
    assert stands.verdict.geofence_version > 0


def test_a_crash_between_the_end_of_the_ride_and_the_dock_is_mended_by_repeating(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = city.cluster(), city.cluster(position=FAR)
    vehicle = city.docked(here, 1)
    rental = ride(city, vehicle)
    dock, crashes = clusters.dock, [ConnectionError()]

    def crashing(*arguments: Any) -> bool:
        if crashes:
            raise crashes.pop()
        return dock(*arguments)

    monkeypatch.setattr(clusters, "dock", crashing)
    at = clock.now()
    assert docking(vehicle, there, 5, at) == [{"itemIdentifier": "m"}]
    assert rentals.get(rental.id).state is RentalState.COMPLETED
    ended = rentals.get(rental.id)
    for _ in range(2):
        assert docking(vehicle, there, 5, at) == []
        assert known(vehicle).spot == there.spot(5)
    assert rentals.get(rental.id) == ended


def test_old_news_of_docks_do_not_end_a_later_ride(city: City) -> None:
    here, there = city.cluster(), city.cluster(position=FAR)
    before = clock.now()
    vehicle = city.docked(here, 1)
    rental = ride(city, vehicle)
    assert docking(vehicle, there, 5, before) == []
    assert docking(vehicle, here, 1, before, "undocking") == []
    assert rentals.get(rental.id).state is RentalState.STARTING
    assert known(vehicle).spot == here.spot(1)


def test_a_ride_that_is_back_in_its_dock_before_it_has_begun_is_cancelled(city: City) -> None:
    here = city.cluster()
    vehicle = city.docked(here, 1)
    rental = ride(city, vehicle)
    opened = clock.now()
    closed = opened + timedelta(milliseconds=1)
    assert docking(vehicle, here, 1, closed) == []
    assert docking(vehicle, here, 1, opened, "undocking") == []
    over = rentals.get(rental.id)
    assert (over.state, over.fare) == (RentalState.CANCELLED, Fare(currency="NOK"))
    assert known(vehicle).state is VehicleState.AVAILABLE
    assert known(vehicle).spot == here.spot(1)
    assert clusters.cluster(here.id).parked == {"1": vehicle.id}


def test_strangers_are_passed_over_and_nonsense_comes_again(city: City) -> None:
    here, vehicle = city.cluster(docks=2), city.vehicle(model=BIKE)
    foreign = City(network_id=2).cluster()
    at = clock.now()
    assert docking(vehicle, here, 3, at) == []
    assert docking(vehicle, foreign, 1, at) == []
    assert docking(vehicle, here.model_copy(update={"id": 404}), 1, at) == []
    assert docking(vehicle.model_copy(update={"id": 404}), here, 1, at) == []
    assert known(vehicle) == vehicle
    assert docking(vehicle, here, 0, at) == [{"itemIdentifier": "m"}]
    assert say(type="docking", cluster_id=here.id, vehicle_id=vehicle.id, at=at) == [{"itemIdentifier": "m"}]


def test_a_station_whose_clock_is_ahead_is_heard_again(city: City) -> None:
    here, vehicle = city.cluster(), city.vehicle(model=BIKE)
    assert docking(vehicle, here, 1, clock.now() + timedelta(days=365)) == []
    assert docking(vehicle, here, 2, clock.now()) == []
    assert known(vehicle).spot == here.spot(2)


def test_what_a_clock_that_is_ahead_has_told_is_as_old_at_the_next_delivery(
    city: City, later: Callable[[], datetime]
) -> None:
    here, there = city.cluster(), city.cluster(position=FAR)
    vehicle = city.docked(here, 1)
    first = ride(city, vehicle)
    lifecycle.confirm_unlocked(first.id)
    store.begin()
    sent = clock.now()
    closing = {"type": "docking", "cluster_id": there.id, "number": 1, "vehicle_id": vehicle.id}
    closing |= {"at": sent + timedelta(hours=3), "sent_at": sent}
    assert say(**closing) == []
    assert rentals.get(first.id).state is RentalState.COMPLETED
    later()
    second = ride(city, vehicle)
    assert docking(vehicle, there, 1, clock.now(), "undocking") == []
    later()
    assert say(**closing) == []
    assert rentals.get(second.id).state is RentalState.IN_PROGRESS
    assert known(vehicle).spot is None


def test_a_vehicle_in_a_dock_stands_where_the_dock_is(city: City, later: Callable[[], datetime]) -> None:
    vehicle = city.docked(city.cluster(position=FAR), 1)
    assert reports(vehicle, 640, later(), locked=True) == []
    stands = known(vehicle)
    assert (stands.position, stands.battery_percent, stands.located_at) == (FAR, 60, vehicle.located_at)


def test_a_ride_that_is_far_from_its_dock_has_left_it_whatever_the_dock_says(
    city: City, later: Callable[[], datetime]
) -> None:
    here = city.cluster()
    vehicle = city.docked(here, 1)
    ride(city, vehicle)
    assert reports(vehicle, 100, later()) == []
    assert known(vehicle).spot == here.spot(1)
    assert reports(vehicle, 700, later()) == []
    gone = known(vehicle)
    assert (gone.spot, gone.position, gone.locked) == (None, zones.at(700, 0), False)
    assert clusters.cluster(here.id).parked == {}


@pytest.mark.parametrize(("east", "stays"), [(40, True), (60, False)])
def test_what_is_carried_out_of_a_virtual_cluster_is_not_there_any_more(
    city: City, later: Callable[[], datetime], east: float, stays: bool
) -> None:
    place = city.cluster(type_=ClusterKind.VIRTUAL, position=zones.at(0, 0))
    vehicle = city.docked(place, 1)
    assert reports(vehicle, east, later(), locked=True) == []
    moved = known(vehicle)
    assert moved.position == zones.at(east, 0)
    assert moved.locked
    spot = Spot(cluster_id=place.id, cluster_name=place.name, number=1, virtual=True)
    assert moved.spot == (spot if stays else None)


def test_how_far_a_vehicle_has_come_shows(city: City) -> None:
    vehicle = city.vehicle()
    rental = ride(city, vehicle)
    command = fleet.send_command(7, vehicle.id, Action.UNLOCK, purpose=Purpose.START, rental_id=rental.id)
    words = {"type": "progress", "vehicle_id": vehicle.id, "command_id": command.id, "at": clock.now()}
    assert say(**words, progress="waking") == []
    maneuver = known(vehicle).maneuver
    assert maneuver is not None
    assert maneuver.progress is Progress.WAKING
    assert say(**words, progress="dancing") == [{"itemIdentifier": "m"}]
    assert say(**words | {"vehicle_id": 404}, progress="armed") == []


def test_a_lost_undocking_is_made_up_for_by_the_next_dock(city: City) -> None:
    here, there = city.cluster(), city.cluster(position=FAR)
    vehicle = city.docked(here, 1)
    rental = ride(city, vehicle)
    lifecycle.confirm_unlocked(rental.id)
    assert docking(vehicle, there, 1, clock.now()) == []
    assert rentals.get(rental.id).state is RentalState.COMPLETED
    assert clusters.cluster(here.id).parked == {}
    assert clusters.cluster(there.id).parked == {"1": vehicle.id}
