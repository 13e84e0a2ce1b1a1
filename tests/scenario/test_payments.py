"""Payments on the running platform, with banks that ask, answers and webhooks that get lost, and processes that die."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import pytest
import stripe

from kickstand.billing import following, reversals, settlement
from kickstand.kernel import ids, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind
from kickstand.payments import holds, intents, stripe_gateway
from kickstand.payments.model import PaymentIntent, PaymentState, PurposeKind
from kickstand.payments.store import PaymentItem
from local.payments import Gate
from tests.support.http import Answer
from tests.support.maas import MaasClient
from tests.support.provider import (
    DECLINED_ON_CHARGE,
    INSUFFICIENT_FUNDS,
    OK,
    PROVED_ALWAYS,
    PROVED_THEN_DECLINED,
    Browser,
    BrowserRefused,
)
from tests.support.town import OSLO, PARIS, Town, until

Way = Callable[[Callable[..., Any]], None]

PATHS: Final = {"successPath": "https://app.example/saved", "cancelPath": "https://app.example/cancelled"}


@dataclass
class Payer:
    """A client's user, with an app and a browser."""

    town: Town
    client: MaasClient
    user: str
    currency: str = "NOK"

    @property
    def browser(self) -> Browser:
        """The user's."""
        return Browser(os.environ["PAYMENT_PROVIDER_URL"])

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Let the app ask for something."""
        return self.client.http.call(method, path, body, headers={"locale": "nb", **headers})

    def save(self, number: str) -> None:
        """Save a card."""
        begun = self.call("POST", "/payments/payment-methods", {"paths": PATHS, "userId": self.user}).document
        if self.browser.confirm(begun["clientSecret"], number)["status"] == "requires_action":
            self.browser.authenticate(begun["clientSecret"])
        self.town.settle()

    def order(self, amount: int = 5_000) -> Any:
        """Order money for the wallet."""
        asked = {"amount": amount, "userId": self.user}
        return self.call("POST", "/payments/orders/wallet-deposit", asked).document

    def submit(self, order: Any, **headers: str) -> Answer:
        """Ask to pay an order by card."""
        wish = {"selectedPaymentMethod": "card"}
        body = {"documentId": str(order["id"]), "documentType": "order", "params": wish, "userId": self.user}
        return self.call("POST", "/payments/pay", body, **headers)

    def pay(self, order: Any, **headers: str) -> Any:
        """Ask to pay an order by card, and be answered."""
        return self.submit(order, **headers).document

    def status(self, order: Any) -> str:
        """How the app sees an order now."""
        found = self.client.http.get(f"/payments/orders/{order['token']}", query={"userId": self.user}, locale="nb")
        return str(found.document["status"])

    def payments(self, order: Any) -> list[PaymentIntent]:
        """All payments of an order, oldest first."""
        return payments_for(PurposeKind.ORDER, int(order["id"]))

    def wallet(self, order: Any) -> int:
        """What is in the wallet of whoever has ordered."""
        store.begin()
        (payment, *_) = self.payments(order)
        account = Account(kind=AccountKind.WALLET, holder_id=payment.rider_id, currency=self.currency)
        return ledger.balance(account)

    def is_paid_once(self, order: Any, amount: int = 5_000) -> None:
        """The order is there, its money has been taken once, and nothing goes on."""
        self.town.settle()
        assert self.status(order) == "completed"
        assert self.taken(order) == [amount]
        assert self.wallet(order) == amount
        until(lambda: set(self.executions(order)) == {"SUCCEEDED"}, what="the workflows are done")

    def is_not_paid(self, order: Any) -> None:
        """The order waits to be paid in another way, and nothing has been taken."""
        self.town.settle()
        assert self.status(order) == "pending"
        assert self.taken(order) == []
        assert self.wallet(order) == 0

    def taken(self, order: Any) -> list[int]:
        """What the provider has taken for an order."""
        gate = self.town.platform.payments
        ours = {str(payment.id) for payment in self.payments(order)}
        found = [gate.payment(ref) for ref in gate.intents]
        taken = [each["amount_received"] for each in found if each["metadata"]["payment_id"] in ours]
        return [amount for amount in taken if amount]

    def executions(self, order: Any) -> list[str]:
        """The states of the workflows of an order's payments."""
        return [state for payment in self.payments(order) for state in executions(self.town, payment)]


