"""How far a user is before the first ride, as this API shows it."""

from typing import Literal

from pydantic import Field

from kickstand.clients.model import ApiClient, OnboardingStep
from kickstand.onboarding import service as onboarding
from kickstand.onboarding.model import Acceptance, Address, Gender, StepState, User
from maas._schemas import Time, UserId, Wire


class OnboardingPath(Wire):
    """Which user."""

    user_id: UserId


class LegalConsentState(Wire):
    """What the user has said to a legal consent."""

    key: str
    accepted: bool


class OnboardingStepState(Wire):
    """A step that the client asks of its users."""

    name: OnboardingStep
    state: Literal["pending", "completed"]
    required: bool = Field(description="Whether the user has to complete it.")
    verified: bool | None = Field(
        default=None,
        description="Whether the answer has been verified, of steps whose answer can be. The client decides which of "
        "them are completed only then.",
    )

    @classmethod
    def of(cls, step: StepState) -> "OnboardingStepState":
        """The wire form of a step."""
        state: Literal["pending", "completed"] = "completed" if step.completed else "pending"
        return cls(name=step.step, state=state, required=step.required, verified=step.verified)


class OnboardingAddress(Wire):
    """Where the user lives."""

    street_address: str
    street_address_2: str | None = Field(default=None, alias="streetAddress2")
    street_address_3: str | None = Field(default=None, alias="streetAddress3")
    postal_code: str
    city: str
    country_code: str | None = None

    @classmethod
    def of(cls, address: Address) -> "OnboardingAddress":
        """The wire form of an address."""
        return cls(
            street_address=address.street_address,
            street_address_2=address.street_address_2,
            street_address_3=address.street_address_3,
            postal_code=address.postal_code,
            city=address.city,
            country_code=address.country,
        )


class AcceptedDocument(Wire):
    """What the user has accepted last."""

    version: str | None = Field(default=None, description="Missing where versions are not told apart.")
    accepted_at: Time

    @classmethod
    def of(cls, acceptance: Acceptance | None) -> "AcceptedDocument | None":
        """The wire form of an acceptance, if there is one."""
        return cls(version=acceptance.version, accepted_at=acceptance.at) if acceptance else None


class OnboardingData(Wire):
    """What is known of the user. The personal number is never shown."""

    first_name: str | None = None
    last_name: str | None = None
    gender: Gender | None = None
    phone_number: str | None = None
    phone_number_verified: bool
    email: str | None = None
    email_verified: bool
    address: OnboardingAddress | None = None
    address_verified: bool
    personal_number_submitted: bool
    personal_number_verified: bool
    privacy_policy: AcceptedDocument | None = None
    terms_and_conditions: AcceptedDocument | None = None
    legal_consents: list[LegalConsentState]
    tutorial_acknowledged: bool

    @classmethod
    def of(cls, user: User) -> "OnboardingData":
        """The wire form of what is known."""
        rider, told = user.rider, user.onboarding
        return cls(
            first_name=rider.first_name,
            last_name=rider.last_name,
            gender=told.gender,
            phone_number=rider.phone_number,
            phone_number_verified=user.has_proved(OnboardingStep.PHONE_NUMBER),
            email=rider.email,
            email_verified=user.has_proved(OnboardingStep.EMAIL),
            address=OnboardingAddress.of(told.address) if told.address else None,
            address_verified=user.has_proved(OnboardingStep.STREET_ADDRESS),
            personal_number_submitted=told.personal_number is not None,
            personal_number_verified=user.has_proved(OnboardingStep.PERSONAL_NUMBER),
            privacy_policy=AcceptedDocument.of(told.privacy_policy),
            terms_and_conditions=AcceptedDocument.of(told.terms_and_conditions),
            legal_consents=[
                LegalConsentState(key=key, accepted=accepted) for key, accepted in sorted(told.consents.items())
            ],
            tutorial_acknowledged=told.tutorial_at is not None,
        )


class UserOnboarding(Wire):
    """How far a user is."""

    steps: list[OnboardingStepState] = Field(description="What the client asks of its users, required steps first.")
    pending: list[OnboardingStep] = Field(description="The required steps that the user has not completed yet.")
    data: OnboardingData

    @classmethod
    def of(cls, client: ApiClient, user: User) -> "UserOnboarding":
        """The wire form of a user's onboarding."""
        found = onboarding.steps(client, user)
        return cls(
            steps=[OnboardingStepState.of(each) for each in found],
            pending=[each.step for each in found if each.required and not each.completed],
            data=OnboardingData.of(user),
        )
