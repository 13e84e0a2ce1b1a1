"""A user's way to the first ride: what has been told, accepted and proved."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kickstand.clients.model import OnboardingStep
from kickstand.identity.model import Rider
from kickstand.kernel.countries import COUNTRIES

# ── What can be told ─────────────────────────────────────────────────────────────────────────────────────────────────

_E_164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST_NAME: Final = 255
_LONGEST_NUMBER: Final = 64


def _written(text: str, longest: int) -> str:
    """A text in its usual form, without blanks around it."""
    text = unicodedata.normalize("NFC", text).strip()
    if not text:
        raise ValueError("it is empty")
    if len(text) > longest:
        raise ValueError(f"longer than {longest} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError("control characters are not text")
    return text


def _line(text: str) -> str:
    return _written(text, _LONGEST_NAME)


def _number(text: str) -> str:
    return _written(text, _LONGEST_NUMBER)


def _phone_number(text: str) -> str:
    if not _E_164.fullmatch(text):
        raise ValueError("not in E.164, such as +4712345678")
    return text


def _country(text: str) -> str:
    if text not in COUNTRIES:
        raise ValueError("not one of the two-letter codes of ISO 3166-1, such as NO")
    return text


Line = Annotated[str, AfterValidator(_line)]
"""A name, or a line of an address: 1 to 255 characters without blanks around them, in Unicode's composed form."""

PhoneNumber = Annotated[str, AfterValidator(_phone_number)]
"""A phone number in E.164: a plus sign, the country's code, at most 15 digits."""

Country = Annotated[str, AfterValidator(_country)]
"""A country by its two letters in ISO 3166-1."""

PersonalNumber = Annotated[str, AfterValidator(_number)]
"""A number that a country gives to a person: 1 to 64 characters without blanks around them."""


class Gender(StrEnum):
    """What a user says."""

    MALE = "male"
    FEMALE = "female"
    OTHER = "other"


class Address(BaseModel):
    """Where a user lives.

    Attributes:
        country: by its two letters in ISO 3166-1, where the user says so.
    """

    model_config = ConfigDict(frozen=True)

    street_address: str = Field(repr=False)
    street_address_2: str | None = Field(default=None, repr=False)
    street_address_3: str | None = Field(default=None, repr=False)
    postal_code: str = Field(repr=False)
    city: str = Field(repr=False)
    country: str | None = None


# ── What has been accepted and proved ────────────────────────────────────────────────────────────────────────────────


class Acceptance(BaseModel):
    """That a user has accepted a document; kept for good, whatever is accepted later.

    Attributes:
        document: the privacy policy, or the terms and conditions.
        version: which version, where versions are told apart.
        consents: what the user has agreed to (or not) beside it, by the key of the box that was ticked (or not).
    """

    model_config = ConfigDict(frozen=True)

    id: int
    rider_id: int
    document: OnboardingStep
    version: str | None = None
    consents: dict[str, bool] = {}
    at: datetime


class Proof(BaseModel):
    """That something was proved to be the user's; it is worth nothing for any other value."""

    model_config = ConfigDict(frozen=True)

    value: str = Field(repr=False)
    at: datetime


class Onboarding(BaseModel):
    """What a user has told, accepted and proved, beside what the rider says already: names, phone number and email.

    Attributes:
        phone_number: the number that was proved to be the user's, whatever has become of it since.
        email: likewise, the address.
        address_verified_at: since when the address is known to be right.
        personal_number: encrypted; nobody can read it but who verifies it.
        personal_number_verified_at: since when the number is known to be right.
        privacy_policy: the latest acceptance.
        terms_and_conditions: likewise.
        tutorial_at: when the user has seen the tutorial.
        version: counts the changes; 0 for what has never been kept.
    """

    model_config = ConfigDict(frozen=True)

    rider_id: int
    gender: Gender | None = Field(default=None, repr=False)
    phone_number: Proof | None = None
    email: Proof | None = None
    address: Address | None = None
    address_verified_at: datetime | None = None
    personal_number: str | None = Field(default=None, repr=False)
    personal_number_verified_at: datetime | None = None
    privacy_policy: Acceptance | None = None
    terms_and_conditions: Acceptance | None = None
    tutorial_at: datetime | None = None
    version: int = 0

    @property
    def consents(self) -> dict[str, bool]:
        """What the user has said last to each legal consent, by its key."""
        return self.privacy_policy.consents if self.privacy_policy else {}


@dataclass(frozen=True)
class User:
    """A partner's user as far as onboarding goes."""

    rider: Rider
    onboarding: Onboarding

    def has_proved(self, step: OnboardingStep) -> bool:
        """Whether what the user has answered last has been verified; only some answers can be."""
        rider, onboarding = self.rider, self.onboarding
        match step:
            case OnboardingStep.PHONE_NUMBER:
                return onboarding.phone_number is not None and onboarding.phone_number.value == rider.phone_number
            case OnboardingStep.EMAIL:
                return onboarding.email is not None and onboarding.email.value == rider.email
            case OnboardingStep.STREET_ADDRESS:
                return onboarding.address_verified_at is not None
            case OnboardingStep.PERSONAL_NUMBER:
                return onboarding.personal_number_verified_at is not None
            case _:
                return False


@dataclass(frozen=True)
class StepState:
    """How far a user is with a step.

    Attributes:
        required: whether the user has to complete it.
        verified: whether the answer has been proved, where that can be done.
    """

    step: OnboardingStep
    completed: bool
    required: bool
    verified: bool | None


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Channel(StrEnum):
    """How a code reaches a user."""

    PHONE_NUMBER = "phone_number"
    EMAIL = "email"


class Verification(BaseModel):
    """A code that was sent to a user: there is one for each channel, the latest.

    Neither the code nor the state by which the user's app names it is kept. What is kept of the code is keyed by the
    state, so that whoever reads it cannot try out all codes.

    Attributes:
        value: where the code was sent; gone when it has been used.
        state_digest: what is kept of the state.
        code_digest: what is kept of the code; gone when it has been used.
        failures: how many wrong codes have been tried.
        starts: when codes were sent within the last hour.
        version: counts the changes.
    """

    model_config = ConfigDict(frozen=True)

    rider_id: int
    channel: Channel
    value: str | None = Field(default=None, repr=False)
    state_digest: str = Field(repr=False)
    code_digest: str | None = Field(default=None, repr=False)
    failures: int = 0
    valid_until: datetime
    starts: tuple[datetime, ...]
    version: int = 1


@dataclass(frozen=True)
class Started:
    """What an app needs to name the code that the user will enter.

    Attributes:
        state: names it; whoever has it may try codes.
        valid_s: seconds for which the code is valid.
        length: how many digits it has.
    """

    state: str
    valid_s: int
    length: int
