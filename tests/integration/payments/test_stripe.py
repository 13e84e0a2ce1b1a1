"""The adapter against localstripe behind the platform's gate: every method, every way in which it can end."""

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import stripe

from kickstand.kernel import clock
from kickstand.payments.provider import (
    Charge,
    Intent,
    IntentStatus,
    ProviderRefusal,
    ProviderUnreachable,
    SetupStatus,
)
from kickstand.payments.stripe_gateway import API_VERSION, Stripe
from local.payments import HOLD, HOLD_WHILE_AWAY, KEY_LIFE, Gate
from tests.support import provider as cards
from tests.support.provider import BrowserRefused, LocalProvider

_numbers: Iterator[int] = itertools.count(1)


@pytest.fixture
def adapter(provider: LocalProvider) -> Stripe:
    return Stripe()


@pytest.fixture
def customer(adapter: Stripe) -> str:
    return adapter.create_customer(7, key="customer-7")


def saved(provider: LocalProvider, adapter: Stripe, customer: str, number: str = cards.OK) -> str:
    setup = adapter.create_setup(next(_numbers), customer, key=f"setup-{next(_numbers)}")
    if provider.confirm(setup.secret or "", number)["status"] == "requires_action":
        provider.authenticate(setup.secret or "")
    method = adapter.setup(setup.ref).method
    assert method is not None
    return method


def paid(adapter: Stripe, customer: str, **members: Any) -> Intent:
    number = next(_numbers)
    wanted: dict[str, Any] = {"payment_id": number, "amount": 1250, "currency": "NOK", "customer": customer}
    return adapter.create_intent(Charge(**wanted | members), key=f"payment-{number}")


def test_the_version_is_the_one_that_the_sdk_describes() -> None:
    assert stripe.api_version == API_VERSION


def test_a_customer_is_made_once(adapter: Stripe, customer: str) -> None:
    assert adapter.create_customer(7, key="customer-7") == customer
    assert adapter.create_customer(8, key="customer-8") != customer


