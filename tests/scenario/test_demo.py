"""What the demo describes can be asked for as it stands there, on every surface."""

from typing import Any, Final

import pytest

from kickstand.http.operation import Operation
from tests.support.api import surface
from tests.support.http import Http
from tests.support.town import Town

PUBLISHED: Final = ("maas", "voi")
SURFACES: Final = ("checkout", *PUBLISHED)
OPERATIONS: Final = [(name, operation) for name in SURFACES for operation in surface(name).operations.values()]
QUERIES: Final[dict[str, dict[str, str]]] = {
    "get_crm_settings": {"userId": "demo-user", "platform": "web"},
    "get_damage_types": {"locale": "en"},
    "get_order": {"userId": "demo-user"},
    "get_payment_methods": {"userId": "demo-user"},
    "get_user_statistics": {"from": "2026-01-01T00:00:00Z"},
    "get_user_trips": {"from": "2026-01-01T00:00:00Z"},
    "list_orders": {"userId": "demo-user"},
    "list_vehicles_by_zone": {"zoneID": "1"},
}
"""What an operation has to be asked with."""

EMPTY: Final = {"get_active_rental_by_user", "show_card_setup", "show_payment"}
"""What a demo in which nobody rides, pays or saves a card has not got."""


@pytest.fixture(scope="module", autouse=True)
def _settled(town: Town) -> None:
    town.platform.settle()  # the invoice of the demo's user gets its document when all has started


def names_of(operation: Operation) -> set[str]:
    """The parameters of an operation's path."""
    model = operation.path_model
    return {field.alias or name for name, field in model.model_fields.items()} if model else set()


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=lambda each: getattr(each, "id", each))
def test_every_parameter_of_a_path_has_a_value(town: Town, name: str, operation: Operation) -> None:
    described = town.http.get("/_local/demo").json["surfaces"][name]
    assert described["ids"].keys() >= names_of(operation)


@pytest.mark.parametrize(
    ("name", "operation"),
    [each for each in OPERATIONS if each[1].method == "GET"],
    ids=lambda each: getattr(each, "id", each),
)
def test_everything_can_be_read(town: Town, name: str, operation: Operation) -> None:
    described: dict[str, Any] = town.http.get("/_local/demo").json["surfaces"][name]
    path = operation.path.format(**described["ids"])
    http = Http(town.platform.url + described["base"], described["headers"])
    answer = http.get(path, query=QUERIES.get(operation.id))
    expected = {404} if operation.id in EMPTY else {200, 303}
    assert answer.status in expected, (answer.request, answer.body)


def test_the_link_to_the_invoice_leads_to_its_document(town: Town) -> None:
    described: dict[str, Any] = town.http.get("/_local/demo").json["surfaces"]["checkout"]
    page = town.http.get(f"{described['base']}/invoices/{described['ids']['token']}")
    assert Http("").get(page.headers["location"]).body.startswith(b"%PDF")


@pytest.mark.parametrize("name", PUBLISHED)
def test_others_see_their_own_city_only(town: Town, name: str) -> None:
    described: dict[str, Any] = town.http.get("/_local/demo").json["surfaces"][name]
    (other,) = described["others"]
    http = Http(town.platform.url + described["base"], other["headers"])
    if name == "maas":
        assert [each["name"] for each in http.get("/systems").document["data"]] == ["Paris"]
        assert http.get(f"/vehicles/{described['ids']['vehicleId']}").status == 404
        assert http.get(f"/trips/{described['ids']['tripId']}").status == 404
    else:
        assert http.get(f"/v1/vehicles/id/{described['ids']['vehicleId']}").status == 404
