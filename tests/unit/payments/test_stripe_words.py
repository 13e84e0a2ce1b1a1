"""How the adapter understands Stripe, and tells it things; without any provider."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from stripe import PaymentIntent

from kickstand.kernel.currencies import decimals
from kickstand.payments import stripe_gateway
from kickstand.payments.provider import (
    Charge,
    IntentStatus,
    ProviderRefusal,
    ProviderUnreachable,
    SetupStatus,
)
from kickstand.payments.stripe_gateway import Keys, Stripe, from_stripe, to_stripe

CHARGE = Charge(payment_id=12, amount=1250, currency="NOK", customer="cus_1")


@pytest.mark.parametrize(
    ("currency", "amount", "counted"),
    [
        ("NOK", 1250, 1250),
        ("EUR", 1, 1),
        ("JPY", 500, 500),
        ("ISK", 1500, 150_000),
        ("UGX", 1500, 150_000),
        ("HUF", 1250, 1250),
        ("KWD", 1250, 1250),
        ("MGA", 1500, 15),
    ],
)
def test_amounts(currency: str, amount: int, counted: int) -> None:
    assert to_stripe(amount, currency) == counted
    assert from_stripe(counted, currency) == amount


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 1255), ("BHD", 1), ("MGA", 1550)])
def test_amounts_that_stripe_cannot_take_are_refused(currency: str, amount: int) -> None:
    with pytest.raises(ProviderRefusal) as refused:
        to_stripe(amount, currency)
    assert refused.value.code == "amount_not_representable"


def test_only_named_currencies_are_counted_otherwise() -> None:
    others = {"AED", "CHF", "CLP", "DKK", "GBP", "KRW", "PLN", "SEK", "TND", "USD", "VND", "XOF"}
    assert [each for each in others if to_stripe(100, each) != 100] == []
    assert {decimals(each) for each in ("ISK", "UGX", "MGA")} == {0, 2}


def intent(**members: Any) -> PaymentIntent:
    document = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1250,
        "amount_received": 0,
        "currency": "nok",
        "client_secret": "pi_1_secret_x",
        "last_payment_error": None,
        "latest_charge": None,
        "metadata": {"payment_id": "12"},
        "payment_method": None,
        "status": "requires_payment_method",
    }
    return PaymentIntent.construct_from(document | members, "sk_test_x")


@pytest.mark.parametrize(
    ("status", "ours"),
    [
        ("requires_payment_method", IntentStatus.WAITING_FOR_METHOD),
        ("requires_confirmation", IntentStatus.WAITING_FOR_METHOD),
        ("requires_action", IntentStatus.WAITING_FOR_RIDER),
        ("processing", IntentStatus.PROCESSING),
        ("requires_capture", IntentStatus.HELD),
        ("succeeded", IntentStatus.SUCCEEDED),
        ("canceled", IntentStatus.CANCELLED),
        ("something_new", IntentStatus.PROCESSING),
    ],
)
def test_states(status: str, ours: IntentStatus) -> None:
    assert stripe_gateway._intent(intent(status=status)).status is ours


def test_a_hold_ends_when_stripe_says() -> None:
    charge: dict[str, Any] = {"id": "ch_1", "object": "charge", "payment_method_details": {"type": "card"}}
    assert stripe_gateway._intent(intent(status="requires_capture", latest_charge=charge)).capture_before is None
    charge["payment_method_details"]["card"] = {"capture_before": 1_780_000_000}
    seen = stripe_gateway._intent(intent(status="requires_capture", latest_charge=charge))
    assert seen.capture_before == datetime.fromtimestamp(1_780_000_000, UTC)


def test_what_is_not_ours_has_no_payment() -> None:
    for metadata in ({}, {"payment_id": "x"}, {"payment_id": "-1"}, {"payment_id": "²"}):
        assert stripe_gateway._intent(intent(metadata=metadata)).payment_id is None


def test_a_decline_is_told_in_the_banks_words_if_it_has_any() -> None:
    for problem, decline in (
        ({"code": "card_declined", "decline_code": "lost_card"}, "lost_card"),
        ({"code": "expired_card"}, "expired_card"),
        ({"type": "card_error"}, "card_error"),
    ):
        seen = stripe_gateway._intent(intent(last_payment_error=problem))
        assert (seen.status, seen.decline) == (IntentStatus.WAITING_FOR_METHOD, decline)


def test_a_decline_that_was_made_good_is_none() -> None:
    seen = stripe_gateway._intent(intent(status="succeeded", last_payment_error={"code": "card_declined"}))
    assert seen.decline is None


def test_a_proof_is_wanted_from_the_rider_who_was_away() -> None:
    problem = {"code": "authentication_required", "payment_method": {"id": "pm_1", "object": "payment_method"}}
    seen = stripe_gateway._intent(intent(last_payment_error=problem))
    assert (seen.status, seen.method, seen.decline) == (IntentStatus.WAITING_FOR_RIDER, "pm_1", None)


@pytest.mark.parametrize(
    ("taken", "given_back", "refunded"), [(1250, 0, 0), (1250, 400, 400), (900, 350, 0), (900, 750, 400)]
)
def test_what_a_smaller_capture_releases_is_no_refund(taken: int, given_back: int, refunded: int) -> None:
    charge = {"id": "ch_1", "object": "charge", "amount": 1250, "amount_captured": taken, "amount_refunded": given_back}
    seen = stripe_gateway._intent(intent(status="succeeded", amount_received=taken, latest_charge=charge))
    assert (seen.captured, seen.refunded) == (taken, refunded)


def test_what_is_asked_for() -> None:
    assert stripe_gateway._charge(CHARGE) == {
        "amount": 1250,
        "currency": "nok",
        "customer": "cus_1",
        "allowed_payment_method_types": ["card"],
        "capture_method": "automatic",
        "metadata": {"payment_id": "12"},
        "expand": ["latest_charge"],
    }


def asked(**members: Any) -> dict[str, Any]:
    wanted: dict[str, Any] = {**vars(CHARGE), **members}
    plain = dict(stripe_gateway._charge(CHARGE))
    return {name: value for name, value in stripe_gateway._charge(Charge(**wanted)).items() if plain.get(name) != value}


def test_what_else_can_be_asked_for() -> None:
    assert asked(capture=False) == {"capture_method": "manual"}
    assert asked(method="pm_1") == {"payment_method": "pm_1", "confirm": True, "use_stripe_sdk": True}
    assert asked(method="pm_1", off_session=True) == {"payment_method": "pm_1", "confirm": True, "off_session": True}
    assert asked(off_session=True) == {}
    kept = {"payment_method_options": {"card": {"setup_future_usage": "off_session"}}}
    assert asked(save=True) == kept
    assert asked(save=True, types=("blik",)) == {"allowed_payment_method_types": ["blik"]}
    assert asked(save=True, types=("card", "blik")) == {"allowed_payment_method_types": ["card", "blik"], **kept}


class Wire(stripe.HTTPClient):
    """Answers every request alike, and remembers them."""

    name = "test"

    def __init__(self, status: int, body: str) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self._answer = body, status, {"Request-Id": "req_1"}

    def request_with_retries(self, method: str, url: str, headers: Any, *_: Any, **__: Any) -> Any:
        self.asked.append((method, url, dict(headers)))
        return self._answer


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, str], Wire]]:
    def connect(status: int, body: str) -> Wire:
        wire = Wire(status, body)
        monkeypatch.setattr(stripe_gateway, "http_client", lambda: wire)
        monkeypatch.setattr(stripe_gateway, "read_keys", lambda: Keys("sk_test_x", "pk_test_x", "whsec_x"))
        stripe_gateway.forget_keys()
        stripe_gateway._connected.cache_clear()
        return wire

    monkeypatch.setenv("PAYMENT_PROVIDER_URL", "")
    yield connect
    stripe_gateway.forget_keys()
    stripe_gateway._connected.cache_clear()


EVERY_CALL: dict[str, Callable[[Stripe], object]] = {
    "create_customer": lambda provider: provider.create_customer(1, key="k"),
    "create_setup": lambda provider: provider.create_setup(1, "cus_1", key="k"),
    "setup": lambda provider: provider.setup("seti_1"),
    "cancel_setup": lambda provider: provider.cancel_setup("seti_1"),
    "card": lambda provider: provider.card("pm_1"),
    "detach": lambda provider: provider.detach("pm_1"),
    "create_intent": lambda provider: provider.create_intent(CHARGE, key="k"),
    "intent": lambda provider: provider.intent("pi_1"),
    "cancel_intent": lambda provider: provider.cancel_intent("pi_1", key="k"),
    "capture": lambda provider: provider.capture("pi_1", 1, key="k"),
    "refund": lambda provider: provider.refund("pi_1", 1, key="k"),
}


@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)
@pytest.mark.parametrize("status", [401, 403, 409, 429, 500, 502, 503])
def test_no_decision(wired: Callable[[int, str], Wire], status: int, call: Callable[[Stripe], object]) -> None:
    wired(status, '{"error": {"type": "api_error", "message": "later"}}')
    with pytest.raises(ProviderUnreachable):
        call(Stripe())


@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)
def test_a_refusal(wired: Callable[[int, str], Wire], call: Callable[[Stripe], object]) -> None:
    wired(400, '{"error": {"type": "invalid_request_error", "code": "parameter_invalid", "message": "no"}}')
    with pytest.raises(ProviderRefusal) as refused:
        call(Stripe())
    assert refused.value.code == "parameter_invalid"
    assert refused.value.__cause__ is None


def test_a_key_that_was_used_for_something_else_decides_nothing(wired: Callable[[int, str], Wire]) -> None:
    wired(400, '{"error": {"type": "idempotency_error", "message": "other parameters"}}')
    with pytest.raises(ProviderUnreachable):
        Stripe().create_intent(CHARGE, key="k")


def test_an_answer_that_is_none(wired: Callable[[int, str], Wire]) -> None:
    wired(200, "<html>")
    with pytest.raises(ProviderUnreachable):
        Stripe().intent("pi_1")


def test_a_card_that_is_declined_before_there_is_a_payment(wired: Callable[[int, str], Wire]) -> None:
    wired(402, '{"error": {"type": "card_error", "code": "card_declined", "decline_code": "fraudulent"}}')
    seen = Stripe().create_intent(CHARGE, key="k")
    assert (seen.ref, seen.status, seen.decline) == (None, IntentStatus.WAITING_FOR_METHOD, "fraudulent")


def test_every_write_has_a_key_and_the_version(wired: Callable[[int, str], Wire]) -> None:
    wire = wired(
        200,
        '{"id": "x_1", "object": "payment_intent", "status": "canceled", "currency": "nok", "amount": 5,'
        ' "amount_received": 0, "metadata": {}, "client_secret": "s", "payment_method": null, "customer": "cus_1",'
        ' "last_payment_error": null, "latest_charge": null, "card": null, "failure_reason": null}',
    )
    for call in EVERY_CALL.values():
        with_refusals(call)
    writes = [headers for method, _, headers in wire.asked if method == "post"]
    assert len(writes) == 8
    assert [each for each in writes if not each.get("Idempotency-Key")] == []
    assert {headers["Stripe-Version"] for _, _, headers in wire.asked} == {stripe_gateway.API_VERSION}
    assert {url.split("/v1/")[0] for _, url, _ in wire.asked} == {"https://api.stripe.com"}
    assert not any("X-Stripe-Client-Telemetry" in headers for _, _, headers in wire.asked)


def with_refusals(call: Callable[[Stripe], object]) -> None:
    try:
        call(Stripe())
    except ProviderRefusal:
        return


def test_new_keys_are_read_after_the_old_ones_failed(
    wired: Callable[[int, str], Wire], monkeypatch: pytest.MonkeyPatch
) -> None:
    wired(401, '{"error": {"type": "invalid_request_error", "message": "expired"}}')
    assert Stripe().publishable_key() == "pk_test_x"
    monkeypatch.setattr(stripe_gateway, "read_keys", lambda: Keys("sk_2", "pk_2", "whsec_2"))
    assert Stripe().publishable_key() == "pk_test_x"
    with pytest.raises(ProviderUnreachable):
        Stripe().intent("pi_1")
    assert Stripe().publishable_key() == "pk_2"


def test_setups_stand_in_three_ways() -> None:
    def stands(status: str) -> SetupStatus:
        document = {
            "id": "seti_1",
            "object": "setup_intent",
            "status": status,
            "client_secret": "s",
            "payment_method": None,
        }
        return stripe_gateway._setup(stripe.SetupIntent.construct_from(document, "sk_test_x")).status

    assert stands("succeeded") is SetupStatus.SUCCEEDED
    assert stands("canceled") is SetupStatus.CANCELLED
    others = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")
    assert {stands(each) for each in others} == {SetupStatus.WAITING}


def test_nothing_secret_is_shown() -> None:
    keys = Keys("sk_live_secret", "pk_live_known", "whsec_secret")
    assert "secret" not in repr(keys)


def test_the_sdk_tells_nobody_what_it_does() -> None:
    assert stripe.enable_telemetry is False
    assert stripe_gateway.http_client()._timeout == (2.0, 8.0)
