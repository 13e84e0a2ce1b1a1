"""Paying: orders and invoices, by wallet, by card, or by whatever the rider chooses."""

import os
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from kickstand.billing import settlement
from kickstand.billing.settlement import Means, Outcome, Wish
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentState, Purpose, PurposeKind
from maas._schemas import Body, TextualId, UserId, Wire
from maas._surface import (
    INSUFFICIENT_FUNDS,
    INVALID_PRODUCT,
    INVALID_REQUEST,
    INVOICE_NOT_FOUND,
    ORDER_CLOSED,
    ORDER_NOT_FOUND,
    PAYMENT_ERROR,
    PAYMENT_PROVIDER_UNAVAILABLE,
    SUBSCRIPTION_EXISTS,
    SYSTEM_NOT_FOUND,
    USER_MISMATCH,
    USER_NOT_FOUND,
    Caller,
    LocalisedHeaders,
    maas,
)


class DocumentType(StrEnum):
    """What can be paid."""

    ORDER = "order"
    INVOICE = "invoice"


class State(StrEnum):
    """Where a payment stands."""

    CREATED = "CREATED"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_STATES: Final = {
    PaymentState.CREATED: State.CREATED,
    PaymentState.REQUIRES_METHOD: State.CREATED,
    PaymentState.REQUIRES_ACTION: State.REQUIRES_ACTION,
    PaymentState.PROCESSING: State.PROCESSING,
    PaymentState.HELD: State.PROCESSING,
    PaymentState.SUCCEEDED: State.SUCCEEDED,
    PaymentState.FAILED: State.FAILED,
    PaymentState.CANCELLED: State.CANCELLED,
}

_TEXTS: Final = {
    State.CREATED: ("Choose what to pay with", "The user's app goes on with the client secret, or opens the web page."),
    State.REQUIRES_ACTION: (
        "The bank asks the user",
        "The user's app lets the bank ask with the client secret, or opens the web page.",
    ),
    State.PROCESSING: ("The payment is on its way", "Nothing is left to do but to wait."),
    State.SUCCEEDED: (
        "Paid",
        "What was paid for is there. Of an order that has failed all the same, the money is in the user's wallet.",
    ),
    State.FAILED: ("The payment was declined", "Another payment method may work; the order or invoice waits for it."),
    State.CANCELLED: ("The payment was given up", "It can be begun again; the order or invoice waits for it."),
}


class PayHeaders(LocalisedHeaders):
    """What a payment takes beside its body."""

    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None,
        alias="Idempotency-Key",
        description="Names this request for a day: sending it again with the same key and body answers how the same "
        "payment stands, also when it has failed. Not in the reference.",
    )


class PaymentParams(Body):
    """How the user wants to pay."""

    selected_payment_method: Annotated[Means, Field(strict=False)] = Field(
        description="`card`: the saved card, or one that the user chooses; `wallet`: as a whole from the wallet; "
        "`blik`: in PLN only; `any`: the wallet where it suffices, else the saved card, else what the user chooses."
    )
    enable_auto_renew: bool | None = Field(
        default=None,
        description="For subscriptions that can be renewed: whether this one renews itself. A card that the user "
        "chooses is then saved.",
    )
    save: bool = Field(default=False, description="Whether a card that the user chooses is saved.")


class Pay(Body):
    """What is to be paid, and how."""

    document_id: TextualId = Field(description="The order's or the invoice's id.")
    document_type: Annotated[DocumentType, Field(strict=False)]
    params: PaymentParams
    user_id: UserId


class PaymentResult(Wire):
    """How a payment stands."""

    state: State = Field(
        description="`CREATED`: the user has to choose what to pay with; `REQUIRES_ACTION`: the bank asks the user "
        "(3-D Secure); `PROCESSING`: it is being decided; the others are final."
    )
    message: str = Field(description="The state, in words.")
    description: str = Field(description="What is to be done now.")
    error_code: str | None = Field(default=None, description="The provider's word for why the last attempt failed.")
    client_secret: str | None = Field(
        default=None,
        description="With it, the user's app goes on with the payment at the provider. Show it to nobody else.",
    )
    publishable_key: str | None = Field(default=None, description="Identifies us to the provider.")
    customer_ref: str | None = Field(default=None, description="The provider's name of the user.")
    customer_key: str | None = Field(default=None, description="Not given: the provider in use asks for none.")
    payment_method_ref: str | None = Field(default=None, description="The provider's name of the card in use.")
    web_url: str | None = Field(
        default=None, description="A page on which the user can go on with the payment, for apps that cannot."
    )
    order_token: str | None = Field(default=None, description="The order's token.")

    @classmethod
    def of(cls, outcome: Outcome) -> "PaymentResult":
        """The wire form of what has become of a payment."""
        state = _STATES[outcome.state]
        message, description = _TEXTS[state]
        result = cls(
            state=state,
            message=message,
            description=description,
            order_token=outcome.order.token if outcome.order else None,
        )
        intent = outcome.payment
        if intent is None:
            return result
        result.error_code = intent.decline
        result.payment_method_ref = intent.card
        result.customer_ref = outcome.profile.customer
        if intent.is_open:
            result.client_secret = intent.secret
            result.publishable_key = payments.provider().publishable_key()
            result.web_url = f"{os.environ['CHECKOUT_URL']}/payments/{intent.token}"
        return result


@maas.operation(
    "POST",
    "/payments/pay",
    tag="Payments",
    access="PaymentRequests",
    layers=("payments",),
    timeout=29,
    errors=(
        INVALID_REQUEST,
        INVALID_PRODUCT,
        PAYMENT_ERROR,
        INSUFFICIENT_FUNDS,
        USER_MISMATCH,
        USER_NOT_FOUND,
        SYSTEM_NOT_FOUND,
        ORDER_NOT_FOUND,
        INVOICE_NOT_FOUND,
        ORDER_CLOSED,
        SUBSCRIPTION_EXISTS,
        PAYMENT_PROVIDER_UNAVAILABLE,
    ),
)
def pay(caller: Caller, headers: PayHeaders, body: Pay) -> PaymentResult:
    """Pay an order or an invoice.

    What the wallet or the saved card pays without the user is `SUCCEEDED` at once. Otherwise the user's app goes on
    with `clientSecret` at the payment provider, or opens `webUrl`; what is paid for is then there by itself, and asking
    again tells how it stands.

    There is one payment of a document at a time, so sending this again charges nobody twice: it answers how that
    payment stands, and what has been paid is `SUCCEEDED`. Whoever wishes something else, or has saved another card
    meanwhile, gives up the payment that is under way. After `FAILED` or `CANCELLED`, sending it again begins a new
    payment, unless it has the `Idempotency-Key` of the former.
    """
    caller.acts_for(body.user_id)
    document = Purpose(kind=PurposeKind(body.document_type.value), id=int(body.document_id))
    wish = Wish(
        body.params.selected_payment_method,
        save=body.params.save,
        auto_renew=body.params.enable_auto_renew,
        key=headers.idempotency_key,
    )
    return PaymentResult.of(settlement.pay(caller.client, body.user_id, document, wish))
