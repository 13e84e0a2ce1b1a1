"""What vehicles say, as the queue brings it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Vehicle
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType, EndRefusal
from kickstand.kernel import clock, store
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.model import RentalState
from kickstand.rental.store import TrackItem
from reactions.vehicles import receive_messages
from tests.support import zones
from tests.support.city import City, pause


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    slow = zones.zone(2, AreaType.SLOW_ZONE, ring=zones.square(50, zones.at(1000, 0)), speed=6)
    closed = zones.zone(3, AreaType.NO_PARKING, ring=zones.square(50, zones.at(2000, 0)))
    geo.put_zones(1, city.parking, [zones.zone(1), slow, closed])
    return city


@pytest.fixture(autouse=True)
def channel(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    sent: list[Any] = []
    monkeypatch.setattr("kickstand.fleet.gateway.publish", sent.append)
    return sent


def say(vehicle: Vehicle, east: float, *, seconds: float = 10, **differently: Any) -> list[Any]:
    position = zones.at(east, 0)
    report = {
        "type": "telemetry",
        "vehicle_id": vehicle.id,
        "at": (vehicle.reported_at + timedelta(seconds=seconds)).isoformat(),
        "longitude": position.longitude,
        "latitude": position.latitude,
        "battery_percent": 60,
        "locked": False,
        "speed_kmh": 12,
    }
    sent = {"SentTimestamp": str(clock.milliseconds(clock.now()))}
    batch = {"Records": [{"messageId": "m", "body": json.dumps(report | differently), "attributes": sent}]}
    failures: list[Any] = receive_messages(batch, None)["batchItemFailures"]
    store.begin()
    return failures


def test_a_report_is_judged_where_the_vehicle_stands(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert say(vehicle, 2000) == []
    known = fleet.vehicle(vehicle.id)
    assert known.verdict.end_refusal is EndRefusal.NO_PARKING
    assert (known.position, known.battery_percent, known.locked) == (zones.at(2000, 0), 60, False)


def test_a_ride_is_followed_and_slowed_down_where_that_is_asked(
    city: City, channel: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle()
    rental = rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    store.begin()
    for seconds, east in ((10, 500), (20, 1000), (20, 1000), (15, 0), (30, 1500)):
        assert say(vehicle, east, seconds=seconds) == []
    track = store.load(TrackItem.key(rental.id))
    assert track is not None
    assert abs(track.entity.distance_m - 1500) < 5
    assert [each.parameters["max_speed_kmh"] for each in channel] == [6, None]


def test_a_vehicle_that_is_carried_into_a_slow_zone_is_slowed_down_too(
    city: City, channel: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle()
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    for seconds in (10, 20):
        assert say(vehicle, 1000, seconds=seconds) == []
    assert [each.parameters["max_speed_kmh"] for each in channel] == [6]


def test_only_a_report_from_after_the_pause_ends_it(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    rental = rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    started = clock.now()
    monkeypatch.setattr(clock, "now", lambda: started + timedelta(seconds=60))
    lifecycle.confirm_unlocked(rental.id)
    pause(rental.id)
    monkeypatch.setattr(clock, "now", lambda: started + timedelta(hours=1))
    for seconds, state in ((50, RentalState.ON_HOLD), (70, RentalState.IN_PROGRESS)):
        store.begin()
        assert say(vehicle, 10 * seconds, at=(started + timedelta(seconds=seconds)).isoformat()) == []
        assert rentals.get(rental.id).state is state


def test_a_report_that_was_kept_but_not_followed_is_followed_when_it_comes_again(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle()
    rental = rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    confirm, crashes = lifecycle.confirm_unlocked, [ConnectionError()]

    def crashing(rental_id: int) -> None:
        if crashes:
            raise crashes.pop()
        confirm(rental_id)

    monkeypatch.setattr(lifecycle, "confirm_unlocked", crashing)
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    store.begin()
    assert say(vehicle, 500) == [{"itemIdentifier": "m"}]
    assert say(vehicle, 500) == []
    assert rentals.get(rental.id).state is RentalState.IN_PROGRESS


def test_a_clock_that_is_ahead_does_not_silence_its_vehicle(city: City) -> None:
    vehicle = city.vehicle()
    assert say(vehicle, 500, seconds=365 * 86400) == []
    known = fleet.vehicle(vehicle.id)
    assert known.position == zones.at(500, 0)
    assert known.reported_at <= clock.now()


def test_strangers_are_passed_over_and_nonsense_comes_again(city: City) -> None:
    vehicle = city.vehicle()
    assert say(vehicle, 500, vehicle_id=404) == []
    assert say(vehicle, 500, type="song") == [{"itemIdentifier": "m"}]
    assert say(vehicle, 500, battery_percent=101) == [{"itemIdentifier": "m"}]
    assert say(vehicle, 500, longitude=999) == [{"itemIdentifier": "m"}]
    assert say(vehicle, 500, at="2026-01-01T12:00:00") == [{"itemIdentifier": "m"}]
