"""What the OpenAPI document says beyond the operations."""

from typing import Final

from checkout._surface import TRY_AGAIN, Error
from kickstand.http.operation import ErrorAnswer, Webhook

TITLE: Final = "Kickstand checkout"
VERSION: Final = "1"
NOTES: Final = (
    "For browsers of riders and for the payment provider. Nobody says who they are: a link is known to whoever it was "
    "given to only, and the provider signs what it sends. Apps need none of this; their API gives them the links."
)
SECURITY: Final[dict[str, dict[str, str]]] = {}
TAGS: Final = {
    "Pages": "What riders see in a browser.",
    "Provider": "What the payment provider sends.",
}
WEBHOOKS: Final[tuple[Webhook, ...]] = ()
ERROR: Final = Error
COMMON_ERRORS: Final = (TRY_AGAIN,)


def error_example(answer: ErrorAnswer) -> Error:
    """The body that a program gets with an error answer."""
    return Error(code=answer.code, message=answer.detail)
