"""Paths that end in a slash, which API Gateway knows only as the empty end of something greedy."""

import pytest

from local.api import Router
from local.template import Route
from tests.support.api import surface
from voi.vehicles import list_vehicles_by_zone

LISTING = surface("voi").operations["list_vehicles_by_zone"]


def test_a_path_with_a_slash_at_its_end_has_two_routes() -> None:
    assert LISTING.path == "/v1/vehicles/"
    assert LISTING.routes == ("/v1/vehicles", "/v1/vehicles/{beyond+}")
    assert surface("voi").operations["get_price"].routes == ("/v1/pricing/vehicle/{id}",)


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/vehicles", "list_vehicles_by_zone"),
        ("/v1/vehicles/", "list_vehicles_by_zone"),
        ("/v1/vehicles/code/L33T", "get_vehicle_by_code"),
        ("/v1/product", "list_products"),
        ("/v1/product/", None),
        ("/v1/vehiclesx", None),
    ],
)
def test_where_requests_arrive(path: str, operation: str | None) -> None:
    routes = [
        Route(each.method, route, name) for name, each in surface("voi").operations.items() for route in each.routes
    ]
    found = Router(routes).find("GET", path)
    assert (found[0].function_arn if found else None) == operation
    if operation == "list_vehicles_by_zone" and found:
        assert not found[1].get("beyond")


def test_what_lies_beyond_does_not_exist() -> None:
    answer = list_vehicles_by_zone({"pathParameters": {"beyond": "of/it"}, "headers": {}}, None)
    assert (answer["statusCode"], answer["body"]) == (404, '{"message":"Not Found"}')
