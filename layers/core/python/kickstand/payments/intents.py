"""Use cases about payments: committed first, then asked for at the provider, then followed until they are decided."""

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from kickstand.kernel import clock, ids, store
from kickstand.kernel.events import Event
from kickstand.payments import rules, service
from kickstand.payments.errors import KeyReused, PaymentNotFound
from kickstand.payments.model import PaymentIntent, PaymentProfile, PaymentRequest, PaymentState, Purpose
from kickstand.payments.provider import Intent, IntentStatus, ProviderRefusal
from kickstand.payments.store import PaymentItem, PaymentRequestItem

_REMEMBERED: Final = timedelta(days=1)


class PaymentUnknown(RuntimeError):
    """Whether the provider has the payment cannot be found out any more without a person who looks."""


def draft(  # noqa: PLR0913 - a payment is all of this
    *,
    client_id: int,
    rider_id: int,
    network_id: int,
    purpose: Purpose,
    amount: int,
    currency: str,
    card: str | None = None,
    types: tuple[str, ...] = ("card",),
    hold: bool = False,
    save: bool = False,
    off_session: bool = False,
) -> PaymentIntent:
    """A payment that is not kept yet.

    Args:
        client_id: whose rider pays.
        rider_id: who pays.
        network_id: who gets the money.
        purpose: what for.
        amount: minor units of ``currency``.
        currency: ISO 4217.
        card: the saved card to charge; without it the client chooses.
        types: what the client may choose from, in the provider's words.
        hold: whether the amount is only held.
        save: whether what the client chooses becomes a saved card.
        off_session: whether the rider is not there.
    """
    now = clock.now()
    payment_id = ids.new_id()
    return PaymentIntent(
        id=payment_id,
        client_id=client_id,
        rider_id=rider_id,
        network_id=network_id,
        purpose=purpose,
        amount=amount,
        currency=currency,
        card=card,
        types=types,
        hold=hold,
        saves=save,
        off_session=off_session,
        token=ids.new_token(payment_id),
        created_at=now,
        updated_at=now,
        deadline=now + (rules.OFF_SESSION if off_session else rules.ON_SESSION),
        event=Event.new("PaymentCreated", now),
    )


def create(tx: store.Transaction, intent: PaymentIntent) -> None:
    """Commit a payment with whatever it is for. From then on its workflow sees to it."""
    tx.create(PaymentItem.of(intent))


def asked(client_id: int, rider_id: int, key: str, wish: str) -> PaymentIntent | None:
    """The payment that a client has asked for under a key before, within a day; ``None`` where it has not.

    Raises:
        KeyReused: it has asked for something else.
    """
    item = store.load(PaymentRequestItem.key(_request_name(client_id, rider_id, key)))
    if item is None or item.entity.expires_at <= clock.now().timestamp():
        return None
    request: PaymentRequest = item.entity
    if request.digest != _digest(wish):
        raise KeyReused
    return find(request.payment_id)


def remember(tx: store.Transaction, intent: PaymentIntent, key: str, wish: str) -> None:
    """Keep, in the transaction that creates a payment, under which key of its own a client has asked for it."""
    name = _request_name(intent.client_id, intent.rider_id, key)
    expires_at = int((intent.created_at + _REMEMBERED).timestamp())
    request = PaymentRequest(name=name, digest=_digest(wish), payment_id=intent.id, expires_at=expires_at)
    free = PaymentRequestItem.pk.does_not_exist() | (PaymentRequestItem.expires_at <= int(clock.now().timestamp()))
    tx.put(PaymentRequestItem.of(request), condition=free, otherwise=store.Contention)


def expect_request(client_id: int, rider_id: int, key: str) -> None:
    """Announce that this request will ask for :func:`asked`."""
    store.expect(PaymentRequestItem.key(_request_name(client_id, rider_id, key)))


def _request_name(client_id: int, rider_id: int, key: str) -> str:
    return f"{client_id}#{rider_id}#{_digest(key)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def expect(payment_id: int) -> None:
    """Announce that a payment will be needed."""
    store.expect(PaymentItem.key(payment_id))


