"""What can be wrong with orders, codes and subscriptions."""

from kickstand.kernel.errors import MoneyRefused


class OfferNotFound(MoneyRefused):
    """The client sells no such product."""

    detail = "The product does not exist"


class OfferClosed(MoneyRefused):
    """The product cannot be ordered, or not in this way."""

    detail = "The product cannot be ordered in this way"


class AmountNotValid(MoneyRefused):
    """The amount is outside of what is allowed."""

    detail = "The amount is not allowed"


class OrderNotFound(MoneyRefused):
    """The user has no such order."""

    detail = "Order not found"


class OrderClosed(MoneyRefused):
    """The order has been paid, cancelled, or has expired."""

    detail = "The order is not pending any more"


class OrderInPayment(MoneyRefused):
    """A payment of the order is under way."""

    detail = "A payment of the order is under way"


class DiscountNotValid(MoneyRefused):
    """The discount code does not exist, is over, used up, or is not for this order."""

    detail = "The discount code is not valid for this order"


class VoucherNotValid(MoneyRefused):
    """The gift code does not exist, has been redeemed, or is over."""

    detail = "The gift code is not valid"


class SubscriptionNotFound(MoneyRefused):
    """The user has no active subscription."""

    detail = "The user has no active subscription"


class SubscriptionExists(MoneyRefused):
    """The user has an active subscription; there is one at a time."""

    detail = "The user has an active subscription already"


class NotCancellable(MoneyRefused):
    """The subscription's product is neither free nor cancellable by its users."""

    detail = "This subscription cannot be cancelled"


class SubscriptionRequired(MoneyRefused):
    """Rides at this plan are for its subscribers."""

    detail = "The product is for its subscribers only"
