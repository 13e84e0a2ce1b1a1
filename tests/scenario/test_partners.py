"""Two partners in one city: what belongs to one does not exist for the other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from tests.support.city import NOBODY
from tests.support.http import Answer
from tests.support.town import OSLO, PARIS, Partner, Ride, Town


@dataclass(frozen=True)
class Belongings:
    """Ids of what a partner has."""

    product: str
    user: str
    rental: str


NOTHING: Final = Belongings(str(NOBODY), str(NOBODY), str(NOBODY))


@pytest.fixture(scope="module")
def other(town: Town) -> Partner:
    return town.partner("Wanderer", OSLO, PARIS)


@pytest.fixture(scope="module")
def ride(town: Town) -> Ride:
    return town.ride()


@pytest.fixture(scope="module")
def theirs(town: Town, ride: Ride) -> Belongings:
    return Belongings(town.demo.register_product("Travelizer"), ride.user, ride.id)


REQUESTS: Final[dict[str, tuple[int, Callable[[Partner, Belongings], Answer]]]] = {
    "rename its product": (
        404,
        lambda p, b: p.http.call("PUT", "/v1/product", {"productId": b.product, "productName": "Mine"}),
    ),
    "delete its product": (404, lambda p, b: p.http.call("DELETE", f"/v1/product/{b.product}")),
    "register a user of its product": (
        400,
        lambda p, b: p.http.post("/v1/user/register", {"email": "x@kickstand.dev", "productId": b.product}),
    ),
    "see its user": (404, lambda p, b: p.http.get(f"/v1/user/id/{b.user}")),
    "change its user": (404, lambda p, b: p.http.call("PATCH", f"/v1/user/{b.user}", {"firstName": "Mine"})),
    "see its rental": (404, lambda p, b: p.http.get(f"/v1/rental/{b.rental}")),
    "end its rental": (404, lambda p, b: p.end(b.rental)),
    "see its user's rental of now": (404, lambda p, b: p.http.get(f"/v1/rental/user/{b.user}/active")),
    "see its user's rentals": (404, lambda p, b: p.http.get(f"/v1/rental/user/{b.user}")),
}


@pytest.mark.parametrize("wish", REQUESTS)
def test_what_belongs_to_another_partner_does_not_exist(other: Partner, theirs: Belongings, wish: str) -> None:
    status, ask = REQUESTS[wish]  # as the reference has it: a reference in a body is bad input, a path is not found
    answer, unknown = ask(other, theirs), ask(other, NOTHING)
    assert answer.status == status
    assert (answer.status, answer.body) == (unknown.status, unknown.body)


def test_another_partner_cannot_rent_for_its_user(town: Town, other: Partner, theirs: Belongings) -> None:
    vehicle = town.vehicle()
    answer, unknown = other.start(theirs.user, vehicle), other.start(NOTHING.user, vehicle)
    assert answer.refusal == (400, "UserNotFound")
    assert answer.body == unknown.body
    assert vehicle.id in other.listed()


def test_nothing_of_it_has_changed(town: Town, ride: Ride, theirs: Belongings) -> None:
    (product,) = [each for each in town.demo.http.get("/v1/product").data if each["id"] == theirs.product]
    assert product["attributes"] == {"productName": "Travelizer", "state": "ACTIVE"}
    assert "firstName" not in town.demo.http.get(f"/v1/user/id/{theirs.user}").data["attributes"]
    assert ride.state == "RUNNING"


def test_lists_hold_what_is_ones_own(town: Town, other: Partner) -> None:
    mine = other.register_product("Wanderer")
    assert [each["id"] for each in other.http.get("/v1/product").data] == [mine]
    assert mine not in [each["id"] for each in town.demo.http.get("/v1/product").data]


def test_both_see_the_same_city_and_only_one_gets_the_vehicle(town: Town, other: Partner) -> None:
    assert other.listed() == town.demo.listed()
    ride = town.ride(partner=other)
    assert ride.vehicle.id not in town.demo.listed()
    user = town.demo.register_user(town.demo.register_product("Rides"))
    assert town.demo.start(user, ride.vehicle).refusal == (400, "VehicleNotFound")


def test_a_city_that_a_partner_may_not_operate_in_does_not_exist(town: Town) -> None:
    parisian = town.partner("Flaneur", PARIS)
    vehicle = town.vehicle(OSLO)
    user = parisian.register_user(parisian.register_product("Flaneur"))
    zones = parisian.http.get("/v1/zone/info").data["attributes"]["zones"]
    assert zones == [{"zoneId": PARIS, "zoneName": "Paris"}]
    for path, unknown in (
        (f"/v1/zone/id/{OSLO}", "/v1/zone/id/999"),
        (f"/v1/vehicles/?zoneID={OSLO}", "/v1/vehicles/?zoneID=999"),
        (f"/v1/vehicles/id/{vehicle.id}", f"/v1/vehicles/id/{NOBODY}"),
        (f"/v1/vehicles/code/{vehicle.code}", "/v1/vehicles/code/0000"),
        (f"/v1/pricing/vehicle/{vehicle.id}", f"/v1/pricing/vehicle/{NOBODY}"),
    ):
        answer, nothing = parisian.http.get(path), parisian.http.get(unknown)
        assert answer.status == 404, path
        assert answer.body == nothing.body
    assert parisian.start(user, vehicle).refusal == (400, "VehicleNotFound")


def test_an_external_id_is_unique_for_each_partner(town: Town, other: Partner) -> None:
    mine, theirs = other.register_product("Wanderer"), town.demo.register_product("Rides")
    first = other.register_user(mine, externalId="K-7")
    second = town.demo.register_user(theirs, externalId="K-7")
    assert first != second
    again = {"email": "x@kickstand.dev", "productId": mine, "externalId": "K-7"}
    assert other.http.post("/v1/user/register", again).refusal == (400, "ExternalUserIDAlreadyExists")


def test_requests_that_come_twice_count_once(town: Town) -> None:
    ride = town.ride()
    assert town.demo.start(ride.user, ride.vehicle).refusal == (400, "RentalAlreadyExists")
    town.passes(minutes=5)
    town.moves(ride.vehicle, town.vehicle().place)
    (ended,) = town.demo.end(ride.id).data
    assert town.demo.end(ride.id).refusal == (400, "RentalAlreadyEnded")
    town.settle()
    assert ride.attributes["cost"] == ended["attributes"]["cost"]
    assert town.events(ride) == ["RentalCompleted"]
    assert town.commands(ride.vehicle) == ["unlock", "lock"]
    assert len(town.demo.http.get(f"/v1/rental/user/{ride.user}").data) == 1


def test_an_inactive_product_takes_no_new_users_and_lets_the_old_ones_ride(town: Town) -> None:
    product = town.demo.register_product("Farewell")
    user = town.demo.register_user(product, "old@kickstand.dev")
    (deleted,) = town.demo.http.call("DELETE", f"/v1/product/{product}").data
    assert deleted["attributes"]["state"] == "INACTIVE"
    listed = {each["id"]: each["attributes"]["state"] for each in town.demo.http.get("/v1/product").data}
    assert listed[product] == "INACTIVE"
    new = {"email": "new@kickstand.dev", "productId": product}
    assert town.demo.http.post("/v1/user/register", new).refusal == (400, "InvalidInput")
    assert town.ride(user=user).state == "RUNNING"
