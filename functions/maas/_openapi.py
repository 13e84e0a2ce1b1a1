"""What the OpenAPI document says beyond the operations."""

from typing import Final

from kickstand.http.operation import ErrorAnswer, Webhook
from maas._surface import INTERNAL_ERROR, INVALID_REQUEST, TRY_AGAIN, UNAUTHORIZED, Error

TITLE: Final = "Urban Sharing MaaS API"
VERSION: Final = "1.6.0"
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
    "Webhook Interface": "What is sent to clients when something happens.",
}
WEBHOOKS: Final[tuple[Webhook, ...]] = ()
ERROR: Final = Error
COMMON_ERRORS: Final = (INVALID_REQUEST, UNAUTHORIZED, INTERNAL_ERROR, TRY_AGAIN)


def error_example(answer: ErrorAnswer) -> Error:
    """The body that a client gets with an error answer."""
    return Error.of(answer, answer.detail)
