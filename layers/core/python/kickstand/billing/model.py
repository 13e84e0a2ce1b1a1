"""Charges, receipts and invoices."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kickstand.fleet.model import Issuer
from kickstand.kernel.events import Event
from kickstand.kernel.money import Currency
from kickstand.pricing.model import Fare


class ChargeState(StrEnum):
    """Whether anything is to be paid."""

    DUE = "due"
    NOTHING_DUE = "nothing_due"


class Subject(StrEnum):
    """What something is owed for."""

    RENTAL = "rental"
    RESERVATION = "reservation"
    ORDER = "order"


class Charge(BaseModel):
    """What one rental or reservation costs and who pays for it. There is one for each, and it never changes.

    Attributes:
        id: the rental's id, or the reservation's.
        subject: which of them.
        rental_public_id: the rental as its partner knows it.
        client_id: the partner whose rider it was.
        product_id: the partner's product that the ride is sold under, if any.
        rider_id: whose ride it was.
        network_id: where, and so who issues the receipt.
        fare: the lines, with VAT; the currency of all amounts.
        invoice_id: the invoice by which the rider pays us; without one, the partner pays us and the rider the partner.
        recorded_at: when it became owed, in UTC; also the receipt's date.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    subject: Subject = Subject.RENTAL
    rental_public_id: UUID | None = None
    client_id: int
    product_id: int | None = None
    rider_id: int
    network_id: int
    fare: Fare
    state: ChargeState
    invoice_id: int | None = None
    recorded_at: datetime


class VatSum(BaseModel):
    """All lines of one VAT rate together, in minor units; without a rate for what is outside the scope of VAT."""

    model_config = ConfigDict(frozen=True)

    percent: int | None
    net: int
    vat: int

    @property
    def gross(self) -> int:
        """The sum including VAT."""
        return self.net + self.vat


class ReceiptLine(BaseModel):
    """One line as the rider reads it; amounts in minor units."""

    model_config = ConfigDict(frozen=True)

    text: str
    quantity: Annotated[int, Field(ge=1)]
    unit_net: int
    vat_percent: int | None
    net: int
    vat: int
    gross: int


class Stop(BaseModel):
    """An end of a ride: local time, and roughly where."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    place: str | None


class Receipt(BaseModel):
    """Everything that a receipt's document shows. The same receipt always makes the same document.

    Attributes:
        number: unique, and the same whenever the receipt is issued again.
        issued_at: local time of the network, as are all times here.
        riding_s: how long the ride lasted, in seconds.
        notes: what the rider should know about the price.
    """

    model_config = ConfigDict(frozen=True)

    number: str
    issued_at: datetime
    issuer: Issuer
    network: str
    vehicle_code: str
    start: Stop
    end: Stop
    riding_s: int
    distance_m: int | None
    currency: Currency
    lines: tuple[ReceiptLine, ...]
    vat_sums: tuple[VatSum, ...]
    net: int
    vat: int
    total: int
    notes: tuple[str, ...] = ()


# ── Invoices ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class InvoiceKind(StrEnum):
    """What a document says."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    """Takes back an invoice, or a part of it."""


class InvoiceState(StrEnum):
    """Whether anything is to be paid of it."""

    OPEN = "open"
    PAID = "paid"


class InvoiceLine(BaseModel):
    """One line of an invoice; amounts in minor units, negative on a credit note.

    Attributes:
        vat_percent: the VAT rate; ``None`` for what is outside the scope of VAT.
        vat: the VAT inside :attr:`gross`, rounded once.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    quantity: Annotated[int, Field(ge=1)] = 1
    net: int
    vat_percent: int | None = None
    vat: int

    @property
    def gross(self) -> int:
        """The line including VAT."""
        return self.net + self.vat


class Invoice(BaseModel):
    """What a rider owes us, or has paid, as tax law wants it: written once and never changed, but for its payment.

    Attributes:
        token: names it to whoever was told it, and to nobody who guesses.
        network_id: who issues it.
        subject_id: the rental, reservation or order.
        credits: the invoice that a credit note takes back.
        number: without gaps within issuer and year; given soon after it was recorded.
        year: in which it was recorded, in the network's local time.
        total: what is to be paid, VAT included; negative on a credit note.
        paid: how much of it has been paid.
        credited: how much of it credit notes have taken back.
        payment_id: the payment that is under way; on the invoice of an order, the one that has paid it.
        paid_at: when the last of it was paid.
        receipt_email: where it is mailed to; the rider's own address where it is missing.
        document: where its PDF is kept, once it is written.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    token: str = Field(repr=False)
    kind: InvoiceKind = InvoiceKind.INVOICE
    client_id: int
    rider_id: int
    network_id: int
    subject: Subject
    subject_id: int
    credits: int | None = None
    number: str | None = None
    year: int
    currency: Currency
    lines: tuple[InvoiceLine, ...]
    total: int
    paid: Annotated[int, Field(ge=0)] = 0
    credited: Annotated[int, Field(ge=0)] = 0
    state: InvoiceState
    payment_id: int | None = None
    paid_at: datetime | None = None
    receipt_email: str | None = Field(default=None, repr=False)
    document: str | None = None
    recorded_at: datetime
    version: int = 1
    event: Event

    @property
    def due(self) -> int:
        """What is still to be paid, in minor units.

        Only what was paid is ever taken back, and given back then: that makes no difference to it.
        """
        return max(0, self.total - self.paid)


class InvoiceDocument(BaseModel):
    """Everything that an invoice's document shows. The same invoice in the same state always makes the same document.

    Attributes:
        issued_at: local time of the network.
        about: what it is for.
        standing: whether it has been paid.
    """

    model_config = ConfigDict(frozen=True)

    kind: InvoiceKind
    number: str
    issued_at: datetime
    issuer: Issuer
    network: str
    about: str
    standing: str
    currency: Currency
    lines: tuple[InvoiceLine, ...]
    vat_sums: tuple[VatSum, ...]
    net: int
    vat: int
    total: int
    notes: tuple[str, ...] = ()


# ── Debts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Debt(BaseModel):
    """An invoice for riding that is not paid in full.

    Attributes:
        currency: in which it is to be paid.
        overdue: whether it was to be collected and could not be: now the rider has to do something.
    """

    model_config = ConfigDict(frozen=True)

    invoice_id: int
    currency: Currency
    overdue: bool = False


class Debts(BaseModel):
    """What a rider has not paid yet for riding.

    Attributes:
        user_key: what the partner calls the rider, as it stands in keys; riders without it start by other means.
        debts: the oldest first.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    rider_id: int
    user_key: str | None = None
    debts: tuple[Debt, ...] = ()
    version: int = 0
    event: Event | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether the rider has to do something."""
        return any(debt.overdue for debt in self.debts)


class RideHold(BaseModel):
    """Says that an amount is held for a rental: the first hold; it may have been renewed."""

    model_config = ConfigDict(frozen=True)

    rental_id: int
    payment_id: int
