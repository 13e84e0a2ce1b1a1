"""Messages to riders."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Template(StrEnum):
    """Why a rider is written to."""

    RIDE_TOO_LONG = "ride_too_long"
    RIDE_PAUSED = "ride_paused"
    RIDE_ENDED = "ride_ended"
    LEFT_UNLOCKED_WARNING = "left_unlocked_warning"
    LEFT_UNLOCKED_FINE = "left_unlocked_fine"
    VEHICLE_REPAIRED = "vehicle_repaired"
    INVOICE_PAID = "invoice_paid"
    INVOICE_CREDITED = "invoice_credited"
    RENEWAL_FAILED = "renewal_failed"
    RENEWAL_WAITS = "renewal_waits"
    PAYMENT_WAITS = "payment_waits"
    PAYMENT_FAILED = "payment_failed"
    DEBT_OPEN = "debt_open"
    GIFT_CODES = "gift_codes"


class MessageState(StrEnum):
    """What is known about the delivery of a message to the mail service."""

    PENDING = "pending"
    SENT = "sent"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    """Nobody told us an address."""


class Message(BaseModel):
    """The record that a rider is written to because of one event; it holds no address and no text.

    Attributes:
        event_id: the event; there is one message for it and each rider.
        lease_until: until then, whoever holds the message may be sending it.
    """

    model_config = ConfigDict(frozen=True)

    event_id: int
    rider_id: int
    template: Template
    state: MessageState
    lease_until: datetime


class Mail(BaseModel):
    """A mail in plain text."""

    model_config = ConfigDict(frozen=True)

    subject: str
    text: str
