"""Riders."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Rider(BaseModel):
    """A person who rides.

    Attributes:
        client_id: the partner whose user this is.
        external_id: the partner's own id of the person, unique within the partner.
        left_unlocked: how many vehicles the rider has left without locking them.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    public_id: UUID
    client_id: int
    product_id: int
    email: str
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    external_id: str | None = None
    left_unlocked: int = 0