def payments_for(kind: PurposeKind, identifier: int) -> list[PaymentIntent]:
    found = [item.entity for item in PaymentItem.scan(PaymentItem.kind == PaymentItem.KIND)]
    ours = [each for each in found if (each.purpose.kind, each.purpose.id) == (kind, identifier)]
    return sorted(ours, key=lambda each: each.id)


def executions(town: Town, payment: PaymentIntent) -> list[str]:
    found = town.http.get("/_local/workflows").json["executions"]
    return [each["status"] for each in found if each["input"] == f'{{"payment_id": {payment.id}}}']


@pytest.fixture
def gate(town: Town) -> Iterator[Gate]:
    gate = town.platform.payments
    yield gate
    gate.webhooks.times = 1


@pytest.fixture
def payer(town: Town, gate: Gate, request: pytest.FixtureRequest) -> Payer:
    return new_payer(town, request.node.name[:40])


def new_payer(town: Town, name: str, network: str = OSLO, currency: str = "NOK") -> Payer:
    client = town.client(name, network)
    client.http.call("PUT", "/users/kari")
    return Payer(town, client, "kari", currency)


# ── Cards that behave in one way or another ──────────────────────────────────────────────────────────────────────────


def test_a_saved_card_pays_at_once(payer: Payer) -> None:
    payer.save(OK)
    order = payer.order()
    assert payer.pay(order)["state"] == "SUCCEEDED"
    payer.is_paid_once(order)


def test_the_bank_asks_and_the_rider_proves(payer: Payer) -> None:
    payer.save(PROVED_ALWAYS)
    order = payer.order()
    paying = payer.pay(order)
    assert paying["state"] == "REQUIRES_ACTION"
    payer.is_not_paid(order)
    payer.browser.authenticate(paying["clientSecret"])
    payer.is_paid_once(order)


def test_the_bank_asks_and_the_rider_fails(payer: Payer) -> None:
    payer.save(PROVED_ALWAYS)
    order = payer.order()
    payer.browser.authenticate(payer.pay(order)["clientSecret"], ok=False)
    payer.is_not_paid(order)


def test_the_rider_proves_and_the_bank_declines(payer: Payer) -> None:
    payer.save(PROVED_THEN_DECLINED)
    order = payer.order()
    with pytest.raises(BrowserRefused, match="card_declined"):
        payer.browser.authenticate(payer.pay(order)["clientSecret"])
    payer.is_not_paid(order)


def test_a_declined_card_leaves_the_order_to_another(payer: Payer) -> None:
    payer.save(DECLINED_ON_CHARGE)
    order = payer.order()
    assert payer.pay(order)["state"] == "FAILED"
    payer.is_not_paid(order)


def test_a_chosen_card_is_declined_and_another_pays(payer: Payer) -> None:
    order = payer.order()
    secret = payer.pay(order)["clientSecret"]
    with pytest.raises(BrowserRefused, match="card_declined"):
        payer.browser.confirm(secret, INSUFFICIENT_FUNDS)
    payer.is_not_paid(order)
    payer.browser.confirm(secret, OK)
    payer.is_paid_once(order)


def test_time_runs_out(payer: Payer) -> None:
    payer.save(PROVED_ALWAYS)
    order = payer.order()
    secret = payer.pay(order)["clientSecret"]
    payer.town.passes(minutes=31)
    payer.is_not_paid(order)
    (payment,) = payer.payments(order)
    assert payment.state is PaymentState.CANCELLED
    with pytest.raises(BrowserRefused, match="unexpected_state"):
        payer.browser.authenticate(secret)  # it is over there, too
    until(lambda: payer.executions(order) == ["SUCCEEDED"], what="the workflow is done")


# ── Webhooks and answers ─────────────────────────────────────────────────────────────────────────────────────────────


def test_no_webhook_ever_comes(payer: Payer, gate: Gate) -> None:
    gate.webhooks.times = 0
    payer.save(PROVED_ALWAYS)
    payer.call("GET", f"/payments/payment-methods?userId={payer.user}")
    order = payer.order()
    payer.browser.authenticate(payer.pay(order)["clientSecret"])
    assert payer.status(order) == "pending"
    payer.town.passes(seconds=61)  # the workflow looks by itself
    payer.is_paid_once(order)


def test_every_webhook_comes_twice(payer: Payer, gate: Gate) -> None:
    gate.webhooks.times = 2
    payer.save(PROVED_ALWAYS)
    order = payer.order()
    payer.browser.authenticate(payer.pay(order)["clientSecret"])
    payer.is_paid_once(order)
    for event in gate.events[-3:]:
        gate.deliver(event)
    payer.is_paid_once(order)


