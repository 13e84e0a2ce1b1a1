"""Rentals: a user's access to a vehicle, from start to end."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from kickstand.billing import service as billing
from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound
from kickstand.http.surface import Loads
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.kernel import clock
from kickstand.kernel.money import Currency
from kickstand.kernel.place import Position
from kickstand.rental import service as rentals
from kickstand.rental.model import EndReason
from kickstand.rental.model import Rental as DomainRental
from voi._schemas import Body, GivenLocation, Location, VehicleCode, Wire
from voi._surface import (
    INVALID_INPUT,
    INVALID_RENTAL_ID,
    INVALID_USER_ID,
    INVALID_VEHICLE_ID,
    NO_ACTIVE_RENTAL,
    RENTAL_ENDED,
    RENTAL_EXISTS,
    RENTAL_NOT_FOUND,
    USER_DOES_NOT_EXIST,
    USER_NOT_FOUND,
    VEHICLE_NOT_RENTABLE,
    Invalid,
    voi,
)


class State(StrEnum):
    """How partners see where a rental is."""

    RUNNING = "RUNNING"
    ENDED = "ENDED"
    ENDED_WITH_NO_CHARGE = "ENDED_WITH_NO_CHARGE"
    ENDED_INTERNALLY = "ENDED_INTERNALLY"


class Total(Wire):
    """Minor units; the amount includes the VAT."""

    amount: int
    currency: Currency
    vat: int


class Cost(Wire):
    """What a rental costs; of a running one, what it would cost if it ended now."""

    total: Total


class RentedVehicle(Wire):
    """The vehicle of a rental."""

    vehicle_id: UUID
    vehicle_code: VehicleCode


class Receipt(Wire):
    """A link to a PDF, good for an hour; asking for the rental again gives a fresh one."""

    url: Annotated[str, Field(json_schema_extra={"format": "uri"})]


class RentalAttributes(Wire):
    """What there is to know about a rental."""

    rental_duration_min: int
    cost: Cost
    state: State
    started_at: datetime
    ended_at: datetime | None = None
    user_start_location: Location | None = None
    user_end_location: Location | None = None
    vehicle: RentedVehicle
    vehicle_start_location: Location
    vehicle_end_location: Location | None = None
    receipt: Receipt | None = None


class Rental(Wire):
    """A rental."""

    id: UUID
    type: Literal["rental"] = "rental"
    attributes: RentalAttributes


class RentalList(Wire):
    """Rentals, the newest first."""

    data: list[Rental]

    @classmethod
    def of(cls, *found: DomainRental, at: datetime | None = None) -> "RentalList":
        """The wire form of rentals, as they are at a time; now if none is given."""
        now = at or clock.now()
        return cls(data=[Rental(id=each.public_id, attributes=_attributes(each, now)) for each in found])


def _attributes(rental: DomainRental, now: datetime) -> RentalAttributes:
    account = rentals.account(rental, now)
    total = Total(amount=account.fare.total, currency=account.fare.currency, vat=account.fare.vat)
    return RentalAttributes(
        rental_duration_min=account.minutes,
        cost=Cost(total=total),
        state=_state(rental),
        started_at=rental.started_at,
        ended_at=rental.ended_at,
        user_start_location=_location(rental.rider_start),
        user_end_location=_location(rental.rider_end),
        vehicle=RentedVehicle(vehicle_id=rental.vehicle_public_id, vehicle_code=rental.vehicle_code),
        vehicle_start_location=Location.of(rental.vehicle_start),
        vehicle_end_location=_location(rental.vehicle_end),
        receipt=Receipt(url=billing.receipt_link(rental.receipt)) if rental.receipt else None,
    )


def _state(rental: DomainRental) -> State:
    if rental.is_open:
        return State.RUNNING
    if rental.end_reason is EndReason.RIDER:
        return State.ENDED
    return State.ENDED_INTERNALLY if rental.fare and rental.fare.total else State.ENDED_WITH_NO_CHARGE


def _location(position: Position | None) -> Location | None:
    return Location.of(position) if position else None


class StartRental(Body):
    """Who rents what."""

    user_id: Annotated[UUID, Invalid(INVALID_USER_ID), Loads(identity.expect)]
    vehicle_id: Annotated[UUID, Invalid(INVALID_VEHICLE_ID), Loads(fleet.expect)]
    user_start_location: GivenLocation | None = None


class EndRental(Body):
    """Where the user is."""

    user_end_location: GivenLocation | None = None


class EndedRentalPath(Wire):
    """Which rental is to end."""

    rental_id: Annotated[UUID, Invalid(INVALID_RENTAL_ID), Loads(rentals.expect_with_track)]


class RentalPath(Wire):
    """Which rental."""

    id: Annotated[UUID, Invalid(INVALID_RENTAL_ID), Loads(rentals.expect)]


class RidingUserPath(Wire):
    """Whose open rental."""

    id: Annotated[UUID, Loads(rentals.expect_active)]


class RentalsUserPath(Wire):
    """Whose rentals."""

    id: Annotated[UUID, Invalid(INVALID_USER_ID, empty=INVALID_INPUT), Loads(identity.expect)]


@voi.operation(
    "POST",
    "/v1/rental/start",
    tag="Rental",
    access="RentalRequests",
    errors=(
        INVALID_INPUT,
        INVALID_USER_ID,
        INVALID_VEHICLE_ID,
        USER_DOES_NOT_EXIST,
        RENTAL_EXISTS,
        VEHICLE_NOT_RENTABLE,
    ),
    refusals={RiderNotFound: USER_DOES_NOT_EXIST, VehicleNotFound: VEHICLE_NOT_RENTABLE},
)
def start_rental(caller: ApiClient, body: StartRental) -> RentalList:
    """Start a rental.

    The vehicle unlocks, and nobody else can take it from this moment. The price is the one that is offered now. A user
    has one rental at a time. Should the vehicle fail to unlock, the rental ends by itself without charge.
    """
    position = body.user_start_location.position if body.user_start_location else None
    rental = rentals.start(caller, body.user_id, body.vehicle_id, position)
    return RentalList.of(rental, at=rental.started_at)


@voi.operation(
    "POST",
    "/v1/rental/{rentalId}/end",
    tag="Rental",
    access="RentalRequests",
    errors=(INVALID_INPUT, INVALID_RENTAL_ID, RENTAL_NOT_FOUND, RENTAL_ENDED),
)
def end_rental(caller: ApiClient, path: EndedRentalPath, body: EndRental | None = None) -> RentalList:
    """End a rental.

    The answer carries the final cost; the vehicle locks and is then free for others. Refused with ``InvalidInput``
    where the vehicle stands in an area in which rentals cannot end, and for a vehicle that belongs into docks: its
    rental ends by putting it into one. Rides under two minutes or a hundred metres are free.
    """
    position = body.user_end_location.position if body and body.user_end_location else None
    return RentalList.of(rentals.end(caller, path.rental_id, position))


@voi.operation(
    "GET",
    "/v1/rental/{id}",
    tag="Rental",
    access="RentalRequests",
    errors=(INVALID_RENTAL_ID, RENTAL_NOT_FOUND),
)
def get_rental(caller: ApiClient, path: RentalPath) -> RentalList:
    """Get a rental."""
    return RentalList.of(rentals.find(caller, path.id))


@voi.operation(
    "GET",
    "/v1/rental/user/{id}/active",
    tag="Rental",
    access="RentalRequests",
    errors=(INVALID_INPUT, NO_ACTIVE_RENTAL),
)
def get_active_rental_by_user(caller: ApiClient, path: RidingUserPath) -> RentalList:
    """Get the rental that a user has now."""
    return RentalList.of(rentals.find_active(caller, path.id))


@voi.operation(
    "GET",
    "/v1/rental/user/{id}",
    tag="Rental",
    access="RentalRequests",
    errors=(INVALID_INPUT, INVALID_USER_ID, USER_NOT_FOUND),
)
def list_rentals_by_user(caller: ApiClient, path: RentalsUserPath) -> RentalList:
    """List the rentals of a user.

    Newest first; of more than a thousand, the latest thousand.
    """
    return RentalList.of(*rentals.list_by_rider(caller, path.id))
