"""The templates against the limits of AWS, against each other and against the code that they name."""

import importlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kickstand.http.operation import Operation
from kickstand.payments import stripe_gateway
from tests.support.rights import grants
from tools.cfn_rules._template import find
from tools.cloudformation import load
from tools.registry import ROOT, base, surfaces
from tools.templates import function_name

RESOURCES_PER_TEMPLATE = 500
RESOURCES_PER_OPERATION = 2_500
ROUTES_PER_API = 300
INTEGRATIONS_PER_API = 300
TEMPLATE_BYTES = 1024 * 1024

ROOT_TEMPLATE = ROOT / "template.yaml"
NESTED = sorted(ROOT.glob("functions/*/template.yaml"))
HEAVY = {"geo": ("shapely", "h3", "numpy"), "documents": ("fpdf", "fontTools", "PIL"), "payments": ("stripe",)}
SERVERLESS_FUNCTION = "AWS::Serverless::Function"
LOOK_CALLS = 6
"""Make a customer, a payment, give it up, read it, read it once more, and capture it."""


def functions(path: Path) -> dict[str, dict[str, Any]]:
    """The functions of a template with the layers and variables they inherit."""
    template = load(path)
    shared = template["Globals"]["Function"]
    return {
        name: shared | resource["Properties"] | {"Layers": shared["Layers"] + resource["Properties"].get("Layers", [])}
        for name, resource in template["Resources"].items()
        if resource["Type"] == SERVERLESS_FUNCTION
    }


ALL_FUNCTIONS = {
    f"{path.parent.name}/{name}": body for path in (ROOT_TEMPLATE, *NESTED) for name, body in functions(path).items()
}


@pytest.fixture(scope="module")
def transformed() -> dict[str, dict[str, Any]]:
    """Every template as CloudFormation gets it."""
    python = ROOT / ".venv-sam" / "bin" / "python"
    assert python.exists(), "the SAM transform needs its environment: make .venv-sam/.ready"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "tools/transform.py", *(str(path) for path in (ROOT_TEMPLATE, *NESTED))]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


def test_resources_stay_below_the_limits(transformed: dict[str, dict[str, Any]]) -> None:
    counts = {path: len(template["Resources"]) for path, template in transformed.items()}
    assert max(counts.values()) < RESOURCES_PER_TEMPLATE, counts
    assert sum(counts.values()) < RESOURCES_PER_OPERATION, counts


def test_an_operation_costs_one_resource(transformed: dict[str, dict[str, Any]]) -> None:
    for surface in surfaces():
        template = transformed[str(ROOT / "functions" / surface.name / "template.yaml")]
        types = [resource["Type"] for resource in template["Resources"].values()]
        assert types.count("AWS::Lambda::Function") == len(surface.operations)
        roles = types.count("AWS::IAM::Role")
        assert len(types) == len(surface.operations) + roles + 3, "an API, its stage and an alarm come on top"


def test_templates_stay_below_their_size(transformed: dict[str, dict[str, Any]]) -> None:
    for path, template in transformed.items():
        assert len(json.dumps(template).encode()) < TEMPLATE_BYTES, path


