"""Paying as clients of the MaaS surface see it; the provider is one in memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from kickstand.billing import settlement
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import AccountKind
from kickstand.payments import methods
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentState
from kickstand.sales import orders, subscriptions
from kickstand.sales.model import OrderState
from local.server import Tables
from tests.support.api import Client, Reply, access_token, maas
from tests.support.bank import Bank, Fault, Plastic, connected
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.shop import FREE, GIFT, MONTHLY, Shop

PRICE = 29_900


@pytest.fixture
def shop(engine: Tables) -> Shop:
    return Shop(City(), user=f"user-{ids.new_id()}")


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Bank:
    return connected(monkeypatch)


@pytest.fixture
def api(shop: Shop, bank: Bank) -> Client:
    return maas(access_token(shop.city.client.id))


def pay(api: Client, shop: Shop, order_id: int, means: str = "card", key: str | None = None, **params: Any) -> Reply:
    body = {
        "documentId": str(order_id),
        "documentType": "order",
        "params": {"selectedPaymentMethod": means, **params},
        "userId": shop.user,
    }
    headers = {"locale": "nb"} | ({"idempotency-key": key} if key else {})
    return api.call("pay", body=body, headers=headers)


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


def provider_account(shop: Shop) -> int:
    store.begin()
    return ledger.sum_of(shop.house(AccountKind.PROVIDER))


def test_a_saved_card_pays_at_once(api: Client, shop: Shop, bank: Bank) -> None:
    card = bank.give_card(shop.rider_id)
    before = provider_account(shop)
    order = shop.order()
    reply = pay(api, shop, order.id)
    assert reply.status == 200
    result = reply.json
    assert (result["state"], result["paymentMethodRef"], result["orderToken"]) == ("SUCCEEDED", card, order.token)
    assert not {"clientSecret", "webUrl", "errorCode"} & result.keys()
    assert bank.charged() == [PRICE]
    done = shop.now(order)
    assert (done.state, done.invoice_id is not None) == (OrderState.COMPLETED, True)
    store.begin()
    held = subscriptions.current(shop.rider_id)
    assert held is not None
    assert held.is_valid(clock.now())
    assert provider_account(shop) - before == -PRICE


def test_without_a_card_the_client_goes_on_with_a_secret(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    result = pay(api, shop, order.id).json
    (ref,) = bank.payments
    assert (result["state"], result["clientSecret"], result["publishableKey"]) == (
        "CREATED",
        f"{ref}_secret",
        "pk_test",
    )
    assert result["customerRef"].startswith("cus_")
    assert "/checkout/payments/" in result["webUrl"]
    assert shop.now(order).state is OrderState.PENDING
    bank.choose(ref)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]


def test_the_bank_asks_and_the_rider_answers(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id, Plastic.PROVED)
    order = shop.order()
    first, again = pay(api, shop, order.id).json, pay(api, shop, order.id).json
    assert first["state"] == "REQUIRES_ACTION"
    assert again == first
    (ref,) = bank.payments
    bank.prove(ref)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert shop.now(order).state is OrderState.COMPLETED


def test_the_bank_asks_and_the_rider_fails(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id, Plastic.PROVED)
    order = shop.order()
    pay(api, shop, order.id, key="k-1")
    (ref,) = bank.payments
    bank.prove(ref, ok=False)
    result = pay(api, shop, order.id, key="k-1").json
    assert (result["state"], result["errorCode"]) == ("FAILED", "authentication_failed")
    assert "clientSecret" not in result
    assert (shop.now(order).state, shop.now(order).payment_id) == (OrderState.PENDING, None)
    assert bank.charged() == []


def test_a_declined_card_leaves_the_order_to_be_paid_in_another_way(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id, Plastic.DECLINED)
    order = shop.order()
    result = pay(api, shop, order.id).json
    assert (result["state"], result["errorCode"]) == ("FAILED", "card_declined")
    bank.give_card(shop.rider_id)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]


def test_a_key_answers_for_the_payment_that_it_named(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id, Plastic.DECLINED)
    order = shop.order()
    first = pay(api, shop, order.id, key="k-1").json
    assert first["state"] == "FAILED"
    assert pay(api, shop, order.id, key="k-1").json == first
    asked = len(bank.payments)
    assert pay(api, shop, order.id, key="k-2").json["state"] == "FAILED"
    assert len(bank.payments) == asked + 1
    assert error(pay(api, shop, order.id, "any", key="k-1")) == (400, "invalid_request")


@pytest.mark.parametrize("keys", [["k"] * 16, [f"k-{number}" for number in range(16)], [None] * 16])
def test_sixteen_submissions_charge_once(api: Client, shop: Shop, bank: Bank, keys: list[str | None]) -> None:
    bank.give_card(shop.rider_id)
    order = shop.order()
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda key: pay(api, shop, order.id, key=key), keys))
    assert {reply.status for reply in replies} <= {200, 503}
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]
    assert shop.now(order).state is OrderState.COMPLETED


def test_what_is_paid_is_not_paid_again(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    order = shop.order()
    for means in ("card", "card", "any", "blik", "wallet"):
        assert pay(api, shop, order.id, means).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]


def test_the_wallet_pays_as_a_whole_or_not_at_all(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    assert error(pay(api, shop, order.id, "wallet")) == (402, "insufficient_funds")
    shop.fill(PRICE)
    result = pay(api, shop, order.id, "wallet").json
    assert (result["state"], result["orderToken"]) == ("SUCCEEDED", order.token)
    assert shop.balance() == 0
    assert bank.payments == {}
    assert pay(api, shop, order.id, "wallet").json["state"] == "SUCCEEDED"


def test_any_takes_the_wallet_where_it_suffices_and_the_card_where_not(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    shop.fill(PRICE - 1)
    assert pay(api, shop, shop.order().id, "any").json["state"] == "SUCCEEDED"
    assert (bank.charged(), shop.balance()) == ([PRICE], PRICE - 1)
    assert pay(api, shop, shop.gifts().id, "any").json["state"] == "SUCCEEDED"
    assert (bank.charged(), shop.balance()) == ([PRICE], PRICE - 1 - 20_000)


def test_a_deposit_fills_the_wallet_and_is_not_paid_from_it(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    shop.fill(50_000)
    order = shop.deposit(10_000)
    assert error(pay(api, shop, order.id, "wallet")) == (400, "ERR_PAYMENT_ERROR")
    assert pay(api, shop, order.id, "any").json["state"] == "SUCCEEDED"
    assert (bank.charged(), shop.balance()) == ([10_000], 60_000)


def test_another_wish_gives_up_the_payment_that_is_under_way(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    assert pay(api, shop, order.id).json["state"] == "CREATED"
    (ref,) = bank.payments
    shop.fill(PRICE)
    assert pay(api, shop, order.id, "wallet").json["state"] == "SUCCEEDED"
    bank.choose(ref)
    assert bank.charged() == []
    assert shop.balance() == 0


def test_whoever_was_faster_at_the_bank_has_paid(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    pay(api, shop, order.id)
    (ref,) = bank.payments
    shop.fill(PRICE)
    bank.choose(ref)
    assert pay(api, shop, order.id, "wallet").json["state"] == "SUCCEEDED"
    assert (bank.charged(), shop.balance()) == ([PRICE], PRICE)


def test_a_second_subscription_is_not_sold(api: Client, shop: Shop, bank: Bank) -> None:
    first, second = shop.order(), shop.order()
    shop.fill(2 * PRICE)
    assert pay(api, shop, first.id, "wallet").json["state"] == "SUCCEEDED"
    assert error(pay(api, shop, second.id, "wallet")) == (409, "subscription_exists")
    assert shop.balance() == PRICE


def test_no_bank_is_asked_for_a_second_subscription(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    first, second = shop.order(), shop.order()
    assert pay(api, shop, first.id).json["state"] == "SUCCEEDED"
    assert error(pay(api, shop, second.id)) == (409, "subscription_exists")
    assert (bank.charged(), shop.balance()) == ([PRICE], 0)


def test_what_waits_for_a_card_is_given_up_when_there_is_a_subscription(api: Client, shop: Shop, bank: Bank) -> None:
    first, second = shop.order(), shop.order()
    pay(api, shop, first.id)
    (ref,) = bank.payments
    shop.fill(PRICE)
    assert pay(api, shop, second.id, "wallet").json["state"] == "SUCCEEDED"
    store.begin()
    payment_id = shop.now(first).payment_id
    assert payment_id is not None
    assert settlement.advance(payment_id).state is PaymentState.CANCELLED  # as the page does, or the workflow
    bank.choose(ref)
    assert error(pay(api, shop, first.id)) == (409, "subscription_exists")
    assert (bank.charged(), shop.balance()) == ([], 0)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"enableAutoRenew": True}, {"enableAutoRenew": False}),
        ({"enableAutoRenew": True, "save": True}, {"enableAutoRenew": False, "save": True}),
        ({}, {"enableAutoRenew": True}),
        ({"save": True}, {}),
        ({}, {"save": True}),
    ],
)
def test_what_was_wished_last_counts(
    api: Client, shop: Shop, bank: Bank, before: dict[str, Any], after: dict[str, Any]
) -> None:
    order = shop.order()
    pay(api, shop, order.id, **before)
    assert pay(api, shop, order.id, **after).json["state"] == "CREATED"
    given_up, ref = bank.payments
    assert pay(api, shop, order.id, **after).json["clientSecret"] == f"{ref}_secret"
    bank.choose(given_up)
    bank.choose(ref)
    assert pay(api, shop, order.id, **after).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]
    store.begin()
    held = subscriptions.current(shop.rider_id)
    renews = after.get("enableAutoRenew", False)
    assert held is not None
    assert held.auto_renew is renews
    assert (payments.profile(shop.rider_id).card is not None) is (renews or after.get("save", False))


def test_what_was_wished_once_need_not_be_said_again(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    first = pay(api, shop, order.id, enableAutoRenew=True).json
    assert pay(api, shop, order.id).json == first
    (ref,) = bank.payments
    bank.choose(ref)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    store.begin()
    held = subscriptions.current(shop.rider_id)
    assert held is not None
    assert held.auto_renew
    assert payments.profile(shop.rider_id).card is not None


def test_a_card_that_is_saved_meanwhile_pays(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    assert pay(api, shop, order.id).json["state"] == "CREATED"
    bank.give_card(shop.rider_id, Plastic.PROVED)
    assert pay(api, shop, order.id).json["state"] == "REQUIRES_ACTION"
    bank.give_card(shop.rider_id)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]


def test_a_card_that_is_removed_meanwhile_pays_nothing(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id, Plastic.PROVED)
    order = shop.order()
    assert pay(api, shop, order.id).json["state"] == "REQUIRES_ACTION"
    store.begin()
    methods.remove(shop.rider_id)
    assert pay(api, shop, order.id).json["state"] == "CREATED"
    bank.prove(next(iter(bank.payments)))
    assert bank.charged() == []


def test_an_answer_to_the_bank_is_not_disturbed(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    pay(api, shop, order.id)
    (ref,) = bank.payments
    bank.choose(ref, Plastic.PROVED)
    assert pay(api, shop, order.id).json["state"] == "REQUIRES_ACTION"
    bank.give_card(shop.rider_id)
    assert pay(api, shop, order.id).json["state"] == "REQUIRES_ACTION"
    bank.prove(ref)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"


def test_what_costs_nothing_needs_no_bank(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order(FREE)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert shop.now(order).state is OrderState.COMPLETED
    assert bank.payments == {}


def test_a_chosen_card_is_saved_where_that_is_wished(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    pay(api, shop, order.id, save=True)
    (ref,) = bank.payments
    bank.choose(ref)
    pay(api, shop, order.id)
    store.begin()
    assert payments.profile(shop.rider_id).card is not None


def test_a_card_that_was_removed_is_not_saved_again(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    pay(api, shop, order.id, save=True)
    (ref,) = bank.payments
    bank.choose(ref)
    pay(api, shop, order.id)
    store.begin()
    methods.remove(shop.rider_id)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    store.begin()
    assert payments.profile(shop.rider_id).cards == ()


def test_renewing_by_itself_is_for_what_renews(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    assert error(pay(api, shop, shop.deposit().id, enableAutoRenew=True)) == (400, "invalid_product")
    order = shop.order(MONTHLY)
    assert pay(api, shop, order.id, enableAutoRenew=True).json["state"] == "SUCCEEDED"
    store.begin()
    held = subscriptions.current(shop.rider_id)
    assert held is not None
    assert held.auto_renew


def test_blik_is_for_its_currency(api: Client, shop: Shop, bank: Bank) -> None:
    assert error(pay(api, shop, shop.order().id, "blik")) == (400, "ERR_PAYMENT_ERROR")
    assert bank.payments == {}


@pytest.mark.parametrize("fault", list(Fault))
def test_a_silent_provider_is_asked_again(api: Client, shop: Shop, bank: Bank, fault: Fault) -> None:
    bank.give_card(shop.rider_id)
    order = shop.order()
    bank.fail(fault)
    assert error(pay(api, shop, order.id)) == (503, "payment_provider_unavailable")
    assert shop.now(order).payment_id is not None
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]


def test_what_another_request_is_asking_for_is_on_its_way(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    order = shop.order()
    bank.fail(Fault.LOST)
    assert pay(api, shop, order.id).status == 503
    bank.fail(Fault.LOST)
    result = pay(api, shop, order.id).json
    assert (result["state"], "clientSecret" in result) == ("PROCESSING", False)
    assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    assert bank.charged() == [PRICE]


def test_orders_that_are_not_the_users(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id)
    order = shop.order()
    shop.enlist("ola")
    stranger = Shop(City(network_id=2), user="kari-of-another")
    other = maas(access_token(stranger.city.client.id))
    assert error(pay(other, stranger, order.id)) == (404, "order_not_found")
    assert error(pay(other, shop, order.id)) == (404, "user_not_found")
    shop.user = "ola"
    assert error(pay(api, shop, order.id)) == (404, "order_not_found")
    acting = api.with_headers(on_behalf_of="ola")
    shop.user = "kari"
    shop.enlist("kari")
    assert error(pay(acting, shop, order.id)) == (403, "user_mismatch")
    assert bank.payments == {}


def test_an_order_that_is_over_is_not_paid(api: Client, shop: Shop, bank: Bank) -> None:
    order = shop.order()
    with store.Transaction() as tx:
        orders.withdraw(tx, shop.now(order))
    assert error(pay(api, shop, order.id)) == (409, "order_closed")
    assert bank.payments == {}


def test_an_unknown_invoice(api: Client, shop: Shop) -> None:
    body = {
        "documentId": "5",
        "documentType": "invoice",
        "params": {"selectedPaymentMethod": "card"},
        "userId": shop.user,
    }
    reply = api.call("pay", body=body, headers={"locale": "nb"})
    assert error(reply) == (404, "invoice_not_found")


def test_money_for_what_became_impossible_is_the_riders(api: Client, shop: Shop, bank: Bank) -> None:
    bank.give_card(shop.rider_id, Plastic.PROVED)
    first, second = shop.order(), shop.order()
    pay(api, shop, first.id)
    (ref,) = bank.payments
    shop.fill(PRICE)
    assert pay(api, shop, second.id, "wallet").json["state"] == "SUCCEEDED"
    bank.prove(ref)
    assert pay(api, shop, first.id).json["state"] == "SUCCEEDED"
    assert shop.now(first).state is OrderState.FAILED
    assert (shop.balance(), bank.charged()) == (PRICE, [PRICE])
    assert pay(api, shop, first.id).json["state"] == "SUCCEEDED"
    assert shop.balance() == PRICE


def test_what_paying_costs(api: Client, shop: Shop, bank: Bank) -> None:
    """The caller and the user; the order; the payment and its claim; then, with the bank's answer, all that follows."""
    bank.give_card(shop.rider_id)
    order = shop.order()
    with measured() as usage:
        assert pay(api, shop, order.id).json["state"] == "SUCCEEDED"
    asked, written = "BatchGetItem", "TransactWriteItems"
    assert usage.calls == [asked, asked, written, asked, written]
    assert (usage.read_units, usage.write_units) == (8, 22)


