"""What payments' workflows need: they wait for a change or for the next look, and are started and woken by changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from kickstand.kernel import clock, store
from kickstand.kernel.items import SHARDS
from kickstand.payments import gateway, rules
from kickstand.payments.model import PaymentIntent
from kickstand.payments.store import ParkedPaymentItem, PaymentItem, PaymentWaitItem, RefundItem, due_in

_WAITS_KEPT: Final = timedelta(days=60)
_MOST: Final = 100


def launch(intent: PaymentIntent) -> None:
    """Start the workflow of a new payment; once, however often it is asked for."""
    gateway.start_workflow(intent.id)


def wake(intent: PaymentIntent) -> None:
    """Tell the workflow that its payment has changed. One that is not waiting looks by itself before it waits."""
    item = store.load(PaymentWaitItem.key(intent.id))
    if item is not None and item.version < intent.version:
        gateway.wake_workflow(item.token)


def wait_for_change(payment_id: int, version: int, token: str) -> bool:
    """Leave a task token to be woken by; answers ``False`` when the payment is not at ``version`` any more."""
    key = PaymentWaitItem.key(payment_id)
    expires_at = int((clock.now() + _WAITS_KEPT).timestamp())
    wait: dict[str, Any] = {"kind": PaymentWaitItem.KIND, "token": token, "version": version, "expires_at": expires_at}
    try:
        with store.Transaction() as tx:
            tx.put(PaymentWaitItem(key.pk, key.sk, **wait))
            tx.require(PaymentItem.key(payment_id), PaymentItem.version == version, otherwise=store.Contention)
    except store.Contention:
        return False
    return True


def park(payment_id: int, error: str) -> None:
    """Keep the name of the error for which a payment's workflow gave up, beside the payment."""
    key = ParkedPaymentItem.key(payment_id)
    with store.Transaction() as tx:
        tx.put(ParkedPaymentItem(key.pk, key.sk, kind=ParkedPaymentItem.KIND, error=error, at=clock.now()))


# ── What was lost ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Due:
    """A payment or a refund that somebody has to look at."""

    id: int
    is_refund: bool


def due() -> Iterator[Due]:
    """What is due on the agenda, at most a hundred of each shard; one query for each."""
    now = clock.now()
    for shard in range(SHARDS):
        payment_ids, refund_ids = due_in(shard, now, _MOST)
        yield from (Due(each, is_refund=False) for each in payment_ids)
        yield from (Due(each, is_refund=True) for each in refund_ids)


def postpone(due: Due) -> None:
    """Let what is still as it was be looked at again hours later."""
    at = rules.postponed(clock.now())
    if due.is_refund:
        store.change(RefundItem.key(due.id), [RefundItem.due_at.set(at)], condition=RefundItem.agenda.exists())
    else:
        store.change(PaymentItem.key(due.id), [PaymentItem.due_at.set(at)], condition=PaymentItem.agenda.exists())
