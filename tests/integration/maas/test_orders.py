"""Orders as clients of the MaaS surface see them."""

import re
from typing import Any

import pytest

from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.sales import offers, orders
from kickstand.sales.model import OfferState, Order
from local.server import Tables
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.shop import BIG_GIFT, FREE, GIFT, MONTHLY, Shop

KARI, OLA = "kari", "ola"
MISMATCH, NO_USER, NO_ORDER = (403, "user_mismatch"), (404, "user_not_found"), (404, "order_not_found")


@pytest.fixture
def shop(engine: Tables) -> Shop:
    shop = Shop(City())
    shop.enlist(OLA)
    return shop


@pytest.fixture
def api(shop: Shop) -> Client:
    return maas(access_token(shop.city.client.id)).with_headers(locale="nb")


def subscribe(api: Client, user: str = KARI, product: object = str(MONTHLY), **headers: str) -> Reply:
    body = {"productId": product, "userId": user}
    return api.call("create_subscription_order", body=body, headers=headers)


def deposit(api: Client, amount: object = 10_000, user: str = KARI) -> Reply:
    return api.call("create_wallet_deposit_order", body={"amount": amount, "userId": user})


def gifts(api: Client, *lines: tuple[object, object], user: str = KARI, **more: object) -> Reply:
    wanted = [{"productId": product, "quantity": quantity} for product, quantity in lines or ((str(GIFT), 2),)]
    body = {"customerEmail": "giver@mail.example", "orderLines": wanted, "userId": user} | more
    return api.call("create_voucher_code_order", body=body)


def apply(api: Client, order_id: object, code: object = "WELCOME10", user: str = KARI) -> Reply:
    path, body = {"orderId": str(order_id)}, {"code": code, "userId": user}
    return api.call("apply_discount_code", path=path, body=body)


def remove(api: Client, order_id: object, user: str = KARI) -> Reply:
    return api.call("remove_discount_code", path={"orderId": str(order_id)}, query={"userId": user})


def get(api: Client, token: str, user: str = KARI) -> Reply:
    return api.call("get_order", path={"token": token}, query={"userId": user})


def listed(api: Client, user: str = KARI, **query: Any) -> Reply:
    named = {"userId": user} | {{"statuses": "statuses[]"}.get(name, name): each for name, each in query.items()}
    return api.call("list_orders", query=named)


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def stored(shop: Shop, reply: Reply) -> Order:
    store.begin()
    return orders.find(shop.rider_id, int(reply.json["id"]))


# ── Ordering ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_of_a_subscription(shop: Shop, api: Client) -> None:
    reply = subscribe(api)
    assert reply.status == 200
    order = reply.json
    assert {name: order[name] for name in order.keys() - {"id", "token", "createdAt"}} == {
        "status": "pending",
        "amount": 29_900,
        "amountWithoutVat": 23_920,
        "currency": "NOK",
        "unpaid": True,
        "vatAmount": 5_980,
        "vatRate": 25,
        "availablePaymentMethods": [{"type": "card"}],
        "orderLines": [
            {
                "productId": str(MONTHLY),
                "title": "Monthly pass",
                "quantity": 1,
                "unitAmount": 29_900,
                "discountAmount": 0,
                "amount": 29_900,
                "vatAmount": 5_980,
                "vatRate": 25,
            }
        ],
    }
    assert re.fullmatch(r"[\w-]{43}", order["token"])
    assert order["createdAt"].endswith("Z")
    assert get(api, order["token"]).json == order
    assert listed(api).json["rows"] == [order]
    assert stored(shop, reply).locale == "nb"


def test_an_order_that_is_completed(shop: Shop, api: Client) -> None:
    reply = subscribe(api)
    shop.completed(stored(shop, reply))
    order = get(api, reply.json["token"]).json
    assert order == reply.json | {
        "status": "completed",
        "unpaid": False,
        "completedAt": order["completedAt"],
        "availablePaymentMethods": [],
    }
    assert error(subscribe(api)) == (409, "subscription_exists")


def test_an_order_of_a_deposit(api: Client) -> None:
    order = deposit(api, 12_345).json
    assert (order["amount"], order["amountWithoutVat"], order["vatAmount"], order["vatRate"]) == (12_345, 12_345, 0, 0)
    (line,) = order["orderLines"]
    assert "productId" not in line
    assert order["availablePaymentMethods"] == [{"type": "card"}]


