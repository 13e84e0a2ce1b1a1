"""The surface itself: who calls, and how every error looks.

Errors have one shape, ``{"status": 400, "errorCode": "InvalidInput", "detail": "…"}``.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from kickstand.clients import service as clients
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
from kickstand.http.surface import Problem, Surface
from kickstand.identity.errors import (
    ExternalIdTaken,
    PenaltyNotFound,
    PenaltyResolved,
    ProductClosed,
    RiderNotFound,
    UserMismatch,
)
from kickstand.kernel.errors import Contention, DomainError, MoneyRefused
from kickstand.onboarding.errors import OnboardingRefused
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
from kickstand.support.errors import CrmNotConfigured, InvalidDamageReport, MaintenanceNotFound
from kickstand.webhooks.errors import WebhookRefused

MAX_BODY_BYTES: Final = 16 * 1024

INVALID_INPUT: Final = ErrorAnswer(400, "InvalidInput", "Invalid input")
EMPTY_PRODUCT_NAME: Final = ErrorAnswer(400, "EmptyProductName", "Empty product name")
EMPTY_PRODUCT_ID: Final = ErrorAnswer(400, "ErrEmptyProductID", "Empty product id")
FAILED_TO_REGISTER_PRODUCT: Final = ErrorAnswer(500, "FailedToRegisterProduct", "Failed to register product")
FAILED_TO_GET_PRODUCT: Final = ErrorAnswer(500, "FailedToGetProduct", "Failed to get product")
FAILED_TO_UPDATE_PRODUCT: Final = ErrorAnswer(500, "FailedToUpdateProduct", "Failed to update product")
PRODUCT_NOT_FOUND: Final = ErrorAnswer(404, "FailedToUpdateProduct", "Product id not found")
EXTERNAL_USER_ID_EXISTS: Final = ErrorAnswer(400, "ExternalUserIDAlreadyExists", "This external user id already exists")
EMPTY_USER_EMAIL: Final = ErrorAnswer(400, "EmptyUserEmailID", "Empty user email id")
INVALID_USER_ID: Final = ErrorAnswer(400, "InvalidUserId", "Invalid user id")
USER_NOT_FOUND: Final = ErrorAnswer(404, "ErrUserNotFound", "User not found")
USER_DOES_NOT_EXIST: Final = ErrorAnswer(400, "UserNotFound", "User does not exist")
INVALID_VEHICLE_ID: Final = ErrorAnswer(400, "InvalidVehicleId", "Invalid vehicle id")
VEHICLE_NOT_FOUND: Final = ErrorAnswer(404, "VehicleNotFound", "Vehicle not found")
VEHICLE_NOT_RENTABLE: Final = ErrorAnswer(400, "VehicleNotFound", "Vehicle not found")
RENTAL_EXISTS: Final = ErrorAnswer(400, "RentalAlreadyExists", "This user already has a rental")
INVALID_RENTAL_ID: Final = ErrorAnswer(400, "InvalidRentalID", "Invalid rental id")
RENTAL_NOT_FOUND: Final = ErrorAnswer(404, "RentalIDDoesNotExist", "Rental ID does not exist")
RENTAL_ENDED: Final = ErrorAnswer(400, "RentalAlreadyEnded", "Rental is already ended for this rental id")
NO_ACTIVE_RENTAL: Final = ErrorAnswer(404, "ActiveRentalNotFound", "Unable to find active rental")
EMPTY_ZONE_ID: Final = ErrorAnswer(400, "EmptyZoneID", "Zone id was empty")

# Not in the reference, which leaves these cases open.
UNAUTHORIZED: Final = ErrorAnswer(401, "Unauthorized", "The X-Auth-Token is missing or not valid")
ZONE_NOT_FOUND: Final = ErrorAnswer(404, "ZoneNotFound", "Zone not found")
TRY_AGAIN: Final = ErrorAnswer(503, "TryAgain", "Too many requests for the same object at this moment, try again")
INTERNAL_ERROR: Final = ErrorAnswer(500, "InternalError", "Internal error")

ERRORS: Final[Mapping[type[DomainError], ErrorAnswer]] = {
    NotAuthenticated: UNAUTHORIZED,
    Contention: TRY_AGAIN,
    MoneyRefused: INVALID_INPUT,
    ProductNotFound: PRODUCT_NOT_FOUND,
    ProductNameEmpty: EMPTY_PRODUCT_NAME,
    ProductClosed: INVALID_INPUT,
    RiderNotFound: USER_NOT_FOUND,
    ExternalIdTaken: EXTERNAL_USER_ID_EXISTS,
    OnboardingRefused: INVALID_INPUT,
    PenaltyNotFound: INVALID_INPUT,
    PenaltyResolved: INVALID_INPUT,
    UserMismatch: INVALID_INPUT,
    VehicleNotFound: VEHICLE_NOT_FOUND,
    VehicleUnavailable: VEHICLE_NOT_RENTABLE,
    ClusterNotFound: INVALID_INPUT,
    CodeTaken: INVALID_INPUT,
    TransitionRefused: INVALID_INPUT,
    CommandSettled: INVALID_INPUT,
    NetworkNotFound: ZONE_NOT_FOUND,
    InvalidZone: INVALID_INPUT,
    RuleWithoutAreaType: INVALID_INPUT,
    WrongParking: INVALID_INPUT,
    NoOperationsArea: INVALID_INPUT,
    GeofenceTooLarge: INVALID_INPUT,
    GeofenceChanged: TRY_AGAIN,
    PlanNotFound: INVALID_INPUT,
    PlanClosed: INVALID_INPUT,
    PlanNotValid: INVALID_INPUT,
    RentalNotFound: RENTAL_NOT_FOUND,
    NoActiveRental: NO_ACTIVE_RENTAL,
    RiderHasRental: RENTAL_EXISTS,
    RentalAlreadyEnded: RENTAL_ENDED,
    RentalStateRefused: INVALID_INPUT,
    EndingRefused: INVALID_INPUT,
    ImplausiblePosition: INVALID_INPUT,
    FarFromDock: INVALID_INPUT,
    AbilityMissing: INVALID_INPUT,
    RiderMismatch: INVALID_INPUT,
    TooManyPenaltyPoints: INVALID_INPUT,
    NoVehicleFits: INVALID_INPUT,
    ReservationNotFound: INVALID_INPUT,
    ReservationClosed: INVALID_INPUT,
    RiderHasReservation: INVALID_INPUT,
    InvalidDamageReport: INVALID_INPUT,
    MaintenanceNotFound: INVALID_INPUT,
    CrmNotConfigured: ZONE_NOT_FOUND,
    WebhookRefused: INVALID_INPUT,
}
"""Every domain error and the answer it gets here."""


class Error(BaseModel):
    """How every error looks."""

    status: int = Field(description="The HTTP status.")
    error_code: str = Field(alias="errorCode", description="A word to program against.")
    detail: str = Field(description="A sentence for the developer.")


class Invalid:
    """Marks an input with the error that its absence and its invalidity get."""

    def __init__(self, answer: ErrorAnswer = INVALID_INPUT, *, empty: ErrorAnswer | None = None) -> None:
        self.answer = answer
        self.empty = empty or answer


class Voi(Surface[ApiClient]):
    """The surface for partners with a token in ``X-Auth-Token``."""

    credential = "x-auth-token"

    def authenticate(self, request: Request, _headers: BaseModel | None) -> ApiClient:
        """The partner whose token it is."""
        return clients.authenticate(request.headers.get(self.credential))

    def describe(self, caller: ApiClient) -> dict[str, Any]:
        """The partner's id."""
        return {"client_id": caller.id}

    def refuse(
        self,
        _request: Request,
        _operation: Operation,
        error: DomainError,
        overrides: Mapping[type[DomainError], ErrorAnswer],
    ) -> Answer:
        """The documented answer; where it says only ``Invalid input``, the domain says what is wrong."""
        kind = next(each for each in type(error).__mro__ if each in overrides or each in ERRORS)
        answer = overrides.get(kind) or ERRORS[kind]
        return _error(answer, f"{answer.detail}: {error}" if answer is INVALID_INPUT else answer.detail)

    def refuse_input(self, _request: Request, _operation: Operation, problem: Problem) -> Answer:
        """The answer that the input is marked with, ``InvalidInput`` otherwise."""
        marker = next((each for each in problem.annotation if isinstance(each, Invalid)), Invalid())
        answer = marker.empty if problem.missing else marker.answer
        return _error(answer, f"{answer.detail}: {problem.message}" if answer is INVALID_INPUT else answer.detail)

    def fail(self, _request: Request, operation: Operation) -> Answer:
        """The operation's own internal error, where it has one."""
        answer = next((each for each in operation.errors if each.status == INTERNAL_ERROR.status), INTERNAL_ERROR)
        return _error(answer, answer.detail)


def _error(answer: ErrorAnswer, detail: str) -> Answer:
    body = Error(status=answer.status, errorCode=answer.code, detail=detail)
    return json_answer(answer.status, body.model_dump_json(by_alias=True).encode())


voi = Voi("voi", max_body=MAX_BODY_BYTES)
