"""Items of the billing table."""

from pydantic import BaseModel

from kickstand.billing.model import Charge, Invoice, InvoiceKind, InvoiceState
from kickstand.kernel.events import Event
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta


class BillingItem(Item[Entity]):
    """Anything in the billing table."""

    Meta = table_meta("BILLING_TABLE")


class ChargeItem(BillingItem[Charge]):
    """What a rental costs: ``CHARGE#<rental id>`` / ``CHARGE``."""

    KIND = "charge"

    @staticmethod
    def key(rental_id: int) -> Key["ChargeItem"]:
        """Where the charge of a rental is kept."""
        return Key(ChargeItem, f"CHARGE#{rental_id}", "CHARGE")


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
