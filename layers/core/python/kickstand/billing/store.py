"""Items of the billing table."""

from datetime import datetime

from pydantic import BaseModel

from kickstand.billing.model import Charge, Debts, Invoice, InvoiceKind, InvoiceState, RideHold, Subject
from kickstand.kernel.events import Event
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta


class BillingItem(Item[Entity]):
    """Anything in the billing table."""

    Meta = table_meta("BILLING_TABLE")


class ChargeItem(BillingItem[Charge]):
    """What is owed: ``CHARGE#<id>`` / ``CHARGE`` for a rental, ``CHARGE#<id>`` / ``RESERVATION`` for a reservation."""

    KIND = "charge"
    KEYED_BY = ("id", "subject")

    @staticmethod
    def key(charge_id: int, subject: Subject = Subject.RENTAL) -> Key["ChargeItem"]:
        """Where the charge of a rental or a reservation is kept."""
        return Key(ChargeItem, f"CHARGE#{charge_id}", "CHARGE" if subject is Subject.RENTAL else subject.upper())


class InvoiceItem(BillingItem[Invoice]):
    """An invoice or a credit note: ``INVOICE#<id>`` / ``INVOICE``.

    Its payment, its number and its document are written independently of each other; ``version`` counts what concerns
    the payment.
    """

    KIND = "invoice"

    number = Value(str, null=True)
    paid = Value(int)
    credited = Value(int)
    state = Value(InvoiceState)
    payment_id = Value(int, null=True)
    paid_at = Value(datetime, null=True)
    document = Value(str, null=True)
    version = Value(int)
    event = Value(Event)

    @staticmethod
    def key(invoice_id: int) -> Key["InvoiceItem"]:
        """Where an invoice is kept."""
        return Key(InvoiceItem, f"INVOICE#{invoice_id}", "INVOICE")


class SeriesItem(BillingItem[BaseModel]):
    """The last number that a series has given: ``SERIES#<network id>#<kind of document>#<year>`` / ``SERIES``."""

    KIND = "series"

    last = Value(int)

    @staticmethod
    def key(network_id: int, kind: InvoiceKind, year: int) -> Key["SeriesItem"]:
        """Where a series is kept."""
        return Key(SeriesItem, f"SERIES#{network_id}#{kind}#{year}", "SERIES")


class DebtsItem(BillingItem[Debts]):
    """What a rider has not paid: ``RIDER#<rider id>`` / ``DEBTS``."""

    KIND = "debts"
    KEYED_BY = ("rider_id",)

    version = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["DebtsItem"]:
        """Where a rider's debts are kept."""
        return Key(DebtsItem, f"RIDER#{rider_id}", "DEBTS")


class RideHoldItem(BillingItem[RideHold]):
    """The amount that is held for a rental: ``CHARGE#<rental id>`` / ``HOLD``."""

    KIND = "ride_hold"
    KEYED_BY = ("rental_id",)

    @staticmethod
    def key(rental_id: int) -> Key["RideHoldItem"]:
        """Where it is kept which payment holds an amount for a rental."""
        return Key(RideHoldItem, f"CHARGE#{rental_id}", "HOLD")
