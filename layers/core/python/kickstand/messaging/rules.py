"""Which event calls for which message; pure."""

from kickstand.billing.model import Invoice, InvoiceKind, InvoiceState
from kickstand.kernel.events import Event
from kickstand.messaging.model import Template
from kickstand.pricing.model import LineKind
from kickstand.rental.model import EndReason, Rental

_SILENT_ENDS = {None, EndReason.RIDER, EndReason.UNLOCK_REJECTED, EndReason.UNLOCK_UNCONFIRMED}


def template_for(rental: Rental, event: Event) -> Template | None:
    """What the rider has to be told when ``event`` happened to the rental; ``None`` for what the rider did or knows."""
    match event.name:
        case "RentalTooLong":
            return Template.RIDE_TOO_LONG
        case "RentalPaused" if event.data.get("automatic"):
            return Template.RIDE_PAUSED
        case "RentalEnding":
            return _about_the_end(rental, event)
        case _:
            return None


def template_for_invoice(invoice: Invoice, event: Event) -> Template | None:
    """What the rider has to be told when ``event`` happened to an invoice: that it was paid, or taken back."""
    if event.name != "InvoiceIssued" or not invoice.total:
        return None
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        return Template.INVOICE_CREDITED
    return Template.INVOICE_PAID if invoice.state is InvoiceState.PAID else None


def _about_the_end(rental: Rental, event: Event) -> Template | None:
    if fine(rental):
        return Template.LEFT_UNLOCKED_FINE
    if rental.end_reason is EndReason.LEFT_UNLOCKED or event.data.get("warned"):
        return Template.LEFT_UNLOCKED_WARNING
    return None if rental.end_reason in _SILENT_ENDS else Template.RIDE_ENDED


def fine(rental: Rental) -> int:
    """What the rental's fare asks for leaving the vehicle unlocked, in minor units."""
    lines = rental.fare.lines if rental.fare else ()
    return sum(line.gross for line in lines if line.kind is LineKind.LEFT_UNLOCKED)
