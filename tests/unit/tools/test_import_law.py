"""The contracts find what they forbid."""

import grimp
import pytest

from tools.import_law import KeptContract, OnlyContract, matches


@pytest.fixture
def graph() -> grimp.ImportGraph:
    graph = grimp.ImportGraph()
    for importer, imported in (
        ("core.fleet.rules", "json"),
        ("core.fleet.rules", "core.kernel.money"),
        ("core.fleet.rules", "core.kernel.store"),
        ("core.fleet.rules.speed", "boto3"),
        ("core.fleet.store", "boto3"),
    ):
        graph.add_import(importer=importer, imported=imported, line_number=3, line_contents=f"import {imported}")
    return graph


def only(**options: list[str]) -> OnlyContract:
    return OnlyContract(name="only", session_options={}, contract_options={"type": "only", **options})


@pytest.mark.parametrize(
    ("module", "pattern", "expected"),
    [
        ("core.fleet.rules", "core.*.rules", True),
        ("core.fleet.rules.speed", "core.*.rules", True),
        ("core.fleet.rulesets", "core.*.rules", False),
        ("core.a.b.rules", "core.*.rules", False),
        ("json", "stdlib", True),
        ("xml.etree", "stdlib", True),
        ("boto3", "stdlib", False),
    ],
)
def test_patterns(module: str, pattern: str, expected: bool) -> None:
    assert matches(module, [pattern]) is expected


def test_only_what_is_listed_may_be_imported(graph: grimp.ImportGraph) -> None:
    contract = only(importers=["core.*.rules"], allowed=["stdlib", "core.kernel"], denied=["core.kernel.store"])
    check = contract.check(graph, verbose=False)
    assert not check.kept
    assert check.metadata["violations"] == [
        ("core.fleet.rules", "core.kernel.store", (3,)),
        ("core.fleet.rules.speed", "boto3", (3,)),
    ]


def test_exempt_modules_are_left_to_their_own_contract(graph: grimp.ImportGraph) -> None:
    contract = only(importers=["core.*.rules"], allowed=["stdlib", "core.kernel"], exempt=["core.fleet.rules.speed"])
    assert contract.check(graph, verbose=False).kept


def test_kept_modules_are_for_their_importers(graph: grimp.ImportGraph) -> None:
    options = {"type": "kept", "modules": ["boto3"], "importers": ["core.*.store"]}
    check = KeptContract(name="kept", session_options={}, contract_options=options).check(graph, verbose=False)
    assert check.metadata["violations"] == [("core.fleet.rules.speed", "boto3", (3,))]
