"""The surface itself: who calls, for whom, and how every error looks.

Errors have one shape, ``{"code": "invalid_request", "message": "…"}``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from kickstand.billing.errors import CreditRefused, InvoiceInPayment, InvoiceNotFound, InvoicePaid
from kickstand.clients import access
from kickstand.clients.errors import NotAuthenticated, ProductNameEmpty, ProductNotFound
from kickstand.clients.model import ApiClient
from kickstand.fleet.errors import (
    ClusterNotFound,
    CodeTaken,
    CommandSettled,
    NetworkNotFound,
    TransitionRefused,
    VehicleNotFound,
    VehicleUnavailable,
)
from kickstand.geo.errors import (
    GeofenceChanged,
    GeofenceTooLarge,
    InvalidZone,
    NoOperationsArea,
    RuleWithoutAreaType,
    WrongParking,
)
from kickstand.http.messages import Answer, Request, json_answer
from kickstand.http.operation import ErrorAnswer, Operation
from kickstand.http.surface import Loads, Problem, Surface
from kickstand.identity import service as identity
from kickstand.identity.errors import (
    ExternalIdTaken,
    PenaltyNotFound,
    PenaltyResolved,
    ProductClosed,
    RiderInDebt,
    RiderNotFound,
    UserMismatch,
)
from kickstand.identity.model import user_key
from kickstand.kernel.errors import Contention, DomainError
from kickstand.kernel.languages import Locale
from kickstand.ledger.errors import AlreadyPosted, InsufficientFunds
from kickstand.onboarding.errors import (
    CodeRefused,
    NothingToVerify,
    NotReachable,
    NotSent,
    NotVerifiable,
    TooManyCodes,
    TooManyConsents,
    VersionNotCurrent,
)
from kickstand.payments.errors import (
    AmountExceeded,
    EventRefused,
    KeyReused,
    MethodExists,
    MethodNotAvailable,
    MethodNotFound,
    PaymentNotFound,
    PaymentRefused,
    PaymentStateRefused,
    ProviderUnavailable,
)
from kickstand.pricing.errors import PlanClosed, PlanNotFound, PlanNotValid
from kickstand.rental.errors import (
    AbilityMissing,
    EndingRefused,
    FarFromDock,
    ImplausiblePosition,
    NoActiveRental,
    NoVehicleFits,
    RentalAlreadyEnded,
    RentalNotFound,
    RentalStateRefused,
    ReservationClosed,
    ReservationNotFound,
    RiderHasRental,
    RiderHasReservation,
    RiderMismatch,
    TooManyPenaltyPoints,
)
from kickstand.sales.errors import (
    AmountNotValid,
    DiscountNotValid,
    NotCancellable,
    OfferClosed,
    OfferNotFound,
    OrderClosed,
    OrderInPayment,
    OrderNotFound,
    SubscriptionExists,
    SubscriptionNotFound,
    SubscriptionRequired,
    VoucherNotValid,
)
from kickstand.support.errors import CrmNotConfigured, InvalidDamageReport, MaintenanceNotFound
from kickstand.webhooks.errors import (
    DeliveryNotFound,
    EndpointDisabled,
    EndpointExists,
    EndpointNotFound,
    TooManyEndpoints,
    WebhookRefused,
)
from maas._schemas import UserId

MAX_BODY_BYTES: Final = 16 * 1024

INVALID_REQUEST: Final = ErrorAnswer(400, "invalid_request", "The request is not valid")
INVALID_LOCATION: Final = ErrorAnswer(400, "invalid_location", "This is not possible here")
INVALID_PRODUCT: Final = ErrorAnswer(400, "invalid_product", "The product does not exist or cannot be used")
INVALID_DAMAGE_REPORT: Final = ErrorAnswer(
    400, "ERR_INVALID_DAMAGE_REPORT", "The damage report names no damage that this vehicle can have"
)
INVALID_AMOUNT: Final = ErrorAnswer(400, "invalid_amount", "The amount is not allowed")
INVALID_DISCOUNT_CODE: Final = ErrorAnswer(
    400, "invalid_discount_code", "The discount code is not valid for this order"
)
INVALID_VERIFICATION: Final = ErrorAnswer(400, "invalid_verification", "This cannot be verified")
PAYMENT_ERROR: Final = ErrorAnswer(400, "ERR_PAYMENT_ERROR", "Payment processing failed")
UNAUTHORIZED: Final = ErrorAnswer(401, "unauthorized", "The access token is missing or not valid")
INSUFFICIENT_FUNDS: Final = ErrorAnswer(402, "insufficient_funds", "The wallet does not hold this amount")
PAYMENT_REQUIRED: Final = ErrorAnswer(402, "payment_required", "The user has unpaid invoices")
USER_MISMATCH: Final = ErrorAnswer(403, "user_mismatch", "The request is on behalf of another user")
TOO_MANY_PENALTY_POINTS: Final = ErrorAnswer(
    403, "too_many_penalty_points", "The user has more penalty points than the product allows"
)
TRIP_NOT_FOUND: Final = ErrorAnswer(404, "trip_not_found", "Trip not found")
VEHICLE_NOT_FOUND: Final = ErrorAnswer(404, "vehicle_not_found", "Vehicle not found")
DOCK_GROUP_NOT_FOUND: Final = ErrorAnswer(404, "dock_group_not_found", "Dock group not found")
RESERVATION_NOT_FOUND: Final = ErrorAnswer(404, "reservation_not_found", "Reservation not found")
USER_NOT_FOUND: Final = ErrorAnswer(404, "user_not_found", "User not found")
PENALTY_NOT_FOUND: Final = ErrorAnswer(404, "penalty_not_found", "Penalty not found")
SYSTEM_NOT_FOUND: Final = ErrorAnswer(404, "system_not_found", "System not found")
CRM_NOT_CONFIGURED: Final = ErrorAnswer(404, "crm_not_configured", "The system has no CRM")
ORDER_NOT_FOUND: Final = ErrorAnswer(404, "order_not_found", "Order not found")
INVOICE_NOT_FOUND: Final = ErrorAnswer(404, "invoice_not_found", "Invoice not found")
SUBSCRIPTION_NOT_FOUND: Final = ErrorAnswer(404, "subscription_not_found", "The user has no active subscription")
PAYMENT_METHOD_NOT_FOUND: Final = ErrorAnswer(404, "payment_method_not_found", "The user has no saved payment method")
WEBHOOK_NOT_FOUND: Final = ErrorAnswer(404, "webhook_not_found", "Webhook not found")
VEHICLE_NOT_AVAILABLE: Final = ErrorAnswer(409, "vehicle_not_available", "The vehicle is not available")
NO_VEHICLE_AVAILABLE: Final = ErrorAnswer(
    409, "no_vehicle_available", "The dock group has no vehicle available that fits"
)
TRIP_IN_PROGRESS: Final = ErrorAnswer(409, "trip_in_progress", "The user is on a trip already")
TRIP_ENDED: Final = ErrorAnswer(409, "trip_ended", "The trip is over")
INVALID_STATE: Final = ErrorAnswer(409, "invalid_state", "This is not possible now")
NOT_SUPPORTED: Final = ErrorAnswer(409, "not_supported", "Vehicles of this type cannot do that")
RESERVATION_EXISTS: Final = ErrorAnswer(409, "reservation_exists", "The user has a reservation already")
RESERVATION_CLOSED: Final = ErrorAnswer(409, "reservation_closed", "The reservation is not active any more")
ORDER_CLOSED: Final = ErrorAnswer(409, "order_closed", "The order is not pending any more")
INVOICE_PAID: Final = ErrorAnswer(409, "invoice_paid", "The invoice has been paid")
PAYMENT_IN_PROGRESS: Final = ErrorAnswer(409, "payment_in_progress", "A payment is under way")
SUBSCRIPTION_EXISTS: Final = ErrorAnswer(409, "subscription_exists", "The user has an active subscription already")
SUBSCRIPTION_NOT_CANCELLABLE: Final = ErrorAnswer(
    409, "subscription_not_cancellable", "This subscription cannot be cancelled"
)
PAYMENT_METHOD_EXISTS: Final = ErrorAnswer(
    409, "payment_method_exists", "The user has a saved payment method, which can be replaced"
)
PENALTY_RESOLVED: Final = ErrorAnswer(409, "penalty_resolved", "The penalty is resolved already")
VERIFICATION_REQUIRED: Final = ErrorAnswer(409, "verification_required", "There is nothing to verify yet")
TOO_MANY_REQUESTS: Final = ErrorAnswer(429, "too_many_requests", "Too many codes have been sent")
TRY_AGAIN: Final = ErrorAnswer(503, "try_again", "Too many requests for the same object at this moment, try again")
CODE_NOT_SENT: Final = ErrorAnswer(503, "code_not_sent", "The code could not be sent, try again in half a minute")
PAYMENT_PROVIDER_UNAVAILABLE: Final = ErrorAnswer(
    503, "payment_provider_unavailable", "The payment provider does not answer, try again"
)
INTERNAL_ERROR: Final = ErrorAnswer(500, "internal_error", "Internal error")

ERRORS: Final[Mapping[type[DomainError], ErrorAnswer]] = {
    NotAuthenticated: UNAUTHORIZED,
    Contention: TRY_AGAIN,
    UserMismatch: USER_MISMATCH,
    ProductNotFound: INVALID_PRODUCT,
    ProductNameEmpty: INVALID_REQUEST,
    ProductClosed: INVALID_PRODUCT,
    RiderNotFound: USER_NOT_FOUND,
    RiderInDebt: PAYMENT_REQUIRED,
    ExternalIdTaken: INVALID_STATE,
    PenaltyNotFound: PENALTY_NOT_FOUND,
    PenaltyResolved: PENALTY_RESOLVED,
    VehicleNotFound: VEHICLE_NOT_FOUND,
    VehicleUnavailable: VEHICLE_NOT_AVAILABLE,
    ClusterNotFound: DOCK_GROUP_NOT_FOUND,
    CodeTaken: INVALID_REQUEST,
    TransitionRefused: INVALID_STATE,
    CommandSettled: INVALID_STATE,
    NetworkNotFound: SYSTEM_NOT_FOUND,
    InvalidZone: INVALID_REQUEST,
    RuleWithoutAreaType: INVALID_REQUEST,
    WrongParking: INVALID_REQUEST,
    NoOperationsArea: INVALID_REQUEST,
    GeofenceTooLarge: INVALID_REQUEST,
    GeofenceChanged: TRY_AGAIN,
    RentalNotFound: TRIP_NOT_FOUND,
    NoActiveRental: TRIP_NOT_FOUND,
    RiderHasRental: TRIP_IN_PROGRESS,
    RentalAlreadyEnded: TRIP_ENDED,
    RentalStateRefused: INVALID_STATE,
    EndingRefused: INVALID_LOCATION,
    ImplausiblePosition: INVALID_LOCATION,
    FarFromDock: INVALID_LOCATION,
    AbilityMissing: NOT_SUPPORTED,
    RiderMismatch: USER_MISMATCH,
    TooManyPenaltyPoints: TOO_MANY_PENALTY_POINTS,
    NoVehicleFits: NO_VEHICLE_AVAILABLE,
    ReservationNotFound: RESERVATION_NOT_FOUND,
    ReservationClosed: RESERVATION_CLOSED,
    RiderHasReservation: RESERVATION_EXISTS,
    InvalidDamageReport: INVALID_DAMAGE_REPORT,
    MaintenanceNotFound: INVALID_STATE,
    CrmNotConfigured: CRM_NOT_CONFIGURED,
    PlanNotFound: INVALID_PRODUCT,
    PlanClosed: INVALID_PRODUCT,
    PlanNotValid: INVALID_PRODUCT,
    EndpointNotFound: WEBHOOK_NOT_FOUND,
    DeliveryNotFound: WEBHOOK_NOT_FOUND,
    TooManyEndpoints: INVALID_STATE,
    EndpointExists: INVALID_STATE,
    EndpointDisabled: INVALID_STATE,
    WebhookRefused: INVALID_REQUEST,
    VersionNotCurrent: INVALID_REQUEST,
    TooManyConsents: INVALID_REQUEST,
    NotReachable: INVALID_REQUEST,
    NotSent: CODE_NOT_SENT,
    CodeRefused: INVALID_VERIFICATION,
    NotVerifiable: INVALID_VERIFICATION,
    NothingToVerify: VERIFICATION_REQUIRED,
    TooManyCodes: TOO_MANY_REQUESTS,
    InsufficientFunds: INSUFFICIENT_FUNDS,
    AlreadyPosted: TRY_AGAIN,
    PaymentRefused: PAYMENT_ERROR,
    MethodNotAvailable: PAYMENT_ERROR,
    AmountExceeded: PAYMENT_ERROR,
    EventRefused: INVALID_REQUEST,
    KeyReused: INVALID_REQUEST,
    ProviderUnavailable: PAYMENT_PROVIDER_UNAVAILABLE,
    PaymentNotFound: INVALID_STATE,
    PaymentStateRefused: INVALID_STATE,
    MethodNotFound: PAYMENT_METHOD_NOT_FOUND,
    MethodExists: PAYMENT_METHOD_EXISTS,
    OfferNotFound: INVALID_PRODUCT,
    OfferClosed: INVALID_PRODUCT,
    AmountNotValid: INVALID_AMOUNT,
    OrderNotFound: ORDER_NOT_FOUND,
    OrderClosed: ORDER_CLOSED,
    OrderInPayment: PAYMENT_IN_PROGRESS,
    DiscountNotValid: INVALID_DISCOUNT_CODE,
    VoucherNotValid: INVALID_DISCOUNT_CODE,
    SubscriptionNotFound: SUBSCRIPTION_NOT_FOUND,
    SubscriptionExists: SUBSCRIPTION_EXISTS,
    NotCancellable: SUBSCRIPTION_NOT_CANCELLABLE,
    SubscriptionRequired: INVALID_PRODUCT,
    InvoiceNotFound: INVOICE_NOT_FOUND,
    InvoicePaid: INVOICE_PAID,
    InvoiceInPayment: PAYMENT_IN_PROGRESS,
    CreditRefused: PAYMENT_ERROR,
}
"""Every domain error and the answer it gets here."""

TELLING: Final = frozenset(
    {
        INVALID_REQUEST,
        INVALID_LOCATION,
        INVALID_PRODUCT,
        INVALID_DAMAGE_REPORT,
        INVALID_AMOUNT,
        INVALID_DISCOUNT_CODE,
        PAYMENT_ERROR,
        INVALID_STATE,
        INVALID_VERIFICATION,
        NOT_SUPPORTED,
        TOO_MANY_REQUESTS,
        VERIFICATION_REQUIRED,
    }
)
"""Answers that stand for many errors: the domain says which."""


@dataclass(frozen=True)
class GrantRefused(ErrorAnswer):
    """A refusal of access, which clients of OAuth 2 know by one of its words (RFC 6749, 5.2).

    Attributes:
        error: that word.
    """

    error: str


class Error(BaseModel):
    """How every error looks."""

    code: str = Field(description="A word to program against.")
    message: str = Field(description="A sentence for the developer.")
    error: str | None = Field(default=None, description="When no access token is given: why, in a word of OAuth 2.")
    error_description: str | None = Field(default=None, description="Then, the message once more.")

    @classmethod
    def of(cls, answer: ErrorAnswer, message: str) -> "Error":
        """The body of an error answer."""
        if isinstance(answer, GrantRefused):
            return cls(code=answer.code, message=message, error=answer.error, error_description=message)
        return cls(code=answer.code, message=message)


class Invalid:
    """Marks an input with the error that its absence and its invalidity get."""

    def __init__(self, answer: ErrorAnswer, *, empty: ErrorAnswer | None = None) -> None:
        self.answer = answer
        self.empty = empty or answer


class Headers(BaseModel):
    """What every authenticated operation takes beside its own input."""

    on_behalf_of: Annotated[UserId | None, Loads(identity.expect_external, of_client=True)] = Field(
        default=None,
        alias="On-Behalf-Of",
        description="The user for whom the client calls. A request that names another user, or changes what another "
        "one has, is refused.",
    )


class LocalisedHeaders(Headers):
    """What operations take that have something to say to the user."""

    locale: Locale = Field(description="The user's language, such as `nb` or `pt-BR`.")


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        client: the client that the access token was given to.
        on_behalf_of: the client's own id of the user for whom it says it calls.
    """

    client: ApiClient
    on_behalf_of: str | None = None

    def acts_for(self, user_id: str) -> None:
        """Make sure that the request is not on behalf of another user than ``user_id``.

        An id that the client has given to nobody is no user, and so no other one.

        Raises:
            UserMismatch: it is.
        """
        named = self.on_behalf_of
        if named is not None and named != user_id and identity.find_external(self.client, named) is not None:
            raise UserMismatch


