"""Use cases about invoices and credit notes."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from hmac import compare_digest
from typing import Final

from kickstand.billing import gateway, rules
from kickstand.billing.errors import InvoiceInPayment, InvoiceNotFound, InvoicePaid
from kickstand.billing.model import Invoice, InvoiceKind
from kickstand.billing.store import InvoiceItem, SeriesItem
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Network
from kickstand.kernel import ids, store
from kickstand.kernel.events import Event

BATCH: Final = 40
"""So many invoices get their numbers in one transaction, which takes a hundred writes."""
_PATIENCE: Final = 30

Series = tuple[int, InvoiceKind, int]
"""What is numbered without gaps: the documents of one kind of one network in one year."""


class NotNumbered(RuntimeError):
    """A credit note is to be written of an invoice that has no number yet: it will have one in a moment."""


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
    actions = [
        item.paid.set(after.paid),
        item.credited.set(after.credited),
        item.state.set(after.state),
        item.payment_id.remove() if after.payment_id is None else item.payment_id.set(after.payment_id),
        item.paid_at.remove() if after.paid_at is None else item.paid_at.set(after.paid_at),
        item.version.set(after.version),
    ]
    # The number and the document have events of their own, which must not come back.
    news = [item.event.set(after.event)] if after.event != before.event else []
    unchanged = item.version == before.version
    tx.update(item.key(before.id), [*actions, *news], condition=unchanged, otherwise=store.Contention)


# ── By the stream ────────────────────────────────────────────────────────────────────────────────────────────────────


def number(drafts: Iterable[Invoice]) -> None:
    """Give invoices and credit notes their numbers, in this order; those that have one keep it.

    A series has no gap and no number twice: its last number and the invoices that get the next ones are written in one
    transaction, for :data:`BATCH` invoices at a time. Whoever finds that another was faster looks again.
    """
    waiting: dict[Series, list[int]] = {}
    for each in drafts:
        waiting.setdefault((each.network_id, each.kind, each.year), []).append(each.id)
    for series, found in waiting.items():
        unique = list(dict.fromkeys(found))
        for start in range(0, len(unique), BATCH):
            _number_all(series, unique[start : start + BATCH])


def _number_all(series: Series, invoice_ids: Sequence[int]) -> None:
    store.again(lambda: _number(series, invoice_ids), attempts=_PATIENCE)


def _number(series: Series, invoice_ids: Sequence[int]) -> None:
    key = SeriesItem.key(*series)
    given, *items = store.load_all([key, *(InvoiceItem.key(each) for each in invoice_ids)])
    last = given.last if given else 0
    drafts = [item.entity for item in items if item is not None and item.number is None]
    if not drafts:
        return
    with store.Transaction() as tx:
        tx.update(
            key,
            [SeriesItem.kind.set(SeriesItem.KIND), SeriesItem.last.set(last + len(drafts))],
            condition=SeriesItem.last == last if given else SeriesItem.pk.does_not_exist(),
            otherwise=store.Contention,
        )
        for position, draft in enumerate(drafts, last + 1):
            tx.update(
                InvoiceItem.key(draft.id),
                [
                    InvoiceItem.number.set(rules.series_number(draft, position)),
                    InvoiceItem.event.set(Event.new("InvoiceNumbered")),
                ],
                condition=InvoiceItem.pk.exists() & InvoiceItem.number.does_not_exist(),
                otherwise=store.Contention,
            )


def issue_document(invoice: Invoice) -> None:
    """Write the document of a numbered invoice as it stands now; once for every standing, however often it is asked.

    Raises:
        NotNumbered: the invoice that a credit note takes back has no number yet.
    """
    if invoice.number is not None and invoice.document != rules.invoice_key(invoice):
        store.again(lambda: _issue_document(invoice.id))


def _issue_document(invoice_id: int) -> None:
    # Only the functions that write documents carry the PDF library.
    from kickstand.billing import documents

    invoice = _get(invoice_id)
    key = rules.invoice_key(invoice)
    if invoice.number is None or invoice.document == key:
        return
    original = _get(invoice.credits) if invoice.credits is not None else None
    if original is not None and original.number is None:
        raise NotNumbered
    network = fleet.network(invoice.network_id)
    shown = rules.invoice_document(invoice, invoice.number, network, original)
    gateway.put(key, documents.render_invoice(shown), f"{shown.kind.replace('_', '-')}-{invoice.number}.pdf")
    item = InvoiceItem
    kept = store.change(
        item.key(invoice_id),
        [item.document.set(key), item.event.set(Event.new("InvoiceIssued"))],
        condition=(item.version == invoice.version) & (item.document.does_not_exist() | (item.document != key)),
    )
    if not kept:
        raise store.Contention


def _get(invoice_id: int) -> Invoice:
    item = store.load(InvoiceItem.key(invoice_id))
    if item is None:
        raise InvoiceNotFound
    return item.entity


# ── For whoever reads them ───────────────────────────────────────────────────────────────────────────────────────────


def address(invoice: Invoice) -> str:
    """Where whoever has the address can read an invoice's document, for as long as there is one."""
    return f"{os.environ['CHECKOUT_URL']}/invoices/{invoice.token}"


def document_link(token: str) -> str:
    """A link to the document of the invoice that a token names, for an hour.

    Raises:
        InvoiceNotFound: it names none, or none that has been written.
    """
    invoice_id = ids.id_in(token)
    if invoice_id is None:
        raise InvoiceNotFound
    invoice = _get(invoice_id)
    if not compare_digest(invoice.token, token) or invoice.document is None:
        raise InvoiceNotFound
    return gateway.link(invoice.document)
