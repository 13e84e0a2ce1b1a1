"""What follows from what riders buy, and what has to be done about it by time."""

import os
from datetime import timedelta
from typing import Any, Final

from aws_lambda_powertools import Logger

from kickstand.billing import renewals
from kickstand.kernel import clock, store
from kickstand.kernel.consumers import Change, chained, stream_consumer
from kickstand.kernel.errors import Contention, described
from kickstand.kernel.events import Event
from kickstand.messaging import service as messaging
from kickstand.messaging.model import Message
from kickstand.payments import intents
from kickstand.sales import orders, subscriptions, vouchers
from kickstand.sales.model import GiftLetter, Subscription
from kickstand.sales.store import GiftLetterItem, SubscriptionItem
from kickstand.sales.subscriptions import Due

_ROUND: Final = timedelta(minutes=4)
"""How long a round lasts at most, so that it is over when the next one begins."""

logger = Logger()


@stream_consumer(SubscriptionItem)
def follow_subscriptions(change: Change[Subscription]) -> None:
    """Mail riders whose subscriptions are not renewed without them."""
    if change.new is None or change.event is None:
        return
    message = _told(change.new, change.event)
    if message is not None:
        logger.info(
            "message",
            extra={
                "subscription": change.new.id,
                "event": change.event.id,
                "template": message.template,
                "state": message.state,
            },
        )


def _told(subscription: Subscription, event: Event) -> Message | None:
    match event.name:
        case "SubscriptionRenewalFailed":
            return messaging.notify_renewal_failed(subscription, event)
        case "SubscriptionRenewalWaits":
            intent = intents.find(event.data["payment_id"])
            link = f"{os.environ['CHECKOUT_URL']}/payments/{intent.token}"
            return messaging.notify_renewal_waits(subscription, event, link) if intent.is_open else None
        case _:
            return None


@stream_consumer(GiftLetterItem)
def mail_gift_codes(change: Change[GiftLetter]) -> None:
    """Mail gift codes to whoever has bought them; the log knows whose they are, never the codes."""
    if change.new is None or change.event is None:
        return
    gone_out = messaging.notify_gift_codes(change.new, change.event)
    if gone_out:
        vouchers.mailed(change.new)
    logger.info("gift codes", extra={"order": change.new.order_id, "event": change.event.id, "sent": gone_out})


follow_sales: Final = chained(follow_subscriptions, mail_gift_codes)
"""Riders by mail."""


def keep_agenda(_event: dict[str, Any], _context: Any) -> dict[str, Any]:  # noqa: ANN401 - the Lambda context
    """Renew and end subscriptions, and cancel orders that nobody has paid in time, as far as that is due.

    What a round has no time for is the first that the next one does.
    """
    store.begin()
    over = clock.now() + _ROUND
    due = subscriptions.due(clock.now())
    done = 0
    failures: list[Exception] = []
    for each in due:
        if clock.now() >= over:
            break
        store.begin()
        try:
            _follow_up(each)
        except Contention:
            logger.info("agenda", extra={"rider": each.rider_id, "order": each.order_id, "contention": True})
        except Exception as error:  # noqa: BLE001 - the others do not wait for this one
            whose = {"rider": each.rider_id, "order": each.order_id}
            logger.error("agenda failed", extra=described(error) | whose)  # noqa: TRY400 - without the text
            subscriptions.postpone(each)
            failures.append(error)
        done += 1
    if failures:
        raise ExceptionGroup("what is due and could not be done", failures)
    return {"due": len(due), "done": done}


def _follow_up(due: Due) -> None:
    if due.order_id is None:
        renewals.follow_up(due.rider_id)
    else:
        orders.expire(due.rider_id, due.order_id)
