"""A zone with more than ten thousand vehicles, and one without any."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Vehicle as FleetVehicle
from kickstand.kernel import store
from tests.support.http import Answer
from tests.support.town import OSLO, Town, given_back, until

MANY: Final = 10_000
NEW_TOWN: Final = "3"

_FIRST: Final = 100_000
_AT_ONCE: Final = 100
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CELL: Final = "8809993867fffff"


@pytest.fixture(scope="module")
def everyone(town: Town) -> set[str]:
    """The ids of all vehicles that can be rented, after ten thousand more have come to town."""
    before = set(town.demo.listed())
    store.begin()
    like = fleet.vehicle(town.vehicle().number)
    new = [a_vehicle_like(like, number) for number in range(MANY)]
    for first in range(0, MANY, _AT_ONCE):
        with store.Transaction() as tx:
            for vehicle in new[first : first + _AT_ONCE]:
                tx.put(fleet.vehicle_item(vehicle, _CELL))
    town.platform.settle(timeout=60)
    return before | {str(each.public_id) for each in new}


def a_vehicle_like(model: FleetVehicle, number: int) -> FleetVehicle:
    """One of many, a little way from the others, with a code that the demo does not use."""
    place = model.position.model_copy(update={"longitude": round(model.position.longitude + number * 1e-6, 6)})
    standing = fleet.Standing(position=place, cell=_CELL, verdict=model.verdict)
    code = "0" + _DIGITS[number // 36**2] + _DIGITS[number // 36 % 36] + _DIGITS[number % 36]
    return fleet.new_vehicle(code, model.offer, standing, 80, vehicle_id=_FIRST + number)


def test_the_list_is_complete(town: Town, everyone: set[str]) -> None:
    answer = ask(town)
    assert len(everyone) > MANY
    assert sorted(each["id"] for each in answer.data) == sorted(everyone)
    assert len({each["attributes"]["code"] for each in answer.data}) == len(everyone)
    assert answer.headers["cache-control"] == "private, max-age=1"


@pytest.mark.usefixtures("everyone")
def test_packed_it_is_the_same_and_a_fraction_of_the_size(town: Town) -> None:
    plain, packed = ask(town), ask(town, accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == plain.content
    assert len(packed.content) < len(plain.content) / 4
    assert "accept-encoding" in packed.headers["vary"]


@pytest.mark.usefixtures("everyone")
def test_nothing_is_sent_while_nothing_changes(town: Town) -> None:
    etag = ask(town).headers["etag"]
    again = ask(town, if_none_match=etag)
    assert (again.status, again.content) == (304, b"")
    assert ask(town, if_none_match=etag, accept_encoding="gzip").status == 304


@pytest.mark.usefixtures("everyone")
def test_every_change_shows_within_a_second(town: Town) -> None:
    user = town.demo.register_user(town.demo.register_product("Rides"))
    vehicle = town.vehicle()
    etag = ask(town).headers["etag"]

    rental = town.demo.start(user, vehicle).data[0]["id"]
    within_a_second(town, lambda listed: vehicle.id not in listed, "the rented vehicle goes")
    assert ask(town, if_none_match=etag).status == 200

    town.settle()
    town.demo.end(rental)
    given_back(vehicle)
    within_a_second(town, lambda listed: vehicle.id in listed, "the returned vehicle comes")

    town.settle()
    town.control(vehicle, battery_percent=17)
    within_a_second(town, lambda listed: listed[vehicle.id]["batteryLevel"] == 17, "the battery is right")

    etag = ask(town).headers["etag"]
    town.settle()
    assert ask(town, if_none_match=etag).status == 304


@pytest.mark.usefixtures("everyone")
def test_a_busy_zone_stays_complete(town: Town) -> None:
    user_of = [town.demo.register_user(town.demo.register_product("Rides")) for _ in range(8)]
    before = set(town.demo.listed())
    rides = [town.ride(user=user) for user in user_of]
    assert set(town.demo.listed()) == before - {ride.vehicle.id for ride in rides}
    for ride in rides:
        assert ride.partner.end(ride.id).status == 200
    town.settle()
    assert set(town.demo.listed()) == before


def test_an_empty_zone_answers_an_empty_list(town: Town) -> None:
    store.begin()
    fleet.put_network(fleet.network(int(OSLO)).model_copy(update={"id": int(NEW_TOWN), "name": "New Town"}))
    partner = town.partner("Pioneer", NEW_TOWN)
    answer = partner.http.get("/v1/vehicles/", query={"zoneID": NEW_TOWN})
    assert answer.data == []
    assert partner.http.get("/v1/vehicles/", query={"zoneID": NEW_TOWN}, accept_encoding="gzip").data == []
    assert partner.http.get(f"/v1/zone/id/{NEW_TOWN}").data["attributes"]["areas"] == []
    unchanged = answer.headers["etag"]
    assert partner.http.get("/v1/vehicles/", query={"zoneID": NEW_TOWN}, if_none_match=unchanged).status == 304


def ask(town: Town, **headers: str) -> Answer:
    """Ask for the vehicles of the full zone."""
    return town.demo.http.get("/v1/vehicles/", query={"zoneID": OSLO}, **headers)


def within_a_second(town: Town, seen: Callable[[dict[str, Any]], bool], what: str) -> None:
    """Ask until the list shows what it should, for at most a second."""
    until(lambda: seen(town.demo.listed()), seconds=1, what=what)
