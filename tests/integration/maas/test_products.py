"""Products as clients of the MaaS surface see them."""

from datetime import timedelta
from typing import Any

import pytest

from kickstand.kernel import clock, store
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PlanState
from kickstand.sales import offers
from kickstand.sales.model import OfferState
from local.server import Tables
from tests.support.api import Client, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.shop import BIG_GIFT, FREE, GIFT, MONTHLY, Shop

PLAN = 24


@pytest.fixture
def shop(engine: Tables) -> Shop:
    shop = Shop(City())
    shop.city.plan(id=PLAN, trip_price=2_000, included_minutes=30, price_per_minute=100)
    return shop


@pytest.fixture
def api(shop: Shop) -> Client:
    return maas(access_token(shop.city.client.id))


def listed(api: Client) -> dict[int, dict[str, Any]]:
    reply = api.call("get_products")
    assert reply.status == 200
    return {each["id"]: each for each in reply.json["data"]}


def test_products_of_all_types(api: Client) -> None:
    products = listed(api)
    assert list(products) == [PLAN, MONTHLY, FREE, GIFT, BIG_GIFT]
    ride, monthly, big = products[PLAN], products[MONTHLY], products[BIG_GIFT]
    assert ride["type"] == "ride"
    assert (ride["price"], ride["priceWithoutVat"], ride["vatRate"]) == (2_500, 2_000, 25)
    assert ride["pricing"]["pricePerMinute"] == 100
    assert ride["subscribersOnly"] is False
    assert monthly == {
        "id": MONTHLY,
        "type": "subscription",
        "name": "Monthly pass",
        "description": "",
        "currency": "NOK",
        "price": 29_900,
        "priceWithoutVat": 23_920,
        "vatRate": 25,
        "validity": {"count": 1, "unit": "month"},
        "renewable": True,
        "cancellable": False,
        "ridesProductId": PLAN,
        "pricing": ride["pricing"],
        "state": "active",
    }
    assert (big["type"], big["price"], big["value"], big["vatRate"]) == ("gift_code", 45_000, 50_000, 0)
    assert "pricing" not in big


def test_what_is_not_active_is_not_listed(shop: Shop, api: Client) -> None:
    shop.city.plan(id=PLAN, state=PlanState.INACTIVE)
    offers.put(shop.city.client, shop.gift(GIFT, state=OfferState.INACTIVE))
    products = listed(api)
    assert list(products) == [MONTHLY, FREE, BIG_GIFT]
    assert "pricing" not in products[MONTHLY]


def test_products_are_their_clients_own(shop: Shop) -> None:
    other, _ = shop.city.partner("Other")
    assert listed(maas(access_token(other.id))) == {}


def test_a_list_is_known_for_a_minute(shop: Shop, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with measured() as usage:
        first = api.call("get_products")
    assert usage.calls == ["BatchGetItem", "Query", "Query"]
    with measured() as usage:
        again = api.call("get_products", headers={"if-none-match": first.headers["etag"]})
    assert usage.calls == ["BatchGetItem"]
    assert (again.status, again.body) == (304, b"")
    assert first.headers["cache-control"] == "private, max-age=60"
    pricing.put_plan(pricing.plan(shop.city.client, PLAN).model_copy(update={"name": "Short ride"}))
    store.begin()
    assert listed(api)[PLAN]["name"] != "Short ride"
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert listed(api)[PLAN]["name"] == "Short ride"


def test_nobody_is_told_anything_without_a_token() -> None:
    reply = maas(None).call("get_products")
    assert (reply.status, reply.json["code"]) == (401, "unauthorized")