def test_an_order_of_gift_codes(shop: Shop, api: Client) -> None:
    reply = gifts(api, (str(GIFT), 2), (str(BIG_GIFT), 1), (str(GIFT), 1), receiptEmail="receipts@mail.example")
    order = reply.json
    assert (order["amount"], order["vatAmount"], order["vatRate"]) == (75_000, 0, 0)
    assert [(each["productId"], each["quantity"], each["amount"]) for each in order["orderLines"]] == [
        (str(GIFT), 3, 30_000),
        (str(BIG_GIFT), 1, 45_000),
    ]
    kept = stored(shop, reply)
    assert (kept.email, kept.receipt_email) == ("giver@mail.example", "receipts@mail.example")
    assert "@" not in repr(kept)


def test_what_an_order_can_be_paid_with(shop: Shop, api: Client) -> None:
    shop.fill(29_900)
    reply = subscribe(api)
    assert reply.json["availablePaymentMethods"] == [{"type": "card"}, {"type": "wallet"}]
    assert gifts(api, (str(GIFT), 3)).json["availablePaymentMethods"] == [{"type": "card"}]
    assert deposit(api).json["availablePaymentMethods"] == [{"type": "card"}]
    assert subscribe(api, product=str(FREE)).json["availablePaymentMethods"] == [{"type": "wallet"}]
    shop.claimed(stored(shop, reply))
    assert get(api, reply.json["token"]).json["availablePaymentMethods"] == []


@pytest.mark.parametrize("product", [GIFT, 99])
def test_a_product_that_is_no_subscription(api: Client, product: int) -> None:
    assert error(subscribe(api, product=str(product))) == (400, "invalid_product")


@pytest.mark.parametrize("lines", [((str(MONTHLY), 1),), (("99", 1),), ((str(GIFT), 1), ("99", 1))])
def test_a_product_that_is_no_gift_code(api: Client, lines: tuple[tuple[str, int], ...]) -> None:
    assert error(gifts(api, *lines)) == (400, "invalid_product")


def test_a_product_that_is_not_sold_any_more(shop: Shop, api: Client) -> None:
    offers.put(shop.city.client, shop.gift(GIFT, state=OfferState.INACTIVE))
    assert error(gifts(api)) == (400, "invalid_product")


@pytest.mark.parametrize("amount", [99, 500_001, 0, -100, 100.5, 10_000.0, "10000", None, True, 10**30])
def test_an_amount_that_cannot_be(api: Client, amount: object) -> None:
    assert error(deposit(api, amount)) == (400, "invalid_amount")


def test_a_deposit_without_amount(api: Client) -> None:
    assert error(api.call("create_wallet_deposit_order", body={"userId": KARI})) == (400, "invalid_amount")


@pytest.mark.parametrize("lines", [((str(GIFT), 51),), ((str(GIFT), 26), (str(BIG_GIFT), 25)), ((str(GIFT), 10**18),)])
def test_too_many_codes(api: Client, lines: tuple[tuple[str, int], ...]) -> None:
    assert error(gifts(api, *lines)) == (400, "invalid_amount")


@pytest.mark.parametrize(
    "changes",
    [
        {"orderLines": []},
        {"orderLines": [{"productId": str(GIFT), "quantity": 1}] * 51},
        {"orderLines": [{"productId": str(GIFT), "quantity": 0}]},
        {"orderLines": [{"productId": str(GIFT), "quantity": 1.5}]},
        {"orderLines": [{"productId": str(GIFT), "quantity": "1"}]},
        {"orderLines": [{"productId": GIFT, "quantity": 1}]},
        {"orderLines": [{"productId": "x", "quantity": 1}]},
        {"orderLines": [{"quantity": 1}]},
        {"orderLines": "all"},
        {"customerEmail": None},
        {"customerEmail": "nobody"},
        {"customerEmail": "k\u00e5re@mail.example"},
        {"customerEmail": "Kari <kari@mail.example>"},
        {"receiptEmail": "nobody"},
        {"userId": ""},
    ],
)
def test_an_order_of_gift_codes_that_cannot_be(api: Client, changes: dict[str, Any]) -> None:
    assert error(gifts(api, **changes)) == (400, "invalid_request")


@pytest.mark.parametrize("product", [MONTHLY, "x", "", "-1", "1.5", "9" * 400, None])
def test_a_product_id_that_cannot_be(api: Client, product: object) -> None:
    assert error(subscribe(api, product=product)) == (400, "invalid_request")


