"""Onboarding: what users tell and accept before their first ride."""

from typing import Annotated

from pydantic import AfterValidator, Field

from kickstand.onboarding import service as onboarding
from kickstand.onboarding.model import Address, Country, Gender, Line, PersonalNumber, PhoneNumber
from maas._onboarding import OnboardingPath, UserOnboarding
from maas._schemas import Body, Email, Text
from maas._surface import INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, Caller, maas

ERRORS = (INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND)


def _yes(answer: bool) -> bool:
    if not answer:
        raise ValueError("only true can be submitted")
    return answer


def _once(consents: "list[LegalConsent]") -> "list[LegalConsent]":
    if len({each.key for each in consents}) < len(consents):
        raise ValueError("a key is named twice")
    return consents


Yes = Annotated[bool, AfterValidator(_yes)]


class UpdateName(Body):
    """What the user is called."""

    first_name: Line = Field(repr=False, description="First name")
    last_name: Line = Field(repr=False, description="Last name")


class UpdateGender(Body):
    """What the user says."""

    gender: Annotated[Gender, Field(strict=False)] = Field(repr=False)


class UpdatePhoneNumber(Body):
    """Where the user can be called."""

    phone_number: PhoneNumber = Field(repr=False, description="The phone number in E.164, such as +4712345678.")


class UpdateEmail(Body):
    """Where the user gets mails."""

    email: Email = Field(repr=False)


class UpdateStreetAddress(Body):
    """Where the user lives."""

    street_address: Line = Field(repr=False)
    street_address_2: Text | None = Field(default=None, alias="streetAddress2", repr=False)
    street_address_3: Text | None = Field(default=None, alias="streetAddress3", repr=False)
    postal_code: Line = Field(repr=False)
    city: Line = Field(repr=False)
    country_code: Country | None = Field(default=None, description="ISO 3166-1 alpha-2, in capitals.")

    @property
    def address(self) -> Address:
        """The address in the domain's words."""
        return Address(
            street_address=self.street_address,
            street_address_2=(self.street_address_2 or "").strip() or None,
            street_address_3=(self.street_address_3 or "").strip() or None,
            postal_code=self.postal_code,
            city=self.city,
            country=self.country_code,
        )


class UpdatePersonalNumber(Body):
    """The number that a country gives to the user."""

    personal_number: PersonalNumber = Field(
        repr=False, description="The personal identification number; no answer ever shows it."
    )


class LegalConsent(Body):
    """A box beside the privacy policy that the user has ticked, or not."""

    key: Line = Field(description="Identifies the box.")
    accepted: bool


class AcceptPrivacyPolicy(Body):
    """What the user accepts."""

    accepted: Yes
    version: Text | None = Field(default=None, description="The version that was shown; without it, the one in force.")
    legal_consents: Annotated[list[LegalConsent], AfterValidator(_once)] | None = Field(
        default=None, description="What the user says to each box; boxes that are not named stay as they are."
    )


class AcceptTermsAndConditions(Body):
    """What the user accepts."""

    accepted: Yes
    version: Text | None = Field(default=None, description="The version that was shown; without it, the one in force.")


class AcknowledgeTutorial(Body):
    """What the user has seen."""

    acknowledged: Yes


@maas.operation("GET", "/users/{userId}/onboarding", tag="Users", access="OnboardingRequests", errors=ERRORS)
def get_user_onboarding(caller: Caller, path: OnboardingPath) -> UserOnboarding:
    """Get the onboarding of a user.

    Which steps there are, which of them are required and which have to be verified is the client's choice, and is
    configured by the operators of Kickstand.
    """
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.find(caller.client, path.user_id))


@maas.operation("PUT", "/users/{userId}/onboarding/name", tag="Users", access="OnboardingRequests", errors=ERRORS)
def update_name(caller: Caller, path: OnboardingPath, body: UpdateName) -> UserOnboarding:
    """Submit the name of a user."""
    caller.acts_for(path.user_id)
    user = onboarding.set_name(caller.client, path.user_id, body.first_name, body.last_name)
    return UserOnboarding.of(caller.client, user)


