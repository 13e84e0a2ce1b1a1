"""Use cases about invoices and credit notes."""

from datetime import datetime

from kickstand.billing import rules
from kickstand.billing.errors import InvoiceInPayment, InvoiceNotFound, InvoicePaid
from kickstand.billing.model import Invoice
from kickstand.billing.store import InvoiceItem
from kickstand.fleet.model import Network
from kickstand.kernel import store

# ── In the transactions of others ────────────────────────────────────────────────────────────────────────────────────


def create(tx: store.Transaction, invoice: Invoice) -> None:
    """Write an invoice with whatever makes it owed or paid: one write. It gets its number soon after, by the stream."""
    tx.create(InvoiceItem.of(invoice))


def expect(invoice_id: int) -> None:
    """Announce that an invoice will be needed."""
    store.expect(InvoiceItem.key(invoice_id))


def find(rider_id: int, invoice_id: int) -> Invoice:
    """An invoice or a credit note of a rider.

    Raises:
        InvoiceNotFound: the rider has no such invoice.
    """
    item = store.load(InvoiceItem.key(invoice_id))
    if item is None or item.entity.rider_id != rider_id:
        raise InvoiceNotFound
    return item.entity


def claim(tx: store.Transaction, invoice: Invoice, payment_id: int) -> Invoice:
    """Take an invoice for a payment: there is one under way at a time. Refused with ``Contention`` if it has changed.

    Raises:
        InvoicePaid: nothing is to be paid of it.
        InvoiceInPayment: another payment of it is under way.
    """
    if not invoice.due:
        raise InvoicePaid
    if invoice.payment_id is not None:
        raise InvoiceInPayment
    after = invoice.model_copy(update={"payment_id": payment_id, "version": invoice.version + 1})
    _change(tx, invoice, after)
    return after


def let_go(tx: store.Transaction, invoice: Invoice, payment_id: int) -> Invoice:
    """Free an invoice of a payment that has come to nothing; changes nothing where it is not this one's."""
    if invoice.payment_id != payment_id:
        return invoice
    after = invoice.model_copy(update={"payment_id": None, "version": invoice.version + 1})
    _change(tx, invoice, after)
    return after


def pay(tx: store.Transaction, invoice: Invoice, amount: int, *, at: datetime) -> Invoice:
    """Keep that an amount has been paid, in minor units. Refused with ``Contention`` if the invoice has changed."""
    after = rules.paid(invoice, amount, at)
    _change(tx, invoice, after)
    return after


def credit(tx: store.Transaction, invoice: Invoice, amount: int, network: Network, *, at: datetime) -> Invoice:
    """Write the credit note that takes an amount of an invoice back, and keep it on the invoice: two writes.

    Refused with ``Contention`` if the invoice has changed. Giving the money back is another matter.

    Returns:
        The credit note.

    Raises:
        CreditRefused: more than was paid would be given back.
    """
    note = rules.credit_note(invoice, amount, network, at)
    create(tx, note)
    _change(tx, invoice, rules.credited(invoice, note, at))
    return note


def _change(tx: store.Transaction, before: Invoice, after: Invoice) -> None:
    item = InvoiceItem
    tx.update(
        item.key(before.id),
        [
            item.paid.set(after.paid),
            item.credited.set(after.credited),
            item.state.set(after.state),
            item.payment_id.remove() if after.payment_id is None else item.payment_id.set(after.payment_id),
            item.paid_at.remove() if after.paid_at is None else item.paid_at.set(after.paid_at),
            item.version.set(after.version),
            item.event.set(after.event),
        ],
        condition=item.version == before.version,
        otherwise=store.Contention,
    )
