"""Templates, OpenAPI documents, coverage and drift, on a surface of six operations."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openapi_spec_validator import validate
from pydantic import BaseModel

from kickstand.http.operation import ErrorAnswer, Operation, Webhook
from tests.support.api import surface
from tests.unit.tools.fake_surface import Bike, BikePath, Headers, Signature, bicycles
from tools import coverage, openapi, templates
from tools.cloudformation import dumps, loads
from tools.drift import drift


class Problem(BaseModel):
    code: str


REFERENCE: Any = SimpleNamespace(
    TITLE="Bicycles",
    VERSION="7",
    NOTES="Mind the gap.",
    SECURITY={"key": {"type": "apiKey", "in": "header", "name": "x-key"}},
    TAGS={"Bike": "Things to ride."},
    WEBHOOKS=(
        Webhook(
            "bike_stolen",
            "bikes/stolen",
            "Bike",
            "A bike is gone",
            "Sent once\nor twice.",
            headers=Signature,
            payload=Bike,
        ),
    ),
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
    assert functions.keys() == {
        "ListBikesFunction",
        "GetBikeFunction",
        "AddBikeFunction",
        "GetKeyFunction",
        "ShowBikeFunction",
        "SendTelegramFunction",
    }
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
        ("/key", "post"),
        ("/pages/{id}", "get"),
        ("/telegrams", "post"),
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
    assert sum(map(len, invoked)) == 300
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
    size, colour, *_ = document["paths"]["/v1/bikes"]["get"]["parameters"]
    assert size["name"] == "pageSize"
    assert size["schema"] == {"default": 10, "maximum": 50, "minimum": 1, "type": "integer"}
    assert not size["required"]
    assert colour["schema"] == {"$ref": "#/components/schemas/Colour"}
    id_, _ = document["paths"]["/v1/bikes/{id}"]["get"]["parameters"]
    assert id_ == {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The bike's id.",
        "schema": {"format": "uuid", "type": "string"},
    }


def test_parameters_with_several_values_are_repeated(document: dict[str, Any]) -> None:
    colours = document["paths"]["/v1/bikes"]["get"]["parameters"][2]
    assert colours == {
        "name": "colours[]",
        "in": "query",
        "required": False,
        "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Colour"}, "default": []},
        "style": "form",
        "explode": True,
    }


def test_common_headers_are_parameters_of_whoever_says_who_they_are(document: dict[str, Any]) -> None:
    language = {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "For people.",
        "schema": {"type": "string"},
    }
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert [each["operationId"] for each in operations if language in each.get("parameters", [])] == [
        "list_bikes",
        "add_bike",
        "get_bike",
    ]
    assert Headers.__name__ not in document["components"]["schemas"]


def test_what_is_for_everybody_asks_for_no_credentials(document: dict[str, Any]) -> None:
    key = document["paths"]["/key"]["post"]
    assert key["security"] == []
    assert "401" not in key["responses"]
    assert key["requestBody"]["content"].keys() == {"application/x-www-form-urlencoded"}
    assert "security" not in document["paths"]["/v1/bikes"]["post"]


def test_deprecated_operations_say_so(document: dict[str, Any]) -> None:
    assert document["paths"]["/v1/bikes/{id}"]["get"]["deprecated"]
    assert "deprecated" not in document["paths"]["/v1/bikes"]["get"]


def test_webhooks_are_described_like_operations(document: dict[str, Any]) -> None:
    assert document["webhooks"].keys() == {"bikes/stolen"}
    sent = document["webhooks"]["bikes/stolen"]["post"]
    assert sent["operationId"] == "bike_stolen"
    assert sent["description"] == "Sent once or twice."
    assert sent["security"] == []
    assert sent["parameters"] == [
        {"name": "Bike-Signature", "in": "header", "required": True, "schema": {"type": "string"}}
    ]
    payload = {"application/json": {"schema": {"$ref": "#/components/schemas/Bike"}}}
    assert sent["requestBody"] == {"required": True, "content": payload}
    assert sent["responses"].keys() == {"2XX", "410", "default"}


def test_pages_are_html_and_so_are_their_errors(document: dict[str, Any]) -> None:
    responses = document["paths"]["/pages/{id}"]["get"]["responses"]
    html = {"text/html": {"schema": {"type": "string"}}}
    assert list(responses) == ["200", "303", "404"]
    assert responses["200"]["content"] == responses["404"]["content"] == html
    assert "content" not in responses["303"]
    assert not any("303" in each["responses"] for each in document["paths"]["/v1/bikes"].values())


def test_a_body_that_is_taken_as_it_comes_has_no_schema(document: dict[str, Any]) -> None:
    assert document["paths"]["/telegrams"]["post"]["requestBody"] == {"required": True, "content": {"*/*": {}}}


def test_what_an_operation_answers_itself_is_not_shown_twice() -> None:
    surface = bicycles()
    own = ErrorAnswer(401, "Stranger", "Nobody has this key")
    surface.operations["add_bike"] = replace(surface.operations["add_bike"], errors=(own,))
    responses = openapi.document(surface, REFERENCE)["paths"]["/v1/bikes"]["post"]["responses"]
    assert list(responses["401"]["content"]["application/json"]["examples"].values()) == [
        {"summary": "Nobody has this key", "value": {"code": "Stranger"}}
    ]


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


def test_coverage_counts_what_is_sent() -> None:
    hook = Webhook("trip_event", "trips/events", "Bike", "", "", headers=Signature, payload=Bike)
    page = coverage.render({}, {"maas": [hook]})
    assert "| *webhooks sent* | 6 | 1 | `trip_event` |" in page


def test_coverage_refuses_what_nobody_documents() -> None:
    operation = surface("voi").operations["start_rental"]
    with pytest.raises(LookupError, match="fly"):
        coverage.render({"voi": [replace(operation, id="fly")]})
    with pytest.raises(LookupError, match="nowhere"):
        coverage.render({"nowhere": [operation]})


def test_coverage_shows_ours_apart() -> None:
    ours = replace(surface("voi").operations["start_rental"], id="fly", method="POST", path="/fly", documented=False)
    page = coverage.render({"voi": [ours]})
    assert "| voi | Voi partner API | `/voi` | 18 | 0 |" in page
    assert f"| `fly` | POST | `/fly` | {ours.summary} |" in page


def test_coverage_leaves_surfaces_without_a_reference_out_of_the_count() -> None:
    ours = replace(surface("voi").operations["start_rental"], id="fly", method="POST", path="/fly", documented=False)
    page = coverage.render({"sky": [ours]})
    assert "| **all** | | | **628** | **0** |" in page
    assert "| sky |" not in page
    assert f"| `fly` | POST | `/fly` | {ours.summary} |" in page.partition("## sky")[2]


def test_drift_shows_the_difference(tmp_path: Path) -> None:
    same, other, missing = (tmp_path / name for name in ("same", "other", "missing"))
    same.write_text("a\n", encoding="utf-8")
    other.write_text("a\n", encoding="utf-8")
    found = list(drift([(same, "a\n"), (other, "b\n"), (missing, "c\n")]))
    assert len(found) == 2
    assert "-a\n+b" in found[0]
    assert "is missing" in found[1]
