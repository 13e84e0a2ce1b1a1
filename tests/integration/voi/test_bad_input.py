"""Bad input that only the Voi surface has: a clear error, and nothing changes."""

from typing import Any

import pytest
from botocore.session import Session

from tests.support.api import Reply, voi
from tests.support.city import OSLO, City


class World:
    def __init__(self) -> None:
        self.city = City()
        self.api = voi(self.city.token)


@pytest.fixture
def world(aws: Session) -> World:
    return World()


def _everything(session: Session) -> list[Any]:
    client: Any = session.create_client("dynamodb")
    tables = client.list_tables()["TableNames"]
    return [sorted(client.scan(TableName=name)["Items"], key=str) for name in tables]


def _refused(reply: Reply) -> None:
    assert 400 <= reply.status < 500
    assert reply.json.keys() == {"status", "errorCode", "detail"}


def test_members_and_parameters_have_no_names_but_the_documented_ones(world: World) -> None:
    reply = world.api.call("register_product", body={"product_name": "Snake"})
    assert (reply.status, reply.json["errorCode"]) == (400, "EmptyProductName")
    reply = world.api.call("list_vehicles_by_zone", query={"zone_id": "1"})
    assert (reply.status, reply.json["errorCode"]) == (400, "EmptyZoneID")
    reply = world.api.call("list_vehicles_by_zone", query={"zoneID": "01"})
    assert (reply.status, reply.json["errorCode"]) == (404, "ZoneNotFound")


@pytest.mark.parametrize(
    "location",
    [
        {"longitude": 181, "latitude": 59.9},
        {"longitude": 10.7, "latitude": 90.1},
        {"longitude": 10.7, "latitude": -91},
        {"longitude": 1e400, "latitude": 0},
        {"longitude": OSLO.latitude, "latitude": OSLO.longitude},
        {"longitude": 0, "latitude": 0},
        {"longitude": 10.7},
        {},
    ],
)
def test_an_impossible_or_exchanged_position_is_refused(world: World, aws: Session, location: dict[str, float]) -> None:
    rider, vehicle = world.city.rider(), world.city.vehicle()
    body = {"userId": str(rider.public_id), "vehicleId": str(vehicle.public_id), "userStartLocation": location}
    before = _everything(aws)
    _refused(world.api.call("start_rental", body=body))
    assert _everything(aws) == before


@pytest.mark.parametrize(
    "member",
    [
        {"email": "Agatha <a@mail.example.com>"},
        {"email": "a@mail.example.com\r\nBcc: b@mail.example.com"},
        {"firstName": "A\x00"},
        {"lastName": "\x1b[2J"},
        {"phoneNumber": "4" * 256},
        {"externalId": "x" * 256},
    ],
)
def test_text_is_what_people_can_read(world: World, aws: Session, member: dict[str, str]) -> None:
    body = {"email": "a@mail.example.com", "productId": str(world.city.product.public_id)}
    before = _everything(aws)
    _refused(world.api.call("register_user", body=body | member))
    assert _everything(aws) == before


def test_an_empty_external_id_is_none(world: World) -> None:
    body = {"email": "a@mail.example.com", "productId": str(world.city.product.public_id), "externalId": ""}
    for _ in range(2):
        assert "externalId" not in world.api.call("register_user", body=body).json["data"]["attributes"]


def test_members_nobody_knows_are_passed_over(world: World) -> None:
    assert world.api.call("register_product", body={"productName": "A", "colour": "red"}).status == 200


def test_a_change_touches_only_what_is_sent(world: World) -> None:
    product = str(world.city.product.public_id)
    sent = {"email": "a@mail.example.com", "firstName": "Agatha", "lastName": "Christie", "productId": product}
    user = world.api.call("register_user", body=sent | {"phoneNumber": "+4412", "externalId": "X"}).json["data"]
    changed = world.api.call("update_user", path={"id": user["id"]}, body={"phoneNumber": "+46911"}).json["data"]
    assert changed == user | {"attributes": user["attributes"] | {"phoneNumber": "+46911"}}
    assert world.api.call("get_user", path={"id": user["id"]}).json["data"] == changed
    same = world.api.call("update_user", path={"id": user["id"]}, body={})
    assert same.json["data"] == changed
