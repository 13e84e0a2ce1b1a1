"""Reservations on the wire."""

from typing import Self

from pydantic import Field

from kickstand.rental.model import Reservation as DomainReservation
from kickstand.rental.model import ReservationState
from maas._schemas import Number, Time, Wire


class Reservation(Wire):
    """A user's claim on a vehicle until it is taken."""

    id: Number
    vehicle_id: Number
    dock_group_id: Number | None = Field(default=None, description="Where the vehicle stood when it was reserved.")
    user_id: str
    client_id: str = Field(description="Whose user has the reservation.")
    created_at: Time
    updated_at: Time
    expires_at: Time
    completed_at: Time | None = Field(default=None, description="When the trip began.")
    cancelled_at: Time | None = Field(
        default=None, description="When it was cancelled; if it expired, the same time as `expiresAt`."
    )

    @classmethod
    def of(cls, reservation: DomainReservation) -> Self:
        """The wire form of a reservation."""
        completed = reservation.state is ReservationState.COMPLETED
        return cls(
            id=reservation.id,
            vehicle_id=reservation.vehicle_id,
            dock_group_id=reservation.cluster_id,
            user_id=reservation.external_rider_id,
            client_id=str(reservation.client_public_id),
            created_at=reservation.created_at,
            updated_at=reservation.updated_at,
            expires_at=reservation.expires_at,
            completed_at=reservation.ended_at if completed else None,
            cancelled_at=None if completed else reservation.ended_at,
        )
