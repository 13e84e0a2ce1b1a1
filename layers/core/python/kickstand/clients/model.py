"""Partners, their tokens and their products."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Token(BaseModel):
    """A credential as we keep it: its digest, never itself."""

    model_config = ConfigDict(frozen=True)

    digest: str
    expires_at: datetime


class Credential(BaseModel):
    """A secret that access tokens are given for, as we keep it: its digest, never itself.

    Attributes:
        signing_key: signs the access tokens; hexadecimal, random, never shown to anybody.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    digest: str
    signing_key: str = Field(repr=False)
    created_at: datetime


class ApiClient(BaseModel):
    """A partner that calls an API.

    Attributes:
        network_ids: the city operations it may see; all others do not exist for it.
        tokens: valid and expired ones; several, so that they can be rotated.
        credentials: the secrets that the client may trade for access tokens; several, likewise.
        charges_riders: whether its riders pay us, by wallet and card; otherwise it pays us and bills them itself.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    public_id: UUID
    name: str
    email: str
    network_ids: frozenset[int]
    tokens: tuple[Token, ...] = ()
    credentials: tuple[Credential, ...] = ()
    charges_riders: bool = False

    def may_see(self, network_id: int) -> bool:
        """Whether the network exists for this partner."""
        return network_id in self.network_ids


class ProductState(StrEnum):
    """Whether a product takes new riders."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class Product(BaseModel):
    """A partner's app or brand, to which its riders belong."""

    model_config = ConfigDict(frozen=True)

    id: int
    public_id: UUID
    client_id: int
    name: str
    state: ProductState = ProductState.ACTIVE
