"""Rentals and their states."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kickstand.fleet.model import Spot
from kickstand.geo.model import Verdict
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.kernel.states import Machine
from kickstand.pricing.model import Allowance, Fare, PricingPlan, Tariff
from kickstand.rental.errors import RentalStateRefused, ReservationClosed


class RentalState(StrEnum):
    """Where a rental is in its life."""

    STARTING = "starting"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    ENDING = "ending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class RentalTrigger(StrEnum):
    """What changes a rental's state."""

    CONFIRM_UNLOCK = "confirm_unlock"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    COMPLETE = "complete"


_S, _T = RentalState, RentalTrigger

RENTAL_STATES: Final = Machine[RentalState, RentalTrigger](
    {
        (_S.STARTING, _T.CONFIRM_UNLOCK): _S.IN_PROGRESS,
        (_S.STARTING, _T.CANCEL): _S.CANCELLED,
        (_S.STARTING, _T.END): _S.ENDING,
        (_S.IN_PROGRESS, _T.PAUSE): _S.ON_HOLD,
        (_S.IN_PROGRESS, _T.END): _S.ENDING,
        (_S.ON_HOLD, _T.RESUME): _S.IN_PROGRESS,
        (_S.ON_HOLD, _T.END): _S.ENDING,
        (_S.ENDING, _T.COMPLETE): _S.COMPLETED,
    },
    refusal=RentalStateRefused,
)

OPEN: Final = frozenset({_S.STARTING, _S.IN_PROGRESS, _S.ON_HOLD})
"""States in which the rider holds the vehicle."""


class EndReason(StrEnum):
    """Who or what ended a rental."""

    RIDER = "rider"
    CANCELLED = "cancelled"
    """By the rider, before the vehicle had unlocked."""
    OPERATOR = "operator"
    LEFT_UNLOCKED = "left_unlocked"
    PAUSED_TOO_LONG = "paused_too_long"
    TOO_LONG = "too_long"
    STOLEN = "stolen"
    UNLOCK_REJECTED = "unlock_rejected"
    UNLOCK_UNCONFIRMED = "unlock_unconfirmed"


class TransitionReason(StrEnum):
    """Why something other than the rider moved a rental on, as partners are told."""

    CANCELLED_BY_OPERATOR = "cancelled_by_operator"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    VEHICLE_UNREACHABLE = "vehicle_unreachable"
    STATION_UNREACHABLE = "station_unreachable"
    NO_INTERACTION = "no_interaction"
    TAKEN_BY_OPERATOR = "taken_by_operator"
    MOVED_TO_DEPOT = "moved_to_depot"
    DECOMMISSIONED = "decommissioned"
    ILLEGAL_PARKING = "illegal_parking"


class RiderPosition(BaseModel):
    """Where a rider says to be.

    Attributes:
        accuracy_m: the true position is within this distance.
    """

    model_config = ConfigDict(frozen=True)

    position: Position
    accuracy_m: Annotated[float, Field(ge=0)] | None = None


class Transition(BaseModel):
    """What was said about the latest change of a rental's state.

    Attributes:
        comment: in whoever's words, to be shown to the rider.
    """

    model_config = ConfigDict(frozen=True)

    reason: TransitionReason | None = None
    comment: str | None = None


class SegmentKind(StrEnum):
    """What a rider does with the vehicle."""

    RIDE = "ride"
    PAUSE = "pause"


class Segment(BaseModel):
    """A stretch of a rental; the last one is open until the rental ends."""

    model_config = ConfigDict(frozen=True)

    kind: SegmentKind
    started_at: datetime
    ended_at: datetime | None = None
    automatic: bool = False