def find(payment_id: int) -> PaymentIntent:
    """A payment.

    Raises:
        PaymentNotFound: there is none.
    """
    item = store.load(PaymentItem.key(payment_id))
    if item is None:
        raise PaymentNotFound
    return item.entity


def by_token(token: str) -> PaymentIntent:
    """The payment that a token names to a browser.

    Raises:
        PaymentNotFound: it names none.
    """
    payment_id = ids.id_in(token)
    if payment_id is None:
        raise PaymentNotFound
    intent = find(payment_id)
    if not compare_digest(intent.token, token):
        raise PaymentNotFound
    return intent


def record(tx: store.Transaction, before: PaymentIntent, after: PaymentIntent) -> None:
    """Keep what has become of a payment, if nobody else has changed it since; refused with ``Contention`` otherwise."""
    unchanged = PaymentItem.version == before.version
    tx.put(PaymentItem.of(after), condition=unchanged, otherwise=store.Contention)


def call_back(tx: store.Transaction, intent: PaymentIntent) -> None:
    """Let the workflow of a payment that is under way give it up, unless the rider is faster."""
    record(tx, intent, rules.called_back(intent, clock.now()))


def observe(intent: PaymentIntent, profile: PaymentProfile, *, unwanted: bool = False) -> PaymentIntent:
    """What the provider makes of a payment; nothing is kept.

    A payment that the provider does not know yet is asked for, under a key of its own, so that whoever asks again gets
    the same one. One that is unwanted, or whose time is over, is given up at the provider first, and is over here only
    if it is there. Of a hold, what somebody wants is captured, or it is released.

    Args:
        intent: the payment.
        profile: its rider's, with a customer.
        unwanted: whether it is to be given up, if it is not too late.

    Raises:
        ProviderUnreachable: the provider did not say.
        PaymentUnknown: it was asked for so long ago that asking again might take the money twice.
    """
    now = clock.now()
    held = intent.state is PaymentState.HELD
    seen = _held(intent, now) if held else _open(intent, profile, now, unwanted=unwanted)
    return rules.observed(intent, seen, now)


def _open(intent: PaymentIntent, profile: PaymentProfile, now: datetime, *, unwanted: bool) -> Intent:
    provider = service.provider()
    if intent.ref is not None:
        seen = provider.intent(intent.ref)
    elif now - intent.created_at > rules.REMEMBERED:
        raise PaymentUnknown
    else:
        seen = _asked_for(intent, profile)
    if rules.is_over_for(intent, seen, now, unwanted=unwanted) and seen.ref is not None:
        given_up = provider.cancel_intent(seen.ref, key=_cancel_key(intent, now))
        seen = replace(given_up, decline=given_up.decline or seen.decline)
    return seen


def _asked_for(intent: PaymentIntent, profile: PaymentProfile) -> Intent:
    """The payment as the provider makes it; without a name where it refuses, as it does for very small amounts."""
    charge = rules.charge(intent, profile.customer or "")
    try:
        return service.provider().create_intent(charge, key=f"payment-{intent.id}")
    except ProviderRefusal as refusal:
        return Intent(ref=None, status=IntentStatus.WAITING_FOR_METHOD, decline=refusal.code)


def _cancel_key(intent: PaymentIntent, now: datetime) -> str:
    """Another one for each attempt: the provider remembers refusals, and what was too late may be possible again."""
    return f"cancel-{intent.id}-{now.timestamp():.0f}"


def _held(intent: PaymentIntent, now: datetime) -> Intent:
    """What becomes of a hold that somebody has decided about.

    One that the bank has given back is cancelled. One of which the provider does not take what is wanted, as where that
    is very little, is given back: it is of no use any more.
    """
    provider = service.provider()
    ref = intent.ref or ""
    if intent.to_capture is None:
        return provider.intent(ref)
    if intent.to_capture == 0:
        return provider.cancel_intent(ref, key=_cancel_key(intent, now))
    try:
        return provider.capture(ref, intent.to_capture, key=f"capture-{intent.id}")
    except ProviderRefusal:
        seen = provider.intent(ref)
        return provider.cancel_intent(ref, key=_cancel_key(intent, now)) if seen.status is IntentStatus.HELD else seen