def test_the_webhook_comes_before_the_answer(payer: Payer, gate: Gate, on_the_way: Way) -> None:
    payer.save(OK)

    waits = iter([True])

    def late(request: Callable[[], Any]) -> Any:
        first, answer = next(waits, False), request()
        if first:
            until(gate.idle, what="the webhooks are delivered")
        return answer

    on_the_way(late)
    order = payer.order()
    assert payer.pay(order)["state"] == "SUCCEEDED"
    payer.is_paid_once(order)


def test_the_providers_answer_gets_lost(payer: Payer, gate: Gate, on_the_way: Way) -> None:
    gate.webhooks.times = 0
    payer.save(OK)
    payer.call("GET", f"/payments/payment-methods?userId={payer.user}")
    order = payer.order()
    lost: list[int] = []

    def lose(request: Callable[[], Any]) -> Any:
        request()
        lost.append(1)
        raise connection_lost()

    on_the_way(lose)
    assert payer.submit(order).status == 503
    assert payer.status(order) == "pending"
    on_the_way(lambda request: request())
    payer.town.passes(seconds=11)
    payer.is_paid_once(order)
    assert lost


def test_the_provider_is_out_of_reach_for_hours(payer: Payer, on_the_way: Way) -> None:
    payer.save(OK)
    order = payer.order()

    def fail(_request: Callable[[], Any]) -> Any:
        raise connection_lost()

    on_the_way(fail)
    assert payer.submit(order).status == 503
    for _ in range(3):
        payer.town.passes(minutes=8)
    assert payer.executions(order) == ["RUNNING"]
    on_the_way(lambda request: request())
    payer.town.passes(minutes=16)
    payer.town.settle()
    until(lambda: payer.executions(order) == ["SUCCEEDED"], what="the workflow is done")
    (payment,) = payer.payments(order)
    assert payment.state in {PaymentState.SUCCEEDED, PaymentState.CANCELLED}
    assert payer.taken(order) == [payment.captured] * (payment.captured > 0)


def connection_lost() -> Exception:
    """What the SDK says when it is not answered."""
    return stripe.APIConnectionError("the connection was lost")  # type: ignore[no-untyped-call]


@pytest.fixture
def on_the_way(monkeypatch: pytest.MonkeyPatch) -> Way:
    """Put something on the way from us to the provider."""
    client = stripe_gateway.http_client()
    request = client.request_with_retries

    def put(what: Callable[..., Any]) -> None:
        def passed(*arguments: Any, **options: Any) -> Any:
            return what(lambda: request(*arguments, **options))

        monkeypatch.setattr(client, "request_with_retries", passed)

    return put


# ── Processes that die ───────────────────────────────────────────────────────────────────────────────────────────────


class Died(Exception):
    """The process is not there any more."""


