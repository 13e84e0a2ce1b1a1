"""What functions load when they start: every import there is time that some rider waits for."""

import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from local.server import ROOT
from tools.cloudformation import load

NEVER = {
    "boto3": "clients are botocore's",
    "s3transfer": "comes with boto3",
    "requests": "nothing here calls the web but botocore",
    "moto": "a stand-in for tests and the local platform",
    "flask": "serves the local platform",
    "jinja2": "mails are plain text",
    "yaml": "nothing is configured by files",
    "aws_lambda_powertools.event_handler": "API Gateway has routed already",
    "aws_xray_sdk": "powertools' tracer costs more than its logger by far",
    "pydantic.v1": "the old pydantic inside the new one",
    "local": "the platform of a developer's machine",
    "tests": "likewise",
    "tools": "likewise",
}
WELCOME = {
    "blinker": "pynamodb sends signals where it finds it",
    "certifi": "botocore has certificates of its own where it is missing",
    "cryptography": "PyJWT knows more algorithms where it finds it",
    "_cffi_backend": "comes with cryptography",
}
ONLY_IN = {
    "email_validator": {"voi.users"},
    "shapely": set[str](),  # where positions are judged it is loaded by the first judgement
    "h3": {"reactions.vehicles"},
    "fpdf": set[str](),  # loaded by the first receipt
    "stripe": set[str](),  # loaded by the first request to the payment provider
}


def functions() -> dict[str, list[str]]:
    """The layers of every function, by its handler."""
    found: dict[str, list[str]] = {}
    for path in (ROOT / "template.yaml", *sorted(ROOT.glob("functions/*/template.yaml"))):
        template = load(path)
        shared = template["Globals"]["Function"]["Layers"]
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                own = resource["Properties"]
                layers = [each["Ref"].removesuffix("Layer").lower() for each in shared + own.get("Layers", [])]
                found[own["Handler"]] = layers
    return found


FUNCTIONS = functions()
MODULES = sorted({handler.rpartition(".")[0] for handler in FUNCTIONS})


@cache
def loaded(module: str) -> frozenset[str]:
    """The modules that a fresh process loads to import ``module``, in the environment of functions."""
    code = f"import sys; before = set(sys.modules); import {module}; print(*(sys.modules.keys() - before))"
    roots = os.pathsep.join(str(ROOT / root) for root in ("functions", "layers/core/python"))
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": roots},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return frozenset(answer.stdout.split())


def loads(module: str, wanted: str) -> bool:
    return any(name == wanted or name.startswith(f"{wanted}.") for name in loaded(module))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_heavy_is_loaded(module: str) -> None:
    assert {name: reason for name, reason in NEVER.items() if loads(module, name)} == {}


@pytest.mark.parametrize(("name", "modules"), ONLY_IN.items(), ids=ONLY_IN)
def test_what_few_need_is_loaded_there_only(name: str, modules: set[str]) -> None:
    assert {module for module in MODULES if loads(module, name)} == modules


def test_access_tokens_are_paid_for_by_their_surface_only() -> None:
    assert [each for each in MODULES if loads(each, "jwt") != loads(each, "maas._surface")] == []


@pytest.mark.parametrize("handler", FUNCTIONS)
def test_a_function_loads_only_what_its_layers_hold(handler: str) -> None:
    layers = FUNCTIONS[handler]
    held = {name for layer in layers if layer != "core" for name in locked(layer)}
    providers = packages_distributions()
    names = {each.partition(".")[0] for each in loaded(handler.rpartition(".")[0])}
    strangers = {name for name in names & providers.keys() if not held & {normalised(each) for each in providers[name]}}
    assert strangers <= WELCOME.keys(), f"not in the layers {layers}"


@cache
def locked(layer: str) -> frozenset[str]:
    lock = (ROOT / "requirements" / f"layer-{layer}.txt").read_text(encoding="utf-8")
    return frozenset(normalised(name) for name in re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==", lock, re.MULTILINE))


def normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_the_locks_are_read() -> None:
    assert {"pydantic", "pynamodb", "botocore", "aws-lambda-powertools"} <= locked("base")
    assert {"shapely", "h3"} <= locked("geo")
    assert "fpdf2" in locked("documents")
    assert "stripe" in locked("payments")


@pytest.mark.parametrize("layer", ["documents", "geo", "payments"])
def test_no_layer_has_again_what_the_base_layer_has(layer: str) -> None:
    assert locked(layer) & locked("base") == set()
