"""What the surface adds around a use case when a function is warm."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from kickstand.clients.model import ApiClient
from kickstand.clients.store import ClientItem
from kickstand.fleet.store import VehicleItem
from kickstand.kernel import clock, ids, store
from kickstand.rental import rules
from tests.support.bench import Table, milliseconds
from tests.support.city import City
from tests.support.vehicles import item, vehicle
from voi._surface import Voi
from voi.rentals import RentalList, StartRental

pytestmark = pytest.mark.bench

TIMES = 2_000


def test_the_surface_around_an_empty_use_case(aws: object, monkeypatch: pytest.MonkeyPatch) -> None:
    city = City()
    renter = rules.Renter.of(city.rider(), city.client)
    rental = rules.started(ids.new_id(), renter, city.vehicle(), clock.now())
    answer = RentalList.of(rental)
    surface = Voi("bench", max_body=16 * 1024)

    @surface.operation("POST", "/start", tag="Bench", access="None")
    def start(caller: ApiClient, body: StartRental) -> RentalList:
        """Start nothing."""
        return answer

    @surface.operation("GET", "/nothing", tag="Bench", access="None")
    def nothing(caller: ApiClient) -> RentalList:
        """Do nothing."""
        return answer

    # What the first round trip of a request brings is there already.
    known = ClientItem.of(city.client)
    monkeypatch.setattr(store, "_fetch", lambda keys: {key.address: known for key in keys})

    body = json.dumps({"userId": str(uuid4()), "vehicleId": str(uuid4()), "userStartLocation": place()})
    event = {"headers": {"x-auth-token": city.token}, "requestContext": {"requestId": "bench"}}
    asking = event | {"body": body}
    model = StartRental.model_validate_json(body)
    assert start(asking, None)["statusCode"] == nothing(event, None)["statusCode"] == 200

    steps: dict[str, Callable[[], Any]] = {
        "the bare call": lambda: start.__wrapped__(city.client, model),  # type: ignore[attr-defined]
        "the operation, whole": lambda: start(asking, None),
        "… without a body": lambda: nothing(event, None),
        "decode the body": lambda: StartRental.model_validate_json(body),
        "encode the answer": lambda: answer.model_dump_json(by_alias=True, exclude_none=True),
        "an item to its entity": lambda: known.entity,
    }
    figures = {name: milliseconds(call, TIMES) for name, call in steps.items()}
    whole = figures["the operation, whole"]
    table = Table(f"The surface, warm, ms (medians of {TIMES:,})", "step", "ms")
    for name, figure in figures.items():
        table.row(name, f"{figure:.4f}")
    table.show("the aim is 0.3 ms around an empty use case: decoded, authenticated, encoded, logged")
    assert whole < 1


def place() -> dict[str, float]:
    return {"longitude": 10.7522, "latitude": 59.9139}


def test_items_to_and_from_dynamodb() -> None:
    scooter = vehicle(1)
    raw = item(scooter).to_dynamodb_dict()
    assert VehicleItem.from_raw_data(raw).entity == scooter
    table = Table(f"A vehicle's item, warm, ms (medians of {TIMES:,})", "step", "ms")
    table.row("read", f"{milliseconds(lambda: VehicleItem.from_raw_data(raw).entity, TIMES):.4f}")
    table.row("write", f"{milliseconds(lambda: item(scooter).to_dynamodb_dict(), TIMES):.4f}")
    table.show()
