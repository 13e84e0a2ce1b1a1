"""Reservations: a user's claim on a vehicle until it is taken."""

from typing import Annotated

from pydantic import Field

from kickstand.fleet import service as fleet
from kickstand.http.surface import Loads
from kickstand.rental import reservations
from maas._categories import check_vehicle
from maas._products import ProductId
from maas._reservations import Reservation
from maas._schemas import Body, PathId, TextualId, UserId, Wire
from maas._surface import (
    INVALID_PRODUCT,
    PAYMENT_REQUIRED,
    RESERVATION_CLOSED,
    RESERVATION_EXISTS,
    RESERVATION_NOT_FOUND,
    TOO_MANY_PENALTY_POINTS,
    USER_MISMATCH,
    USER_NOT_FOUND,
    VEHICLE_NOT_AVAILABLE,
    VEHICLE_NOT_FOUND,
    Caller,
    maas,
)


class ReserveVehicle(Body):
    """Who reserves."""

    user_id: UserId = Field(description="The client's own id; a user that is named for the first time is created.")
    product_id: ProductId = Field(
        default=None, description="What the reservation is charged by; without one, the client charges it as it likes."
    )


class VehicleReservationsPath(Wire):
    """Which vehicle."""

    vehicle_id: Annotated[PathId, Loads(fleet.expect_id)]


def _expect(reservation_id: str) -> None:
    reservations.expect(int(reservation_id))


class ReservationPath(Wire):
    """Which reservation."""

    reservation_id: Annotated[TextualId, Loads(_expect)]


class UserReservationsPath(Wire):
    """Whose reservations."""

    user_id: UserId


class ReservationList(Wire):
    """Reservations, the newest first."""

    data: list[Reservation]


@maas.operation(
    "POST",
    "/vehicles/{vehicleId}/reservations",
    tag="Vehicles",
    access="ReservationRequests",
    errors=(
        INVALID_PRODUCT,
        PAYMENT_REQUIRED,
        USER_MISMATCH,
        TOO_MANY_PENALTY_POINTS,
        VEHICLE_NOT_FOUND,
        VEHICLE_NOT_AVAILABLE,
        RESERVATION_EXISTS,
    ),
)
def reserve_vehicle(caller: Caller, path: VehicleReservationsPath, body: ReserveVehicle) -> Reservation:
    """Reserve a vehicle.

    Until the reservation expires nobody else can take the vehicle; taking it completes the reservation. A user has one
    reservation at a time; asking again for what the user has reserved, with the same product, answers that.
    """
    caller.acts_for(body.user_id)
    check_vehicle(caller, path.vehicle_id)
    return Reservation.of(reservations.reserve(caller.client, body.user_id, path.vehicle_id, body.product_id))


@maas.operation(
    "GET",
    "/reservations/{reservationId}",
    tag="Reservations",
    access="ReservationRequests",
    errors=(RESERVATION_NOT_FOUND,),
)
def get_reservation(caller: Caller, path: ReservationPath) -> Reservation:
    """Get a reservation, whatever has become of it."""
    return Reservation.of(reservations.find(caller.client, int(path.reservation_id)))


@maas.operation(
    "DELETE",
    "/reservations/{reservationId}",
    tag="Reservations",
    access="ReservationRequests",
    errors=(USER_MISMATCH, RESERVATION_NOT_FOUND, RESERVATION_CLOSED),
)
def cancel_reservation(caller: Caller, path: ReservationPath) -> Reservation:
    """Cancel a reservation.

    The vehicle is everybody's again. Cancelling a cancelled reservation is no error.
    """
    reservation_id = int(path.reservation_id)
    caller.acts_for(reservations.find(caller.client, reservation_id).external_rider_id)
    return Reservation.of(reservations.cancel(caller.client, reservation_id))


@maas.operation(
    "GET",
    "/users/{userId}/reservations",
    tag="Users",
    access="ReservationRequests",
    errors=(USER_MISMATCH, USER_NOT_FOUND),
)
def get_user_reservations(caller: Caller, path: UserReservationsPath) -> ReservationList:
    """List the active reservations of a user."""
    caller.acts_for(path.user_id)
    found = reservations.list_active(caller.client, path.user_id)
    return ReservationList(data=[Reservation.of(each) for each in found])