class Rental(BaseModel):
    """One rider's use of one vehicle.

    Attributes:
        tariff: committed at the start.
        started_at: when the rider got the vehicle.
        ended_at: until when it is charged, which for a vehicle left standing is when it stopped.
        rider_start, rider_end: where the rider said to be.
        vehicle_start, vehicle_end: where the vehicle was.
        start_verdict: what the geofences said where it was taken.
        distance_m: ridden, known at the end.
        notices: how often the rider has been reminded of a long rental.
        fare: decided at the end.
        receipt: where the receipt's document is kept, once it exists.
        client_public_id: the partner as others know it.
        external_rider_id: the partner's own id of the rider.
        reservation_id: the reservation that the start completed.
        plan: the pricing plan on which the rider rides, committed at the start; its prices replace the tariff's.
        allowance: what the rider's use of the plan left for this ride.
        max_speed_kmh: what the partner limits the vehicle to; the places it passes may limit it further.
        start_spot, end_spot: the docks the vehicle was in.
        transition: what was said about the latest change of state.
        penalties: how often the rider has been penalised for a long rental.
        rider_pays: whether the rider pays us, and not the partner; settled at the start.
        version: counts the changes; a write asks for the version it was decided on.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    public_id: UUID
    rider_id: int
    client_id: int
    product_id: int | None = None
    network_id: int
    vehicle_id: int
    vehicle_public_id: UUID
    vehicle_code: str
    state: RentalState
    end_reason: EndReason | None = None
    tariff: Tariff
    started_at: datetime
    ended_at: datetime | None = None
    rider_start: Position | None = None
    rider_end: Position | None = None
    vehicle_start: Position
    vehicle_end: Position | None = None
    start_verdict: Verdict
    segments: tuple[Segment, ...]
    distance_m: Annotated[int, Field(ge=0)] | None = None
    notices: Annotated[int, Field(ge=0)] = 0
    fare: Fare | None = None
    receipt: str | None = None
    client_public_id: UUID | None = None
    external_rider_id: str | None = None
    reservation_id: int | None = None
    plan: PricingPlan | None = None
    allowance: Allowance | None = None
    max_speed_kmh: Annotated[int, Field(ge=1)] | None = None
    start_spot: Spot | None = None
    end_spot: Spot | None = None
    transition: Transition | None = None
    penalties: Annotated[int, Field(ge=0)] = 0
    rider_pays: bool = False
    version: int = 1
    event: Event

    @property
    def is_open(self) -> bool:
        """Whether the rider still holds the vehicle."""
        return self.state in OPEN

    @property
    def pause(self) -> Segment | None:
        """The pause that is going on, if one is."""
        last = self.segments[-1]
        return last if last.kind is SegmentKind.PAUSE and last.ended_at is None else None


class Track(BaseModel):
    """What the vehicle's telemetry tells of a ride so far.

    Attributes:
        position: where the vehicle is.
        distance_m: ridden so far.
        moved_at: when it was last seen moving.
        locked: whether it reports its lock as closed.
        aside: where it was last reported, when it cannot have come there from :attr:`position` in time.
    """

    model_config = ConfigDict(frozen=True)

    rental_id: int
    position: Position
    verdict: Verdict
    distance_m: Annotated[int, Field(ge=0)]
    moved_at: datetime
    reported_at: datetime
    locked: bool
    aside: Position | None = None


# ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────


class ReservationState(StrEnum):
    """Where a reservation is in its life."""

    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class ReservationTrigger(StrEnum):
    """What changes a reservation's state."""

    COMPLETE = "complete"
    CANCEL = "cancel"
    EXPIRE = "expire"


_R, _RT = ReservationState, ReservationTrigger

RESERVATION_STATES: Final = Machine[ReservationState, ReservationTrigger](
    {
        (_R.ACTIVE, _RT.COMPLETE): _R.COMPLETED,
        (_R.ACTIVE, _RT.CANCEL): _R.CANCELLED,
        (_R.ACTIVE, _RT.EXPIRE): _R.EXPIRED,
    },
    refusal=ReservationClosed,
)


class Reservation(BaseModel):
    """A rider's claim on a vehicle that the rider has not taken yet.

    Attributes:
        holder_id: the rider; rentals are found by their ``rider_id``, and reservations are not among them.
        cluster_id: where the vehicle stood when it was reserved, if in a dock.
        plan: the pricing plan that the reservation is charged on, committed when it was made.
        ended_at: when it was completed, cancelled or expired.
        rental_id: the rental that completed it.
        by_operator: whether our staff or the system cancelled it.
        fare: what it costs, decided at its end; nothing without a plan.
        rider_pays: whether the rider pays us, and not the partner; settled when it was made.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    client_id: int
    client_public_id: UUID
    holder_id: int
    external_rider_id: str
    network_id: int
    vehicle_id: int
    cluster_id: int | None = None
    plan: PricingPlan | None = None
    state: ReservationState = ReservationState.ACTIVE
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    rental_id: int | None = None
    by_operator: bool = False
    fare: Fare | None = None
    rider_pays: bool = False
    version: int = 1
    event: Event

    @property
    def is_active(self) -> bool:
        """Whether it still holds its vehicle."""
        return self.state is ReservationState.ACTIVE
