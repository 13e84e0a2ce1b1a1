"""Use cases about refunds: decided here first, which takes the room for them, then asked for at the provider."""

from kickstand.kernel import clock, store
from kickstand.kernel.events import Event
from kickstand.payments import intents, rules, service
from kickstand.payments.errors import PaymentNotFound
from kickstand.payments.model import PaymentIntent, Refund, RefundState
from kickstand.payments.provider import ProviderRefusal
from kickstand.payments.store import RefundItem


class RefundUnknown(RuntimeError):
    """Whether the provider has the refund cannot be found out any more without a person who looks."""


def request(tx: store.Transaction, refund_id: int, intent: PaymentIntent, amount: int, reason: str) -> Refund:
    """Decide to give back an amount of a payment; the provider is asked after the transaction.

    All refunds of a payment together, those under way included, are no more than what was captured.

    Args:
        tx: what it belongs to; refused with ``Contention`` where the payment has changed, or the refund exists.
        refund_id: a new id; it names the decision.
        intent: the payment.
        amount: in minor units of its currency.
        reason: in our words.

    Raises:
        AmountExceeded: there is not so much left of it.
        PaymentStateRefused: it has not been paid.
    """
    now = clock.now()
    refund = Refund(
        id=refund_id,
        payment_id=intent.id,
        amount=amount,
        currency=intent.currency,
        reason=reason,
        created_at=now,
        event=Event.new("RefundBegun", now),
    )
    intents.record(tx, intent, rules.refunding(intent, refund, now))
    tx.create(RefundItem.of(refund))
    return refund


def find(refund_id: int) -> Refund:
    """A refund.

    Raises:
        PaymentNotFound: there is none.
    """
    refund = known(refund_id)
    if refund is None:
        raise PaymentNotFound
    return refund


def known(refund_id: int) -> Refund | None:
    """A refund, if it was decided."""
    item = store.load(RefundItem.key(refund_id))
    return None if item is None else item.entity


def observe(refund: Refund, intent: PaymentIntent) -> Refund:
    """What the provider makes of a refund, which is asked for under a key of its own; nothing is kept.

    A refund that has succeeded may come back and fail after all.

    Raises:
        ProviderUnreachable: the provider did not say.
        RefundUnknown: it was decided so long ago that asking again might give the money back twice.
    """
    now = clock.now()
    if refund.state is RefundState.SUCCEEDED and not service.provider().refund_stands(refund.ref or ""):
        return rules.settled(refund, RefundState.FAILED, refund.ref, now)
    if refund.state is not RefundState.CREATED:
        return refund
    if now - refund.created_at > rules.REMEMBERED:
        raise RefundUnknown
    try:
        ref = service.provider().refund(intent.ref or "", refund.amount, key=f"refund-{refund.id}")
    except ProviderRefusal:
        return rules.settled(refund, RefundState.FAILED, None, now)
    return rules.settled(refund, RefundState.SUCCEEDED, ref, now)


def record(tx: store.Transaction, intent: PaymentIntent, before: Refund, after: Refund) -> None:
    """Keep what has become of a refund, once; one that failed leaves its amount to others."""
    tx.put(RefundItem.of(after), condition=RefundItem.version == before.version, otherwise=store.Contention)
    if after.state is RefundState.FAILED:
        intents.record(tx, intent, rules.kept(intent, before, clock.now()))
