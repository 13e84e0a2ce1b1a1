"""How a charge becomes a receipt, and what invoices say; pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from kickstand.billing.errors import CreditRefused
from kickstand.billing.model import (
    Charge,
    ChargeState,
    Invoice,
    InvoiceDocument,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    Receipt,
    ReceiptLine,
    Stop,
    Subject,
    VatSum,
)
from kickstand.fleet.model import Network
from kickstand.kernel import ids
from kickstand.kernel.currencies import formatted
from kickstand.kernel.events import Event
from kickstand.kernel.money import round_half_up
from kickstand.kernel.place import Position
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.pricing.rules import duration
from kickstand.rental.model import Rental, Reservation
from kickstand.sales.model import Order

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's alphabet: nothing that is misread on paper or over the phone."""

_TEXTS: Final = {
    LineKind.START: "Start of the ride",
    LineKind.MINUTES: "Riding time, per minute begun",
    LineKind.SHORT_RIDE: "Short ride, not charged",
    LineKind.WAIVER: "Ride not charged",
    LineKind.LEFT_UNLOCKED: "Fee: vehicle left unlocked",
    LineKind.TRIP: "Ride",
    LineKind.EXTENDED_RENTAL: "Further riding time, per minute begun",
    LineKind.FREE_MINUTES_PER_DAY: "Free minutes of the day",
    LineKind.FREE_FLOATING_DOCKING_FEE: "Fee: vehicle left outside of a dock",
    LineKind.REGISTRATION_FEE: "Registration fee",
    LineKind.RESERVATION: "Reservation, per minute begun",
}

_NOTES: Final = {
    LineKind.SHORT_RIDE: "Short rides are free of charge.",
    LineKind.WAIVER: "This ride has ended with no charge.",
    LineKind.LEFT_UNLOCKED: "The fee for leaving the vehicle unlocked is outside the scope of VAT.",
}

_SUBJECTS: Final = {Subject.RENTAL: "Ride", Subject.RESERVATION: "Reservation", Subject.ORDER: "Order"}


def charge(rental: Rental, fare: Fare, at: datetime) -> Charge:
    """What is owed for an ended rental."""
    return Charge(
        id=rental.id,
        rental_public_id=rental.public_id,
        client_id=rental.client_id,
        product_id=rental.product_id,
        rider_id=rental.rider_id,
        network_id=rental.network_id,
        fare=fare,
        state=ChargeState.DUE if fare.total else ChargeState.NOTHING_DUE,
        recorded_at=at,
    )


def reservation_charge(reservation: Reservation, fare: Fare, at: datetime) -> Charge:
    """What is owed for a reservation that is over."""
    return Charge(
        id=reservation.id,
        subject=Subject.RESERVATION,
        client_id=reservation.client_id,
        rider_id=reservation.holder_id,
        network_id=reservation.network_id,
        fare=fare,
        state=ChargeState.DUE if fare.total else ChargeState.NOTHING_DUE,
        recorded_at=at,
    )


def receipt(charge: Charge, rental: Rental, ended_at: datetime, network: Network) -> Receipt:
    """The receipt of a charge, in the network's local time.

    It names the vehicle and not the rider, and places to about a hundred metres: enough to recognise a ride by.
    """
    zone = ZoneInfo(network.timezone)
    issued_at = charge.recorded_at.astimezone(zone)
    return Receipt(
        number=receipt_number(charge.id, issued_at.year),
        issued_at=issued_at,
        issuer=network.issuer,
        network=network.name,
        vehicle_code=rental.vehicle_code,
        start=Stop(at=rental.started_at.astimezone(zone), place=_place(rental.vehicle_start)),
        end=Stop(at=ended_at.astimezone(zone), place=_place(rental.vehicle_end)),
        riding_s=int(duration(rental.started_at, ended_at).total_seconds()),
        distance_m=rental.distance_m,
        currency=charge.fare.currency,
        lines=tuple(_line(each) for each in charge.fare.lines),
        vat_sums=vat_sums(charge.fare.lines),
        net=charge.fare.net,
        vat=charge.fare.vat,
        total=charge.fare.total,
        notes=_notes(charge.fare),
    )


def receipt_number(charge_id: int, year: int) -> str:
    """The number of a charge's receipt, such as ``2025-01JB-4VX0-Q2K``: the year of issue, then the charge's id."""
    digits, rest = "", charge_id
    while rest:
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    digits = digits.rjust(11, "0")
    return f"{year}-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


class _Taxed(Protocol):
    @property
    def vat_percent(self) -> int | None: ...
    @property
    def net(self) -> int: ...
    @property
    def vat(self) -> int: ...


