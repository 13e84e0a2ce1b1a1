"""What becomes of a payment, seen from what the provider says; pure."""

from datetime import datetime, timedelta
from typing import Final

from kickstand.kernel.events import Event
from kickstand.payments.errors import PaymentRefused
from kickstand.payments.model import PAYMENT_STATES, PaymentIntent, PaymentState, PaymentTrigger
from kickstand.payments.provider import Charge, Intent, IntentStatus

ON_SESSION: Final = timedelta(minutes=30)
"""How long a rider who is there has time to pay."""

OFF_SESSION: Final = timedelta(days=7)
"""How long a rider who is not there has time to answer the bank."""

REMEMBERED: Final = timedelta(hours=20)
"""For less than a day the provider knows what it was asked: then the same question gets the same answer."""

HELD_FOR: Final = timedelta(days=6, hours=12)
"""How long an amount can be relied on; banks give it back after seven days."""

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
        save=intent.save,
        off_session=intent.off_session,
    )


def is_over_for(intent: PaymentIntent, seen: Intent, now: datetime) -> bool:
    """Whether a payment is to be given up at the provider: its time is over, or its card was declined.

    Where the client chooses what to pay with, it may choose again until the time is over.
    """
    if seen.status not in _WAITING or seen.ref is None:
        return False
    declined = seen.status is IntentStatus.WAITING_FOR_METHOD and seen.decline is not None and intent.card is not None
    return declined or now >= intent.deadline


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
        "decline": seen.decline or (intent.decline if state is not PaymentState.SUCCEEDED else None),
        "captured": seen.captured if state is PaymentState.SUCCEEDED else intent.captured,
        "card": intent.card or (seen.method if intent.save and state is PaymentState.SUCCEEDED else None),
        "held_until": now + HELD_FOR if state is PaymentState.HELD else intent.held_until,
    }
    if all(getattr(intent, name) == value for name, value in news.items()):
        return intent
    return moved(intent, trigger, now, **news)


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