class Maas(Surface[Caller]):
    """The surface for clients with an access token."""

    credential = "authorization"
    common_headers = Headers
    strict_query = True

    def authenticate(self, request: Request, headers: BaseModel | None) -> Caller:
        """The client that the bearer token was given to, and the user it calls for."""
        client = access.authenticate(_bearer(request))
        return Caller(client, headers.on_behalf_of if isinstance(headers, Headers) else None)

    def claimed_client(self, request: Request) -> int | None:
        """The client that the bearer token names."""
        return access.claimed_client(_bearer(request))

    def describe(self, caller: Caller) -> dict[str, Any]:
        """The client's id, and what the user is kept under: the client's own id of a user may be personal."""
        described: dict[str, Any] = {"client_id": caller.client.id}
        if caller.on_behalf_of is not None:
            described["on_behalf_of"] = user_key(caller.client.id, caller.on_behalf_of)
        return described

    def refuse(
        self,
        _request: Request,
        _operation: Operation,
        error: DomainError,
        overrides: Mapping[type[DomainError], ErrorAnswer],
    ) -> Answer:
        """The error's answer; where that stands for many errors, the domain says what is wrong."""
        kind = next(each for each in type(error).__mro__ if each in overrides or each in ERRORS)
        answer = overrides.get(kind) or ERRORS[kind]
        return _error(answer, str(error) if answer in TELLING else answer.detail)

    def refuse_input(self, _request: Request, operation: Operation, problem: Problem) -> Answer:
        """The answer that the input is marked with; the operation's ``invalid_request`` otherwise."""
        own = next((each for each in operation.errors if each.code == INVALID_REQUEST.code), INVALID_REQUEST)
        marker = next((each for each in problem.annotation if isinstance(each, Invalid)), Invalid(own))
        answer = marker.empty if problem.missing else marker.answer
        return _error(answer, f"{answer.detail}: {problem.message}")

    def fail(self, _request: Request, _operation: Operation) -> Answer:
        """An internal error."""
        return _error(INTERNAL_ERROR, INTERNAL_ERROR.detail)


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get(Maas.credential, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _error(answer: ErrorAnswer, message: str) -> Answer:
    body = Error.of(answer, message).model_dump_json(exclude_none=True).encode()
    if answer.status != UNAUTHORIZED.status:
        return json_answer(answer.status, body)
    scheme = "Basic" if isinstance(answer, GrantRefused) else "Bearer"
    return json_answer(answer.status, body, {"www-authenticate": f'{scheme} realm="kickstand"'})


maas = Maas("maas", max_body=MAX_BODY_BYTES)
