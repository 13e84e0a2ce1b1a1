"""What starting a function costs: each module of functions in a process of its own, beside a bare boto3 client."""

import os
import subprocess
import sys
from collections import Counter, defaultdict
from statistics import median
from typing import Any

import pytest

from local.server import ROOT
from tests.support.bench import Table
from tools.cloudformation import load

pytestmark = pytest.mark.bench

ROUNDS = 7
BASELINE = "boto3"
FLOOR = "pydantic + pynamodb"
STARTS = {
    BASELINE: ("import boto3", "boto3.client('dynamodb')"),
    FLOOR: ("import pydantic.types, pynamodb.models", "pynamodb.connection.Connection().client"),
}
WITHOUT = "import sys; sys.modules['cryptography'] = None"
"""PyJWT imports it where it is there; here it is for tests of TLS only."""


def test_imports() -> None:
    functions = handlers_by_module()
    starts = STARTS | {
        module: (f"from kickstand.kernel import items; import {module}", "items.connect()") for module in functions
    }
    taken: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for round_ in range(ROUNDS + 1):
        for name, (imports, client) in starts.items():
            once = start(imports, client)
            if round_:  # the first one writes bytecode and warms the file cache
                taken[name].append(once)
    ready = {name: median(sum(each) for each in figures) for name, figures in taken.items()}

    table = Table(
        f"Start of a function, ms (medians of {ROUNDS} fresh processes, bytecode warm)",
        "module", "functions", "import", "client", "both", "to boto3", "most of the import, ms",
    )  # fmt: skip
    for name, figures in taken.items():
        imported = median(each for each, _ in figures)
        made = median(each for _, each in figures)
        table.row(
            name,
            len(functions[name]) if name in functions else "",
            imported,
            made,
            ready[name],
            f"{ready[name] / ready[BASELINE]:.2f}",
            ", ".join(f"{package} {spent:.0f}" for package, spent in heaviest(starts[name][0])),
        )
    # A machine that does other things at the same time slows some processes down; the fastest of each are alike.
    fastest = {name: min(sum(each) for each in figures) for name, figures in taken.items()}
    worst = max(fastest[module] for module in functions) / fastest[BASELINE]
    table.show(
        f"worst of the fastest: {worst:.2f} times a bare boto3 DynamoDB client; the aim is 1.5",
        "functions import no boto3: their client is botocore's, made by pynamodb",
    )
    assert worst < 2, "half as much again is the aim; twice as much is no accident"


def handlers_by_module() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in (*sorted(ROOT.glob("functions/*/template.yaml")), ROOT / "template.yaml"):
        for resource in load(path)["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                module, _, function = resource["Properties"]["Handler"].rpartition(".")
                found[module].append(function)
    return dict(found)


def start(imports: str, client: str) -> tuple[float, float]:
    """Milliseconds for importing, and then for making the client; without what no layer holds."""
    code = (
        f"{WITHOUT}\nfrom time import perf_counter as now\n"
        f"a = now()\n{imports}\nb = now()\n{client}\nc = now()\n"
        "print((b - a) * 1000, (c - b) * 1000)"
    )
    imported, made = run("-c", code).stdout.split()[-2:]
    return float(imported), float(made)


def heaviest(imports: str) -> list[tuple[str, float]]:
    """The packages that take most of an import, with what they take themselves."""
    spent: Counter[str] = Counter()
    for line in run("-X", "importtime", "-c", f"{WITHOUT}; {imports}").stderr.splitlines():
        own, _, module = line.removeprefix("import time:").split("|")
        if own.strip().isdecimal():
            package = module.strip().partition(".")[0]
            spent["Python" if package in sys.stdlib_module_names else package.partition("_core")[0]] += int(own)
    return [(package, microseconds / 1000) for package, microseconds in spent.most_common(6)]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )


def environment() -> dict[str, str]:
    """The environment of functions, as far as it is the same everywhere."""
    variables: dict[str, Any] = load(ROOT / "template.yaml")["Globals"]["Function"]["Environment"]["Variables"]
    given = {name: value for name, value in variables.items() if isinstance(value, str)}
    roots = os.pathsep.join(str(ROOT / root) for root in ("functions", "layers/core/python"))
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | given | {"PYTHONPATH": roots}
