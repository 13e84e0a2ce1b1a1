"""Riders."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Rider(BaseModel):
    """A person who rides.

    Attributes:
        client_id: the partner whose user this is.
        product_id: the partner's product under which it took the person in, where it has several.
        email: where mails go; without it, none do.
        external_id: the partner's own id of the person, unique within the partner.
        display_name: what a partner's support calls the person, where it tells only that.
        left_unlocked: how many vehicles the rider has left without locking them.
        in_debt: whether the rider has not paid what is due to us.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    public_id: UUID
    client_id: int
    product_id: int | None = None
    email: str | None = Field(default=None, repr=False)
    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    display_name: str | None = Field(default=None, repr=False)
    phone_number: str | None = Field(default=None, repr=False)
    external_id: str | None = None
    left_unlocked: int = 0
    in_debt: bool = False


class ExternalUser(BaseModel):
    """What a partner's own id stands for: read without knowing the rider.

    Attributes:
        user_key: names the user in keys; external ids may be longer than a key, so their digest stands for them.
        penalty_points: the sum of the user's active penalties.
        in_debt: as its rider's.
    """

    model_config = ConfigDict(frozen=True)

    client_id: int
    user_key: str
    rider_id: int
    penalty_points: int = 0
    in_debt: bool = False


def user_key(client_id: int, external_id: str) -> str:
    """What names a partner's user in keys."""
    return f"{client_id}#{hashlib.sha256(external_id.encode()).hexdigest()}"


class PenaltyType(StrEnum):
    """What a penalty is for."""

    TRIP_DURATION = "trip_duration"
    """A ride that took longer than its plan allows."""
    MANUAL = "manual"
    """Whatever the partner says."""


class PenaltyState(StrEnum):
    """Whether a penalty's points count."""

    ACTIVE = "active"
    RESOLVED = "resolved"


PenaltyPoints = Annotated[int, Field(ge=1, le=100)]


class Penalty(BaseModel):
    """Points against a partner's user; whoever has too many of them cannot use some plans.

    Attributes:
        rental_id: the ride it is about, where it is about one.
        resolved_at: since when its points do not count any more.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    client_id: int
    external_id: str
    type: PenaltyType
    points: PenaltyPoints
    state: PenaltyState = PenaltyState.ACTIVE
    rental_id: int | None = None
    comment: str | None = None
    created_at: datetime
    resolved_at: datetime | None = None

    @property
    def user_key(self) -> str:
        """What names its user in keys."""
        return user_key(self.client_id, self.external_id)
