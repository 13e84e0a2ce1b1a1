"""Every documented error of the Voi surface happens where its reference says, and in one shape."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

from kickstand.http import surface as http_surface
from kickstand.kernel import clock
from tests.support.api import Reply, voi
from tests.support.city import NO_PARKING, NOBODY, City
from tests.support.faults import unreachable_database

FACTS = json.loads((Path(__file__).parents[2] / "contract" / "facts" / "voi.json").read_text())


class World:
    """A city and a partner's client in it."""

    def __init__(self) -> None:
        self.city = City()
        self.api = voi(self.city.token)

    def start(self) -> str:
        rider, vehicle = self.city.rider(), self.city.vehicle()
        body = {"userId": str(rider.public_id), "vehicleId": str(vehicle.public_id)}
        return str(self.api.call("start_rental", body=body).json["data"][0]["id"])

    def broken(self, operation_id: str, **request: Any) -> Reply:
        """An operation while the database cannot be reached."""
        with unreachable_database():
            return self.api.call(operation_id, **request)


@pytest.fixture
def world(aws: Session) -> World:
    return World()


def _taken_external_id(world: World) -> Reply:
    world.city.rider("A-1")
    product = str(world.city.product.public_id)
    return world.api.call("register_user", body={"email": "a@b.example.com", "productId": product, "externalId": "A-1"})


def _second_rental(world: World) -> Reply:
    rider = world.city.rider()
    bodies = [{"userId": str(rider.public_id), "vehicleId": str(world.city.vehicle().public_id)} for _ in range(2)]
    assert world.api.call("start_rental", body=bodies[0]).status == 200
    return world.api.call("start_rental", body=bodies[1])


def _end_twice(world: World) -> Reply:
    rental = {"rentalId": world.start()}
    assert world.api.call("end_rental", path=rental).status == 200
    return world.api.call("end_rental", path=rental)


def _start(world: World, **differently: str) -> Reply:
    body = {"userId": str(world.city.rider().public_id), "vehicleId": str(world.city.vehicle().public_id)}
    return world.api.call("start_rental", body=body | differently)


NAME = {"productName": "Travelizer"}
NONE = {"id": str(NOBODY)}
BAD = {"id": "not-a-uuid"}

CASES: dict[tuple[str, int, str], Callable[[World], Reply]] = {
    ("register_product", 400, "InvalidInput"): lambda w: w.api.call("register_product", body={"productName": 7}),
    ("register_product", 400, "EmptyProductName"): lambda w: w.api.call("register_product", body={"productName": " "}),
    ("register_product", 500, "FailedToRegisterProduct"): lambda w: w.broken("register_product", body=NAME),
    ("list_products", 500, "FailedToGetProduct"): lambda w: w.broken("list_products"),
    ("update_product", 400, "InvalidInput"): lambda w: w.api.call("update_product", body=NAME | {"productId": "x"}),
    ("update_product", 400, "EmptyProductName"): lambda w: w.api.call(
        "update_product", body={"productName": "", "productId": str(NOBODY)}
    ),
    ("update_product", 400, "ErrEmptyProductID"): lambda w: w.api.call("update_product", body=NAME | {"productId": ""}),
    ("update_product", 500, "FailedToUpdateProduct"): lambda w: w.broken(
        "update_product", body=NAME | {"productId": str(NOBODY)}
    ),
    ("update_product", 404, "FailedToUpdateProduct"): lambda w: w.api.call(
        "update_product", body=NAME | {"productId": str(NOBODY)}
    ),
    ("register_user", 400, "InvalidInput"): lambda w: w.api.call("register_user", raw="{"),
    ("register_user", 400, "ExternalUserIDAlreadyExists"): _taken_external_id,
    ("register_user", 400, "EmptyUserEmailID"): lambda w: w.api.call("register_user", body={"productId": str(NOBODY)}),
    ("get_user", 400, "InvalidUserId"): lambda w: w.api.call("get_user", path=BAD),
    ("get_user", 404, "ErrUserNotFound"): lambda w: w.api.call("get_user", path=NONE),
    ("update_user", 400, "InvalidUserId"): lambda w: w.api.call("update_user", path=BAD, body={}),
    ("update_user", 404, "ErrUserNotFound"): lambda w: w.api.call("update_user", path=NONE, body={"firstName": "A"}),
    ("start_rental", 400, "InvalidInput"): lambda w: w.api.call("start_rental", raw="[]"),
    ("start_rental", 400, "InvalidUserId"): lambda w: _start(w, userId="x"),
    ("start_rental", 400, "InvalidVehicleId"): lambda w: _start(w, vehicleId="x"),
    ("start_rental", 400, "UserNotFound"): lambda w: _start(w, userId=str(NOBODY)),
    ("start_rental", 400, "VehicleNotFound"): lambda w: _start(w, vehicleId=str(NOBODY)),
    ("start_rental", 400, "RentalAlreadyExists"): _second_rental,
    ("end_rental", 400, "InvalidInput"): lambda w: w.api.call("end_rental", path={"rentalId": w.start()}, raw="7"),
    ("end_rental", 400, "InvalidRentalID"): lambda w: w.api.call("end_rental", path={"rentalId": "x"}),
    ("end_rental", 404, "RentalIDDoesNotExist"): lambda w: w.api.call("end_rental", path={"rentalId": str(NOBODY)}),
    ("end_rental", 400, "RentalAlreadyEnded"): _end_twice,
    ("get_active_rental_by_user", 400, "InvalidInput"): lambda w: w.api.call("get_active_rental_by_user", path=BAD),
    ("get_active_rental_by_user", 404, "ActiveRentalNotFound"): lambda w: w.api.call(
        "get_active_rental_by_user", path={"id": str(w.city.rider().public_id)}
    ),
    # The reference gives the same status two codes and does not say for what: a malformed id is an invalid user id.
    ("list_rentals_by_user", 400, "InvalidUserId"): lambda w: w.api.call("list_rentals_by_user", path=BAD),
    ("list_rentals_by_user", 400, "InvalidInput"): lambda w: w.api.call("list_rentals_by_user", path={"id": ""}),
    ("list_rentals_by_user", 404, "ErrUserNotFound"): lambda w: w.api.call("list_rentals_by_user", path=NONE),
    ("get_price", 400, "InvalidVehicleId"): lambda w: w.api.call("get_price", path=BAD),
    ("get_zone_areas", 400, "EmptyZoneID"): lambda w: w.api.call("get_zone_areas", path={"zoneId": ""}),
}


