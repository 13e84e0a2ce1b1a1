"""Stripe as the payment provider, through its SDK. Nothing here is ever logged: not keys, not secrets, not answers."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import stripe
from stripe import IdempotencyError, RequestsClient, StripeClient, StripeError

from kickstand.kernel import aws
from kickstand.kernel.currencies import decimals
from kickstand.payments.model import Card
from kickstand.payments.provider import (
    Charge,
    Intent,
    IntentStatus,
    ProviderEvent,
    ProviderRefusal,
    ProviderUnreachable,
    Setup,
    SetupStatus,
)

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams  # thousands of lines that say nothing when they run

API_VERSION: Final = "2026-10-28.endive"
"""The version of Stripe's API that requests and webhooks speak; the one that the SDK's types describe."""

TOLERANCE: Final = 300
"""How old a webhook may be, in seconds."""

_TIMEOUTS: Final = (2.0, 8.0)  # to connect, to read; with one more attempt a call ends within 21 seconds
_ATTEMPTS_MORE: Final = 1
_KEYS_KEPT: Final = 300.0

# Stripe counts some currencies otherwise than ISO 4217 does: the first two are to be told in hundredths for the sake of
# old integrations, the ariary has no fifths there. https://docs.stripe.com/currencies#special-cases
_DECIMALS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
_LAST_DIGIT_ZERO: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

_STATUSES: Final = {
    "requires_payment_method": IntentStatus.WAITING_FOR_METHOD,
    "requires_confirmation": IntentStatus.WAITING_FOR_METHOD,
    "requires_action": IntentStatus.WAITING_FOR_RIDER,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.HELD,
    "succeeded": IntentStatus.SUCCEEDED,
    "canceled": IntentStatus.CANCELLED,
}
_SETUP_STATUSES: Final = {"succeeded": SetupStatus.SUCCEEDED, "canceled": SetupStatus.CANCELLED}
_PROOF_WANTED: Final = "authentication_required"
_TOO_LATE: Final = frozenset({"payment_intent_unexpected_state", "setup_intent_unexpected_state"})
_NO_CREDENTIALS: Final = frozenset({401, 403})
_UNDECIDED: Final = frozenset({409, 429})
_DECISIONS: Final = range(400, 500)

_PAYMENT_KINDS: Final = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
    }
)
_REFUND_KINDS: Final = frozenset({"charge.refunded", "refund.failed", "refund.updated"})
_SETUP_KINDS: Final = frozenset({"setup_intent.canceled", "setup_intent.setup_failed", "setup_intent.succeeded"})
EVENT_KINDS: Final = _PAYMENT_KINDS | _REFUND_KINDS | _SETUP_KINDS
"""What webhooks are worth having."""

T = TypeVar("T")

stripe.enable_telemetry = False
logging.getLogger("stripe").disabled = True  # it tells addresses and, when asked for details, what was sent


# ── Amounts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_stripe(amount: int, currency: str) -> int:
    """Minor units of ISO 4217 as Stripe counts them.

    Raises:
        ProviderRefusal: Stripe cannot take so small a part of this currency.
    """
    ours, theirs = _scales(currency)
    step = 10 if currency in _LAST_DIGIT_ZERO else 1
    counted, left = divmod(amount * theirs, ours)
    if left or counted % step:
        raise ProviderRefusal("amount_not_representable")
    return counted


def from_stripe(counted: int, currency: str) -> int:
    """What Stripe counts as minor units of ISO 4217."""
    ours, theirs = _scales(currency)
    return counted * ours // theirs


def _scales(currency: str) -> tuple[int, int]:
    """How many of our minor units, and of Stripe's, are one unit of the currency."""
    ours = decimals(currency)
    return int(10**ours), int(10 ** _DECIMALS.get(currency, ours))


# ── Keys and connection ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Keys:
    """What the account is used with."""

    secret_key: str = field(repr=False)
    publishable_key: str
    webhook_secret: str = field(repr=False)


class KeysMissing(RuntimeError):
    """Nobody has filled the secret yet."""


