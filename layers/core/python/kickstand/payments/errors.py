"""What can be wrong with payments."""

from kickstand.kernel.errors import MoneyRefused


class PaymentRefused(MoneyRefused):
    """The payment provider refuses it."""

    detail = "Payment processing failed"


class ProviderUnavailable(MoneyRefused):
    """The payment provider does not answer; the request may be sent again."""

    detail = "The payment provider does not answer, try again"


class PaymentNotFound(MoneyRefused):
    """There is no such payment."""

    detail = "Payment not found"


class MethodNotAvailable(MoneyRefused):
    """This cannot be paid in this way."""

    detail = "This payment method is not available here"


class MethodNotFound(MoneyRefused):
    """The rider has no saved payment method."""

    detail = "The user has no saved payment method"


class MethodExists(MoneyRefused):
    """The rider has a saved payment method, which can be replaced."""

    detail = "The user has a saved payment method, which can be replaced"


class PaymentStateRefused(MoneyRefused):
    """The payment is not in a state in which this is possible."""

    detail = "This is not possible in the payment's state"


class AmountExceeded(MoneyRefused):
    """More is to be captured than is held, or more to be refunded than was captured."""

    detail = "More than the payment has"


class KeyReused(MoneyRefused):
    """The idempotency key was used for something else."""

    detail = "The Idempotency-Key was used for another request"


class EventRefused(MoneyRefused):
    """What claims to come from the payment provider does not."""

    detail = "The signature is not valid"