def test_a_card_is_saved_by_the_browser(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    setup = adapter.create_setup(5, customer, key="setup-5")
    assert setup.status is SetupStatus.WAITING
    assert adapter.create_setup(5, customer, key="setup-5") == setup
    provider.confirm(setup.secret or "")
    after = adapter.setup(setup.ref)
    assert after.status is SetupStatus.SUCCEEDED
    card = adapter.card(after.method or "")
    assert (card.brand, card.last4, card.expires) == ("visa", "4242", "2034-12")


def test_a_card_is_saved_after_a_proof(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    setup = adapter.create_setup(5, customer, key="setup-5")
    assert provider.confirm(setup.secret or "", cards.PROVED_ALWAYS)["status"] == "requires_action"
    assert adapter.setup(setup.ref).status is SetupStatus.WAITING
    provider.authenticate(setup.secret or "", ok=False)
    assert adapter.setup(setup.ref).status is SetupStatus.WAITING
    provider.confirm(setup.secret or "", cards.PROVED_ALWAYS)
    provider.authenticate(setup.secret or "")
    assert adapter.setup(setup.ref).status is SetupStatus.SUCCEEDED


def test_a_declined_card_is_not_saved_but_another_one_can_be(
    provider: LocalProvider, adapter: Stripe, customer: str
) -> None:
    setup = adapter.create_setup(5, customer, key="setup-5")
    with pytest.raises(BrowserRefused) as refused:
        provider.confirm(setup.secret or "", cards.DECLINED)
    assert refused.value.decline is None
    assert refused.value.code == "card_declined"
    assert adapter.setup(setup.ref).status is SetupStatus.WAITING
    provider.confirm(setup.secret or "", cards.OK)
    assert adapter.setup(setup.ref).status is SetupStatus.SUCCEEDED


def test_a_setup_is_cancelled_unless_it_has_succeeded(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    given_up = adapter.create_setup(5, customer, key="setup-5")
    assert adapter.cancel_setup(given_up.ref).status is SetupStatus.CANCELLED
    with pytest.raises(BrowserRefused):
        provider.confirm(given_up.secret or "")
    done = adapter.create_setup(6, customer, key="setup-6")
    provider.confirm(done.secret or "")
    assert adapter.cancel_setup(done.ref).status is SetupStatus.SUCCEEDED


def test_a_detached_card_is_nobodys(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer)
    adapter.detach(method)
    adapter.detach(method)
    with pytest.raises(ProviderRefusal):
        adapter.card(method)
    with pytest.raises(ProviderRefusal):
        paid(adapter, customer, method=method)
    adapter.detach("pm_unknown")
    assert provider.charges() == 0


def test_a_saved_card_is_charged_at_once_and_once(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer)
    charge = Charge(payment_id=99, amount=1250, currency="NOK", customer=customer, method=method, off_session=True)
    first = adapter.create_intent(charge, key="payment-99")
    again = adapter.create_intent(charge, key="payment-99")
    assert (first.status, first.captured, first.payment_id) == (IntentStatus.SUCCEEDED, 1250, 99)
    assert first == again == adapter.intent(first.ref or "")
    assert [(each.payment_id, each.amount) for each in provider.taken()] == [(99, 1250)]


def test_another_request_under_the_same_key_decides_nothing(adapter: Stripe, customer: str) -> None:
    adapter.create_intent(Charge(payment_id=1, amount=5, currency="NOK", customer=customer), key="same")
    with pytest.raises(ProviderUnreachable):
        adapter.create_intent(Charge(payment_id=1, amount=6, currency="NOK", customer=customer), key="same")


def test_a_key_is_forgotten_after_a_day(adapter: Stripe, customer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    charge = Charge(payment_id=1, amount=5, currency="NOK", customer=customer)
    first = adapter.create_intent(charge, key="same")
    later = clock.now() + KEY_LIFE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert adapter.create_intent(charge, key="same").ref != first.ref


def test_the_client_chooses(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    intent = paid(adapter, customer)
    assert (intent.status, intent.method, intent.captured) == (IntentStatus.WAITING_FOR_METHOD, None, 0)
    provider.confirm(intent.secret or "")
    after = adapter.intent(intent.ref or "")
    assert (after.status, after.captured) == (IntentStatus.SUCCEEDED, 1250)
    with pytest.raises(ProviderRefusal):  # it was not to be saved
        adapter.card(after.method or "")


def test_what_the_client_chooses_is_saved(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    intent = paid(adapter, customer, save=True, types=("card", "blik"))
    provider.confirm(intent.secret or "")
    method = adapter.intent(intent.ref or "").method or ""
    assert adapter.card(method).last4 == "4242"
    assert paid(adapter, customer, method=method, off_session=True).status is IntentStatus.SUCCEEDED


def test_a_declined_card_can_be_followed_by_another(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    intent = paid(adapter, customer)
    with pytest.raises(BrowserRefused) as refused:
        provider.confirm(intent.secret or "", cards.INSUFFICIENT_FUNDS)
    assert refused.value.decline == "insufficient_funds"
    after = adapter.intent(intent.ref or "")
    assert (after.status, after.decline) == (IntentStatus.WAITING_FOR_METHOD, "insufficient_funds")
    provider.confirm(intent.secret or "")
    assert adapter.intent(intent.ref or "").decline is None
    assert provider.charges() == 1


def test_a_saved_card_is_declined(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer, cards.DECLINED_ON_CHARGE)
    intent = paid(adapter, customer, method=method, off_session=True)
    assert (intent.status, intent.decline) == (IntentStatus.WAITING_FOR_METHOD, "generic_decline")
    assert intent.ref is not None
    assert provider.charges() == 0


def test_a_proof_succeeds(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer, cards.PROVED_ALWAYS)
    intent = paid(adapter, customer, method=method)
    assert (intent.status, intent.method) == (IntentStatus.WAITING_FOR_RIDER, method)
    provider.authenticate(intent.secret or "")
    assert adapter.intent(intent.ref or "").status is IntentStatus.SUCCEEDED


def test_a_proof_fails(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer, cards.PROVED_ALWAYS)
    intent = paid(adapter, customer, method=method)
    provider.authenticate(intent.secret or "", ok=False)
    after = adapter.intent(intent.ref or "")
    assert (after.status, after.decline) == (
        IntentStatus.WAITING_FOR_METHOD,
        "payment_intent_authentication_failure",
    )
    assert provider.charges() == 0


def test_a_card_is_declined_after_the_proof(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    intent = paid(adapter, customer)
    assert provider.confirm(intent.secret or "", cards.PROVED_THEN_DECLINED)["status"] == "requires_action"
    with pytest.raises(BrowserRefused):
        provider.authenticate(intent.secret or "")
    assert adapter.intent(intent.ref or "").decline == "generic_decline"


def test_a_proof_is_wanted_while_the_rider_is_away(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer, cards.PROVED_ALWAYS)
    intent = paid(adapter, customer, method=method, off_session=True)
    assert (intent.status, intent.method, intent.decline) == (IntentStatus.WAITING_FOR_RIDER, method, None)
    assert adapter.intent(intent.ref or "") == intent
    provider.authenticate(intent.secret or "")
    assert adapter.intent(intent.ref or "").status is IntentStatus.SUCCEEDED
    assert provider.charges() == 1


def test_a_card_proved_when_it_was_saved_is_charged_without_the_rider(
    provider: LocalProvider, adapter: Stripe, customer: str
) -> None:
    method = saved(provider, adapter, customer, cards.PROVED_ONCE)
    assert paid(adapter, customer, method=method, off_session=True).status is IntentStatus.SUCCEEDED


def test_an_amount_is_held_and_captured_in_part(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer)
    held = paid(adapter, customer, method=method, capture=False)
    assert (held.status, held.captured, provider.holds()) == (IntentStatus.HELD, 0, 1)
    with pytest.raises(ProviderRefusal) as refused:
        adapter.capture(held.ref or "", 1251, key="too-much")
    assert refused.value.code == "amount_too_large"
    taken = adapter.capture(held.ref or "", 1000, key="capture-1")
    assert (taken.status, taken.captured, taken.refunded) == (IntentStatus.SUCCEEDED, 1000, 0)
    assert adapter.capture(held.ref or "", 1000, key="capture-1") == taken
    assert [each.amount for each in provider.taken()] == [1000]


def test_a_hold_is_released(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    held = paid(adapter, customer, method=saved(provider, adapter, customer), capture=False)
    assert adapter.cancel_intent(held.ref or "", key="release").status is IntentStatus.CANCELLED
    with pytest.raises(ProviderRefusal) as refused:
        adapter.capture(held.ref or "", 1, key="late")
    assert refused.value.code == "payment_intent_unexpected_state"


@pytest.mark.parametrize(("away", "lasts"), [(False, HOLD), (True, HOLD_WHILE_AWAY)])
def test_a_hold_expires(
    provider: LocalProvider,
    adapter: Stripe,
    customer: str,
    monkeypatch: pytest.MonkeyPatch,
    away: bool,
    lasts: timedelta,
) -> None:
    begun = clock.now()
    held = paid(adapter, customer, method=saved(provider, adapter, customer), capture=False, off_session=away)
    assert held.capture_before is not None
    assert timedelta(seconds=-1) <= held.capture_before - begun - lasts < timedelta(seconds=30)
    later = held.capture_before + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(ProviderRefusal):
        adapter.capture(held.ref or "", 1, key="late")
    assert adapter.intent(held.ref or "").status is IntentStatus.CANCELLED
    assert provider.gate.events[-1]["type"] == "payment_intent.canceled"


def test_a_payment_is_cancelled_unless_it_has_succeeded(
    provider: LocalProvider, adapter: Stripe, customer: str
) -> None:
    waiting = paid(adapter, customer)
    assert adapter.cancel_intent(waiting.ref or "", key="cancel-1").status is IntentStatus.CANCELLED
    with pytest.raises(BrowserRefused):
        provider.confirm(waiting.secret or "")
    done = paid(adapter, customer, method=saved(provider, adapter, customer))
    assert adapter.cancel_intent(done.ref or "", key="cancel-2").status is IntentStatus.SUCCEEDED


@pytest.mark.parametrize("captured", [1250, 900])
def test_refunds_never_exceed_what_was_taken(
    provider: LocalProvider, adapter: Stripe, customer: str, captured: int
) -> None:
    held = paid(adapter, customer, method=saved(provider, adapter, customer), capture=False)
    ref = held.ref or ""
    adapter.capture(ref, captured, key="capture")
    first = adapter.refund(ref, 400, key="refund-1")
    assert adapter.refund(ref, 400, key="refund-1") == first
    with pytest.raises(ProviderRefusal):
        adapter.refund(ref, captured - 399, key="refund-2")
    assert adapter.intent(ref).refunded == 400
    assert adapter.refund(ref, captured - 400, key="refund-3") != first
    assert adapter.intent(ref).refunded == captured
    with pytest.raises(ProviderRefusal) as refused:
        adapter.refund(ref, 1, key="refund-4")
    assert refused.value.code == "charge_already_refunded"
    assert provider.taken()[0].refunded == captured


def test_a_refund_that_came_back_does_not_stand(
    provider: LocalProvider, adapter: Stripe, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = paid(adapter, customer, method=saved(provider, adapter, customer))
    refund = adapter.refund(done.ref or "", 400, key="refund")
    assert adapter.refund_stands(refund)
    ask = Gate._ask

    def came_back(self: Gate, method: str, path: str, document: Any = None) -> Any:
        found = ask(self, method, path, document)
        return {**found, "status": "failed"} if path == f"/v1/refunds/{refund}" else found

    monkeypatch.setattr(Gate, "_ask", came_back)
    assert not adapter.refund_stands(refund)


def test_what_is_not_paid_cannot_be_refunded(adapter: Stripe, customer: str) -> None:
    with pytest.raises(ProviderRefusal):
        adapter.refund(paid(adapter, customer).ref or "", 1, key="refund")


@pytest.mark.parametrize(("currency", "amount", "counted"), [("ISK", 1500, 150_000), ("JPY", 1500, 1500)])
def test_currencies_are_counted_as_stripe_does(
    provider: LocalProvider, adapter: Stripe, customer: str, currency: str, amount: int, counted: int
) -> None:
    held = paid(
        adapter, customer, amount=amount, currency=currency, capture=False, method=saved(provider, adapter, customer)
    )
    assert (held.amount, provider.gate.payment(held.ref or "")["amount"]) == (amount, counted)
    taken = adapter.capture(held.ref or "", amount - 500, key="capture")
    adapter.refund(held.ref or "", 200, key="refund")
    assert (taken.captured, adapter.intent(held.ref or "").refunded) == (amount - 500, 200)


@pytest.mark.parametrize("after", [False, True])
def test_no_answer_is_no_decision(provider: LocalProvider, adapter: Stripe, customer: str, *, after: bool) -> None:
    method = saved(provider, adapter, customer)
    charge = Charge(payment_id=3, amount=1250, currency="NOK", customer=customer, method=method)
    provider.fail_next(after=after)
    with pytest.raises(ProviderUnreachable):
        adapter.create_intent(charge, key="payment-3")
    assert provider.charges() == int(after)
    assert adapter.create_intent(charge, key="payment-3").status is IntentStatus.SUCCEEDED
    assert provider.charges() == 1


def test_events_are_believed_when_they_are_signed(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    paid(adapter, customer, payment_id=31, method=saved(provider, adapter, customer))
    told = provider.gate.events[-1]
    assert told["type"] == "payment_intent.succeeded"
    body, signature = provider.signed(told)
    event = adapter.event(body, signature)
    assert event is not None
    assert (event.id, event.kind, event.ref, event.payment_id) == (
        told["id"],
        told["type"],
        told["data"]["object"]["id"],
        31,
    )
    for wrong_body, wrong_signature in (
        (body + b" ", signature),
        (body, None),
        (body, "t=1,v1=00"),
        (b"\xff", signature),
        (body, signature.replace("v1", "v0")),
    ):
        with pytest.raises(ProviderRefusal):
            adapter.event(wrong_body, wrong_signature)


def test_old_events_are_not_believed(provider: LocalProvider, adapter: Stripe) -> None:
    body = json.dumps({"id": "evt_1", "object": "event", "type": "charge.refunded", "data": {"object": {}}})
    secret = "whsec_of-this-machine-only"
    old = stripe.WebhookSignature.generate_signature_header(body, secret, timestamp=1_600_000_000)
    with pytest.raises(ProviderRefusal):
        adapter.event(body.encode(), old)
    fresh = stripe.WebhookSignature.generate_signature_header(body, secret)
    assert adapter.event(body.encode(), fresh) is None


def test_events_name_setups_and_refunds(provider: LocalProvider, adapter: Stripe, customer: str) -> None:
    method = saved(provider, adapter, customer)
    intent = paid(adapter, customer, method=method, payment_id=77)
    adapter.refund(intent.ref or "", 10, key="refund")
    told = [adapter.event(*provider.signed(each)) for each in provider.gate.events]
    named = [(each.kind, each.payment_id, each.setup_id is not None) for each in told if each is not None]
    assert named == [
        ("setup_intent.succeeded", None, True),
        ("payment_intent.succeeded", 77, False),
        ("charge.refunded", 77, False),
    ]
    assert told[-1] is not None
    assert told[-1].ref == intent.ref


def test_events_of_other_kinds_do_not_matter(provider: LocalProvider, adapter: Stripe) -> None:
    other = {"id": "evt_2", "object": "event", "type": "payout.paid", "data": {"object": {"id": "po_1"}}}
    assert adapter.event(*provider.signed(other)) is None
