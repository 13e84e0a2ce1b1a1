"""Reservations over the MaaS surface."""

from datetime import timedelta
from typing import Any

import pytest

from kickstand.identity import penalties
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan
from kickstand.rental import reservations
from local.server import Tables
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import BIKE, City

NOTHING = 4_711
READ, WRITE = "BatchGetItem", "TransactWriteItems"


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(scope="module")
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


_users = iter(range(1, 1_000))


def user() -> str:
    """A user that nobody has heard of."""
    return f"User{next(_users)}"


def reserve(city: City, api: Client, **more: Any) -> Reply:
    path = {"vehicleId": str(city.vehicle().id)}
    return api.call("reserve_vehicle", path=path, body={"userId": user(), **more})


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def one(reservation: dict[str, Any]) -> dict[str, str]:
    return {"reservationId": str(reservation["id"])}


def active(api: Client, user_id: str) -> list[dict[str, Any]]:
    return list(api.call("get_user_reservations", path={"userId": user_id}).json["data"])


def test_a_vehicle_is_reserved(city: City, api: Client) -> None:
    group, name = city.cluster(), user()
    bike = city.docked(group, 1, BIKE)
    made = api.call("reserve_vehicle", path={"vehicleId": str(bike.id)}, body={"userId": name}).json
    assert (made["vehicleId"], made["dockGroupId"], made["userId"]) == (bike.id, group.id, name)
    assert made["clientId"] == str(city.client.public_id)
    assert made["createdAt"] == made["updatedAt"] < made["expiresAt"]
    assert not made.keys() & {"completedAt", "cancelledAt"}
    assert api.call("get_reservation", path=one(made)).json == made
    assert active(api, name) == [made]


def test_nobody_else_can_take_a_reserved_vehicle_and_taking_it_completes_the_reservation(
    city: City, api: Client
) -> None:
    made = reserve(city, api).json
    vehicle = {"vehicleId": str(made["vehicleId"])}
    assert refusal(api.call("reserve_vehicle", path=vehicle, body={"userId": user()})) == (409, "vehicle_not_available")
    assert refusal(api.call("start_vehicle_trip", path=vehicle, body={"userId": user()})) == (
        409,
        "vehicle_not_available",
    )
    trip = api.call("start_vehicle_trip", path=vehicle, body={"userId": made["userId"]}).json
    assert trip["vehicle"]["id"] == made["vehicleId"]
    over = api.call("get_reservation", path=one(made)).json
    assert over["completedAt"]
    assert "cancelledAt" not in over
    assert active(api, made["userId"]) == []
    assert refusal(api.call("cancel_reservation", path=one(made))) == (409, "reservation_closed")


def test_a_reservation_is_cancelled(city: City, api: Client) -> None:
    made = reserve(city, api).json
    over = api.call("cancel_reservation", path=one(made)).json
    assert over["cancelledAt"] == over["updatedAt"]
    assert api.call("cancel_reservation", path=one(made)).json == over
    vehicle = {"vehicleId": str(made["vehicleId"])}
    assert api.call("start_vehicle_trip", path=vehicle, body={"userId": user()}).status == 200