@maas.operation("PUT", "/users/{userId}/onboarding/gender", tag="Users", access="OnboardingRequests", errors=ERRORS)
def update_gender(caller: Caller, path: OnboardingPath, body: UpdateGender) -> UserOnboarding:
    """Submit the gender of a user."""
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.set_gender(caller.client, path.user_id, body.gender))


@maas.operation(
    "PUT", "/users/{userId}/onboarding/phone-number", tag="Users", access="OnboardingRequests", errors=ERRORS
)
def update_phone_number(caller: Caller, path: OnboardingPath, body: UpdatePhoneNumber) -> UserOnboarding:
    """Submit the phone number of a user.

    Another number than before has to be verified anew.
    """
    caller.acts_for(path.user_id)
    user = onboarding.set_phone_number(caller.client, path.user_id, body.phone_number)
    return UserOnboarding.of(caller.client, user)


@maas.operation("PUT", "/users/{userId}/onboarding/email", tag="Users", access="OnboardingRequests", errors=ERRORS)
def update_email(caller: Caller, path: OnboardingPath, body: UpdateEmail) -> UserOnboarding:
    """Submit the mail address of a user.

    Another address than before has to be verified anew. Mails of Kickstand to the user go there.
    """
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.set_email(caller.client, path.user_id, body.email))


@maas.operation(
    "PUT", "/users/{userId}/onboarding/street-address", tag="Users", access="OnboardingRequests", errors=ERRORS
)
def update_street_address(caller: Caller, path: OnboardingPath, body: UpdateStreetAddress) -> UserOnboarding:
    """Submit the address of a user.

    Another address than before has to be verified anew. Without a country, it is the client's.
    """
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.set_address(caller.client, path.user_id, body.address))


@maas.operation(
    "PUT",
    "/users/{userId}/onboarding/personal-number",
    tag="Users",
    access="PersonalNumberRequests",
    errors=ERRORS,
    timeout=25,
)
def update_personal_number(caller: Caller, path: OnboardingPath, body: UpdatePersonalNumber) -> UserOnboarding:
    """Submit the personal number of a user.

    It is kept encrypted and never shown. Since nobody can compare it, each submission has to be verified anew.
    """
    caller.acts_for(path.user_id)
    user = onboarding.set_personal_number(caller.client, path.user_id, body.personal_number)
    return UserOnboarding.of(caller.client, user)


@maas.operation(
    "POST", "/users/{userId}/onboarding/privacy-policy", tag="Users", access="OnboardingRequests", errors=ERRORS
)
def accept_privacy_policy(caller: Caller, path: OnboardingPath, body: AcceptPrivacyPolicy) -> UserOnboarding:
    """Accept the privacy policy for a user.

    A version that is not in force is refused. Legal consents may be declined. Accepting again what the user has
    accepted changes nothing; everything else is kept beside what was accepted before.
    """
    caller.acts_for(path.user_id)
    consents = {each.key: each.accepted for each in body.legal_consents or ()}
    user = onboarding.accept_privacy_policy(caller.client, path.user_id, body.version or None, consents)
    return UserOnboarding.of(caller.client, user)


@maas.operation(
    "POST", "/users/{userId}/onboarding/terms-and-conditions", tag="Users", access="OnboardingRequests", errors=ERRORS
)
def accept_terms_and_conditions(caller: Caller, path: OnboardingPath, body: AcceptTermsAndConditions) -> UserOnboarding:
    """Accept the terms and conditions for a user.

    A version that is not in force is refused. Accepting again what the user has accepted changes nothing.
    """
    caller.acts_for(path.user_id)
    user = onboarding.accept_terms(caller.client, path.user_id, body.version or None)
    return UserOnboarding.of(caller.client, user)


@maas.operation("POST", "/users/{userId}/onboarding/tutorial", tag="Users", access="OnboardingRequests", errors=ERRORS)
def acknowledge_tutorial(caller: Caller, path: OnboardingPath, body: AcknowledgeTutorial) -> UserOnboarding:  # noqa: ARG001 - it can say one thing only
    """Mark the tutorial as seen by a user."""
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.acknowledge_tutorial(caller.client, path.user_id))
