"""Subscriptions: a user's right to ride at a product for a time."""

from typing import Self

from pydantic import Field

from kickstand.kernel import clock
from kickstand.sales import subscriptions
from kickstand.sales.model import Subscription
from maas._schemas import NumericId, Time, UserId, Wire
from maas._surface import (
    SUBSCRIPTION_NOT_CANCELLABLE,
    SUBSCRIPTION_NOT_FOUND,
    USER_MISMATCH,
    USER_NOT_FOUND,
    Caller,
    maas,
)
from maas.products import Product


class UserSubscription(Wire):
    """A subscription."""

    id: NumericId
    enabled: bool = Field(description="Whether it is valid now.")
    valid_from: Time
    valid_to: Time = Field(description="The first moment at which it is not valid; a renewal moves it.")
    product: Product = Field(description="As it was bought, without `pricing`; renewals cost the same.")
    is_cancellable: bool = Field(description="Whether the user may cancel it.")
    auto_renew: bool = Field(description="Whether it renews itself. Not in the reference.")
    cancelled_at: Time | None = Field(
        default=None, description="When it was cancelled; it lasts until `validTo`. Not in the reference."
    )

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        """The wire form of a subscription."""
        return cls(
            id=subscription.id,
            enabled=subscription.is_valid(clock.now()),
            valid_from=subscription.valid_from,
            valid_to=subscription.valid_until,
            product=Product.of_offer(subscription.offer, {}),
            is_cancellable=subscription.is_cancellable,
            auto_renew=subscription.auto_renew,
            cancelled_at=subscription.cancelled_at,
        )


class UserSubscriptionPath(Wire):
    """Whose subscription."""

    user_id: UserId


@maas.operation(
    "GET",
    "/users/{userId}/subscription",
    tag="Users",
    access="SubscriptionRequests",
    errors=(USER_MISMATCH, USER_NOT_FOUND, SUBSCRIPTION_NOT_FOUND),
)
def get_user_subscription(caller: Caller, path: UserSubscriptionPath) -> UserSubscription:
    """Get the valid subscription of a user.

    A user has one at a time. One that could not be renewed in time is not valid until its renewal is paid, which is
    among the user's orders and can be paid like any other.
    """
    caller.acts_for(path.user_id)
    return UserSubscription.of(subscriptions.find(caller.client, path.user_id))


@maas.operation(
    "DELETE",
    "/users/{userId}/subscription",
    tag="Users",
    access="SubscriptionRequests",
    errors=(USER_MISMATCH, USER_NOT_FOUND, SUBSCRIPTION_NOT_FOUND, SUBSCRIPTION_NOT_CANCELLABLE),
)
def cancel_user_subscription(caller: Caller, path: UserSubscriptionPath) -> UserSubscription:
    """Cancel the subscription of a user.

    It lasts until the end of what is paid, `validTo`, and is not renewed. Products that cost nothing, and those that
    are `cancellable`, can be cancelled. One whose renewal has failed can be cancelled too, as long as that is tried
    again. Cancelling it once more changes nothing.
    """
    caller.acts_for(path.user_id)
    return UserSubscription.of(subscriptions.cancel(caller.client, path.user_id))
