"""Damage, repair and zones with hours, through HTTP on a running platform."""

from datetime import timedelta
from typing import Any, Final
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from kickstand.clients import service as clients
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Unavailability, VehicleState
from kickstand.geo import service as geo
from kickstand.geo.model import WEEK, AreaType, MultiPolygon, Window, Zone, ZoneRule
from kickstand.kernel import store
from kickstand.rental import reservations
from kickstand.rental.model import ReservationState
from tests.support.http import Answer
from tests.support.town import OSLO, Town, Vehicle, condition, given_back, until

BRAKES, LIGHTS, BELL = 1, 6, 7
TIMEZONE: Final = ZoneInfo("Europe/Oslo")


def report(town: Town, vehicle: Vehicle, *damages: int, user: str | None = None, **more: object) -> Answer:
    body = {"userId": user or str(uuid4()), "damageTypeIds": damages, **more}
    answer = town.maas.http.post(f"/vehicles/{vehicle.number}/damagereports", body)
    town.settle()
    return answer


def repair(town: Town, vehicle: Vehicle) -> None:
    town.control(vehicle, repair=True)
    town.settle()


def test_who_rides_a_broken_vehicle_is_not_disturbed(town: Town) -> None:
    ride = town.ride()
    assert report(town, ride.vehicle, BRAKES).document["severity"] == "critical"
    assert ride.state == "RUNNING"
    assert condition(ride.vehicle) == (VehicleState.IN_USE, {Unavailability.BROKEN})
    assert ride.partner.end(ride.id).status == 200
    town.settle()
    assert condition(ride.vehicle) == (VehicleState.UNAVAILABLE, {Unavailability.BROKEN})
    assert ride.vehicle.id not in town.demo.listed()
    assert town.executions(ride) == ["SUCCEEDED"]

    repair(town, ride.vehicle)
    given_back(ride.vehicle)
    assert ride.vehicle.id in town.demo.listed()


def test_who_has_reserved_a_vehicle_that_breaks_is_told_by_a_cancelled_reservation(town: Town) -> None:
    vehicle = town.vehicle()
    store.begin()
    client = clients.register_client("Holders", "holders@kickstand.dev", [int(OSLO)])
    reservation = reservations.reserve(client, "holder", vehicle.number)
    town.settle()
    report(town, vehicle, BRAKES)
    store.begin()
    over = reservations.get(reservation.id)
    assert (over.state, over.by_operator) == (ReservationState.CANCELLED, True)
    assert condition(vehicle)[0] is VehicleState.UNAVAILABLE
    repair(town, vehicle)
    assert condition(vehicle) == (VehicleState.AVAILABLE, set())


def test_who_asked_gets_one_mail_when_it_is_repaired(town: Town) -> None:
    vehicle, user, address = town.vehicle(), str(uuid4()), f"{uuid4()}@kickstand.dev"
    town.demo.register_user(town.demo.register_product("Rides"), address, externalId=user)
    for _ in range(3):
        assert report(town, vehicle, LIGHTS, user=user, notifyOnRepair=True).status == 200
    report(town, vehicle, BELL, notifyOnRepair=True)  # somebody whose address nobody knows
    assert vehicle.id in town.demo.listed()
    assert town.mails(address) == []
    repair(town, vehicle)
    assert town.subjects(address) == [f"{vehicle.code} has been repaired"]
    town.passes(minutes=5)
    assert len(town.mails(address)) == 1


def test_what_waits_for_no_repair_cannot_be_repaired(town: Town) -> None:
    vehicle = town.vehicle()
    for wish in ({"repair": True}, {"repair": "please"}):
        answer = town.http.post(f"/_local/vehicles/{vehicle.number}", wish)
        assert answer.status == 400
        assert "waits for repair" in answer.json["message"]


# ── Zones with hours ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def street(town: Town) -> Zone:
    """A street in Oslo in which nobody parks from an hour from now until an hour later."""
    store.begin()
    published = geo.areas(int(OSLO))
    longitude, latitude = town.vehicle().place
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ring = tuple((longitude + east * 1e-4, latitude + north * 1e-4) for east, north in corners)
    begins = town.now.astimezone(TIMEZONE) + timedelta(hours=1)
    hours = Window(
        days=WEEK,
        start=begins.time().replace(second=0, microsecond=0),
        end=(begins + timedelta(hours=1)).time().replace(second=0, microsecond=0),
    )
    street = Zone(
        id=9_999_999,
        network_id=int(OSLO),
        name="School street",
        area_type=AreaType.NO_PARKING,
        rule=ZoneRule.of(AreaType.NO_PARKING),
        geometry=MultiPolygon(coordinates=((ring,),)),
        schedule=(hours,),
    )
    parking = fleet.network(int(OSLO)).parking
    geo.put_zones(int(OSLO), parking, [*published.zones, street], timezone=published.timezone)
    return street


def test_a_street_closes_and_opens_by_the_clock(town: Town, street: Zone) -> None:
    place = street.geometry.coordinates[0][0][0]
    middle = (place[0] + 1e-4, place[1] + 1e-4)

    def areas() -> Answer:
        answer: Answer = town.maas.http.get("/areas", query={"types[]": ["illegal_docking"]})
        return answer

    def shown(answer: Answer) -> Any:
        (area,) = [each for each in answer.document["data"] if each["id"] == street.id]
        return area

    def partners_see() -> int:
        found = town.demo.http.get(f"/v1/zone/id/{OSLO}").data["attributes"]["areas"]
        return len([each for each in found if each["area_type"] == "no-parking"])

    before, open_to_all = areas(), partners_see()
    assert shown(before)["active"] is False
    assert 0 < int(before.headers["cache-control"].rpartition("=")[2]) <= 3600
    (schedule,) = shown(before)["schedules"]
    assert (len(schedule["days"]), schedule["timezone"]) == (7, "Europe/Oslo")

    town.passes(hours=1)
    closed = areas()
    assert shown(closed)["active"] is True
    assert closed.headers["etag"] != before.headers["etag"]
    assert partners_see() == open_to_all + 1
    ride = town.ride()
    town.passes(minutes=10)
    town.moves(ride.vehicle, middle)
    assert ride.partner.end(ride.id).refusal == (400, "InvalidInput")

    town.passes(hours=1)
    assert shown(areas())["active"] is False
    assert partners_see() == open_to_all
    ride = town.ride()
    town.passes(minutes=10)
    town.moves(ride.vehicle, middle)
    assert ride.partner.end(ride.id).status == 200
    until(lambda: ride.state == "ENDED", what="the ride ends")


def test_a_system_is_found_by_where_somebody_stands(town: Town) -> None:
    longitude, latitude = town.vehicle().place
    found = town.maas.http.get("/systems", query={"position": f"{latitude},{longitude}"}).document["data"]
    assert [each["name"] for each in found] == ["Oslo"]
    assert town.maas.http.get("/systems", query={"position": "0,0"}).document["data"] == []
    assert town.maas.http.get("/systems", query={"position": "here"}).refusal == (400, "invalid_request")
