"""What becomes of a payment, seen from what the provider says; pure."""

from datetime import datetime, timedelta
from typing import Final

from kickstand.kernel.events import Event
from kickstand.payments.errors import AmountExceeded, PaymentRefused, PaymentStateRefused
from kickstand.payments.model import (
    PAYMENT_STATES,
    PaymentIntent,
    PaymentState,
    PaymentTrigger,
    Refund,
    RefundState,
)
from kickstand.payments.provider import Charge, Intent, IntentStatus

ON_SESSION: Final = timedelta(minutes=30)
"""How long a rider who is there has time to pay."""

OFF_SESSION: Final = timedelta(days=7)
"""How long a rider who is not there has time to answer the bank."""

REMEMBERED: Final = timedelta(hours=20)
"""For less than a day the provider knows what it was asked: then the same question gets the same answer."""

HELD_FOR: Final = timedelta(days=6, hours=12)
"""How long an amount can be relied on at most: banks give it back after seven days, some sooner."""

RENEWED_BEFORE: Final = timedelta(hours=12)
"""How long before that a hold is replaced that is still wanted."""

_LOOKS: Final = tuple(
    timedelta(**each) for each in ({"seconds": 10}, {"minutes": 1}, {"minutes": 10}, {"hours": 1}, {"hours": 6})
)
"""When a payment is looked at by itself that the provider says nothing about; webhooks may be lost."""

_LAST: Final = timedelta(hours=6)
_LOST_AFTER: Final = timedelta(hours=1)

_EVENTS: Final = {
    PaymentTrigger.ASK_METHOD: "PaymentMethodWanted",
    PaymentTrigger.ASK_RIDER: "PaymentActionWanted",
    PaymentTrigger.PROCESS: "PaymentProcessing",
    PaymentTrigger.HOLD: "PaymentHeld",
    PaymentTrigger.SUCCEED: "PaymentSucceeded",
    PaymentTrigger.FAIL: "PaymentFailed",
    PaymentTrigger.CANCEL: "PaymentCancelled",
    PaymentTrigger.RELEASE: "PaymentReleased",
    PaymentTrigger.EXPIRE: "PaymentExpired",
}

_IN_VAIN: Final = frozenset({PaymentState.FAILED, PaymentState.CANCELLED})

_WAITING: Final = frozenset({IntentStatus.WAITING_FOR_METHOD, IntentStatus.WAITING_FOR_RIDER})


def charge(intent: PaymentIntent, customer: str) -> Charge:
    """How a payment is asked for; the same whenever it is asked for again."""
    return Charge(
        payment_id=intent.id,
        amount=intent.amount,
        currency=intent.currency,
        customer=customer,
        method=intent.card,
        types=intent.types,
        capture=not intent.hold,
        save=intent.saves,
        off_session=intent.off_session,
    )


def is_over_for(intent: PaymentIntent, seen: Intent, now: datetime, *, unwanted: bool = False) -> bool:
    """Whether a payment is to be given up at the provider: it is unwanted, its time is over, or its card was declined.

    Where the client chooses what to pay with, it may choose again until the time is over. A hold that has been decided
    about waits for nobody: what it does not bring is to be had in another way.
    """
    if seen.status not in _WAITING or seen.ref is None:
        return False
    declined = seen.status is IntentStatus.WAITING_FOR_METHOD and seen.decline is not None and intent.card is not None
    return unwanted or declined or now >= intent.deadline or intent.to_capture is not None


def observed(intent: PaymentIntent, seen: Intent, now: datetime) -> PaymentIntent:
    """The payment after a look at the provider; the same object where nothing is new.

    Raises:
        PaymentRefused: the provider shows another payment than this one.
    """
    if seen.payment_id not in {None, intent.id} or (seen.ref is not None and intent.ref not in {None, seen.ref}):
        raise PaymentRefused("the provider shows another payment")
    trigger = _trigger(intent, seen)
    if trigger is None:
        return intent
    state = PAYMENT_STATES.next(intent.state, trigger)
    is_open = intent.model_copy(update={"state": state}).is_open
    news = {
        "state": state,
        "ref": seen.ref or intent.ref,
        "secret": (seen.secret or intent.secret) if is_open else None,
        "decline": seen.decline or (intent.decline if state in _IN_VAIN else None),
        "captured": seen.captured if state is PaymentState.SUCCEEDED else intent.captured,
        "card": intent.card or (seen.method if intent.saves and state is PaymentState.SUCCEEDED else None),
        "held_until": _held_until(seen, now) if state is PaymentState.HELD else intent.held_until,
    }
    if all(getattr(intent, name) == value for name, value in news.items()):
        return intent
    return moved(intent, trigger, now, **news)


