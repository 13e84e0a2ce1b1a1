"""Use cases that give money back: credit note, ledger and refund are decided in one write, then carried out."""

from kickstand.billing import invoices
from kickstand.billing.errors import CreditRefused
from kickstand.fleet import service as fleet
from kickstand.kernel import clock, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, Movement, Reason
from kickstand.payments import intents, refunds
from kickstand.payments.model import PaymentIntent, PurposeKind, Refund, RefundState
from kickstand.payments.provider import ProviderUnreachable
from kickstand.sales import orders
from kickstand.sales.model import OrderKind, OrderState


def give_back(refund_id: int, payment_id: int, amount: int, reason: str) -> Refund:
    """Give an amount of a payment back to where it came from, once, however often this is asked for.

    What was bought stays: whoever wants a subscription to end, cancels it. Money that was paid into a wallet leaves it.
    Gift codes are out and cannot be taken back.

    Args:
        refund_id: a new id, which names this decision; whoever asks again names it again.
        payment_id: the payment.
        amount: in minor units of its currency.
        reason: in our words.

    Returns:
        The refund; still ``created`` where the provider did not answer: the agenda asks it again.

    Raises:
        PaymentNotFound: there is no such payment.
        PaymentStateRefused: it has not been paid.
        AmountExceeded: there is not so much left of it.
        CreditRefused: more of the invoice would be taken back than was paid, or codes were bought.
        InsufficientFunds: the wallet that was filled does not hold it any more.
    """

    def attempt() -> Refund:
        intents.expect(payment_id)
        known = refunds.known(refund_id)
        if known is not None:
            return known
        intent = intents.find(payment_id)
        fleet.expect_network(intent.network_id)
        with store.Transaction() as tx:
            refund = refunds.request(tx, refund_id, intent, amount, reason)
            source, invoice_id = _taken_from(intent)
            if invoice_id is not None:
                invoice = invoices.find(intent.rider_id, invoice_id)
                invoices.credit(tx, invoice, amount, fleet.network(intent.network_id), at=refund.created_at)
            ledger.post(tx, [_movement(refund, f"refund-{refund.id}", source, _provider(intent), intent)])
        return refund

    refund = store.again(attempt)
    intents.expect(payment_id)
    try:
        return advance(refund.id)
    except ProviderUnreachable:
        return refund


def advance(refund_id: int) -> Refund:
    """Ask the provider for a refund and keep what comes of it; any number of times.

    What cannot go back to where it came from goes into the rider's wallet.

    Raises:
        PaymentNotFound: there is no such refund.
        ProviderUnreachable: the provider did not say; nothing has changed.
        RefundUnknown: only a person can find out whether the money went back.
    """

    def attempt() -> Refund:
        before = refunds.find(refund_id)
        intent = intents.find(before.payment_id)
        after = refunds.observe(before, intent)
        if after is before:
            return before
        with store.Transaction() as tx:
            refunds.record(tx, intent, before, after)
            if after.state is RefundState.FAILED:
                wallet = Account.wallet(intent.rider_id, intent.currency)
                back = _movement(before, f"refund-{refund_id}-failed", _provider(intent), wallet, intent)
                ledger.post(tx, [back])
        return after

    return store.again(attempt)


def look(payment_id: int) -> None:
    """See whether a payment's refunds still stand, as the provider has told something of them.

    Raises:
        PaymentNotFound: there is no such payment.
        ProviderUnreachable: the provider did not say.
    """
    for refund_id in intents.find(payment_id).refunds:
        advance(refund_id)


def _taken_from(intent: PaymentIntent) -> tuple[Account, int | None]:
    """Whose money it is that a payment has brought, and the invoice of it."""
    wallet = Account.wallet(intent.rider_id, intent.currency)
    revenue = Account.revenue(intent.network_id, intent.currency)
    if intent.purpose.kind is PurposeKind.INVOICE:
        return revenue, intent.purpose.id
    if intent.purpose.kind is PurposeKind.HOLD:
        return (wallet if intent.invoice_id is None else revenue), intent.invoice_id
    order = orders.find(intent.rider_id, intent.purpose.id)
    if order.payment_id != intent.id or order.state is not OrderState.COMPLETED:
        return wallet, None  # it was paid when nothing could come of it any more
    if order.kind is OrderKind.VOUCHER_CODES:
        raise CreditRefused
    return (wallet if order.kind is OrderKind.WALLET_DEPOSIT else revenue), order.invoice_id


def _provider(intent: PaymentIntent) -> Account:
    return Account.provider(intent.network_id, intent.currency)


def _movement(refund: Refund, name: str, source: Account, target: Account, intent: PaymentIntent) -> Movement:
    return Movement(
        id=name,
        source=source,
        target=target,
        amount=refund.amount,
        reason=Reason.REFUND,
        document=intent.purpose.id,
        at=clock.now(),
    )