def vat_sums(lines: Iterable[_Taxed]) -> tuple[VatSum, ...]:
    """Net and VAT by rate, the highest rate first and what is outside the scope of VAT last."""
    known = tuple(lines)
    rates = sorted({line.vat_percent for line in known}, key=lambda rate: -1 if rate is None else rate, reverse=True)
    return tuple(
        VatSum(
            percent=rate,
            net=sum(line.net for line in known if line.vat_percent == rate),
            vat=sum(line.vat for line in known if line.vat_percent == rate),
        )
        for rate in rates
    )


def document_key(charge: Charge) -> str:
    """Where the receipt's document is kept."""
    return f"receipts/{charge.network_id}/{charge.recorded_at:%Y/%m}/{charge.rental_public_id}.pdf"


def _notes(fare: Fare) -> tuple[str, ...]:
    notes = [_NOTES[line.kind] for line in fare.lines if line.kind in _NOTES]
    return tuple(notes) if fare.total else (*notes, "There is nothing to pay.")


def _line(line: FareLine) -> ReceiptLine:
    return ReceiptLine(
        text=_TEXTS[line.kind],
        quantity=line.quantity,
        unit_net=line.unit_net,
        vat_percent=line.vat_percent,
        net=line.net,
        vat=line.vat,
        gross=line.gross,
    )


def _place(position: Position | None) -> str | None:
    if position is None:
        return None
    latitude = f"{abs(position.latitude):.3f}° {'N' if position.latitude >= 0 else 'S'}"
    longitude = f"{abs(position.longitude):.3f}° {'E' if position.longitude >= 0 else 'W'}"
    return f"{latitude}, {longitude}"


# ── Invoices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def for_order(order: Order, network: Network, at: datetime) -> Invoice:
    """The invoice of an order, which is paid in the transaction that writes it."""
    lines = tuple(
        InvoiceLine(
            text=line.name,
            quantity=line.quantity,
            net=line.gross - line.vat,
            vat_percent=line.vat_percent,
            vat=line.vat,
        )
        for line in order.lines
    )
    invoice_id = ids.new_id()
    return Invoice(
        id=invoice_id,
        token=ids.new_token(invoice_id),
        client_id=order.client_id,
        rider_id=order.rider_id,
        network_id=network.id,
        subject=Subject.ORDER,
        subject_id=order.id,
        year=_year(network, at),
        currency=order.currency,
        lines=lines,
        total=order.total,
        paid=order.total,
        state=InvoiceState.PAID,
        payment_id=order.payment_id,
        paid_at=at,
        receipt_email=order.receipt_email,
        recorded_at=at,
        event=Event.new("InvoiceRecorded", at),
    )


def for_ride(
    fare: Fare,
    network: Network,
    at: datetime,
    *,
    subject: Subject,
    subject_id: int,
    client_id: int,
    rider_id: int,
) -> Invoice:
    """The invoice of what a rental or a reservation costs; there is nothing to pay of it where that is nothing.

    Args:
        fare: the lines, with VAT.
        network: who issues it.
        at: when it became owed.
        subject: a rental or a reservation.
        subject_id: which one.
        client_id: whose rider it was.
        rider_id: who pays.
    """
    invoice_id = ids.new_id()
    return Invoice(
        id=invoice_id,
        token=ids.new_token(invoice_id),
        client_id=client_id,
        rider_id=rider_id,
        network_id=network.id,
        subject=subject,
        subject_id=subject_id,
        year=_year(network, at),
        currency=fare.currency,
        lines=tuple(
            InvoiceLine(
                text=_TEXTS[line.kind],
                quantity=line.quantity,
                net=line.net,
                vat_percent=line.vat_percent,
                vat=line.vat,
            )
            for line in fare.lines
        ),
        total=fare.total,
        state=InvoiceState.OPEN if fare.total > 0 else InvoiceState.PAID,
        recorded_at=at,
        event=Event.new("InvoiceRecorded", at),
    )


def paid(invoice: Invoice, amount: int, at: datetime) -> Invoice:
    """An invoice of which ``amount`` has been paid; no payment of it is under way any more."""
    changes = {"paid": invoice.paid + amount, "paid_at": at, "payment_id": None}
    return _changed(invoice, changes, Event.new("InvoicePaid", at))


def credited(invoice: Invoice, note: Invoice, at: datetime) -> Invoice:
    """An invoice of which a credit note takes back a part, or all."""
    return _changed(invoice, {"credited": invoice.credited - note.total}, Event.new("InvoiceCredited", at))


