"""Subscriptions as clients of the MaaS surface see them."""

from datetime import datetime, timedelta

import pytest
from botocore.session import Session

from kickstand.identity import service as identity
from kickstand.kernel import clock
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.subscriptions import activated, kept

KARI, OLA = "kari", "ola"


@pytest.fixture
def city(aws: Session) -> City:
    return City()


@pytest.fixture
def rider(city: City) -> int:
    identity.ensure_external(city.client, OLA)
    return identity.ensure_external(city.client, KARI).rider_id


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def get(api: Client, user: str = KARI) -> Reply:
    return api.call("get_user_subscription", path={"userId": user})


def cancel(api: Client, user: str = KARI) -> Reply:
    return api.call("cancel_user_subscription", path={"userId": user})


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def milliseconds(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def test_a_subscription_as_it_is_shown(city: City, rider: int, api: Client) -> None:
    subscription = activated(city, rider)
    reply = get(api)
    assert reply.status == 200
    assert reply.json == {
        "id": subscription.id,
        "enabled": True,
        "validFrom": milliseconds(subscription.valid_from),
        "validTo": milliseconds(subscription.valid_until),
        "product": {
            "id": 7,
            "type": "subscription",
            "name": "Monthly pass",
            "description": "",
            "currency": "NOK",
            "price": 29900,
            "priceWithoutVat": 23920,
            "vatRate": 25,
            "validity": {"count": 1, "unit": "month"},
            "renewable": True,
            "cancellable": True,
            "ridesProductId": 24,
            "state": "active",
        },
        "isCancellable": True,
        "autoRenew": True,
    }


def test_cancelling_lets_it_end(city: City, rider: int, api: Client) -> None:
    activated(city, rider)
    before = get(api).json
    reply = cancel(api)
    assert reply.status == 200
    after = get(api).json
    assert reply.json == after
    assert after == before | {"autoRenew": False, "cancelledAt": after["cancelledAt"]}
    assert cancel(api).json == after


def test_what_is_free_can_be_cancelled(city: City, rider: int, api: Client) -> None:
    activated(city, rider, offer={"cancellable": False, "price": 0})
    assert get(api).json["isCancellable"] is True
    assert cancel(api).status == 200


def test_what_is_sold_for_good_cannot_be_cancelled(city: City, rider: int, api: Client) -> None:
    before = activated(city, rider, offer={"cancellable": False})
    assert get(api).json["isCancellable"] is False
    assert error(cancel(api)) == (409, "subscription_not_cancellable")
    assert kept(rider) == before


def test_only_valid_ones_are_shown(city: City, rider: int, api: Client) -> None:
    for call in (get, cancel):
        assert error(call(api)) == (404, "subscription_not_found")
    activated(city, rider, clock.now() - timedelta(days=40), auto_renew=False)
    for call in (get, cancel):
        assert error(call(api)) == (404, "subscription_not_found")


def test_users_of_others_and_nobody(city: City, rider: int, api: Client) -> None:
    activated(city, rider)
    other, _ = city.partner("Other")
    stranger = maas(access_token(other.id))
    for client, user in ((stranger, KARI), (api, "nobody")):
        for call in (get, cancel):
            assert error(call(client, user)) == (404, "user_not_found")
    assert error(get(api, OLA)) == (404, "subscription_not_found")


def test_a_request_on_behalf_of_another_user_is_refused(city: City, rider: int, api: Client) -> None:
    before = activated(city, rider)
    for call in (get, cancel):
        assert error(call(api.with_headers(on_behalf_of=OLA))) == (403, "user_mismatch")
    assert get(api.with_headers(on_behalf_of=KARI)).status == 200
    assert kept(rider) == before


def test_what_they_cost(city: City, rider: int, api: Client) -> None:
    activated(city, rider)
    get(api)
    with measured() as usage:
        get(api)
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
    assert usage.read_units <= 4
    with measured() as usage:
        cancel(api)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
