"""Bad input of every kind, for every operation of every surface: a clear error, never a 5xx, and nothing changes."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.session import Session
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kickstand.http.operation import Operation
from tests.support.api import Reply, surface
from tests.support.city import NOBODY, City
from tests.support.surfaces import CLIENTS, OPERATIONS, path_of
from tools import openapi

ERROR = {"checkout": {"code", "message"}, "maas": {"code", "message"}, "voi": {"status", "errorCode", "detail"}}
VALID = {
    "uuid": str(NOBODY),
    "email": "agatha@mail.example.com",
    "date-time": "2026-05-04T12:00:00Z",
    "string": "L33T",
    "number": 10,
    "integer": 10,
    "boolean": True,
}
SPECIAL = {"coordinates": [10.7522, 59.9139], "type": "Point"}
"""Members whose schema does not say all that they must be."""

WRONG: dict[str, list[Any]] = {
    "string": [7, 1.5, True, [], {}, ["x"]],
    "number": ["7", True, [], {}, "NaN"],
    "integer": ["7", 1.5, True, [], {}],
    "boolean": ["true", 1, [], {}],
    "object": ["x", 7, True, [], [{}]],
    "array": ["x", 7, True, {}],
}
Schema = dict[str, Any]


@cache
def document(name: str) -> dict[str, Any]:
    return openapi.document(surface(name))


def resolved(name: str, schema: Schema) -> Schema:
    """A schema without references and without the alternative of null."""
    if "$ref" in schema:
        schema = document(name)["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    alternatives = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return resolved(name, alternatives[0]) if len(alternatives) == 1 else schema


def body_schema(name: str, operation: Operation) -> Schema:
    described = document(name)["paths"][operation.path][operation.method.lower()]["requestBody"]
    return resolved(name, described["content"]["application/json"]["schema"])


def valid(name: str, schema: Schema) -> Any:
    schema = resolved(name, schema)
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    match schema.get("type"):
        case "array":
            return [valid(name, schema["items"])]
        case "object" | None:
            return {key: SPECIAL.get(key, valid(name, each)) for key, each in schema.get("properties", {}).items()}
        case kind:
            return VALID.get(schema.get("format", "")) or VALID[kind]


def violations(name: str, schema: Schema) -> Iterator[Any]:
    """Bodies that break exactly one rule of the schema."""
    whole = valid(name, schema)
    for key in schema.get("required", []):
        yield {other: value for other, value in whole.items() if other != key}
        yield whole | {key: None}
    for key, member in schema.get("properties", {}).items():
        inner = resolved(name, member)
        for wrong in WRONG.get(inner.get("type", ""), []):
            yield whole | {key: wrong}
        if inner.get("format") or "enum" in inner or "const" in inner:
            yield whole | {key: "not one of these"}
        if inner.get("type") == "object":
            for broken in violations(name, inner):
                yield whole | {key: broken}
        if inner.get("type") == "array":
            for wrong in WRONG.get(resolved(name, inner["items"]).get("type", ""), []):
                yield whole | {key: [wrong]}


WITH_BODY = [
    pytest.param(name, operation, id=f"{name}-{operation.id}")
    for name, operation in OPERATIONS
    if operation.body_model is not None
]
WITH_JSON = [each for each in WITH_BODY if not each.values[1].form]  # type: ignore[union-attr]  # pytest's type


class World:
    def __init__(self, session: Session) -> None:
        self.city = City()
        self.api = {name: client(self.city) for name, client in CLIENTS.items()}
        self._session = session

    def call(self, name: str, operation: Operation, value: str | None = None, **request: Any) -> Reply:
        return self.api[name].call(operation.id, path=path_of(name, operation, value), **request)

    def everything(self) -> list[Any]:
        client: Any = self._session.create_client("dynamodb")
        tables = client.list_tables()["TableNames"]
        return [sorted(client.scan(TableName=name)["Items"], key=str) for name in tables]


@pytest.fixture
def world(aws: Session) -> World:
    return World(aws)


def refused(name: str, reply: Reply, sent: object) -> None:
    assert 400 <= reply.status < 500, sent
    assert reply.json.keys() >= ERROR[name], sent


@pytest.mark.parametrize(("name", "operation"), WITH_JSON)
def test_a_body_that_breaks_one_rule_is_refused(world: World, name: str, operation: Operation) -> None:
    before = world.everything()
    for body in violations(name, body_schema(name, operation)):
        refused(name, world.call(name, operation, body=body), body)
    assert world.everything() == before


NO_OBJECTS = (
    *("{", "[]", "null", "7", '"x"', "{]", "\x00", '{"a": NaN}', "[" * 5000, "x" * 20_000),
    *('{"productName": "\\ud800"}', '{"userId": "\\ud800"}'),
)


@pytest.mark.parametrize(("name", "operation"), WITH_BODY)
def test_a_body_that_is_no_object_is_refused(world: World, name: str, operation: Operation) -> None:
    before = world.everything()
    for raw in NO_OBJECTS:
        refused(name, world.call(name, operation, raw=raw), raw[:50])
    assert world.everything() == before


@pytest.mark.parametrize(("name", "operation"), WITH_BODY)
def test_a_required_body_cannot_be_left_out(world: World, name: str, operation: Operation) -> None:
    reply = world.call(name, operation)
    assert reply.status == 400 if operation.body_required else reply.status < 500


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.sampled_from(OPERATIONS), value=st.text(max_size=60), raw=st.text(max_size=200))
def test_noise_never_breaks_anything(world: World, which: tuple[str, Operation], value: str, raw: str) -> None:
    name, operation = which
    model = operation.query_model
    names = [field.alias or each for each, field in model.model_fields.items()] if model else []
    headers = {"on-behalf-of": value} if operation.header_model else {}
    reply = world.call(name, operation, value, query=dict.fromkeys(names, value), raw=raw, headers=headers)
    assert reply.status < 500
