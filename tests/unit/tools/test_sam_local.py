"""The template for ``sam local invoke``."""

import json
from pathlib import Path

from local.server import ROOT
from tools.cfn_rules._template import find
from tools.cloudformation import load
from tools.sam_local import template


def test_every_function_is_there_with_the_environment() -> None:
    made = template({"FLEET_TABLE": "here"})["Resources"]
    functions = {name: each["Properties"] for name, each in made.items() if each["Type"] == "AWS::Serverless::Function"}
    declared = {
        name: resource["Properties"]["Handler"]
        for path in (ROOT / "template.yaml", *ROOT.glob("functions/*/template.yaml"))
        for name, resource in load(path)["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert {name: each["Handler"] for name, each in functions.items()} == declared
    for properties in functions.values():
        assert properties["Environment"] == {"Variables": {"FLEET_TABLE": "here"}}
        assert Path(properties["CodeUri"]).parent == ROOT / "build" / "functions"


def test_it_refers_to_nothing_outside_itself() -> None:
    made = template({})
    assert set(find(made, "Ref")) <= made["Resources"].keys()
    assert "Fn::" not in json.dumps(made)
