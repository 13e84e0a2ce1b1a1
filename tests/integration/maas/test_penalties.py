"""Penalties as clients of the MaaS surface see them."""

from typing import Any

import pytest
from botocore.session import Session

from kickstand.identity import service as identity
from kickstand.kernel import ids, store
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City

KARI, OLA = "kari", "ola"


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    for user in (KARI, OLA):
        identity.ensure_external(city.client, user)
    return city


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def add(api: Client, user: str = KARI, **body: Any) -> Reply:
    return api.call("add_user_penalty", path={"userId": user}, body={"penaltyPoints": 3} | body)


def listed(api: Client, user: str = KARI, **query: str) -> list[dict[str, Any]]:
    reply = api.call("list_user_penalties", path={"userId": user}, query=query)
    assert reply.status == 200
    return list(reply.json["data"])


def resolve(api: Client, penalty_id: object, user: str = KARI, body: object = None) -> Reply:
    path = {"userId": user, "penaltyId": str(penalty_id)}
    return api.call("resolve_user_penalty", path=path, body=body if body is not None else {"state": "resolved"})


def points(city: City, user: str = KARI) -> int:
    store.begin()
    return identity.external(city.client, user).penalty_points


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def test_a_penalty_as_it_is_added(city: City, api: Client) -> None:
    reply = add(api, comment="Parked on the tram's tracks")
    assert reply.status == 200
    penalty = reply.json
    assert {key: penalty[key] for key in penalty.keys() - {"penaltyId", "createdAt"}} == {
        "userId": KARI,
        "penaltyType": "manual",
        "penaltyPoints": 3,
        "state": "active",
        "comment": "Parked on the tram's tracks",
    }
    assert penalty["createdAt"].endswith("Z")
    assert listed(api) == [penalty]
    assert points(city) == 3


def test_a_penalty_of_the_documented_type(api: Client) -> None:
    assert add(api, penaltyType="trip_duration").json["penaltyType"] == "trip_duration"


def test_penalties_are_listed_newest_first_and_by_state(api: Client) -> None:
    first, second, third = (add(api, penaltyPoints=each).json for each in (1, 2, 3))
    resolved = resolve(api, second["penaltyId"]).json
    assert sorted(listed(api), key=lambda each: -int(each["penaltyId"])) == listed(api)
    assert {each["penaltyId"] for each in listed(api)} == {each["penaltyId"] for each in (first, second, third)}
    assert listed(api, state="resolved") == [resolved]
    assert {each["penaltyPoints"] for each in listed(api, state="active")} == {1, 3}
    assert listed(api, OLA) == []


@pytest.mark.parametrize("body", [{"state": "resolved"}, {}])
def test_a_penalty_is_resolved_once(city: City, api: Client, body: dict[str, str]) -> None:
    penalty = add(api).json
    reply = resolve(api, penalty["penaltyId"], body=body)
    assert reply.status == 200
    assert reply.json == penalty | {"state": "resolved", "resolvedAt": reply.json["resolvedAt"]}
    assert points(city) == 0
    assert error(resolve(api, penalty["penaltyId"])) == (409, "penalty_resolved")
    assert points(city) == 0


def test_users_that_do_not_exist_have_no_penalties(city: City, api: Client) -> None:
    other, _ = city.partner("Other")
    stranger = maas(access_token(other.id))
    penalty = add(api).json
    for client, user in ((api, "nobody"), (stranger, KARI)):
        path = {"userId": user}
        for reply in (
            client.call("list_user_penalties", path=path),
            add(client, user),
            resolve(client, penalty["penaltyId"], user),
        ):
            assert error(reply) == (404, "user_not_found")
    assert error(resolve(api, penalty["penaltyId"], OLA)) == (404, "penalty_not_found")
    assert error(resolve(api, ids.new_id())) == (404, "penalty_not_found")
    assert points(city) == 3


def test_a_request_on_behalf_of_another_user_is_refused(api: Client) -> None:
    penalty = add(api).json
    for_ola, for_kari, for_nobody = (api.with_headers(on_behalf_of=each) for each in (OLA, KARI, "nobody"))
    for reply in (
        for_ola.call("list_user_penalties", path={"userId": KARI}),
        add(for_ola),
        resolve(for_ola, penalty["penaltyId"]),
    ):
        assert error(reply) == (403, "user_mismatch")
    assert len(listed(for_kari)) == len(listed(for_nobody)) == 1


def test_a_penalty_is_about_a_trip_of_its_user(city: City, api: Client) -> None:
    assert error(add(api, tripId=ids.new_id())) == (404, "trip_not_found")
    assert listed(api) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"penaltyPoints": 0},
        {"penaltyPoints": 101},
        {"penaltyPoints": 1.5},
        {"penaltyPoints": "3"},
        {"penaltyPoints": True},
        {"penaltyPoints": 3, "penaltyType": "bad_manners"},
        {"penaltyPoints": 3, "comment": "\u0000"},
        {"penaltyPoints": 3, "comment": "x" * 256},
        {"penaltyPoints": 3, "tripId": "7"},
        {"penaltyPoints": 3, "tripId": -1},
        {"penaltyPoints": 3, "tripId": 2**53},
        [],
    ],
)
def test_a_penalty_that_cannot_be(city: City, api: Client, body: object) -> None:
    assert error(api.call("add_user_penalty", path={"userId": KARI}, body=body)) == (400, "invalid_request")
    assert points(city) == 0


@pytest.mark.parametrize("penalty_id", ["0", "-1", "x", "1.5", str(2**53), "9" * 400])
def test_an_id_that_cannot_be(api: Client, penalty_id: str) -> None:
    assert error(resolve(api, penalty_id)) == (400, "invalid_request")


def test_other_input_that_cannot_be(api: Client) -> None:
    penalty = add(api).json
    assert error(resolve(api, penalty["penaltyId"], body={"state": "active"})) == (400, "invalid_request")
    assert error(api.call("list_user_penalties", path={"userId": "x" * 256})) == (400, "invalid_request")
    reply = api.call("list_user_penalties", path={"userId": KARI}, query={"state": "open"})
    assert error(reply) == (400, "invalid_request")


def test_nobody_is_told_anything_without_a_token(api: Client) -> None:
    assert error(maas("x").call("list_user_penalties", path={"userId": KARI})) == (401, "unauthorized")


def test_round_trips(api: Client) -> None:
    with measured() as usage:
        penalty = add(api).json
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    with measured() as usage:
        listed(api)
    assert usage.calls == ["BatchGetItem", "Query"]
    with measured() as usage:
        resolve(api, penalty["penaltyId"])
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
