"""Riders."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from kickstand.kernel.errors import DomainError


class RiderNotFound(DomainError):
    """The partner has no such rider."""

    detail = "User not found"


class ExternalIdTaken(DomainError):
    """Another rider of the partner has this external id."""

    detail = "This external user id already exists"


class ProductClosed(DomainError):
    """The product does not exist for this partner, or takes no riders any more."""

    detail = "The product does not exist or is not active"


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
