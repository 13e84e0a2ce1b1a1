"""What a payment provider has to be able to do; adapters translate it into a provider's own words.

Every write names a ``key``: the provider does a write once for one key, whoever repeats it, and answers the same again.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from kickstand.payments.model import Card


class ProviderUnreachable(Exception):
    """The provider did not answer, or not with a decision: what was asked may or may not have been done."""


class ProviderRefusal(Exception):
    """The provider has decided against it, for good.

    Attributes:
        code: the provider's word for it.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class IntentStatus(StrEnum):
    """Where a payment stands at the provider."""

    WAITING_FOR_METHOD = "waiting_for_method"
    """The client has to say what to pay with; also after a method was declined."""
    WAITING_FOR_RIDER = "waiting_for_rider"
    """The bank wants the rider to prove who they are (3-D Secure)."""
    PROCESSING = "processing"
    HELD = "held"
    """Authorised, to be captured or released."""
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Charge:
    """A payment as it is asked for.

    Attributes:
        payment_id: ours; the provider keeps it with the payment and names it in its webhooks.
        amount: in minor units.
        customer: the provider's name of the rider.
        method: the saved card to use; ``None`` lets the client choose one.
        types: the kinds of methods that the client may choose from, in the provider's words.
        capture: ``False`` holds the amount only.
        save: whether what the client chooses may be used again without the rider.
        off_session: whether the rider is not there to answer the bank.
    """

    payment_id: int
    amount: int
    currency: str
    customer: str
    method: str | None = None
    types: tuple[str, ...] = ("card",)
    capture: bool = True
    save: bool = False
    off_session: bool = False


@dataclass(frozen=True)
class Intent:
    """A payment as the provider has it.

    Attributes:
        ref: the provider's name of it; ``None`` where it was refused before it existed.
        payment_id: ours, as the provider has kept it.
        secret: what lets a client act on this payment; to be shown to its rider only.
        captured: in minor units, as is ``refunded``.
        method: the card that was chosen.
        decline: the provider's word for why the last attempt failed.
        capture_before: when the bank gives a hold back by itself, where the provider knows.
    """

    ref: str | None
    status: IntentStatus
    payment_id: int | None = None
    amount: int = 0
    captured: int = 0
    refunded: int = 0
    secret: str | None = field(default=None, repr=False)
    method: str | None = None
    decline: str | None = None
    capture_before: datetime | None = None


class SetupStatus(StrEnum):
    """Where the saving of a card stands."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Setup:
    """The saving of a card as the provider has it."""

    ref: str
    status: SetupStatus
    secret: str | None = field(default=None, repr=False)
    method: str | None = None


@dataclass(frozen=True)
class ProviderEvent:
    """What the provider says of its own accord: that it is worth looking at something.

    Attributes:
        id: the provider's; the same at every delivery.
        kind: the provider's word for what has happened.
        ref: the payment or setup that it is about.
        payment_id: ours, as the provider has kept it; ``None`` for what is no payment of ours.
        setup_id: likewise.
    """

    id: str
    kind: str
    ref: str
    payment_id: int | None = None
    setup_id: int | None = None


class Provider(Protocol):
    """A payment provider. Everything raises :class:`ProviderUnreachable` where no decision came."""

    def publishable_key(self) -> str:
        """What clients identify us by to the provider."""

    def create_customer(self, rider_id: int, key: str) -> str:
        """The provider's name of a rider; nothing personal is told."""

    def create_setup(self, setup_id: int, customer: str, key: str) -> Setup:
        """Begin to save a card."""

    def setup(self, ref: str) -> Setup:
        """How the saving of a card stands."""

    def cancel_setup(self, ref: str) -> Setup:
        """Give up the saving of a card, if it has not succeeded; answers how it stands."""

    def card(self, method: str) -> Card:
        """What may be shown of a saved card.

        Raises:
            ProviderRefusal: it is none, or not saved any more.
        """

    def detach(self, method: str) -> None:
        """Forget a card; one that is forgotten already, too."""

    def create_intent(self, charge: Charge, key: str) -> Intent:
        """Ask for a payment, and try it at once where a card is named.

        A card that is declined makes an intent that waits for a method and says why (``decline``); one whose bank wants
        the rider makes one that waits for the rider, also where the rider is not there.

        Raises:
            ProviderRefusal: it takes no such payment, as where the amount is very small; there is none then.
        """

    def intent(self, ref: str) -> Intent:
        """How a payment stands."""

    def cancel_intent(self, ref: str, key: str) -> Intent:
        """Give up a payment or release a hold, if it is not too late; answers how it stands then."""

    def capture(self, ref: str, amount: int, key: str) -> Intent:
        """Take ``amount`` of a hold and release the rest.

        Raises:
            ProviderRefusal: the hold is not there any more, or is less than that.
        """

    def refund(self, ref: str, amount: int, key: str) -> str:
        """Give ``amount`` back; answers the provider's name of the refund.

        Raises:
            ProviderRefusal: there is not so much to give back.
        """

    def refund_stands(self, refund: str) -> bool:
        """Whether a refund has not come back; that may happen days later, as when the card's account is closed."""

    def event(self, body: bytes, signature: str | None) -> ProviderEvent | None:
        """What a webhook says, once its signature is proved; ``None`` for kinds that do not matter here.

        Raises:
            ProviderRefusal: it is not the provider's, or too old.
        """