class _KeyRing:
    """The keys, read from Secrets Manager once in some minutes, so that new ones are taken up."""

    def __init__(self) -> None:
        self._keys: Keys | None = None
        self._read_at = 0.0
        self._reading = Lock()

    def keys(self) -> Keys:
        with self._reading:
            if self._keys is None or time.monotonic() - self._read_at > _KEYS_KEPT:
                self._keys = read_keys()
                self._read_at = time.monotonic()
            return self._keys

    def forget(self) -> None:
        with self._reading:
            self._keys = None


def read_keys() -> Keys:
    """The keys as they are kept now.

    Raises:
        KeysMissing: the secret does not hold them.
    """
    name = os.environ["PAYMENT_SECRET"]
    manager = aws.client("secretsmanager")
    try:
        found = json.loads(manager.get_secret_value(SecretId=name)["SecretString"])
        return Keys(found["secret_key"], found["publishable_key"], found["webhook_secret"])
    except (manager.exceptions.ResourceNotFoundException, KeyError, TypeError, ValueError):
        raise KeysMissing(f"the secret {name} holds no keys of the payment provider") from None


_ring: Final = _KeyRing()


def forget_keys() -> None:
    """Read the keys anew when they are needed next."""
    _ring.forget()


@cache
def http_client() -> RequestsClient:
    """The process's connections to Stripe."""
    return RequestsClient(timeout=_TIMEOUTS)


def _client() -> StripeClient:
    url = os.environ["PAYMENT_PROVIDER_URL"]
    return _connected(_ring.keys().secret_key, url)


@cache
def _connected(secret_key: str, url: str) -> StripeClient:
    return StripeClient(
        secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": url} if url else None,
        max_network_retries=_ATTEMPTS_MORE,
        http_client=http_client(),
    )


