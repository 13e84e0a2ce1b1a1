"""Use cases that see payments through: what their workflows do, and what is done by time where one was lost."""

from kickstand.billing import reversals, settlement
from kickstand.kernel import clock, store
from kickstand.payments import holds, intents, lifecycle, refunds, rules
from kickstand.payments.errors import ProviderUnavailable
from kickstand.payments.lifecycle import Due
from kickstand.payments.model import PaymentIntent, PaymentState, Refund, RefundState
from kickstand.payments.provider import ProviderUnreachable


def look(payment_id: int) -> PaymentIntent:
    """See how a payment stands, and do what is due about it; any number of times.

    A hold that is still wanted when the bank is about to give it back is replaced. It is given back once the other one
    is held.

    Raises:
        PaymentNotFound: there is none.
        ProviderUnreachable: the provider did not say; nothing has changed.
    """
    intent = settlement.advance(payment_id)
    if intent.state is PaymentState.HELD and intent.to_capture is not None:  # it was decided before it was held
        intent = settlement.advance(payment_id)
    if intent.state is PaymentState.HELD:
        holds.give_back_replaced(intent)
        holds.renew(intent.id)
    return intent


def keep_agenda() -> int:
    """Do whatever is due about payments and refunds; answers how much it was.

    Payments have workflows: what is found here is what one was lost of, or gave up on. What is still as it was is
    looked at again hours later. Where the provider is out of reach, the next round tries again.

    Raises:
        ExceptionGroup: some of it failed; it is looked at again hours later.
    """
    done = 0
    failures: list[Exception] = []
    for due in lifecycle.due():
        store.begin()
        try:
            _see_to(due)
        except Exception as error:  # noqa: BLE001 - the others do not wait for this one
            lifecycle.postpone(due)
            failures.append(error)
        done += 1
    if failures:
        raise ExceptionGroup("payments and refunds that could not be looked after", failures)
    return done


def _see_to(due: Due) -> None:
    try:
        if due.is_refund:
            reversals.advance(due.id)
            return
        intent = look(due.id)
    except (ProviderUnreachable, ProviderUnavailable):
        return
    at = rules.due_at(intent)
    if at is not None and at <= clock.now():
        lifecycle.postpone(due)


# ── What only people can find out ────────────────────────────────────────────────────────────────────────────────────


def found(payment_id: int, ref: str | None) -> PaymentIntent:
    """Tell a payment of which nobody knew anything what the provider has of it; it goes on from there.

    Args:
        payment_id: the payment.
        ref: the provider's name of it; ``None`` where it has none, which may be asked for then.
    """

    def attempt() -> None:
        before = intents.find(payment_id)
        if before.is_open and before.ref is None:
            with store.Transaction() as tx:
                intents.record(tx, before, rules.found(before, ref, clock.now()))

    store.again(attempt)
    return look(payment_id)


def refund_found(refund_id: int, ref: str | None) -> Refund:
    """The same for a refund."""

    def attempt() -> None:
        before = refunds.find(refund_id)
        if before.state is RefundState.CREATED:
            with store.Transaction() as tx:
                intent = intents.find(before.payment_id)
                refunds.record(tx, intent, before, rules.refund_found(before, ref, clock.now()))

    store.again(attempt)
    return reversals.advance(refund_id)
