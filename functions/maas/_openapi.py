"""What the OpenAPI document says beyond the operations."""

from typing import Final

from pydantic import BaseModel, Field

from kickstand.http.operation import ErrorAnswer, Webhook
from maas._events import LostVehicleEvent, UserInvoiceEvent, UserMessageEvent, UserPenaltyEvent
from maas._reservations import Reservation
from maas._surface import INTERNAL_ERROR, INVALID_REQUEST, TRY_AGAIN, UNAUTHORIZED, Error
from maas._trips import Trip

TITLE: Final = "Urban Sharing MaaS API"
VERSION: Final = "1.6.0"
NOTES: Final = (
    "Query parameters that an operation does not know are refused with 400 `invalid_request`, so that a misspelt one "
    "is not taken for one that was left out."
)
SECURITY: Final = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
TAGS: Final = {
    "Authentication": "Access tokens for clients.",
    "Trips": "Rides from start to end.",
    "Reservations": "Vehicles that are held for somebody.",
    "Users": "The people who ride.",
    "CRM": "Where users get help.",
    "Vehicles": "Vehicles, and what can be done with them.",
    "Dock groups": "Places where vehicles stand.",
    "Areas": "Where rules differ.",
    "System": "City operations.",
    "Payments": "What users owe and buy, and what they pay with.",
    "Products": "What users pay for.",
    "Webhooks": "Where events are sent, and what has become of them.",
    "Webhook Interface": "What is sent to clients when something happens.",
}


class EventHeaders(BaseModel):
    """What every event carries."""

    uowid: str | None = Field(default=None, description="Names the event, at each attempt to deliver it.")
    urbansharing_signature: str = Field(
        alias="Urbansharing-Signature",
        description="`t=…,v0=…`: the time in milliseconds, and the HMAC with SHA-256, in hexadecimal, of the time, a "
        "full stop and the body; the key is the webhook's secret.",
    )


def _event(id_: str, path: str, summary: str, description: str, payload: type[BaseModel]) -> Webhook:
    return Webhook(id_, path, "Webhook Interface", summary, description, EventHeaders, payload)


WEBHOOKS: Final = (
    _event(
        "trip_event",
        "trips/events",
        "A trip's state has changed",
        "The trip as it was then. Events of one trip arrive in order.",
        Trip,
    ),
    _event(
        "reservation_event",
        "reservations",
        "A reservation's state has changed",
        "The reservation as it was then: made, completed, cancelled or expired.",
        Reservation,
    ),
    _event(
        "user_invoice_event",
        "users/invoices",
        "A user owes something",
        "When a trip or a reservation with a product is over, unless it was cancelled before it began or is free. Not "
        "sent to clients whose users pay the operator: they would bill their users a second time.",
        UserInvoiceEvent,
    ),
    _event(
        "user_penalty_event",
        "users/penalties",
        "A user has got penalty points",
        "When a trip with a product takes longer than the product allows.",
        UserPenaltyEvent,
    ),
    _event(
        "user_message_event",
        "users/messages",
        "A user has to be told something",
        "What the platform or its staff did to a trip or a reservation; never what the user did. Clients whose users "
        "pay the operator also get what a user has to do about a payment: confirm it, or pay what is open.",
        UserMessageEvent,
    ),
    _event(
        "lost_vehicle_event",
        "vehicles/lost",
        "A vehicle is lost, or found",
        "To the client whose user rode it last.",
        LostVehicleEvent,
    ),
)
ERROR: Final = Error
COMMON_ERRORS: Final = (INVALID_REQUEST, UNAUTHORIZED, INTERNAL_ERROR, TRY_AGAIN)


def error_example(answer: ErrorAnswer) -> Error:
    """The body that a client gets with an error answer."""
    return Error.of(answer, answer.detail)
