"""Templates, OpenAPI documents, coverage and drift, on a surface of three operations."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from kickstand.http.operation import ErrorAnswer, Operation
from tests.support.api import surface
from tests.unit.tools.fake_surface import BikePath, bicycles
from tools import coverage, openapi, templates
from tools.cloudformation import dumps, loads
from tools.drift import drift


class Problem(BaseModel):
    code: str


REFERENCE: Any = SimpleNamespace(
    TITLE="Bicycles",
    VERSION="7",
    SECURITY={"key": {"type": "apiKey", "in": "header", "name": "x-key"}},
    TAGS={"Bike": "Things to ride."},
    ERROR=Problem,
    COMMON_ERRORS=(ErrorAnswer(401, "Stranger", "Who are you?"),),
    error_example=lambda answer: Problem(code=answer.code),
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(bicycles(), REFERENCE)


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return templates.template(bicycles())


def test_cloudformation_survives_a_round_trip() -> None:
    text = (
        "# header\n"
        "Description: 'a: b'\n"
        "\n"
        "Parameters:\n"
        "  Stage:\n"
        "    Type: String\n"
        "\n"
        "Resources:\n"
        "  A:\n"
        "    Ref: !Ref B\n"
        "    Arn: !GetAtt B.Arn\n"
        "\n"
        "  B:\n"
        "    Sub: !Sub ${A}/x\n"
    )
    assert dumps(loads(text), "header") == text
    assert loads(text)["Resources"]["A"] == {"Ref": {"Ref": "B"}, "Arn": {"Fn::GetAtt": ["B", "Arn"]}}


def test_a_written_template_reads_as_it_was_meant(template: dict[str, Any]) -> None:
    assert loads(templates.render(bicycles())) == template


def test_each_operation_is_one_function(template: dict[str, Any]) -> None:
    functions = {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert functions.keys() == {"ListBikesFunction", "GetBikeFunction", "AddBikeFunction"}
    assert functions["GetBikeFunction"]["Layers"] == [{"Ref": "GeoLayer"}]
    assert functions["AddBikeFunction"]["MemorySize"] == 1024
    assert functions["AddBikeFunction"]["Role"] == {"Ref": "RentalRequestsRole"}
    assert functions["ListBikesFunction"]["CodeUri"] == "../../build/functions/bicycles.zip"


def test_each_operation_is_one_route(template: dict[str, Any]) -> None:
    paths = template["Resources"]["Api"]["Properties"]["DefinitionBody"]["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == {
        ("/v1/bikes", "get"),
        ("/v1/bikes", "post"),
        ("/v1/bikes/{id}", "get"),
    }
    integration = paths["/v1/bikes/{id}"]["get"]["x-amazon-apigateway-integration"]
    assert "${GetBikeFunction.Arn}" in integration["uri"]["Fn::Sub"]
    assert integration["credentials"] == {"Fn::GetAtt": ["IntegrationRole", "Arn"]}


def test_every_parameter_is_used_and_everything_used_is_there(template: dict[str, Any]) -> None:
    used = json.dumps(template["Resources"] | template["Globals"]).split('"Ref": "')[1:]
    names = {each.partition('"')[0] for each in used}
    assert names - {"Api"} == template["Parameters"].keys()


def test_large_surfaces_spread_their_rights_over_several_roles() -> None:
    surface = bicycles()
    ((_, operation), *_) = surface.operations.items()
    for number in range(294):
        copy = Operation(**{**vars(operation), "id": f"update_something_rather_long_{number}"})
        surface.operations[copy.id] = copy
    resources = templates.template(surface)["Resources"]
    roles = [each for each in resources.values() if each["Type"] == "AWS::IAM::Role"]
    invoked = [role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Resource"] for role in roles]
    assert sum(map(len, invoked)) == 297
    assert max(map(len, invoked)) * 150 < 10_240
    assert len(resources) + 1 < 500


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"
    assert document["tags"] == [{"name": "Bike", "description": "Things to ride."}]


def test_operations_are_described_by_their_docstrings(document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/bikes"]["get"]
    assert operation["operationId"] == "list_bikes"
    assert operation["summary"] == "List bikes"
    assert operation["description"] == "Newest first, in pages.\n\nPages end."


def test_parameters_carry_their_bounds_and_are_never_null(document: dict[str, Any]) -> None:
    size, colour = document["paths"]["/v1/bikes"]["get"]["parameters"]
    assert size["name"] == "pageSize"
    assert size["schema"] == {"default": 10, "maximum": 50, "minimum": 1, "type": "integer"}
    assert not size["required"]
    assert colour["schema"] == {"$ref": "#/components/schemas/Colour"}
    (id_,) = document["paths"]["/v1/bikes/{id}"]["get"]["parameters"]
    assert id_ == {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The bike's id.",
        "schema": {"format": "uuid", "type": "string"},
    }


def test_bodies_are_schemas(document: dict[str, Any]) -> None:
    body = document["paths"]["/v1/bikes"]["post"]["requestBody"]
    assert body["required"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/NewBike"}
    schemas = document["components"]["schemas"]
    assert schemas["NewBike"]["required"] == ["frameColour"]
    assert schemas["Bike"]["required"] == ["id", "frameColour", "gears"]
    assert BikePath.__name__ not in schemas


def test_documented_errors_are_examples(document: dict[str, Any]) -> None:
    responses = document["paths"]["/v1/bikes/{id}"]["get"]["responses"]
    assert list(responses) == ["200", "401", "404"]
    examples = responses["404"]["content"]["application/json"]["examples"]
    assert examples == {"NoBike": {"summary": "There is no such bike", "value": {"code": "NoBike"}}}


def test_coverage_counts_what_is_built() -> None:
    page = coverage.render({"voi": [surface("voi").operations["start_rental"]]})
    assert "| voi | Voi partner API | `/voi` | 18 | 1 |" in page
    assert "| Rental | 5 | 1 | `start_rental` |" in page
    assert "| **all** | | | **628** | **1** |" in page


def test_coverage_refuses_what_nobody_documents() -> None:
    operation = surface("voi").operations["start_rental"]
    with pytest.raises(LookupError, match="fly"):
        coverage.render({"voi": [replace(operation, id="fly")]})
    with pytest.raises(LookupError, match="nowhere"):
        coverage.render({"nowhere": []})


def test_coverage_shows_ours_apart() -> None:
    ours = replace(surface("voi").operations["start_rental"], id="fly", method="POST", path="/fly", documented=False)
    page = coverage.render({"voi": [ours]})
    assert "| voi | Voi partner API | `/voi` | 18 | 0 |" in page
    assert f"| `fly` | POST | `/fly` | {ours.summary} |" in page


def test_drift_shows_the_difference(tmp_path: Path) -> None:
    same, other, missing = (tmp_path / name for name in ("same", "other", "missing"))
    same.write_text("a\n", encoding="utf-8")
    other.write_text("a\n", encoding="utf-8")
    found = list(drift([(same, "a\n"), (other, "b\n"), (missing, "c\n")]))
    assert len(found) == 2
    assert "-a\n+b" in found[0]
    assert "is missing" in found[1]
