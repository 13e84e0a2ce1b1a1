"""The surface itself: everybody may call it, and signatures and tokens are what counts.

Programs get errors in one shape, ``{"code": "link_not_found", "message": "…"}``; people get a page.
"""

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from pydantic import BaseModel, Field

from checkout import _pages as pages
from checkout._texts import texts_for
from kickstand.billing.errors import InvoiceNotFound
from kickstand.clients.errors import NotAuthenticated
from kickstand.http.messages import Answer, Request, json_answer, page_answer
from kickstand.http.operation import ErrorAnswer, Operation
from kickstand.http.surface import Problem, Surface
from kickstand.kernel.errors import DomainError
from kickstand.payments.errors import EventRefused, MethodNotFound, PaymentNotFound

MAX_BODY_BYTES: Final = 256 * 1024

INVALID_REQUEST: Final = ErrorAnswer(400, "invalid_request", "The request is not valid")
INVALID_SIGNATURE: Final = ErrorAnswer(400, "invalid_signature", "The signature is not valid")
LINK_NOT_FOUND: Final = ErrorAnswer(404, "link_not_found", "This link is not valid, or no longer")
TRY_AGAIN: Final = ErrorAnswer(503, "try_again", "This cannot be done at the moment, try again")

ERRORS: Final[Mapping[type[DomainError], ErrorAnswer]] = {
    EventRefused: INVALID_SIGNATURE,
    InvoiceNotFound: LINK_NOT_FOUND,
    PaymentNotFound: LINK_NOT_FOUND,
    MethodNotFound: LINK_NOT_FOUND,
    DomainError: TRY_AGAIN,
}
"""The answers to domain errors. No other one is the fault of whoever calls."""


class Error(BaseModel):
    """How errors look to programs."""

    code: str = Field(description="A word to program against.")
    message: str = Field(description="A sentence for the developer.")


class Checkout(Surface[None]):
    """The surface for everybody."""

    def authenticate(self, _request: Request, _headers: BaseModel | None) -> NoReturn:
        """Nobody can say here who they are."""
        raise NotAuthenticated

    def describe(self, _caller: None) -> dict[str, Any]:
        """Nothing: whoever holds a token is not known by name."""
        return {}

    def refuse(
        self,
        request: Request,
        operation: Operation,
        error: DomainError,
        overrides: Mapping[type[DomainError], ErrorAnswer],
    ) -> Answer:
        """The error's answer."""
        kind = next(each for each in type(error).__mro__ if each in overrides or each in ERRORS)
        return _answer(request, operation, overrides.get(kind) or ERRORS[kind])

    def refuse_input(self, request: Request, operation: Operation, _problem: Problem) -> Answer:
        """What cannot be a link leads nowhere; anything else is not valid."""
        return _answer(request, operation, LINK_NOT_FOUND if operation.response_model is None else INVALID_REQUEST)

    def fail(self, request: Request, operation: Operation) -> Answer:
        """An error of ours is over some time: the provider is to send again, and people are to come back."""
        return _answer(request, operation, TRY_AGAIN)


def _answer(request: Request, operation: Operation, answer: ErrorAnswer) -> Answer:
    if operation.response_model is None:
        return page_answer(pages.error(texts_for(request.headers.get("accept-language", "")), answer))
    return json_answer(answer.status, Error(code=answer.code, message=answer.detail).model_dump_json().encode())


checkout = Checkout("checkout", max_body=MAX_BODY_BYTES)