def test_a_reservation_expires(city: City, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reserve(city, api).json
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert active(api, made["userId"]) == []
    store.begin()
    reservations.expire(made["id"])
    over = api.call("get_reservation", path=one(made)).json
    assert over["cancelledAt"] == over["expiresAt"]
    assert refusal(api.call("cancel_reservation", path=one(made))) == (409, "reservation_closed")


def test_a_user_has_one_reservation(city: City, api: Client) -> None:
    name = user()
    assert reserve(city, api, userId=name).status == 200
    assert refusal(reserve(city, api, userId=name)) == (409, "reservation_exists")


def test_products(city: City, api: Client) -> None:
    terms = {"client_id": city.client.id, "name": "Day", "currency": "NOK", "vat_percent": 25}
    product = PricingPlan.model_validate({"id": ids.new_id(), "max_penalty_points": 0, **terms})
    pricing.put_plan(product)
    assert reserve(city, api, productId=product.id).status == 200
    assert refusal(reserve(city, api, productId=NOTHING)) == (400, "invalid_product")
    name = user()
    store.begin()
    identity.ensure_external(city.client, name)
    penalties.add(city.client, name, 1)
    barred = reserve(city, api, userId=name, productId=product.id)
    assert refusal(barred) == (403, "too_many_penalty_points")


def test_who_owes_us_money_reserves_nothing(city: City) -> None:
    direct, _ = city.partner("Direct", charges_riders=True)
    api, name = maas(access_token(direct.id)), user()
    held = city.vehicle()
    path = {"vehicleId": str(held.id)}
    made = api.call("reserve_vehicle", path=path, body={"userId": name}).json
    city.owe(direct, name)
    assert api.call("reserve_vehicle", path=path, body={"userId": name}).json == made  # only an answer that got lost
    api.call("cancel_reservation", path=one(made))
    assert refusal(reserve(city, api, userId=name)) == (402, "payment_required")


def test_what_is_not_there(city: City, api: Client) -> None:
    made = reserve(city, api).json
    stranger = maas(access_token(city.partner("Stranger")[0].id))
    for expected, reply in {
        (404, "vehicle_not_found"): api.call(
            "reserve_vehicle", path={"vehicleId": str(NOTHING)}, body={"userId": user()}
        ),
        (404, "reservation_not_found"): api.call("get_reservation", path={"reservationId": str(NOTHING)}),
        (404, "user_not_found"): api.call("get_user_reservations", path={"userId": user()}),
    }.items():
        assert refusal(reply) == expected
    assert refusal(stranger.call("get_reservation", path=one(made))) == (404, "reservation_not_found")
    assert refusal(stranger.call("cancel_reservation", path=one(made))) == (404, "reservation_not_found")
    assert active(api, made["userId"]) == [made]


@pytest.mark.parametrize("body", [{}, {"userId": ""}, {"userId": "U", "productId": "1"}, {"userId": None}])
def test_what_cannot_be_said(city: City, api: Client, body: dict[str, Any]) -> None:
    reply = api.call("reserve_vehicle", path={"vehicleId": str(NOTHING)}, body=body)
    assert refusal(reply) == (400, "invalid_request")


@pytest.mark.parametrize("reservation_id", ["x", "0", "-1", "1.5", "9" * 400])
def test_ids_that_are_none(api: Client, reservation_id: str) -> None:
    reply = api.call("get_reservation", path={"reservationId": reservation_id})
    assert refusal(reply) == (400, "invalid_request")


def test_another_user_is_not_acted_for(city: City, api: Client) -> None:
    mine, other = reserve(city, api).json, reserve(city, api).json
    caller = api.with_headers(on_behalf_of=other["userId"])
    listed = caller.call("get_user_reservations", path={"userId": mine["userId"]})
    assert refusal(listed) == (403, "user_mismatch")
    assert refusal(reserve(city, caller)) == (403, "user_mismatch")
    assert refusal(caller.call("cancel_reservation", path=one(mine))) == (403, "user_mismatch")
    assert active(api, mine["userId"]) == [mine]
    device = api.with_headers(on_behalf_of="a device that is no user")
    assert device.call("cancel_reservation", path=one(mine)).status == 200
    assert caller.call("cancel_reservation", path=one(other)).status == 200


def test_capacity(city: City, api: Client) -> None:
    name, vehicle = user(), city.vehicle()
    store.begin()
    identity.ensure_external(city.client, name)
    with measured() as usage:
        body, path = {"userId": name}, {"vehicleId": str(vehicle.id)}
        made = api.call("reserve_vehicle", path=path, body=body).json
    assert usage.calls == [READ, WRITE]
    assert usage.read_units <= 4
    assert usage.write_units <= 8
    with measured() as usage:
        assert api.call("get_reservation", path=one(made)).status == 200
    assert usage.calls == [READ]
    with measured() as usage:
        assert active(api, name) == [made]
    assert usage.calls == [READ, READ, READ]
    with measured() as usage:
        assert api.call("cancel_reservation", path=one(made)).status == 200
    assert usage.calls == [READ, READ, WRITE]
