"""Partners, their tokens and their products."""

from datetime import datetime
from enum import StrEnum
from typing import Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator


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


class OnboardingStep(StrEnum):
    """What a user tells, accepts or sees before the first ride."""

    NAME = "name"
    GENDER = "gender"
    PHONE_NUMBER = "phone_number"
    EMAIL = "email"
    STREET_ADDRESS = "street_address"
    PERSONAL_NUMBER = "personal_number"
    PRIVACY_POLICY = "privacy_policy"
    TERMS_AND_CONDITIONS = "terms_and_conditions"
    TUTORIAL = "tutorial"


VERIFIABLE: Final = frozenset(
    {
        OnboardingStep.PHONE_NUMBER,
        OnboardingStep.EMAIL,
        OnboardingStep.STREET_ADDRESS,
        OnboardingStep.PERSONAL_NUMBER,
    }
)
"""Steps whose answer can be proved."""


class OnboardingPolicy(BaseModel):
    """What a partner asks of its users.

    Attributes:
        required: steps that a user has to complete.
        optional: steps that are shown and may be left out.
        verified: steps that are complete only when their answer has been proved.
        privacy_policy_version: the version that users have to accept; without one, any counts.
        terms_version: likewise, of the terms and conditions.
        country: where users live unless they say otherwise; ISO 3166-1, two letters.
    """

    model_config = ConfigDict(frozen=True)

    required: tuple[OnboardingStep, ...] = (
        OnboardingStep.NAME,
        OnboardingStep.PHONE_NUMBER,
        OnboardingStep.EMAIL,
        OnboardingStep.PRIVACY_POLICY,
        OnboardingStep.TERMS_AND_CONDITIONS,
    )
    optional: tuple[OnboardingStep, ...] = (
        OnboardingStep.GENDER,
        OnboardingStep.STREET_ADDRESS,
        OnboardingStep.PERSONAL_NUMBER,
        OnboardingStep.TUTORIAL,
    )
    verified: tuple[OnboardingStep, ...] = (OnboardingStep.PHONE_NUMBER,)
    privacy_policy_version: str | None = None
    terms_version: str | None = None
    country: str | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len({*self.required, *self.optional}) < len(self.required) + len(self.optional):
            raise ValueError("a step is named twice")
        if not VERIFIABLE.issuperset(self.verified):
            raise ValueError("a step to be verified cannot be")
        return self


class ApiClient(BaseModel):
    """A partner that calls an API.

    Attributes:
        network_ids: the city operations it may see; all others do not exist for it.
        tokens: valid and expired ones; several, so that they can be rotated.
        credentials: the secrets that the client may trade for access tokens; several, likewise.
        charges_riders: whether its riders pay us, by wallet and card; otherwise it pays us and bills them itself.
        onboarding: what it asks of its users.
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
    onboarding: OnboardingPolicy = OnboardingPolicy()

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