def test_every_documented_error_has_a_case() -> None:
    wanted = {
        (operation["operationId"], error["status"], error["errorCode"])
        for methods in FACTS["paths"].values()
        for operation in methods.values()
        for error in operation.get("x-errors", [])
        if error["errorCode"]
    }
    assert wanted == CASES.keys()


@pytest.mark.parametrize(("operation", "status", "code"), CASES)
def test_documented_error(world: World, operation: str, status: int, code: str) -> None:
    reply = CASES[operation, status, code](world)
    assert (reply.status, reply.json["errorCode"]) == (status, code)
    assert reply.json.keys() == {"status", "errorCode", "detail"}
    assert reply.json["status"] == status
    assert reply.json["detail"]


def test_a_token_works_for_three_years(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert world.api.call("list_products").status == 200
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now.replace(year=now.year + 3, day=1, month=12))
    assert world.api.call("list_products").status == 401


def test_a_failure_is_logged_by_type_and_place_without_the_data_that_caused_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "agatha@mail.example.com"

    def fail(*_: object) -> None:
        raise ValueError(email)

    written = StringIO()
    monkeypatch.setattr(http_surface.logger.registered_handler, "stream", written)
    monkeypatch.setattr("kickstand.clients.service.list_products", fail)
    assert world.api.call("list_products").status == 500
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    (line,) = (line for line in lines if line["message"] == "operation failed")
    assert (line["operation"], line["error"]) == ("list_products", "ValueError")
    assert "in fail" in line["stack"][-1]
    assert email not in written.getvalue()


def test_what_is_not_documented_is_still_answered_in_the_same_shape(world: World) -> None:
    api = world.api
    rider, vehicle = world.city.rider(), world.city.vehicle(verdict=NO_PARKING)
    rental = api.call("start_rental", body={"userId": str(rider.public_id), "vehicleId": str(vehicle.public_id)})
    for expected, reply in {
        (404, "RentalIDDoesNotExist"): api.call("get_rental", path=NONE),
        (400, "InvalidRentalID"): api.call("get_rental", path=BAD),
        (404, "VehicleNotFound"): api.call("get_price", path=NONE),
        (404, "FailedToUpdateProduct"): api.call("delete_product", path={"productId": str(NOBODY)}),
        (404, "ZoneNotFound"): api.call("get_zone_areas", path={"zoneId": "77"}),
        (400, "EmptyZoneID"): api.call("list_vehicles_by_zone"),
        (400, "InvalidInput"): api.call("end_rental", path={"rentalId": rental.json["data"][0]["id"]}),
    }.items():
        assert (reply.status, reply.json["errorCode"]) == expected
    refused = api.call("end_rental", path={"rentalId": rental.json["data"][0]["id"]})
    assert "no parking" in refused.json["detail"]