def test_what_other_ways_of_paying_cost(api: Client, shop: Shop, bank: Bank) -> None:
    asked, written = "BatchGetItem", "TransactWriteItems"
    shop.fill(10_000)
    gift = shop.gifts((GIFT, 1))
    with measured() as by_wallet:
        assert pay(api, shop, gift.id, "wallet").json["state"] == "SUCCEEDED"
    assert by_wallet.calls == [asked, asked, written]
    with measured() as once_more:
        assert pay(api, shop, gift.id, "wallet").json["state"] == "SUCCEEDED"
    assert once_more.calls == [asked, asked]
    order = shop.order()
    pay(api, shop, order.id)
    with measured() as asking:
        assert pay(api, shop, order.id).json["state"] == "CREATED"
    assert asking.calls == [asked, asked, asked]
    assert (by_wallet.write_units, once_more.write_units, asking.write_units) == (17, 0, 0)


def test_a_client_whose_network_is_gone(shop: Shop, bank: Bank) -> None:
    client, _ = shop.city.partner("Other", (99,))
    identity.ensure_external(client, shop.user)
    api = maas(access_token(client.id)).with_headers(locale="nb")
    assert error(pay(api, shop, ids.new_id())) == (404, "system_not_found")


def test_nothing_secret_is_logged(api: Client, shop: Shop, bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    order = shop.order()
    result = pay(api, shop, order.id).json
    said = [vars(each) for each in caplog.records]
    assert [each["message"] for each in said if "operation" in each] == ["request"]
    for secret in (result["clientSecret"], order.token, shop.user):
        assert secret not in str(said)
