"""What follows from invoices: their numbers, their documents, and mails."""

from typing import Final

from aws_lambda_powertools import Logger

from kickstand.billing import invoices
from kickstand.billing.model import Invoice
from kickstand.billing.store import InvoiceItem
from kickstand.kernel.consumers import Change, chained, stream_batch_consumer, stream_consumer
from kickstand.messaging import service as messaging

logger = Logger()


@stream_batch_consumer(InvoiceItem)
def number_invoices(changes: list[Change[Invoice]]) -> None:
    """Give new invoices their numbers, a whole batch at a time."""
    invoices.number(change.new for change in changes if change.new is not None and change.new.number is None)


@stream_consumer(InvoiceItem)
def write_documents(change: Change[Invoice]) -> None:
    """Write the document of an invoice when it has got its number, and again when it has been paid."""
    if change.new is not None and change.event is not None:
        invoices.issue_document(change.new)


@stream_consumer(InvoiceItem)
def mail_invoices(change: Change[Invoice]) -> None:
    """Mail riders where to read what they have paid, or have been given back."""
    if change.new is None or change.event is None:
        return
    message = messaging.notify_invoice(change.new, change.event)
    if message is not None:
        logger.info(
            "message",
            extra={
                "invoice": change.new.id,
                "event": change.event.id,
                "template": message.template,
                "state": message.state,
            },
        )


follow_billing_table: Final = chained(number_invoices, write_documents, mail_invoices)
"""Whatever has to happen soon after a change in the billing table."""