def credit_note(invoice: Invoice, amount: int, network: Network, at: datetime) -> Invoice:
    """The credit note that takes ``amount`` of an invoice back, VAT included.

    The amount is taken off all lines in proportion, and so is the VAT. However often and in whatever parts an invoice
    is taken back: once all of it is, the credit notes add up to its lines, unit by unit.

    Raises:
        CreditRefused: more than was paid would be given back.
    """
    before, after = invoice.credited, invoice.credited + amount
    if invoice.kind is not InvoiceKind.INVOICE or amount <= 0 or after > min(invoice.paid, invoice.total):
        raise CreditRefused
    taken, take = _shares(invoice, before), _shares(invoice, after)
    lines = tuple(
        line.model_copy(update={"net": old.net - new.net, "vat": old.vat - new.vat})
        for line, old, new in zip(invoice.lines, taken, take, strict=True)
        if (old.net, old.vat) != (new.net, new.vat)
    )
    note_id = ids.new_id()
    return Invoice(
        id=note_id,
        token=ids.new_token(note_id),
        kind=InvoiceKind.CREDIT_NOTE,
        client_id=invoice.client_id,
        rider_id=invoice.rider_id,
        network_id=invoice.network_id,
        subject=invoice.subject,
        subject_id=invoice.subject_id,
        credits=invoice.id,
        year=_year(network, at),
        currency=invoice.currency,
        lines=lines,
        total=-amount,
        state=InvoiceState.PAID,
        receipt_email=invoice.receipt_email,
        recorded_at=at,
        event=Event.new("InvoiceRecorded", at),
    )


def series_number(invoice: Invoice, position: int) -> str:
    """The number at a position of a series, such as ``7-2026-000123``; on credit notes ``7-C2026-000001``.

    The network comes first: numbers are unique for a company that operates several.
    """
    letter = "C" if invoice.kind is InvoiceKind.CREDIT_NOTE else ""
    return f"{invoice.network_id}-{letter}{invoice.year}-{position:06d}"


def invoice_key(invoice: Invoice) -> str:
    """Where the document of a numbered invoice is kept; as long as something is due, it says how much: one for each."""
    suffix = f"-due-{invoice.due}" if invoice.due else ""
    return f"invoices/{invoice.network_id}/{invoice.year}/{invoice.number}{suffix}.pdf"


def invoice_document(invoice: Invoice, number: str, network: Network, original: Invoice | None) -> InvoiceDocument:
    """What the document of an invoice shows, in the network's local time.

    Args:
        invoice: the invoice or credit note.
        number: its number.
        network: who issues it.
        original: the invoice that a credit note takes back.
    """
    zone = ZoneInfo(network.timezone)
    notes: tuple[str, ...] = ()
    if original is not None:
        when = original.recorded_at.astimezone(zone)
        notes = (f"This credit note takes back invoice {original.number} of {when:%-d %B %Y}, in whole or in part.",)
    return InvoiceDocument(
        kind=invoice.kind,
        number=number,
        issued_at=invoice.recorded_at.astimezone(zone),
        issuer=network.issuer,
        network=network.name,
        about=f"{_SUBJECTS[invoice.subject]} {invoice.subject_id}",
        standing=_standing(invoice, zone),
        currency=invoice.currency,
        lines=invoice.lines,
        vat_sums=vat_sums(invoice.lines),
        net=sum(line.net for line in invoice.lines),
        vat=sum(line.vat for line in invoice.lines),
        total=invoice.total,
        notes=notes,
    )


def _standing(invoice: Invoice, zone: ZoneInfo) -> str:
    if invoice.kind is InvoiceKind.CREDIT_NOTE:
        return f"{formatted(-invoice.total, invoice.currency)} in your favour"
    if invoice.state is InvoiceState.OPEN:
        return f"To be paid: {formatted(invoice.due, invoice.currency)}"
    if invoice.paid_at is None:
        return "There is nothing to pay"
    return f"Paid on {invoice.paid_at.astimezone(zone):%-d %B %Y}"


def _changed(invoice: Invoice, changes: dict[str, Any], event: Event) -> Invoice:
    after = invoice.model_copy(update={**changes, "version": invoice.version + 1, "event": event})
    return after.model_copy(update={"state": InvoiceState.OPEN if after.due else InvoiceState.PAID})


def _shares(invoice: Invoice, amount: int) -> list[InvoiceLine]:
    """The part of each line in an amount of the whole; the parts add up to it, and all of it is the lines as they are.

    What is rounded are sums over the lines so far, so that what one line loses the next one gets.
    """
    shares: list[InvoiceLine] = []
    so_far = given = 0
    for line in invoice.lines:
        so_far += line.gross
        gross = round_half_up(so_far * amount, invoice.total) - given
        given += gross
        # A line's own VAT decides, not its rate: the VAT was rounded once, and all of it is given back.
        vat = round_half_up(abs(line.vat) * gross, abs(line.gross)) if line.gross else 0
        shares.append(line.model_copy(update={"net": gross - vat, "vat": vat}))
    return shares


def _year(network: Network, at: datetime) -> int:
    return at.astimezone(ZoneInfo(network.timezone)).year