@pytest.mark.parametrize("locale", ["", "1", "nb-", "n" * 50])
def test_a_locale_that_cannot_be(api: Client, locale: str) -> None:
    assert error(subscribe(api, locale=locale)) == (400, "invalid_request")


def test_orders_need_a_locale(shop: Shop) -> None:
    api = maas(access_token(shop.city.client.id))
    for reply in (subscribe(api), deposit(api), gifts(api)):
        assert error(reply) == (400, "invalid_request")


def test_a_client_whose_network_is_gone(shop: Shop) -> None:
    client, _ = shop.city.partner("Other", (99,))
    api = maas(access_token(client.id)).with_headers(locale="nb")
    identity.ensure_external(client, KARI)
    assert error(deposit(api)) == (404, "system_not_found")
    order_id = ids.new_id()
    for reply in (get(api, ids.new_token(order_id)), apply(api, order_id), remove(api, order_id)):
        assert error(reply) == (404, "system_not_found")


# ── Whose orders ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_orders_are_their_users_own(shop: Shop, api: Client) -> None:
    order = subscribe(api).json
    other, _ = shop.city.partner("Other")
    stranger = maas(access_token(other.id)).with_headers(locale="nb")
    for client, user in ((api, "nobody"), (stranger, KARI)):
        for reply in (
            subscribe(client, user),
            deposit(client, user=user),
            gifts(client, user=user),
            listed(client, user),
            get(client, order["token"], user),
            apply(client, order["id"], user=user),
            remove(client, order["id"], user),
        ):
            assert error(reply) == NO_USER
    for reply in (get(api, order["token"], OLA), apply(api, order["id"], user=OLA), remove(api, order["id"], OLA)):
        assert error(reply) == NO_ORDER
    assert listed(api, OLA).json == {
        "rows": [],
        "paginationInfo": {"total": 0, "limit": 20, "offset": 0, "hasMore": False},
    }


def test_a_request_on_behalf_of_another_user_is_refused(api: Client) -> None:
    order = subscribe(api).json
    for_ola = api.with_headers(on_behalf_of=OLA)
    for reply in (
        subscribe(for_ola),
        deposit(for_ola),
        gifts(for_ola),
        listed(for_ola),
        get(for_ola, order["token"]),
        apply(for_ola, order["id"]),
        remove(for_ola, order["id"]),
    ):
        assert error(reply) == MISMATCH
    assert get(api.with_headers(on_behalf_of=KARI), order["token"]).json == order


def test_tokens_that_name_nothing(api: Client) -> None:
    order = subscribe(api).json
    forged = ids.new_token(int(order["id"]))
    for token in (forged, "x", "x" * 43, "\N{SNOWMAN}" * 43, order["id"]):
        assert error(get(api, token)) == NO_ORDER
    for unknown in (ids.new_id(), 1):
        assert error(apply(api, unknown)) == NO_ORDER
        assert error(remove(api, unknown)) == NO_ORDER
    for order_id in ("x", "0", "-1", "1.5", str(2**53)):
        assert error(apply(api, order_id)) == (400, "invalid_request")
        assert error(remove(api, order_id)) == (400, "invalid_request")


def test_nobody_is_told_anything_without_a_token(api: Client) -> None:
    assert error(listed(maas("x"))) == (401, "unauthorized")


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_orders_in_pages(shop: Shop, api: Client) -> None:
    replies = [deposit(api, amount) for amount in (10_000, 20_000, 30_000)]
    shop.completed(stored(shop, replies[1]))

    def amounts(**query: Any) -> list[int]:
        reply = listed(api, **query)
        assert reply.status == 200
        return [each["amount"] for each in reply.json["rows"]]

    newest = [each["amount"] for each in sorted((reply.json for reply in replies), key=lambda each: -int(each["id"]))]
    assert amounts() == newest
    assert amounts(orderDirection="asc", orderBy="createdAt") == newest[::-1]
    assert amounts(orderBy="completedAt")[0] == 20_000
    assert amounts(statuses="completed") == [20_000]
    assert sorted(amounts(statuses=["completed", "pending"])) == [10_000, 20_000, 30_000]
    assert amounts(statuses=["failed"]) == []
    page = listed(api, limit="2", offset="1").json
    assert page["paginationInfo"] == {"total": 3, "limit": 2, "offset": 1, "hasMore": False}
    assert [each["amount"] for each in page["rows"]] == newest[1:]
    assert listed(api, limit="2").json["paginationInfo"]["hasMore"] is True