# ── The adapter ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Stripe:
    """The provider that Stripe is; see :class:`kickstand.payments.provider.Provider`."""

    def publishable_key(self) -> str:
        """What clients identify us by."""
        return _ring.keys().publishable_key

    def create_customer(self, rider_id: int, key: str) -> str:
        """A customer without a name or address, only with our id."""
        with _decided():
            return (
                _client()
                .v1.customers.create({"metadata": {"rider_id": str(rider_id)}}, options={"idempotency_key": key})
                .id
            )

    def create_setup(self, setup_id: int, customer: str, key: str) -> Setup:
        """A setup intent for a card that is to be charged while the rider is away."""
        with _decided():
            return _setup(
                _client().v1.setup_intents.create(
                    {
                        "customer": customer,
                        "usage": "off_session",
                        "allowed_payment_method_types": ["card"],
                        "metadata": {"setup_id": str(setup_id)},
                    },
                    options={"idempotency_key": key},
                )
            )

    def setup(self, ref: str) -> Setup:
        """How a setup intent stands."""
        with _decided():
            return _setup(_client().v1.setup_intents.retrieve(ref))

    def cancel_setup(self, ref: str) -> Setup:
        """Cancel a setup intent, unless it has succeeded."""
        try:
            with _decided():
                return _setup(
                    _client().v1.setup_intents.cancel(ref, options={"idempotency_key": f"cancel-{ref}"}),
                )
        except ProviderRefusal as refusal:
            return _unless_late(refusal, lambda: self.setup(ref))

    def card(self, method: str) -> Card:
        """Brand, last digits and expiry of a payment method."""
        with _decided():
            found = _client().v1.payment_methods.retrieve(method)
        card = found.card
        if card is None or found.customer is None:
            raise ProviderRefusal("not_a_saved_card")
        return Card(brand=card.brand, last4=card.last4, expires=f"{card.exp_year:04d}-{card.exp_month:02d}")

    def detach(self, method: str) -> None:
        """Detach a payment method from its customer; Stripe takes it from nobody again."""
        try:
            with _decided():
                _client().v1.payment_methods.detach(method, options={"idempotency_key": f"detach-{method}"})
        except ProviderRefusal as refusal:
            if refusal.code != "resource_missing" and self._belongs(method):
                raise

    def _belongs(self, method: str) -> bool:
        with _decided():
            return _client().v1.payment_methods.retrieve(method).customer is not None

    def create_intent(self, charge: Charge, key: str) -> Intent:
        """Create a payment intent, confirmed at once where the card is known."""
        with _decided():
            try:
                created = _client().v1.payment_intents.create(_charge(charge), options={"idempotency_key": key})
            except stripe.CardError as error:
                return _declined(error)
        return _intent(created)

    def intent(self, ref: str) -> Intent:
        """How a payment intent stands."""
        with _decided():
            return _intent(_client().v1.payment_intents.retrieve(ref, {"expand": ["latest_charge"]}))

    def cancel_intent(self, ref: str, key: str) -> Intent:
        """Cancel a payment intent, unless it has succeeded."""
        try:
            with _decided():
                return _intent(
                    _client().v1.payment_intents.cancel(
                        ref, {"expand": ["latest_charge"]}, options={"idempotency_key": key}
                    )
                )
        except ProviderRefusal as refusal:
            return _unless_late(refusal, lambda: self.intent(ref))

    def capture(self, ref: str, amount: int, key: str) -> Intent:
        """Capture a part of a payment intent, or all."""
        with _decided():
            currency = _client().v1.payment_intents.retrieve(ref).currency.upper()
            return _intent(
                _client().v1.payment_intents.capture(
                    ref,
                    {"amount_to_capture": to_stripe(amount, currency), "expand": ["latest_charge"]},
                    options={"idempotency_key": key},
                )
            )

    def refund(self, ref: str, amount: int, key: str) -> str:
        """Refund a part of a payment intent, or all."""
        with _decided():
            intent = _client().v1.payment_intents.retrieve(ref)
            refund = _client().v1.refunds.create(
                {
                    "payment_intent": ref,
                    "amount": to_stripe(amount, intent.currency.upper()),
                    "metadata": dict(intent.metadata.to_dict()),
                },
                options={"idempotency_key": key},
            )
        if refund.status in {"failed", "canceled"}:
            raise ProviderRefusal(refund.failure_reason or "refund_failed")
        return refund.id

    def refund_stands(self, refund: str) -> bool:
        """Whether a refund has not failed, or was cancelled, since."""
        with _decided():
            return _client().v1.refunds.retrieve(refund).status not in {"failed", "canceled"}

    def event(self, body: bytes, signature: str | None) -> ProviderEvent | None:
        """What a signed webhook is about; what it says of the state is not looked at."""
        try:
            event = _client().construct_event(body, signature, _ring.keys().webhook_secret, tolerance=TOLERANCE)
            document = event.to_dict()
            kind, about = str(document["type"]), document["data"]["object"]
            identity = str(document["id"])
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError):
            raise ProviderRefusal("signature") from None
        ref = about.get("payment_intent") if kind in _REFUND_KINDS else about.get("id")
        if kind not in EVENT_KINDS or not isinstance(ref, str):
            return None
        named = about.get("metadata") or {}
        return ProviderEvent(
            identity, kind, ref, payment_id=_number(named.get("payment_id")), setup_id=_number(named.get("setup_id"))
        )


# ── Stripe's words in ours ───────────────────────────────────────────────────────────────────────────────────────────


def _charge(charge: Charge) -> "PaymentIntentCreateParams":
    wanted: PaymentIntentCreateParams = {
        "amount": to_stripe(charge.amount, charge.currency),
        "currency": charge.currency.lower(),
        "customer": charge.customer,
        "allowed_payment_method_types": list(charge.types),
        "capture_method": "automatic" if charge.capture else "manual",
        "metadata": {"payment_id": str(charge.payment_id)},
        "expand": ["latest_charge"],
    }
    if charge.method is not None:
        wanted["payment_method"] = charge.method
        wanted["confirm"] = True
        if charge.off_session:
            wanted["off_session"] = True
        else:
            wanted["use_stripe_sdk"] = True  # where the bank asks, the page or the app goes on by Stripe's own means
    elif charge.save and "card" in charge.types:
        # Said of cards only: a payment that may be made by other means, too, would be refused.
        wanted["payment_method_options"] = {"card": {"setup_future_usage": "off_session"}}
    return wanted


