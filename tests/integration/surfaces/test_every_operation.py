"""What holds for every operation of every surface, whatever it does."""

from collections.abc import Callable

import pytest
from botocore.session import Session

from kickstand.http.operation import Operation
from kickstand.identity.store import RiderItem
from tests.support.api import ERROR_CODE, Client, access_token, voi
from tests.support.city import City
from tests.support.faults import unreachable_database
from tests.support.surfaces import CLIENTS, path_of
from tests.support.surfaces import OPERATIONS as EVERY

STRANGERS: dict[str, Callable[[City], list[Client]]] = {
    "maas": lambda city: [
        Client("maas", {} if header is None else {"authorization": header})
        for token in [access_token(city.client.id)]
        for header in (
            *(None, "", "Bearer", "Bearer ", "Bearer x.y.z", f"Bearer {token[:-1]}", f"Bearer {token}x", token),
            *(f"Basic {token}", f"Bearer {city.token}", "ü" * 200, f"Bearer {token}, Bearer {token}"),
        )
    ],
    "voi": lambda city: [
        voi(token)
        for token in (None, "", "kst_1_x", "kst_zz_" + "x" * 43, city.token[:-1], city.token + "x", "ü" * 200)
    ],
}
UNKNOWN = {"maas": (401, "unauthorized"), "voi": (401, "Unauthorized")}
OPERATIONS = [
    pytest.param(name, operation, id=f"{name}-{operation.id}") for name, operation in EVERY if not operation.public
]


@pytest.fixture
def city(aws: Session) -> City:
    return City()


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_nobody_unknown_gets_anything(city: City, name: str, operation: Operation) -> None:
    for stranger in STRANGERS[name](city):
        for raw in (None, "{"):
            reply = stranger.call(operation.id, path=path_of(name, operation), raw=raw)
            assert (reply.status, reply.json[ERROR_CODE[name]]) == UNKNOWN[name], stranger.headers
    assert not list(RiderItem.scan(RiderItem.kind == RiderItem.KIND))


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_an_unreachable_database_is_a_plain_500(city: City, name: str, operation: Operation) -> None:
    client = CLIENTS[name](city)
    with unreachable_database():
        reply = client.call(operation.id, path=path_of(name, operation), body={})
    assert reply.status == 500
    assert "dynamodb" not in reply.body.decode()
