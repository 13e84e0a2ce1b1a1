"""Verifications: what users prove before their first ride."""

from typing import Final

from pydantic import Field

from kickstand.onboarding import service as onboarding
from kickstand.onboarding import verifications
from kickstand.onboarding.model import Channel, PhoneNumber, Started
from maas._onboarding import OnboardingPath, UserOnboarding
from maas._schemas import Body, Email, Number, Text, Wire
from maas._surface import (
    CODE_NOT_SENT,
    INVALID_REQUEST,
    INVALID_VERIFICATION,
    TOO_MANY_REQUESTS,
    USER_MISMATCH,
    USER_NOT_FOUND,
    VERIFICATION_REQUIRED,
    Caller,
    maas,
)

_UNKNOWN: Final = (INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND)
_STARTING: Final = (*_UNKNOWN, TOO_MANY_REQUESTS, CODE_NOT_SENT)
_COMPLETING: Final = (*_UNKNOWN, INVALID_VERIFICATION)
_CHECKING: Final = (*_COMPLETING, VERIFICATION_REQUIRED)


class StartVerifyPhoneNumber(Body):
    """Where the code goes."""

    phone_number: PhoneNumber = Field(
        repr=False, description="The phone number in E.164; need not be the one submitted before."
    )


class StartVerifyEmail(Body):
    """Where the code goes."""

    email: Email = Field(repr=False, description="Need not be the address submitted before.")


class VerificationStart(Wire):
    """A code that was sent."""

    state: str = Field(
        repr=False, description="Names the code; to be sent with what the user enters, and to be kept from others."
    )
    ttl: Number = Field(description="Seconds for which the code is valid.")
    length: Number = Field(description="How many digits the code has.")

    @classmethod
    def of(cls, started: Started) -> "VerificationStart":
        """The wire form of a code that was sent."""
        return cls(state=started.state, ttl=started.valid_s, length=started.length)


class CompleteVerification(Body):
    """What the user has entered."""

    state: Text = Field(repr=False)
    code: Text = Field(repr=False)


@maas.operation(
    "POST",
    "/users/{userId}/onboarding/phone-number/verify/start",
    tag="Users",
    access="PhoneCodeRequests",
    errors=_STARTING,
    timeout=25,
)
def start_verify_phone_number(caller: Caller, path: OnboardingPath, body: StartVerifyPhoneNumber) -> VerificationStart:
    """Send a code to a phone number.

    Only the latest code counts. A user gets one every 30 seconds, and five within an hour.
    """
    caller.acts_for(path.user_id)
    return VerificationStart.of(
        verifications.start(caller.client, path.user_id, Channel.PHONE_NUMBER, body.phone_number)
    )


@maas.operation(
    "POST",
    "/users/{userId}/onboarding/phone-number/verify",
    tag="Users",
    access="OnboardingRequests",
    errors=_COMPLETING,
)
def verify_phone_number(caller: Caller, path: OnboardingPath, body: CompleteVerification) -> UserOnboarding:
    """Verify a phone number by the code that was sent to it.

    The number is the user's from then on, whatever was submitted before. A code can be used once; after five wrong
    ones, another has to be sent.
    """
    caller.acts_for(path.user_id)
    user = verifications.complete(caller.client, path.user_id, Channel.PHONE_NUMBER, body.state, body.code)
    return UserOnboarding.of(caller.client, user)


@maas.operation(
    "POST",
    "/users/{userId}/onboarding/email/verify/start",
    tag="Users",
    access="MailCodeRequests",
    errors=_STARTING,
    timeout=25,
)
def start_verify_email(caller: Caller, path: OnboardingPath, body: StartVerifyEmail) -> VerificationStart:
    """Send a code to a mail address.

    Only the latest code counts. A user gets one every 30 seconds, and five within an hour. Addresses with other
    characters than ASCII before their @ cannot be verified.
    """
    caller.acts_for(path.user_id)
    return VerificationStart.of(verifications.start(caller.client, path.user_id, Channel.EMAIL, body.email))


@maas.operation(
    "POST", "/users/{userId}/onboarding/email/verify", tag="Users", access="OnboardingRequests", errors=_COMPLETING
)
def verify_email(caller: Caller, path: OnboardingPath, body: CompleteVerification) -> UserOnboarding:
    """Verify a mail address by the code that was sent to it.

    The address is the user's from then on, whatever was submitted before. A code can be used once; after five wrong
    ones, another has to be sent.
    """
    caller.acts_for(path.user_id)
    user = verifications.complete(caller.client, path.user_id, Channel.EMAIL, body.state, body.code)
    return UserOnboarding.of(caller.client, user)


@maas.operation(
    "POST",
    "/users/{userId}/onboarding/street-address/verify",
    tag="Users",
    access="OnboardingRequests",
    errors=_CHECKING,
    timeout=25,
)
def verify_street_address(caller: Caller, path: OnboardingPath) -> UserOnboarding:
    """Verify the address of a user.

    What counts as verified is the operator's choice; without one, a postal code of the form that the country uses.
    """
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.verify_address(caller.client, path.user_id))


@maas.operation(
    "POST",
    "/users/{userId}/onboarding/personal-number/verify",
    tag="Users",
    access="PersonalNumberVerificationRequests",
    errors=_CHECKING,
    timeout=25,
)
def verify_personal_number(caller: Caller, path: OnboardingPath) -> UserOnboarding:
    """Verify the personal number of a user.

    What counts as verified is the operator's choice; without one, right check digits of a Norwegian or Swedish number.
    """
    caller.acts_for(path.user_id)
    return UserOnboarding.of(caller.client, onboarding.verify_personal_number(caller.client, path.user_id))
