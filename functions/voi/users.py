"""Users: the people who ride with a partner's product."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, EmailStr

from kickstand.clients.model import ApiClient
from kickstand.http.surface import Loads
from kickstand.identity import service as identity
from kickstand.identity.model import Rider
from kickstand.identity.service import Profile
from voi._schemas import Body, Text, Wire
from voi._surface import (
    EMPTY_USER_EMAIL,
    EXTERNAL_USER_ID_EXISTS,
    INVALID_INPUT,
    INVALID_USER_ID,
    USER_NOT_FOUND,
    Invalid,
    voi,
)


class UserAttributes(Wire):
    """What there is to know about a user."""

    email: EmailStr | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone_number: str | None = None
    external_id: str | None = None


class User(Wire):
    """A user."""

    id: UUID
    type: Literal["user"] = "user"
    attributes: UserAttributes


class UserResponse(Wire):
    """One user."""

    data: User

    @classmethod
    def of(cls, rider: Rider) -> "UserResponse":
        """The wire form of a rider."""
        attributes = UserAttributes.model_construct(
            email=rider.email,
            first_name=rider.first_name,
            last_name=rider.last_name,
            phone_number=rider.phone_number,
            external_id=rider.external_id,
        )
        return cls(data=User(id=rider.public_id, attributes=attributes))


def _bare(address: object) -> object:
    if isinstance(address, str) and "<" in address:
        raise ValueError("an address without a name is needed")
    return address


Email = Annotated[EmailStr, BeforeValidator(_bare)]
"""An address alone; the library would take ``Agatha <a@b.com>`` and drop the name."""


class RegisterUser(Body):
    """A new user."""

    email: Annotated[Email, Invalid(empty=EMPTY_USER_EMAIL)]
    first_name: Text | None = None
    last_name: Text | None = None
    phone_number: Text | None = None
    external_id: Text | None = None
    product_id: UUID


class UpdateUser(Body):
    """What changes; members that are left out stay as they are."""

    email: Email | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    phone_number: Text | None = None


class UserPath(Wire):
    """Which user."""

    id: Annotated[UUID, Invalid(INVALID_USER_ID), Loads(identity.expect)]


@voi.operation(
    "POST",
    "/v1/user/register",
    tag="User",
    access="IdentityRequests",
    errors=(INVALID_INPUT, EXTERNAL_USER_ID_EXISTS, EMPTY_USER_EMAIL),
)
def register_user(caller: ApiClient, body: RegisterUser) -> UserResponse:
    """Register a user of a product.

    Users are registered before they can rent. An ``externalId``, where given, is unique among the partner's users;
    nothing else is.
    """
    profile = Profile(first_name=body.first_name, last_name=body.last_name, phone_number=body.phone_number)
    return UserResponse.of(identity.register(caller, body.product_id, body.email, profile, body.external_id or None))


@voi.operation(
    "GET",
    "/v1/user/id/{id}",
    tag="User",
    access="IdentityRequests",
    errors=(INVALID_USER_ID, USER_NOT_FOUND),
)
def get_user(caller: ApiClient, path: UserPath) -> UserResponse:
    """Get a user."""
    return UserResponse.of(identity.find(caller, path.id))


@voi.operation(
    "PATCH",
    "/v1/user/{id}",
    tag="User",
    access="IdentityRequests",
    errors=(INVALID_INPUT, INVALID_USER_ID, USER_NOT_FOUND),
)
def update_user(caller: ApiClient, path: UserPath, body: UpdateUser) -> UserResponse:
    """Change details of a user.

    Only members that are sent change.
    """
    profile = Profile(body.email, body.first_name, body.last_name, body.phone_number)
    return UserResponse.of(identity.update(caller, path.id, profile))
