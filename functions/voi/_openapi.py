"""What the OpenAPI document says beyond the operations."""

from typing import Final

from kickstand.http.operation import ErrorAnswer, Webhook
from voi._surface import INTERNAL_ERROR, TRY_AGAIN, UNAUTHORIZED, Error

TITLE: Final = "Voi partner API"
VERSION: Final = "1"
NOTES: Final = ""
SECURITY: Final = {"X-Auth-Token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}
TAGS: Final = {
    "Product": "What a partner offers rides under.",
    "User": "The people who ride.",
    "Rental": "Rides from start to end.",
    "Pricing": "What a ride on a vehicle would cost.",
    "Vehicle": "Vehicles that can be rented.",
    "Zone": "Where rides are offered, and the rules there.",
}
WEBHOOKS: Final[tuple[Webhook, ...]] = ()
ERROR: Final = Error
COMMON_ERRORS: Final = (UNAUTHORIZED, INTERNAL_ERROR, TRY_AGAIN)


def error_example(answer: ErrorAnswer) -> Error:
    """The body that a client gets with an error answer."""
    return Error(status=answer.status, errorCode=answer.code, detail=answer.detail)
