"""Every served surface says what its reference says: operations, inputs with all constraints, answers, errors."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kickstand.http.operation import Operation
from tests.support.api import surface
from tools.registry import surfaces

ROOT = Path(__file__).parents[2]
FACTS = sorted((Path(__file__).parent / "facts").glob("*.json"))

WIDER = {"users/messages.userId", "users/messages.messageType"}
"""What is sent as more than the documented types and words: a client's ids of its users are text, of whatever kind; and
clients whose users pay the operator are told of payments, for which the reference has no word."""

OURS = {"pay": {("Idempotency-Key", "header")}}
"""Parameters that a client may leave out, and that the reference does not have."""

CONSTRAINTS = (
    "type",
    "format",
    "enum",
    "const",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minProperties",
)

Schema = Mapping[str, Any]


@cache
def reference_of(facts: Path) -> dict[str, Any]:
    """The document of a published API."""
    document: dict[str, Any] = json.loads(facts.read_text())
    return document


def documented(facts: Path) -> Iterator[tuple[str, str, Schema]]:
    """Method, path and description of every operation in the facts."""
    for path, methods in reference_of(facts)["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@cache
def served(facts: Path) -> dict[str, Any]:
    """Our own document of the surface."""
    document: dict[str, Any] = json.loads((ROOT / "functions" / facts.stem / "openapi.json").read_text())
    return document


def declared(facts: Path, operation: Schema) -> Operation:
    """What our code declares of a documented operation."""
    return surface(facts.stem).operations[operation["operationId"]]


OPERATIONS = [
    pytest.param(facts, method, path, operation, id=f"{facts.stem}-{operation['operationId']}")
    for facts in FACTS
    for method, path, operation in documented(facts)
    if method in served(facts)["paths"].get(path, {})
]


def resolved(schema: Schema, document: Schema) -> dict[str, Any]:
    """A schema without references and without the alternative of null, which stands for leaving a member out."""
    schema = target_of(schema, document)
    alternatives = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if len(alternatives) == 1:
        return resolved(alternatives[0], document)
    return dict(schema)


def target_of(schema: Schema, document: Schema) -> Schema:
    """What a reference leads to; anything else itself."""
    while "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    return schema


def facets(schema: Schema) -> dict[str, Any]:
    return {name: schema[name] for name in CONSTRAINTS if name in schema}


def differences(expected: Schema, actual: Schema, where: str, facts: Schema, ours: Schema) -> Iterator[str]:
    """Where an input's schema differs from the documented one, members included."""
    wanted, given = resolved(expected, facts), resolved(actual, ours)
    if wanted.get("x-undocumented"):
        return
    if facets(wanted) != facets(given):
        yield f"{where}: documented {facets(wanted)}, served {facets(given)}"
    if sorted(wanted.get("required", [])) != sorted(given.get("required", [])):
        yield f"{where}: required {wanted.get('required')} / {given.get('required')}"
    if wanted.get("properties", {}).keys() != given.get("properties", {}).keys():
        yield f"{where}: members {sorted(wanted.get('properties', {}))} / {sorted(given.get('properties', {}))}"
    for name, member in wanted.get("properties", {}).items():
        yield from differences(member, given.get("properties", {}).get(name, {}), f"{where}.{name}", facts, ours)
    if "items" in wanted:
        yield from differences(wanted["items"], given.get("items", {}), f"{where}[]", facts, ours)


def shortcomings(
    expected: Schema, actual: Schema, where: str, facts: Schema, ours: Schema, inside: tuple[str, ...] = ()
) -> Iterator[str]:
    """What an answer's schema promises less than the documented one. It may promise more."""
    if (name := expected.get("$ref", "")) in inside:
        return  # a schema that holds itself has been compared
    inside = (*inside, name) if name else inside
    wanted, given = resolved(expected, facts), resolved(actual, ours)
    types = wanted.get("type", [])
    types = types if isinstance(types, list) else [types]
    types += ["integer"] if "number" in types else []
    if types and given.get("type") not in types:
        yield f"{where}: type {types} / {given.get('type')}"
    for name in set(CONSTRAINTS) - {"type"}:
        if name in wanted and wanted[name] != given.get(name):
            yield f"{where}: {name} {wanted[name]} / {given.get(name)}"
    missing = set(wanted.get("required", [])) - set(given.get("required", []))
    if missing - {
        name for name, member in given.get("properties", {}).items() if "default" in member or "const" in member
    }:
        yield f"{where}: not always there: {sorted(missing)}"
    for name, member in wanted.get("properties", {}).items():
        if name not in given.get("properties", {}):
            yield f"{where}.{name}: missing"
        else:
            yield from shortcomings(member, given["properties"][name], f"{where}.{name}", facts, ours, inside)
    if "items" in wanted and "items" in given:
        yield from shortcomings(wanted["items"], given["items"], f"{where}[]", facts, ours, inside)


def parameters(operation: Schema, document: Schema) -> dict[tuple[str, str], Schema]:
    """An operation's parameters by name and place."""
    found = [target_of(each, document) for each in operation.get("parameters", [])]
    return {(each["name"], each["in"]): each for each in found}


