"""What can be wrong with invoices."""

from kickstand.kernel.errors import MoneyRefused


class InvoiceNotFound(MoneyRefused):
    """The user has no such invoice."""

    detail = "Invoice not found"


class InvoicePaid(MoneyRefused):
    """Nothing is to be paid of it any more."""

    detail = "The invoice has been paid"


class InvoiceInPayment(MoneyRefused):
    """A payment of the invoice is under way."""

    detail = "A payment of the invoice is under way"


class CreditRefused(MoneyRefused):
    """More is to be given back than was paid."""

    detail = "More is to be given back than was paid"
