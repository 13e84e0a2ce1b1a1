"""Penalties: points against a user, which keep the user from products that tolerate only so many."""

from typing import Annotated, Literal

from pydantic import Field

from kickstand.http.surface import Loads
from kickstand.identity import penalties
from kickstand.identity.model import Penalty, PenaltyPoints, PenaltyState, PenaltyType
from kickstand.rental import service as rentals
from kickstand.rental.errors import RentalNotFound
from maas._schemas import Body, NumericId, PathId, Text, Time, UserId, Wire
from maas._surface import (
    INVALID_REQUEST,
    PENALTY_NOT_FOUND,
    PENALTY_RESOLVED,
    TRIP_NOT_FOUND,
    USER_MISMATCH,
    USER_NOT_FOUND,
    Caller,
    maas,
)


class UserPenalty(Wire):
    """A penalty."""

    penalty_id: NumericId
    user_id: UserId
    penalty_type: PenaltyType = Field(description="`trip_duration`: a trip took too long; `manual`: you gave it.")
    penalty_points: PenaltyPoints
    state: PenaltyState = Field(description="Only the points of active penalties count.")
    trip_id: NumericId | None = Field(default=None, description="The trip that it is about, if it is about one.")
    comment: str | None = None
    created_at: Time
    resolved_at: Time | None = None

    @classmethod
    def of(cls, penalty: Penalty) -> "UserPenalty":
        """The wire form of a penalty."""
        return cls(
            penalty_id=penalty.id,
            user_id=penalty.external_id,
            penalty_type=penalty.type,
            penalty_points=penalty.points,
            state=penalty.state,
            trip_id=penalty.rental_id,
            comment=penalty.comment,
            created_at=penalty.created_at,
            resolved_at=penalty.resolved_at,
        )


class UserPenalties(Wire):
    """Penalties, newest first."""

    data: list[UserPenalty]


class PenalisedUserPath(Wire):
    """Whose penalties."""

    user_id: UserId


class PenaltyPath(PenalisedUserPath):
    """Which penalty."""

    penalty_id: PathId


class PenaltyQuery(Wire):
    """Which penalties."""

    state: PenaltyState | None = Field(default=None, description="Only those in this state.")


class AddPenalty(Body):
    """A new penalty."""

    penalty_points: PenaltyPoints
    penalty_type: Annotated[PenaltyType, Field(strict=False)] = PenaltyType.MANUAL
    trip_id: Annotated[NumericId, Loads(rentals.expect_id)] | None = Field(
        default=None, description="The user's trip that it is about."
    )
    comment: Text | None = None


class ResolvePenalty(Body):
    """What becomes of the penalty; an empty object says the same."""

    state: Literal["resolved"] = "resolved"


@maas.operation(
    "GET",
    "/users/{userId}/penalties",
    tag="Users",
    access="PenaltyRequests",
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND),
)
def list_user_penalties(caller: Caller, path: PenalisedUserPath, query: PenaltyQuery) -> UserPenalties:
    """List the penalties of a user.

    Newest first, active and resolved ones; the latest 1,000 of a user who has more.
    """
    caller.acts_for(path.user_id)
    found = penalties.list_penalties(caller.client, path.user_id, query.state)
    return UserPenalties(data=[UserPenalty.of(each) for each in found])


@maas.operation(
    "POST",
    "/users/{userId}/penalties",
    tag="Users",
    access="PenaltyRequests",
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, TRIP_NOT_FOUND),
)
def add_user_penalty(caller: Caller, path: PenalisedUserPath, body: AddPenalty) -> UserPenalty:
    """Add a penalty to a user.

    Its points count at once: a user whose active penalties have more points in sum than a product tolerates starts
    neither trips nor reservations with it. A trip that goes on is not affected. Sending it again adds another one.
    """
    caller.acts_for(path.user_id)
    if body.trip_id is not None and rentals.find_by_id(caller.client, body.trip_id).external_rider_id != path.user_id:
        raise RentalNotFound
    penalty = penalties.add(
        caller.client,
        path.user_id,
        body.penalty_points,
        body.penalty_type,
        rental_id=body.trip_id,
        comment=body.comment or None,
    )
    return UserPenalty.of(penalty)


@maas.operation(
    "PATCH",
    "/users/{userId}/penalties/{penaltyId}",
    tag="Users",
    access="PenaltyRequests",
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, PENALTY_NOT_FOUND, PENALTY_RESOLVED),
)
def resolve_user_penalty(caller: Caller, path: PenaltyPath, body: ResolvePenalty) -> UserPenalty:  # noqa: ARG001 - it can say one thing only
    """Resolve a penalty of a user.

    Its points count no longer. A penalty is resolved once; it stays listed.
    """
    caller.acts_for(path.user_id)
    return UserPenalty.of(penalties.resolve(caller.client, path.user_id, path.penalty_id))
