"""Bad input of every kind: a clear error of the surface, never a 5xx, and nothing changes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.api import Reply, voi
from tests.support.city import NOBODY, OSLO, City

FACTS = json.loads((Path(__file__).parents[2] / "contract" / "facts" / "voi.json").read_text())
OPERATIONS = {
    operation["operationId"]: operation for methods in FACTS["paths"].values() for operation in methods.values()
}
WRONG: dict[str, list[Any]] = {
    "string": [7, 1.5, True, [], {}, ["x"]],
    "number": ["7", True, [], {}, "NaN"],
    "object": ["x", 7, True, [], [{}]],
}


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        schema = FACTS["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _body_schema(operation: dict[str, Any]) -> dict[str, Any] | None:
    body = operation.get("requestBody")
    return _resolved(body["content"]["application/json"]["schema"]) if body else None


def _valid(schema: dict[str, Any]) -> Any:
    schema = _resolved(schema)
    match schema["type"], schema.get("format"):
        case "string", "uuid":
            return str(NOBODY)
        case "string", "email":
            return "agatha@mail.example.com"
        case "string", _:
            return "L33T"
        case "number", _:
            return 10.0
        case _:
            return {name: _valid(member) for name, member in schema["properties"].items()}


def _violations(schema: dict[str, Any] | None) -> Iterator[Any]:
    """Bodies that break exactly one rule of the schema."""
    if schema is None:
        return
    schema = _resolved(schema)
    valid = _valid(schema)
    for name in schema.get("required", []):
        yield {key: value for key, value in valid.items() if key != name}
        yield valid | {name: None}
    for name, member in schema["properties"].items():
        resolved = _resolved(member)
        for wrong in WRONG[resolved["type"]]:
            yield valid | {name: wrong}
        if resolved.get("format"):
            yield valid | {name: "not one of these"}
        if resolved["type"] == "object":
            for inner in _violations(resolved):
                yield valid | {name: inner}


CASES = [
    pytest.param(name, body, id=f"{name}-{number}")
    for name, operation in OPERATIONS.items()
    for number, body in enumerate(_violations(_body_schema(operation)))
]
WITH_BODY = [name for name, operation in OPERATIONS.items() if operation.get("requestBody")]


class World:
    def __init__(self) -> None:
        self.city = City()
        self.api = voi(self.city.token)

    def path(self, operation: str) -> dict[str, str] | None:
        names = [each["name"] for each in OPERATIONS[operation].get("parameters", []) if each["in"] == "path"]
        return dict.fromkeys(names, str(NOBODY)) or None


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


@pytest.mark.parametrize(("operation", "body"), CASES)
def test_a_body_that_breaks_one_rule_is_refused(world: World, aws: Session, operation: str, body: Any) -> None:
    before = _everything(aws)
    _refused(world.api.call(operation, path=world.path(operation), body=body))
    assert _everything(aws) == before


@pytest.mark.parametrize("operation", WITH_BODY)
@pytest.mark.parametrize(
    "raw",
    ["{", "[]", "null", "7", '"x"', "{]", "\x00", '{"a": NaN}', "[" * 5000, '{"productName": "\\ud800"}', "x" * 20_000],
    ids=["open", "list", "null", "number", "string", "mismatch", "nul", "nan", "deep", "surrogate", "long"],
)
def test_a_body_that_is_no_object_is_refused(world: World, aws: Session, operation: str, raw: str) -> None:
    before = _everything(aws)
    _refused(world.api.call(operation, path=world.path(operation), raw=raw))
    assert _everything(aws) == before


def test_members_and_parameters_have_no_names_but_the_documented_ones(world: World) -> None:
    reply = world.api.call("register_product", body={"product_name": "Snake"})
    assert (reply.status, reply.json["errorCode"]) == (400, "EmptyProductName")
    reply = world.api.call("list_vehicles_by_zone", query={"zone_id": "1"})
    assert (reply.status, reply.json["errorCode"]) == (400, "EmptyZoneID")
    reply = world.api.call("list_vehicles_by_zone", query={"zoneID": "01"})
    assert (reply.status, reply.json["errorCode"]) == (404, "ZoneNotFound")


def test_a_required_body_cannot_be_left_out(world: World) -> None:
    for operation in WITH_BODY:
        reply = world.api.call(operation, path=world.path(operation))
        assert reply.status == (404 if operation == "end_rental" else 400)


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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operation=st.sampled_from(sorted(OPERATIONS)), value=st.text(max_size=60), raw=st.text(max_size=200))
def test_noise_never_breaks_anything(world: World, operation: str, value: str, raw: str) -> None:
    path = dict.fromkeys(world.path(operation) or {}, value) or None
    reply = world.api.call(operation, path=path, query={"zoneID": value}, raw=raw)
    assert reply.status < 500