def _held_until(seen: Intent, now: datetime) -> datetime:
    return min(now + HELD_FOR, seen.capture_before or now + HELD_FOR)


def moved(intent: PaymentIntent, trigger: PaymentTrigger, now: datetime, **news: object) -> PaymentIntent:
    """The payment after ``trigger``.

    Raises:
        PaymentStateRefused: it is not possible in its state.
    """
    state = PAYMENT_STATES.next(intent.state, trigger)
    event = Event.new(_EVENTS[trigger], now)
    changes = {**news, "state": state, "updated_at": now, "version": intent.version + 1, "event": event}
    return intent.model_copy(update=changes)


_TRIGGERS: Final = {
    IntentStatus.SUCCEEDED: PaymentTrigger.SUCCEED,
    IntentStatus.HELD: PaymentTrigger.HOLD,
    IntentStatus.PROCESSING: PaymentTrigger.PROCESS,
    IntentStatus.WAITING_FOR_RIDER: PaymentTrigger.ASK_RIDER,
}


def card_saved(intent: PaymentIntent, now: datetime) -> PaymentIntent:
    """A payment whose card has been saved; looking at it again saves no card that the rider has removed since."""
    event = Event.new("PaymentCardSaved", now)
    return intent.model_copy(update={"saves": False, "version": intent.version + 1, "updated_at": now, "event": event})


def _trigger(intent: PaymentIntent, seen: Intent) -> PaymentTrigger | None:
    if intent.state is PaymentState.HELD:
        return _trigger_of_hold(intent, seen)
    if seen.status is IntentStatus.WAITING_FOR_METHOD:
        return PaymentTrigger.FAIL if seen.ref is None else PaymentTrigger.ASK_METHOD
    if seen.status is IntentStatus.CANCELLED:
        declined = intent.card is not None and (seen.decline or intent.decline) is not None
        return PaymentTrigger.FAIL if declined else PaymentTrigger.CANCEL
    return _TRIGGERS[seen.status]


def _trigger_of_hold(intent: PaymentIntent, seen: Intent) -> PaymentTrigger | None:
    if seen.status is IntentStatus.SUCCEEDED:
        return PaymentTrigger.SUCCEED
    if seen.status is IntentStatus.CANCELLED:
        return PaymentTrigger.RELEASE if intent.to_capture == 0 else PaymentTrigger.EXPIRE
    return None


def called_back(intent: PaymentIntent, now: datetime) -> PaymentIntent:
    """A payment that nobody wants any more: its time is over. Whether it is too late for that, the provider knows."""
    event = Event.new("PaymentCalledBack", now)
    return intent.model_copy(update={"deadline": now, "version": intent.version + 1, "updated_at": now, "event": event})


def found(intent: PaymentIntent, ref: str | None, now: datetime) -> PaymentIntent:
    """A payment of which somebody has found out how the provider calls it, or that it may be asked for as if anew."""
    news = {"ref": ref} if ref is not None else {"created_at": now}
    event = Event.new("PaymentFound", now)
    return intent.model_copy(update={**news, "version": intent.version + 1, "updated_at": now, "event": event})


# ── When to look ─────────────────────────────────────────────────────────────────────────────────────────────────────


def is_to_be_asked(intent: PaymentIntent) -> bool:
    """Whether the provider has to be asked at once, as nobody waits for its answer: what was decided is carried out."""
    if intent.state is PaymentState.HELD:
        return intent.to_capture is not None
    unasked = intent.off_session and intent.state is PaymentState.CREATED
    return intent.is_open and (unasked or intent.to_capture is not None)


def next_look(intent: PaymentIntent, now: datetime) -> datetime | None:
    """When a payment has to be looked at that nobody says anything about until then; ``None`` once it is over.

    Often at first, more and more seldom, and when its time is over; a hold when it is time to replace it.
    """
    if not intent.is_open and intent.state is not PaymentState.HELD:
        return None
    if intent.state is PaymentState.HELD and intent.to_capture is None and intent.held_until is not None:
        planned = [intent.held_until - RENEWED_BEFORE, intent.held_until]
        if intent.replaces is not None:  # which has to be given back
            planned += [intent.updated_at + each for each in _LOOKS[:3]]
    elif intent.state is PaymentState.HELD:
        planned = [now + _LAST, *(intent.updated_at + each for each in _LOOKS)]
    else:
        planned = [now + _LAST, intent.deadline, *(intent.created_at + each for each in _LOOKS)]
        if intent.deadline <= now:  # it was called back, and is to be given up soon
            planned += [intent.updated_at + each for each in _LOOKS]
    return min((each for each in planned if each > now), default=now + _LAST)


