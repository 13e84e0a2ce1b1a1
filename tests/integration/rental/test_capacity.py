"""What operations ask of DynamoDB, authentication included, as the engine counts it."""

from collections.abc import Callable

import pytest

from kickstand.kernel import store
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from local.server import Tables
from tests.support.api import Client, voi
from tests.support.capacity import Usage, measured
from tests.support.city import OSLO, City

HERE = {"longitude": OSLO.longitude, "latitude": OSLO.latitude}


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(scope="module")
def api(city: City) -> Client:
    return voi(city.token)


def start(city: City, api: Client) -> str:
    body = {
        "userId": str(city.rider().public_id),
        "vehicleId": str(city.vehicle().public_id),
        "userStartLocation": HERE,
    }
    return str(api.call("start_rental", body=body).json["data"][0]["id"])


def test_start(city: City, api: Client) -> None:
    rider, vehicle = city.rider(), city.vehicle()
    body = {"userId": str(rider.public_id), "vehicleId": str(vehicle.public_id), "userStartLocation": HERE}
    with measured() as usage:
        assert api.call("start_rental", body=body).status == 200
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    assert usage.read_units <= 4
    assert usage.write_units <= 10


def test_end(city: City, api: Client) -> None:
    rental = start(city, api)
    with measured() as usage:
        assert api.call("end_rental", path={"rentalId": rental}, body={"userEndLocation": HERE}).status == 200
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    assert usage.read_units <= 4
    assert usage.write_units <= 10


@pytest.mark.parametrize("operation", ["get_price", "get_vehicle_by_id"])
def test_a_price_or_a_vehicle_takes_one_round_trip(city: City, api: Client, operation: str) -> None:
    path = {"id": str(city.vehicle().public_id)}
    _one_round_trip(lambda: api.call(operation, path=path).status == 200, read_units=2)


def test_a_vehicle_by_code_takes_two(city: City, api: Client) -> None:
    code = city.vehicle().code
    with measured() as usage:
        assert api.call("get_vehicle_by_code", path={"code": code}).status == 200
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
    assert usage.read_units <= 3


def test_other_reads_take_one(city: City, api: Client) -> None:
    user, rental = city.rider(), start(city, api)
    _one_round_trip(lambda: api.call("get_user", path={"id": str(user.public_id)}).status == 200, read_units=2)
    _one_round_trip(lambda: api.call("get_rental", path={"id": rental}).status == 200, read_units=2)


def test_an_unknown_token_reads_no_more_than_its_partner(city: City) -> None:
    path = {"id": str(city.vehicle().public_id)}
    _one_round_trip(lambda: voi(city.token + "x").call("get_price", path=path).status == 401, read_units=2)
    with measured() as usage:
        voi("nonsense").call("list_products")
    assert usage.calls == []


def test_a_confirmed_unlocking_takes_one_read_and_one_write(city: City, api: Client) -> None:
    start(city, api)
    store.begin()
    rental = rentals.start(city.client, city.rider().public_id, city.vehicle().public_id)
    store.begin()
    with measured() as usage:
        lifecycle.confirm_unlocked(rental.id)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]


def _one_round_trip(call: Callable[[], bool], read_units: float) -> Usage:
    with measured() as usage:
        assert call()
    assert usage.calls == ["BatchGetItem"]
    assert usage.read_units <= read_units
    return usage
