"""Every served surface says what its reference says: operations, inputs with all constraints, answers, errors."""

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FACTS = sorted((Path(__file__).parent / "facts").glob("*.json"))

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


def documented(facts: Path) -> Iterator[tuple[str, str, Schema]]:
    """Method, path and description of every operation in the facts."""
    for path, methods in json.loads(facts.read_text())["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def served(facts: Path) -> dict[str, Any]:
    """Our own document of the surface."""
    document: dict[str, Any] = json.loads((ROOT / "functions" / facts.stem / "openapi.json").read_text())
    return document


OPERATIONS = [
    pytest.param(facts, method, path, operation, id=f"{facts.stem}-{operation['operationId']}")
    for facts in FACTS
    for method, path, operation in documented(facts)
    if path in served(facts)["paths"]
]


def resolved(schema: Schema, document: Schema) -> dict[str, Any]:
    """A schema without references and without the alternative of null, which stands for leaving a member out."""
    while "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        schema = target
    alternatives = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if len(alternatives) == 1:
        return resolved(alternatives[0], document)
    return dict(schema)


def facets(schema: Schema) -> dict[str, Any]:
    return {name: schema[name] for name in CONSTRAINTS if name in schema}


def differences(expected: Schema, actual: Schema, where: str, facts: Schema, ours: Schema) -> Iterator[str]:
    """Where an input's schema differs from the documented one, members included."""
    wanted, given = resolved(expected, facts), resolved(actual, ours)
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


def shortcomings(expected: Schema, actual: Schema, where: str, facts: Schema, ours: Schema) -> Iterator[str]:
    """What an answer's schema promises less than the documented one. It may promise more."""
    wanted, given = resolved(expected, facts), resolved(actual, ours)
    types = wanted.get("type", [])
    if given.get("type") not in (types if isinstance(types, list) else [types]):
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
            yield from shortcomings(member, given["properties"][name], f"{where}.{name}", facts, ours)
    if "items" in wanted and "items" in given:
        yield from shortcomings(wanted["items"], given["items"], f"{where}[]", facts, ours)


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.stem)
def test_what_is_served_is_documented(facts: Path) -> None:
    reference = {(method, path): operation["operationId"] for method, path, operation in documented(facts)}
    ours = {
        (method, path): operation["operationId"]
        for path, methods in served(facts)["paths"].items()
        for method, operation in methods.items()
    }
    assert ours.items() <= reference.items()


def test_the_voi_surface_is_complete() -> None:
    facts = next(each for each in FACTS if each.stem == "voi")
    ours = {(method, path) for path, methods in served(facts)["paths"].items() for method in methods}
    assert {(method, path) for method, path, _ in documented(facts)} == ours


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_parameters(facts: Path, method: str, path: str, operation: Schema) -> None:
    reference, ours = json.loads(facts.read_text()), served(facts)
    wanted = {(each["name"], each["in"]): each for each in operation.get("parameters", [])}
    given = {(each["name"], each["in"]): each for each in ours["paths"][path][method].get("parameters", [])}
    assert wanted.keys() == given.keys()
    for key, parameter in wanted.items():
        assert parameter.get("required", False) == given[key]["required"]
        assert list(differences(parameter["schema"], given[key]["schema"], key[0], reference, ours)) == []


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_body(facts: Path, method: str, path: str, operation: Schema) -> None:
    reference, ours = json.loads(facts.read_text()), served(facts)
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
    reference, ours = json.loads(facts.read_text()), served(facts)
    wanted = operation["responses"]["200"]["content"]["application/json"]["schema"]
    given = ours["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    assert list(shortcomings(wanted, given, "answer", reference, ours)) == []


@pytest.mark.parametrize(("facts", "method", "path", "operation"), OPERATIONS)
def test_errors(facts: Path, method: str, path: str, operation: Schema) -> None:
    surface = import_module(f"{facts.stem}._surface")
    package = import_module(facts.stem)
    for module in iter_modules(package.__path__):
        import_module(f"{facts.stem}.{module.name}")
    declared = getattr(surface, facts.stem).operations[operation["operationId"]].errors
    wanted = {(each["status"], each["errorCode"]) for each in operation.get("x-errors", []) if each["errorCode"]}
    assert wanted <= {(each.status, each.code) for each in declared}