def _intent(found: stripe.PaymentIntent) -> Intent:
    currency = found.currency.upper()
    problem = found.last_payment_error
    status = _STATUSES.get(found.status, IntentStatus.PROCESSING)
    method, decline = _name(found.payment_method), None
    if status is IntentStatus.WAITING_FOR_METHOD and problem is not None:
        if getattr(problem, "code", None) == _PROOF_WANTED:
            status, method = IntentStatus.WAITING_FOR_RIDER, _name(getattr(problem, "payment_method", None))
        else:
            decline = _reason(problem)
    return Intent(
        ref=found.id,
        status=status,
        payment_id=_number((found.metadata.to_dict()).get("payment_id")),
        amount=from_stripe(found.amount, currency),
        captured=from_stripe(found.amount_received, currency),
        refunded=from_stripe(_refunded(found), currency),
        secret=found.client_secret,
        method=method,
        decline=decline,
        capture_before=_capture_before(found) if status is IntentStatus.HELD else None,
    )


def _capture_before(found: stripe.PaymentIntent) -> datetime | None:
    """When a hold ends: cards differ, and so does whether the rider was there. Stripe says it of cards only."""
    charge = found.latest_charge
    if charge is None or isinstance(charge, str):
        return None
    card = getattr(getattr(charge, "payment_method_details", None), "card", None)
    at = getattr(card, "capture_before", None)
    return None if at is None else datetime.fromtimestamp(at, UTC)


def _refunded(found: stripe.PaymentIntent) -> int:
    """What has gone back of what was taken; Stripe counts what a smaller capture has released, too."""
    charge = found.latest_charge
    if charge is None or isinstance(charge, str) or not found.amount_received:
        return 0
    return max(0, charge.amount_refunded - (charge.amount - charge.amount_captured))


def _declined(error: stripe.CardError) -> Intent:
    """The payment whose card was declined, or one that does not exist where it was declined before it did."""
    found = error.error.payment_intent if error.error is not None else None
    if found is None:
        reason = (_reason(error.error) if error.error is not None else None) or error.code
        return Intent(ref=None, status=IntentStatus.WAITING_FOR_METHOD, decline=reason or "card_error")
    return _intent(found)


def _setup(found: stripe.SetupIntent) -> Setup:
    return Setup(
        ref=found.id,
        status=_SETUP_STATUSES.get(found.status, SetupStatus.WAITING),
        secret=found.client_secret,
        method=_name(found.payment_method),
    )


def _reason(problem: Any) -> str:  # noqa: ANN401 - two classes of the SDK that have these members
    return str(getattr(problem, "decline_code", None) or getattr(problem, "code", None) or "card_error")


def _name(value: Any) -> str | None:  # noqa: ANN401 - an id, or an object of the SDK
    return value if value is None or isinstance(value, str) else str(value.id)


def _number(text: Any) -> int | None:  # noqa: ANN401 - whatever somebody has kept there
    return int(text) if isinstance(text, str) and text.isascii() and text.isdecimal() else None


@contextmanager
def _decided() -> Iterator[None]:
    """Say of each failure whether the provider has decided."""
    try:
        yield
    except StripeError as error:
        _raise(error)


def _raise(error: StripeError) -> NoReturn:
    status = error.http_status or 0
    if status in _NO_CREDENTIALS:
        _ring.forget()  # they may have been replaced
    if isinstance(error, IdempotencyError):  # the key was used for something else, which may well have been done
        raise ProviderUnreachable from None
    if status in _DECISIONS and status not in _NO_CREDENTIALS | _UNDECIDED:
        raise ProviderRefusal(error.code or "refused") from None
    raise ProviderUnreachable from None


def _unless_late(refusal: ProviderRefusal, ask: Callable[[], T]) -> T:
    if refusal.code not in _TOO_LATE:
        raise refusal
    return ask()