@pytest.mark.parametrize("path", NESTED, ids=lambda path: path.parent.name)
def test_routes_and_integrations_stay_below_the_limits(path: Path) -> None:
    paths = load(path)["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    routes = [(route, method) for route, methods in paths.items() for method in methods]
    integrations = list(find(paths, "x-amazon-apigateway-integration"))
    assert len(routes) <= ROUTES_PER_API
    assert len(integrations) <= INTEGRATIONS_PER_API
    assert len(integrations) == len(routes)


@pytest.mark.parametrize("surface", surfaces(), ids=lambda surface: surface.name)
def test_operation_route_function_and_handler_are_one(surface: Any) -> None:
    path = ROOT / "functions" / surface.name / "template.yaml"
    resources = load(path)["Resources"]
    routes = {
        (method.upper(), route): integration["x-amazon-apigateway-integration"]
        for route, methods in resources["Api"]["Properties"]["DefinitionBody"]["paths"].items()
        for method, integration in methods.items()
    }
    operations = surface.operations.values()
    declared = {(operation.method, route): operation for operation in operations for route in operation.routes}
    assert routes.keys() == declared.keys()
    assert len({(operation.method, operation.path) for operation in operations}) == len(operations), "no shared route"
    assert not any(route.endswith("/") for _, route in routes), "API Gateway takes no route that ends in a slash"

    names = {function_name(operation) for operation in operations}
    assert names == functions(path).keys()
    for place, operation in declared.items():
        assert f"/functions/${{{function_name(operation)}.Arn}}/invocations" in routes[place]["uri"]["Fn::Sub"]
        assert functions(path)[function_name(operation)]["Handler"] == operation.handler
        assert handler(operation.handler).operation is operation


def handler(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("surface", surfaces(), ids=lambda surface: surface.name)
def test_every_surface_is_deployed_under_its_base(surface: Any) -> None:
    assert re.fullmatch(r"/[a-z]+", base(surface.name))


@pytest.mark.parametrize("body", ALL_FUNCTIONS.values(), ids=ALL_FUNCTIONS)
def test_handlers_exist_in_the_package_that_is_uploaded(body: dict[str, Any]) -> None:
    package = body["Handler"].partition(".")[0]
    assert body["CodeUri"].endswith(f"build/functions/{package}.zip")
    assert callable(handler(body["Handler"]))
    assert body["Runtime"] == "python3.13"
    assert body["Architectures"] == ["arm64"]


def test_no_stream_is_read_by_more_functions_than_a_shard_serves_well() -> None:
    sources = [
        str(event["Properties"]["Stream"])
        for resource in load(ROOT_TEMPLATE)["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "DynamoDB"
    ]
    assert max(Counter(sources).values()) <= 2


def test_whoever_asks_the_payment_provider_can_wait_for_its_answer() -> None:
    connect, read = stripe_gateway._TIMEOUTS
    call_s = (connect + read) * (1 + stripe_gateway._ATTEMPTS_MORE) + 1
    asking = {name: body for name, body in ALL_FUNCTIONS.items() if {"Ref": "PaymentsLayer"} in body["Layers"]}
    assert len(asking) > 2
    for name, body in asking.items():
        for_itself = name.startswith(f"{ROOT.name}/")  # nobody waits for it: it can wait for all calls of one look
        assert body["Timeout"] >= call_s * (LOOK_CALLS if for_itself else 1), name


def test_operators_can_read_what_to_do_on_every_alarm() -> None:
    chapter = (ROOT / "docs" / "operations.md").read_text().partition("\n## Alarms\n")[2].partition("\n## ")[0]
    headings = ",".join(re.findall(r"^### (.*)$", chapter, re.MULTILINE))
    explained = set(re.findall(r"\w+", headings))
    alarms = {
        name.removesuffix("Alarm")
        for path in (ROOT_TEMPLATE, *NESTED)
        for name, resource in load(path)["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert len(alarms) > 5
    assert alarms - explained == set()


WORKFLOWS = {
    "RENTAL_WORKFLOW_ARN": "RentalWorkflow",
    "RESERVATION_WORKFLOW_ARN": "ReservationWorkflow",
    "WEBHOOK_WORKFLOW_ARN": "WebhookWorkflow",
    "PAYMENT_WORKFLOW_ARN": "PaymentWorkflow",
}


def test_one_name_never_has_two_values() -> None:
    root = load(ROOT_TEMPLATE)
    variables = root["Globals"]["Function"]["Environment"]["Variables"]
    for path in NESTED:
        nested = load(path)["Globals"]["Function"]["Environment"]["Variables"]
        stack = next(
            resource["Properties"]["Parameters"]
            for resource in root["Resources"].values()
            if resource["Type"] == "AWS::Serverless::Application"
            and resource["Properties"]["Location"] == path.relative_to(ROOT).as_posix()
        )
        given = {
            name: stack[value["Ref"]] if isinstance(value, dict) else value
            for name, value in nested.items()
            if name not in WORKFLOWS
        }
        assert given == {name: value for name, value in variables.items() if name not in WORKFLOWS}
        # A workflow's ARN is spelled out in the root template, where a reference would be circular.
        for variable, workflow in WORKFLOWS.items():
            assert stack[nested[variable]["Ref"]] == {"Ref": workflow}
    for variable, workflow in WORKFLOWS.items():
        name = root["Resources"][workflow]["Properties"]["Name"]["Fn::Sub"]
        assert variables[variable]["Fn::Sub"].endswith(f":stateMachine:{name}")


def test_every_role_is_used() -> None:
    root = load(ROOT_TEMPLATE)
    text = json.dumps(root)
    roles = [name for name, resource in root["Resources"].items() if resource["Type"] == "AWS::IAM::Role"]
    assert [role for role in roles if f'["{role}", "Arn"]' not in text] == []


def test_every_operation_names_a_role() -> None:
    roles = load(ROOT_TEMPLATE)["Resources"].keys()
    operations: list[Operation] = [each for surface in surfaces() for each in surface.operations.values()]
    assert {operation.access for operation in operations if f"{operation.access}Role" not in roles} == set()


def test_what_everybody_may_call_reads_no_credentials() -> None:
    public = {each.id: each.access for surface in surfaces() for each in surface.operations.values() if each.public}
    del public["issue_token"]  # credentials are what it is asked with
    assert {"take_stripe_event", "show_payment", "show_card_setup", "get_crm_settings"} <= public.keys()
    for operation, access in public.items():
        assert [place for _, place in grants(f"{access}Role") if "Clients" in place] == [], operation


def test_what_everybody_may_call_has_limits_of_its_own() -> None:
    stacks = load(ROOT_TEMPLATE)["Resources"]
    checkout, maas = (stacks[name]["Properties"]["Parameters"] for name in ("Checkout", "Maas"))
    for limit in ("ThrottlingRate", "ThrottlingBurst"):
        assert checkout[limit] == {"Ref": f"Checkout{limit}"} != maas[limit]


def modules_by_layers() -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for body in ALL_FUNCTIONS.values():
        layers = " ".join(sorted(layer["Ref"] for layer in body["Layers"]))
        found.setdefault(layers, set()).add(body["Handler"].rpartition(".")[0])
    return {layers: sorted(modules) for layers, modules in found.items()}


@pytest.mark.parametrize(("layers", "modules"), modules_by_layers().items(), ids=modules_by_layers())
def test_modules_import_with_the_layers_their_functions_have(layers: str, modules: list[str]) -> None:
    missing = [name for layer, names in HEAVY.items() if f"{layer.title()}Layer" not in layers for name in names]
    code = f"import sys; sys.modules.update(dict.fromkeys({missing!r})); import {', '.join(modules)}"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def environment() -> dict[str, str]:
    roots = os.pathsep.join(str(ROOT / root) for root in ("functions", "layers/core/python"))
    return {**os.environ, "PYTHONPATH": roots}


@pytest.mark.parametrize("workflow", WORKFLOWS.values())
def test_a_state_machine_names_only_what_it_is_given(workflow: str) -> None:
    machine = load(ROOT_TEMPLATE)["Resources"][workflow]["Properties"]
    text = (ROOT / machine["DefinitionUri"]).read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)\}", text)) == machine["DefinitionSubstitutions"].keys()


@pytest.mark.parametrize("workflow", WORKFLOWS.values())
def test_a_workflow_may_invoke_its_tasks_and_nothing_else(workflow: str) -> None:
    resources = load(ROOT_TEMPLATE)["Resources"]
    given = resources[workflow]["Properties"]["DefinitionSubstitutions"].values()
    statements = resources[f"{workflow}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert [each["Resource"] for each in statements if each["Action"] == "lambda:InvokeFunction"] == [list(given)]