def test_the_process_dies_after_the_provider_was_asked(
    payer: Payer, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.webhooks.times = 0
    payer.save(OK)
    payer.call("GET", f"/payments/payment-methods?userId={payer.user}")
    order = payer.order()

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(settlement, "_decide", die)
        assert payer.submit(order).status == 500
    assert payer.taken(order) == [5_000]
    assert payer.status(order) == "pending"
    payer.town.passes(seconds=11)
    payer.is_paid_once(order)


def test_the_process_dies_before_the_provider_was_asked(payer: Payer, monkeypatch: pytest.MonkeyPatch) -> None:
    payer.save(OK)
    order = payer.order()

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(intents, "observe", die)
        assert payer.submit(order).status == 500
    assert payer.taken(order) == []
    payer.town.passes(seconds=11)
    payer.is_paid_once(order)


# ── Whoever presses twice ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keys", [["same"], ["one", "another"], [None]], ids=["same key", "other keys", "no keys"])
@pytest.mark.parametrize("at_once", [1, 16])
def test_whoever_submits_again_is_charged_once(payer: Payer, keys: list[str | None], at_once: int) -> None:
    payer.save(OK)
    order = payer.order()

    def submit(number: int) -> int:
        key = keys[number % len(keys)]
        return payer.submit(order, **({"Idempotency-Key": key} if key else {})).status

    with ThreadPoolExecutor(at_once) as threads:
        statuses = list(threads.map(submit, range(16 if at_once > 1 else 3)))
    assert set(statuses) <= {200, 503}, statuses
    assert 200 in statuses
    payer.is_paid_once(order)


# ── Others ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_users_tenants_and_currencies_keep_to_themselves(town: Town, gate: Gate) -> None:
    kari, other = new_payer(town, "Kari's"), new_payer(town, "Others")
    ola = Payer(town, kari.client, "ola")
    ola.client.http.call("PUT", "/users/ola")
    paris = new_payer(town, "Paris", PARIS, "EUR")
    payers = {"kari": (kari, 3_000), "ola": (ola, 4_000), "other": (other, 5_000), "paris": (paris, 6_000)}
    ordered = {}
    for name, (payer, amount) in payers.items():
        payer.save(OK)
        ordered[name] = payer.order(amount)
        assert payer.pay(ordered[name])["state"] == "SUCCEEDED"
    for name, (payer, amount) in payers.items():
        payer.is_paid_once(ordered[name], amount)
    assert paris.payments(ordered["paris"])[0].currency == "EUR"
    assert ola.submit(ordered["kari"]).status == 404
    assert other.submit(ordered["kari"]).status == 404


# ── Holds and refunds ────────────────────────────────────────────────────────────────────────────────────────────────


def held(payer: Payer, amount: int = 5_000) -> PaymentIntent:
    """An amount that is held for a rental that goes on, and that nobody decides about."""
    order = payer.order()
    payer.pay(order)
    (payment,) = payer.payments(order)
    store.begin()
    with store.Transaction() as tx:
        hold = holds.place(
            tx,
            client_id=payment.client_id,
            rider_id=payment.rider_id,
            network_id=payment.network_id,
            rental_id=ids.new_id(),
            amount=amount,
            currency="NOK",
            off_session=True,
        )
    payer.town.settle()
    assert now(hold).state is PaymentState.HELD
    return hold


def now(payment: PaymentIntent) -> PaymentIntent:
    store.begin()
    return intents.find(payment.id)


def test_a_hold_is_captured_by_its_workflow(payer: Payer) -> None:
    payer.save(OK)
    hold = held(payer)
    store.begin()
    holds.capture(hold.id, 3_000)
    payer.town.settle()
    after = now(hold)
    assert (after.state, after.captured) == (PaymentState.SUCCEEDED, 3_000)
    assert executions(payer.town, hold) == ["SUCCEEDED"]


def test_a_hold_that_goes_on_is_replaced_and_the_bank_gives_the_old_one_back(payer: Payer) -> None:
    payer.save(OK)
    hold = held(payer)
    payer.town.passes(hours=24 * 4 + 7)  # what is held of a rider who is away is given back after 4 days and 18 hours
    payer.town.passes(minutes=1)
    old = now(hold)
    assert old.state is PaymentState.RELEASED
    new = payments_for(PurposeKind.HOLD, hold.purpose.id)[-1]
    assert (new.id, new.state, new.replaces) == (old.replaced_by, PaymentState.HELD, hold.id)
    store.begin()
    assert holds.capture(hold.id, 2_000).id == new.id
    payer.town.settle()
    assert [each.captured for each in payments_for(PurposeKind.HOLD, hold.purpose.id)] == [0, 2_000]


def test_what_is_captured_too_late_is_not_there_any_more(payer: Payer) -> None:
    payer.save(OK)
    hold = held(payer)
    payer.call("DELETE", f"/payments/payment-methods?userId={payer.user}")  # so it cannot be replaced
    payer.town.passes(hours=24 * 7 + 13)
    payer.town.settle()
    after = now(hold)
    assert after.state is PaymentState.EXPIRED
    until(lambda: executions(payer.town, hold) == ["SUCCEEDED"], what="the workflow is done")


def test_what_was_paid_goes_back(payer: Payer, on_the_way: Way) -> None:
    payer.save(OK)
    order = payer.order()
    payer.pay(order)
    payer.is_paid_once(order)
    (payment,) = payer.payments(order)

    def lose(request: Callable[[], Any]) -> Any:
        request()
        raise connection_lost()

    on_the_way(lose)
    store.begin()
    refund = reversals.give_back(ids.new_id(), payment.id, 2_000, "asked for")
    assert refund.state == "created"
    on_the_way(lambda request: request())
    payer.town.passes(minutes=6)  # the agenda asks again
    assert payer.wallet(order) == 3_000
    assert now(payment).refunded == 2_000
    store.begin()
    assert following.keep_agenda() == 0