@pytest.mark.parametrize(
    "query",
    [
        {"statuses": "open"},
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "1.5"},
        {"limit": "x"},
        {"offset": "-1"},
        {"orderBy": "amount"},
        {"orderDirection": "up"},
        {"userId": ""},
        {"page": "1"},
    ],
)
def test_a_list_that_cannot_be(api: Client, query: dict[str, str]) -> None:
    assert error(listed(api, **query)) == (400, "invalid_request")


# ── Discount codes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_discount_and_its_end(shop: Shop, api: Client) -> None:
    shop.code()
    before = subscribe(api).json
    reply = apply(api, before["id"], " welcome10 ")
    assert reply.status == 200
    after = reply.json
    (line,) = after["orderLines"]
    assert (after["amount"], after["vatAmount"], after["amountWithoutVat"]) == (26_910, 5_382, 21_528)
    assert after["discount"] == {"code": "WELCOME10", "amount": 2_990, "percent": 10}
    assert (line["unitAmount"], line["discountAmount"], line["amount"]) == (29_900, 2_990, 26_910)
    assert get(api, before["token"]).json == after
    assert remove(api, before["id"]).json == before
    assert remove(api, before["id"]).json == before


def test_a_discount_by_an_amount(shop: Shop, api: Client) -> None:
    shop.code("FREE", amount=10**9, currency="NOK")
    order = apply(api, subscribe(api).json["id"], "FREE").json
    assert (order["amount"], order["vatAmount"], order["vatRate"]) == (0, 0, 25)
    assert order["discount"] == {"code": "FREE", "amount": 29_900}
    assert order["availablePaymentMethods"] == [{"type": "wallet"}]
    assert order["unpaid"] is True


def test_codes_that_are_not_valid_are_all_answered_alike(shop: Shop, api: Client) -> None:
    shop.code("SPENT", most_uses=1)
    apply(api, subscribe(api, OLA).json["id"], "SPENT", OLA)
    shop.code("ELSE", offer_ids=frozenset({FREE}))
    shop.code("PAST", valid_until=clock.now())
    shop.code("OFF", state=OfferState.INACTIVE)
    order = subscribe(api).json
    replies = [apply(api, order["id"], code) for code in ("SPENT", "ELSE", "PAST", "OFF", "NONE", "", "\N{SNOWMAN}")]
    assert {error(reply) for reply in replies} == {(400, "invalid_discount_code")}
    assert len({reply.body for reply in replies[:5]}) == 1
    assert error(apply(api, order["id"], "x" * 300)) == (400, "invalid_discount_code")
    assert error(apply(api, order["id"], 10)) == (400, "invalid_discount_code")
    assert get(api, order["token"]).json == order


def test_deposits_take_no_codes(shop: Shop, api: Client) -> None:
    shop.code()
    assert error(apply(api, deposit(api).json["id"])) == (400, "invalid_discount_code")


def test_what_is_paid_or_being_paid_keeps_its_price(shop: Shop, api: Client) -> None:
    shop.code()
    reply = subscribe(api)
    shop.claimed(stored(shop, reply))
    for refused in (apply(api, reply.json["id"]), remove(api, reply.json["id"])):
        assert error(refused) == (409, "payment_in_progress")
    paid = gifts(api)
    shop.completed(stored(shop, paid))
    for refused in (apply(api, paid.json["id"]), remove(api, paid.json["id"])):
        assert error(refused) == (409, "order_closed")


# ── Capacity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_round_trips(shop: Shop, api: Client) -> None:
    shop.code()
    subscribe(api)  # from here on, the network is known
    with measured() as usage:
        order = subscribe(api).json
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    with measured() as usage:
        deposit(api)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems"]
    with measured() as usage:
        gifts(api)
    assert usage.calls == ["BatchGetItem", "TransactWriteItems", "BatchGetItem"]
    with measured() as usage:
        get(api, order["token"])
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
    with measured() as usage:
        apply(api, order["id"])
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    with measured() as usage:
        remove(api, order["id"])
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    with measured() as usage:
        listed(api)
    assert usage.calls == ["BatchGetItem", "Query", "BatchGetItem"]
    with measured() as usage:
        listed(api, statuses="completed")
    assert usage.calls == ["BatchGetItem", "Query"]
