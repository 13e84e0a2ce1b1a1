"""What docks hold says nothing by itself, and has to know all the same which zones are in force."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import clusters, directory
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Action, ClusterKind, Vehicle
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType, Schedule, Weekday, Window, Zone
from kickstand.kernel import clock, store
from reactions.zones import judge_parked
from tests.support import zones
from tests.support.capacity import measured
from tests.support.city import BIKE, OSLO, SCOOTER, City

FAR = zones.at(2000, 0)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NIGHT: Schedule = (Window(days=tuple(Weekday), start=time(22), end=time(6)),)


@pytest.fixture
def city(aws: Session, monkeypatch: pytest.MonkeyPatch) -> City:
    set_clock(monkeypatch, NOON)
    return City()


@pytest.fixture(autouse=True)
def channel(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr("kickstand.fleet.gateway.publish", sent.append)
    return sent


def set_clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: at)


def publish(city: City, *more: Zone) -> None:
    store.begin()
    geo.put_zones(city.network_id, city.parking, [zones.zone(1), *more])
    store.begin()


def no_go(schedule: Schedule = ()) -> Zone:
    return zones.zone(2, AreaType.NO_GO_ZONE, ring=zones.square(100, OSLO)).model_copy(update={"schedule": schedule})


def docked(city: City, number: int = 1, **differently: Any) -> Vehicle:
    """A bike in a dock; its cluster is in the directory."""
    place = city.cluster(**differently)
    vehicle = city.docked(place, number, BIKE)
    directory.project([(None, place)])
    return vehicle


def goes_round(times: int = 2) -> list[int]:
    return [judge_parked({}, None)["networks"] for _ in range(times)]


def startable(*vehicles: Vehicle) -> Sequence[bool]:
    store.begin()
    return [fleet.vehicle(each.id).verdict.ride_start_allowed for each in vehicles]


def test_a_bike_in_a_dock_is_free_when_the_hours_are_over(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(city, no_go(NIGHT))
    bike, away = docked(city), docked(city, position=FAR)
    assert goes_round(3) == [1, 1, 0], "until there is nothing left to tell"
    for hour, free in ((21.9, True), (22, False), (29.9, False), (30, True)):
        set_clock(monkeypatch, NOON + timedelta(hours=hour - 12))
        goes_round()
        assert startable(bike, away) == [free, True]


def test_a_published_zone_is_known_in_docks_that_it_covers(city: City) -> None:
    publish(city)
    bike, away = docked(city), docked(city, position=FAR)
    goes_round(3)
    revision = fleet.vehicle(away.id).revision
    publish(city, no_go())
    assert goes_round(4) == [1, 1, 0, 0]
    assert startable(bike, away) == [False, True]
    assert fleet.vehicle(away.id).revision == revision, "what stays as it is costs no write"
    publish(city)
    goes_round()
    assert startable(bike, away) == [True, True]


def test_where_nothing_has_changed_it_costs_two_reads_for_all_networks(city: City) -> None:
    publish(city)
    docked(city)
    goes_round(3)
    with measured() as usage:
        assert goes_round(1) == [0]
    assert usage.calls == ["Query", "BatchGetItem"]


def test_a_dock_that_closes_meanwhile_with_yesterdays_verdict_is_seen_the_next_time(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(city)
    late: list[Vehicle] = []
    finish = geo.finish

    def interrupted(round_: geo.Round, *, changed: bool) -> None:
        if not late:
            late.append(docked(city))
            store.begin()
        finish(round_, changed=changed)

    docked(city, position=FAR)
    goes_round(3)
    publish(city, no_go())
    monkeypatch.setattr(geo, "finish", interrupted)
    assert goes_round(1) == [1]
    assert startable(*late) == [True]
    assert goes_round(3) == [1, 1, 0]
    assert startable(*late) == [False]


def test_somebody_who_changes_a_vehicle_meanwhile_is_not_undone(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(city)
    bike = docked(city)
    goes_round(3)
    publish(city, no_go())
    judge, riders = fleet.judge, [5]

    def interrupted(vehicle: Vehicle, *arguments: Any) -> bool:
        if riders:
            store.begin()
            with store.Transaction() as tx:
                fleet.rent(tx, fleet.vehicle(vehicle.id), riders.pop(), city.client.id)
        return judge(vehicle, *arguments)

    monkeypatch.setattr(fleet, "judge", interrupted)
    goes_round(2)
    store.begin()
    assert (fleet.vehicle(bike.id).rental_id, startable(bike)) == (5, [True]), "its ride is followed by its reports"


def test_one_that_can_is_slowed_down_where_it_stands(city: City, channel: list[Any]) -> None:
    publish(city)
    place = city.cluster(type_=ClusterKind.VIRTUAL)
    scooter, bike = city.docked(place, 1, SCOOTER), city.docked(place, 2, BIKE)
    directory.project([(None, place)])
    goes_round(3)
    publish(city, zones.zone(2, AreaType.SLOW_ZONE, ring=zones.square(100, OSLO), speed=6))
    goes_round(3)
    store.begin()
    assert [fleet.vehicle(each.id).verdict.max_speed_kmh for each in (scooter, bike)] == [6, 6]
    assert [(each.vehicle_id, each.action, each.parameters) for each in channel] == [
        (scooter.id, Action.LIMIT_SPEED, {"max_speed_kmh": 6})
    ]


def test_a_network_that_fails_does_not_keep_the_others_waiting(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    other = City(network_id=2)
    publish(city, no_go())
    store.begin()
    geo.put_zones(2, other.parking, [zones.zone(1, network_id=2), no_go().model_copy(update={"network_id": 2})])
    bike = docked(other)
    parked_in = clusters.parked_in

    def failing(network_id: int) -> list[Vehicle]:
        if network_id == 1:
            raise ConnectionError
        return parked_in(network_id)

    monkeypatch.setattr(clusters, "parked_in", failing)
    with pytest.raises(ExceptionGroup):
        judge_parked({}, None)
    assert startable(bike) == [False]
