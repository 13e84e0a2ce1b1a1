"""Riders' cards, payments and holds."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from kickstand.kernel.events import Event
from kickstand.kernel.money import Currency
from kickstand.kernel.states import Machine
from kickstand.payments.errors import PaymentStateRefused

Amount = Annotated[int, Field(gt=0, lt=2**53)]
"""Money to be moved, in minor units."""


class Card(BaseModel):
    """What may be shown of a card.

    Attributes:
        brand: of the card, as the provider writes it, such as ``visa``.
        expires: year and month, such as ``2030-12``.
    """

    model_config = ConfigDict(frozen=True)

    brand: str
    last4: str
    expires: str


class SavedCard(Card):
    """A card that may be charged again.

    Attributes:
        ref: the provider's name of it.
    """

    ref: str
    saved_at: datetime


class PendingSetup(BaseModel):
    """A card that is being saved.

    Attributes:
        token: lets a browser without any other credential go on with it.
        ref: the provider's name of it; ``None`` until the provider has answered.
        replaces: whether the card takes the place of those saved before.
        success_url, cancel_url: where the browser goes afterwards.
        expires_at: until when it can be gone on with.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    token: str = Field(repr=False)
    ref: str | None = None
    replaces: bool
    success_url: str
    cancel_url: str
    expires_at: datetime


class SetupOwner(BaseModel):
    """Whose card is being saved: the provider names the setup only.

    Attributes:
        expires_at: when it is forgotten, in seconds since 1970.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    rider_id: int
    expires_at: int


class PaymentProfile(BaseModel):
    """What the payment provider knows of a rider.

    Attributes:
        customer: the provider's name of the rider; ``None`` before the first payment.
        cards: saved ones; the last one is charged.
        setup: the card that is being saved.
        finished: what the last card was saved by, for a browser that comes back to it.
        leaving: cards that are not charged any more and that the provider has to forget yet.
        version: counts the changes.
    """

    model_config = ConfigDict(frozen=True)

    rider_id: int
    customer: str | None = None
    cards: tuple[SavedCard, ...] = ()
    setup: PendingSetup | None = None
    finished: PendingSetup | None = None
    leaving: tuple[str, ...] = ()
    version: int = 0

    @property
    def card(self) -> SavedCard | None:
        """The card to be charged."""
        return self.cards[-1] if self.cards else None


class PurposeKind(StrEnum):
    """What is paid for."""

    ORDER = "order"
    INVOICE = "invoice"
    HOLD = "hold"


class Purpose(BaseModel):
    """What a payment is for: an order or an invoice, or what an amount is held for, such as a rental."""

    model_config = ConfigDict(frozen=True)

    kind: PurposeKind
    id: int


class PaymentState(StrEnum):
    """Where a payment is in its life."""

    CREATED = "created"
    """Decided here; the provider may or may not know of it yet."""
    REQUIRES_METHOD = "requires_method"
    """The client has to choose what to pay with."""
    REQUIRES_ACTION = "requires_action"
    """The bank wants the rider to prove who they are."""
    PROCESSING = "processing"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RELEASED = "released"
    """A hold that was given back."""
    EXPIRED = "expired"
    """A hold that the bank gave back by itself."""


class PaymentTrigger(StrEnum):
    """What changes a payment's state."""

    ASK_METHOD = "ask_method"
    ASK_RIDER = "ask_rider"
    PROCESS = "process"
    HOLD = "hold"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    RELEASE = "release"
    EXPIRE = "expire"


_S, _T = PaymentState, PaymentTrigger
_OPEN: Final = (_S.CREATED, _S.REQUIRES_METHOD, _S.REQUIRES_ACTION, _S.PROCESSING)

PAYMENT_STATES: Final = Machine[PaymentState, PaymentTrigger](
    {
        **{
            (state, trigger): after
            for state in _OPEN
            for trigger, after in {
                _T.ASK_METHOD: _S.REQUIRES_METHOD,
                _T.ASK_RIDER: _S.REQUIRES_ACTION,
                _T.PROCESS: _S.PROCESSING,
                _T.HOLD: _S.HELD,
                _T.SUCCEED: _S.SUCCEEDED,
                _T.FAIL: _S.FAILED,
                _T.CANCEL: _S.CANCELLED,
            }.items()
        },
        (_S.HELD, _T.SUCCEED): _S.SUCCEEDED,
        (_S.HELD, _T.RELEASE): _S.RELEASED,
        (_S.HELD, _T.EXPIRE): _S.EXPIRED,
    },
    refusal=PaymentStateRefused,
)
OPEN: Final = frozenset(_OPEN)
"""States in which it is not decided yet whether money moves."""


class PaymentIntent(BaseModel):
    """One attempt to get an amount from a rider, or to hold it.

    Attributes:
        network_id: who gets the money.
        hold: whether the amount is only held, to be captured or released later.
        card: the saved card that is charged; ``None`` where the client chooses.
        types: the kinds of methods that the client may choose from, in the provider's words.
        saves: whether what the client chooses becomes a saved card.
        off_session: whether the rider is not there.
        ref: the provider's name of it; ``None`` until the provider has answered.
        secret: what lets the rider's client act on it; gone when it is over.
        captured, refunded: in minor units; what is on its way back counts as refunded.
        refunds: all that were decided, oldest first.
        to_capture: what of a hold is wanted, in minor units; 0 to give it back, ``None`` while nobody has decided.
        invoice_id: the invoice that a captured hold pays.
        replaces: the hold that this one takes the place of, as banks keep none for long.
        replaced_by: the hold that takes the place of this one.
        decline: the provider's word for why the last attempt failed.
        token: lets a browser without any other credential go on with it.
        deadline: until when the rider can act.
        held_until: when the bank gives a hold back by itself.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    client_id: int
    rider_id: int
    network_id: int
    purpose: Purpose
    amount: Amount
    currency: Currency
    state: PaymentState = PaymentState.CREATED
    hold: bool = False
    card: str | None = None
    types: tuple[str, ...] = ("card",)
    saves: bool = False
    off_session: bool = False
    ref: str | None = None
    secret: str | None = Field(default=None, repr=False)
    captured: Annotated[int, Field(ge=0)] = 0
    refunded: Annotated[int, Field(ge=0)] = 0
    refunds: tuple[int, ...] = ()
    to_capture: Annotated[int, Field(ge=0)] | None = None
    invoice_id: int | None = None
    replaces: int | None = None
    replaced_by: int | None = None
    decline: str | None = None
    token: str = Field(repr=False)
    created_at: datetime
    updated_at: datetime
    deadline: datetime
    held_until: datetime | None = None
    version: int = 1
    event: Event

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet whether money moves."""
        return self.state in OPEN


class PaymentRequest(BaseModel):
    """What a client has asked for under a key of its own.

    Attributes:
        name: of the client, the rider and the key; keys may be longer than a key of ours, so their digest stands for
            them.
        digest: of what was asked for.
        expires_at: until when it is remembered, in seconds since 1970.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    digest: str
    payment_id: int
    expires_at: int


class RefundState(StrEnum):
    """Where a refund is in its life."""

    CREATED = "created"
    """Decided here; the provider may or may not know of it yet."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Refund(BaseModel):
    """Money that goes back to where it came from.

    Attributes:
        ref: the provider's name of it; ``None`` until the provider has answered.
        reason: for the credit note, in our words.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    payment_id: int
    amount: Amount
    currency: Currency
    reason: str
    state: RefundState = RefundState.CREATED
    ref: str | None = None
    created_at: datetime
    version: int = 1
    event: Event