def schemes(operation: Schema, document: Schema) -> list[Schema]:
    """How a client may say who it is; nothing where it need not."""
    names: Iterable[str] = (name for each in operation.get("security", document.get("security", [])) for name in each)
    return [document["components"]["securitySchemes"][name] for name in names]


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.stem)
def test_what_is_served_is_documented(facts: Path) -> None:
    reference = {(method, path): operation["operationId"] for method, path, operation in documented(facts)}
    ours = {
        (method, path): operation["operationId"]
        for path, methods in served(facts)["paths"].items()
        for method, operation in methods.items()
        if surface(facts.stem).operations[operation["operationId"]].documented
    }
    assert ours.items() <= reference.items()


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.stem)
def test_what_is_sent_is_documented(facts: Path) -> None:
    assert served(facts).get("webhooks", {}).keys() <= reference_of(facts).get("webhooks", {}).keys()


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.stem)
def test_webhooks(facts: Path) -> None:
    reference, ours = reference_of(facts), served(facts)
    for path, methods in ours.get("webhooks", {}).items():
        wanted, given = reference["webhooks"][path]["post"], methods["post"]
        assert wanted["operationId"] == given["operationId"]
        headers, ours_too = parameters(wanted, reference), parameters(given, ours)
        assert headers.keys() <= ours_too.keys(), path
        assert [key for key, each in headers.items() if each.get("required", False) > ours_too[key]["required"]] == []
        expected, actual = (each["requestBody"]["content"]["application/json"]["schema"] for each in (wanted, given))
        found = list(shortcomings(expected, actual, path, reference, ours))
        assert [each for each in found if each.partition(":")[0] not in WIDER] == []


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.stem)
def test_what_we_add_takes_nothing_from_the_reference(facts: Path) -> None:
    reference = {(method, path) for method, path, _ in documented(facts)}
    ours = [each for each in surface(facts.stem).operations.values() if not each.documented]
    assert [each for each in ours if (each.method.lower(), each.path) in reference] == []


def test_a_surface_without_a_reference_claims_nothing() -> None:
    published = {path.stem for path in FACTS}
    ours = {each.name: each.operations.values() for each in surfaces() if each.name not in published}
    assert ours.keys() == {"checkout"}
    assert [each.id for operations in ours.values() for each in operations if each.documented] == []


@pytest.mark.parametrize("name", ["maas", "voi"])
def test_a_surface_is_complete(name: str) -> None:
    facts = next(each for each in FACTS if each.stem == name)
    ours = {(method, path) for path, methods in served(facts)["paths"].items() for method in methods}
    assert {(method, path) for method, path, _ in documented(facts)} <= ours
    assert reference_of(facts).get("webhooks", {}).keys() == served(facts).get("webhooks", {}).keys()


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_who_may_call(facts: Path, method: str, path: str, operation: Schema) -> None:
    ours = served(facts)
    given = ours["paths"][path][method]
    assert schemes(operation, reference_of(facts)) == schemes(given, ours)
    assert operation.get("deprecated", False) == given.get("deprecated", False)


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_parameters(facts: Path, method: str, path: str, operation: Schema) -> None:
    reference, ours = reference_of(facts), served(facts)
    wanted, given = parameters(operation, reference), parameters(ours["paths"][path][method], ours)
    # What the reference leaves open we may fill.
    added = given.keys() - wanted.keys() - OURS.get(operation["operationId"], set())
    assert not added or (operation.get("x-undocumented") and not any(given[key].get("required") for key in added))
    assert wanted.keys() <= given.keys()
    for key, parameter in wanted.items():
        for name, default in (("required", False), ("style", None), ("explode", None)):
            assert parameter.get(name, default) == given[key].get(name, default), (key, name)
        assert list(differences(parameter["schema"], given[key]["schema"], key[0], reference, ours)) == []


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_body(facts: Path, method: str, path: str, operation: Schema) -> None:
    reference, ours = reference_of(facts), served(facts)
    wanted, given = operation.get("requestBody"), ours["paths"][path][method].get("requestBody")
    assert (wanted is None) == (given is None)
    if wanted is None or given is None:
        return
    assert wanted.get("required", False) == given["required"]
    assert wanted["content"].keys() == given["content"].keys()
    for kind, content in wanted["content"].items():
        found = differences(content["schema"], given["content"][kind]["schema"], "body", reference, ours)
        assert list(found) == []


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_answer(facts: Path, method: str, path: str, operation: Schema) -> None:
    wanted, given = operation["responses"]["200"], served(facts)["paths"][path][method]["responses"]["200"]
    if wanted.get("x-undocumented"):
        return
    expected, actual = (each["content"]["application/json"]["schema"] for each in (wanted, given))
    assert list(shortcomings(expected, actual, "answer", reference_of(facts), served(facts))) == []


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_errors(facts: Path, method: str, path: str, operation: Schema) -> None:
    own = {(each.status, each.code) for each in declared(facts, operation).errors}
    assert {(each["status"], each["errorCode"]) for each in operation.get("x-errors", []) if each["errorCode"]} <= own
    reference, ours = reference_of(facts), served(facts)
    given = {status: each for status, each in ours["paths"][path][method]["responses"].items() if status != "200"}
    for pattern, wanted in operation["responses"].items():
        if pattern == "200" or "content" not in wanted:
            continue
        meant = given if pattern == "default" else {each: given[each] for each in given if fits(each, pattern)}
        assert meant, f"no error of ours is a {pattern}"
        content = wanted["content"]["application/json"]
        assert content.get("example", {}).get("code") in {None, *(code for _, code in own)}
        if not resolved(content["schema"], reference).get("x-undocumented"):
            for status, answer in meant.items():
                schema = answer["content"]["application/json"]["schema"]
                assert list(shortcomings(content["schema"], schema, status, reference, ours)) == []


def fits(status: str, pattern: str) -> bool:
    """Whether a status is meant by a pattern like ``404`` or ``4XX``."""
    return status.startswith(pattern.rstrip("X"))
