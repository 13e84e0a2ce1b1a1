"""What riders are told and what is collected from them, as their payments and debts change."""

from aws_lambda_powertools import Logger

from kickstand.billing import rides
from kickstand.billing.model import Debts
from kickstand.billing.store import DebtsItem
from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.kernel.events import Event
from kickstand.messaging import service as messaging
from kickstand.messaging.model import Message
from kickstand.payments.model import PaymentIntent, PaymentProfile, PaymentState, PurposeKind
from kickstand.payments.store import PaymentItem, ProfileItem

logger = Logger()


@stream_consumer(PaymentItem)
def mail_of_payments(change: Change[PaymentIntent]) -> None:
    """Mail riders whose payments wait for them, or have failed without them."""
    if change.new is None or change.event is None:
        return
    invoice = rides.troubled(change.new, change.event)
    if invoice is not None:
        _log(messaging.notify_payment(change.new, invoice, change.event), change.event)


@stream_consumer(DebtsItem)
def mail_of_debts(change: Change[Debts]) -> None:
    """Mail riders who owe something and have no card."""
    if change.new is None or change.event is None:
        return
    invoice = rides.unpayable(change.new, change.event)
    if invoice is not None:
        _log(messaging.notify_debt(invoice, change.event), change.event)


@stream_consumer(ProfileItem)
def collect_by_new_cards(change: Change[PaymentProfile]) -> None:
    """Collect what a rider owes who has saved another card."""
    if change.new is not None and change.new.card is not None:
        before = change.old.card if change.old else None
        if before is None or before.ref != change.new.card.ref:
            rides.collect(change.new.rider_id, rides.WITH_NEW_CARD)


@stream_consumer(PaymentItem)
def collect_from_wallets(change: Change[PaymentIntent]) -> None:
    """Let what a rider has put into the wallet pay what the rider owes."""
    intent, event = change.new, change.event
    if intent is None or event is None or intent.purpose.kind is not PurposeKind.ORDER:
        return
    if event.name == "PaymentSucceeded" and intent.state is PaymentState.SUCCEEDED:
        rides.collect(intent.rider_id, rides.FROM_WALLET)


def _log(message: Message | None, event: Event) -> None:
    if message is not None:
        described = {"event": event.id, "rider": message.rider_id, "template": message.template, "state": message.state}
        logger.info("message", extra=described)
