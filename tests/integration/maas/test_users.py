"""Users of the MaaS surface, and who may speak for them."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from botocore.session import Session

from kickstand.identity import service as identity
from kickstand.identity.store import RiderItem
from kickstand.kernel import store
from local.server import Tables
from tests.support.api import Client, access_token, maas
from tests.support.city import City


class World:
    def __init__(self) -> None:
        self.city = City()
        self.api = maas(access_token(self.city.client.id))

    def create(self, user_id: str, api: Client | None = None, **headers: str) -> tuple[int, str]:
        reply = (api or self.api).with_headers(**headers).call("create_user", path={"userId": user_id})
        return reply.status, reply.json.get("code") or reply.json["id"]


@pytest.fixture
def world(aws: Session) -> World:
    return World()


def riders() -> list[int]:
    return [each.entity.id for each in RiderItem.scan(RiderItem.kind == RiderItem.KIND)]


def test_a_user_is_created_once(world: World) -> None:
    assert world.create("kari") == (200, "kari")
    assert world.create("kari") == (200, "kari")
    assert len(riders()) == 1
    store.begin()
    user = identity.external(world.city.client, "kari")
    assert [user.rider_id] == riders()


@pytest.mark.parametrize(
    "user_id", ["x" * 255, "Kari Nordmann", "kari@mail.example.com", "a/b?c#d", "0", "\N{BICYCLE}"]
)
def test_an_id_is_whatever_the_client_says(world: World, user_id: str) -> None:
    assert world.create(user_id) == (200, user_id)


@pytest.mark.parametrize("user_id", ["", "x" * 256, "a\nb", "a\x00b", "\x85", "\ud800", "\ufffd\ufffd"])
def test_an_id_is_what_people_can_read(world: World, user_id: str) -> None:
    assert world.create(user_id) == (400, "invalid_request")
    assert riders() == []


def test_clients_have_users_of_their_own(world: World) -> None:
    other, _ = world.city.partner("Wanderer")
    world.create("kari")
    assert world.create("kari", maas(access_token(other.id))) == (200, "kari")
    assert len(riders()) == 2


def test_a_client_may_say_for_whom_it_calls(world: World) -> None:
    assert world.create("kari", on_behalf_of="kari") == (200, "kari")
    assert world.create("kari", on_behalf_of="kari") == (200, "kari")


def test_it_may_not_call_for_one_user_and_name_another(world: World) -> None:
    world.create("ola")
    assert world.create("kari", on_behalf_of="ola") == (403, "user_mismatch")
    assert len(riders()) == 1


def test_an_id_that_is_no_users_is_no_other_user(world: World) -> None:
    other, _ = world.city.partner("Wanderer")
    world.create("theirs", maas(access_token(other.id)))
    assert world.create("kari", on_behalf_of="support-agent-7") == (200, "kari")
    assert world.create("kari", on_behalf_of="theirs") == (200, "kari")


@pytest.mark.parametrize("header", ["", "x" * 256, "a\x00b"])
def test_for_whom_a_client_calls_is_an_id_too(world: World, header: str) -> None:
    assert world.create("kari", on_behalf_of=header) == (400, "invalid_request")


def test_creating_a_user_takes_one_read_and_one_write(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[int] = []
    fetch = store._fetch

    def counted(keys: list[Any]) -> Any:
        fetched.append(len(keys))
        return fetch(keys)

    monkeypatch.setattr(store, "_fetch", counted)
    world.create("ola")
    world.create("kari", on_behalf_of="ola")
    assert fetched == [2, 3]  # the client and the user; and whoever is called for


def test_however_many_create_a_user_at_once_there_is_one(engine: Tables) -> None:
    world = World()

    def create(_: int) -> tuple[int, str]:
        return copy_context().run(world.create, "kari")

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(create, range(32))) == {(200, "kari")}
    store.begin()
    assert identity.external(world.city.client, "kari").rider_id in riders()
    assert len(riders()) == 1