def due_at(intent: PaymentIntent) -> datetime | None:
    """When somebody else has to look at a payment, as its workflow has not; ``None`` once it is over."""
    if is_to_be_asked(intent):
        return intent.updated_at + _LOST_AFTER
    if intent.is_open:
        return intent.deadline + _LOST_AFTER
    if intent.state is not PaymentState.HELD or intent.held_until is None:
        return None
    return intent.held_until - RENEWED_BEFORE + _LOST_AFTER


def postponed(now: datetime) -> datetime:
    """When that is looked at again which is still as it was."""
    return now + _LAST


# ── Holds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def wanted(hold: PaymentIntent, amount: int, invoice_id: int | None, now: datetime) -> PaymentIntent:
    """A hold of which ``amount`` is to be captured and the rest given back; the same object where that was decided.

    Raises:
        AmountExceeded: it is less than that.
        PaymentStateRefused: something else was decided, or it is over.
    """
    if not hold.hold:
        raise PaymentStateRefused("it is no hold")
    if amount > hold.amount:
        raise AmountExceeded
    if hold.to_capture == amount:
        return hold
    if hold.to_capture is not None or not (hold.is_open or hold.state is PaymentState.HELD):
        raise PaymentStateRefused
    event = Event.new("PaymentCaptureWanted" if amount else "PaymentReleaseWanted", now)
    news = {"to_capture": amount, "invoice_id": invoice_id, "version": hold.version + 1, "updated_at": now}
    return hold.model_copy(update={**news, "event": event})


def can_be_renewed(hold: PaymentIntent, now: datetime) -> bool:
    """Whether it is time to put another hold in the place of this one, and possible without the rider."""
    if hold.state is not PaymentState.HELD or hold.held_until is None or hold.to_capture is not None:
        return False
    return hold.card is not None and hold.replaced_by is None and now >= hold.held_until - RENEWED_BEFORE


def renewed(hold: PaymentIntent, successor: PaymentIntent, now: datetime) -> tuple[PaymentIntent, PaymentIntent]:
    """A hold and the one that is to take its place."""
    event = Event.new("PaymentRenewalBegun", now, payment_id=successor.id)
    news = {"replaced_by": successor.id, "version": hold.version + 1, "updated_at": now, "event": event}
    return hold.model_copy(update=news), successor.model_copy(update={"replaces": hold.id})


# ── Refunds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def refunding(intent: PaymentIntent, refund: Refund, now: datetime) -> PaymentIntent:
    """A payment of which a part is to go back; what is on its way back counts as gone.

    Raises:
        AmountExceeded: there is not so much left of it.
        PaymentStateRefused: it has not been paid.
    """
    if intent.state is not PaymentState.SUCCEEDED:
        raise PaymentStateRefused
    if refund.amount > intent.captured - intent.refunded:
        raise AmountExceeded
    noted = intent.model_copy(update={"refunds": (*intent.refunds, refund.id)})
    return _with_refunded(noted, intent.refunded + refund.amount, "PaymentRefundBegun", refund, now)


def kept(intent: PaymentIntent, refund: Refund, now: datetime) -> PaymentIntent:
    """A payment of which a part did not go back after all."""
    return _with_refunded(intent, intent.refunded - refund.amount, "PaymentRefundFailed", refund, now)


def _with_refunded(intent: PaymentIntent, refunded: int, name: str, refund: Refund, now: datetime) -> PaymentIntent:
    event = Event.new(name, now, refund_id=refund.id)
    news = {"refunded": refunded, "version": intent.version + 1, "updated_at": now, "event": event}
    return intent.model_copy(update=news)


def settled(refund: Refund, state: RefundState, ref: str | None, now: datetime) -> Refund:
    """A refund that the provider has decided about."""
    event = Event.new("RefundSucceeded" if state is RefundState.SUCCEEDED else "RefundFailed", now)
    return refund.model_copy(update={"state": state, "ref": ref, "version": refund.version + 1, "event": event})


def refund_due_at(refund: Refund) -> datetime | None:
    """When somebody else has to ask for a refund, as whoever decided it has not; ``None`` once it is over."""
    return refund.created_at + _LOOKS[0] if refund.state is RefundState.CREATED else None


def refund_found(refund: Refund, ref: str | None, now: datetime) -> Refund:
    """A refund that somebody has found at the provider, or that may be asked for as if anew."""
    if ref is not None:
        return settled(refund, RefundState.SUCCEEDED, ref, now)
    event = Event.new("RefundFound", now)
    return refund.model_copy(update={"created_at": now, "version": refund.version + 1, "event": event})
