"""What the payment provider tells of its own accord."""

from pydantic import BaseModel, Field

from checkout._surface import INVALID_REQUEST, INVALID_SIGNATURE, checkout
from kickstand.billing import checkout as hosted


class EventHeaders(BaseModel):
    """What proves who has sent it."""

    stripe_signature: str = Field(alias="Stripe-Signature", description="`t=…,v1=…`, as Stripe signs.")


class Taken(BaseModel):
    """That it was understood, and need not be sent again."""

    received: bool = True


@checkout.operation(
    "POST",
    "/stripe/events",
    tag="Provider",
    access="CheckoutRequests",
    errors=(INVALID_REQUEST, INVALID_SIGNATURE),
    layers=("payments",),
    memory=1024,
    timeout=29,
    public=True,
    documented=False,
)
def take_stripe_event(body: bytes, headers: EventHeaders) -> Taken:
    """Take in an event of Stripe.

    An event is a reason to look at what it is about; what it says of that is not relied on. Events may come twice and
    in any order. What is about nothing of ours is taken in, too, so that it is not sent again.
    """
    hosted.hear(body, headers.stripe_signature)
    return Taken()
