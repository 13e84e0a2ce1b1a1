"""How far a user is, and what the next answer changes; pure."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

from kickstand.clients.model import VERIFIABLE, OnboardingPolicy, OnboardingStep
from kickstand.onboarding.errors import CodeRefused, TooManyCodes, TooManyConsents, VersionNotCurrent
from kickstand.onboarding.model import Acceptance, Address, Channel, Onboarding, Proof, StepState, User, Verification

MOST_CONSENTS: Final = 50

# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def steps(policy: OnboardingPolicy, user: User) -> list[StepState]:
    """How far a user is with each step that the partner asks for, required ones first."""
    return [_state(step, policy, user) for step in (*policy.required, *policy.optional)]


def _current_version(policy: OnboardingPolicy, document: OnboardingStep) -> str | None:
    """The version of a document that is in force; ``None`` where versions are not told apart."""
    if document is OnboardingStep.PRIVACY_POLICY:
        return policy.privacy_policy_version
    return policy.terms_version


def _state(step: OnboardingStep, policy: OnboardingPolicy, user: User) -> StepState:
    verified = user.has_proved(step) if step in VERIFIABLE else None
    completed = _answered(step, policy, user) and (step not in policy.verified or verified is True)
    return StepState(step, completed, step in policy.required, verified)


def _answered(step: OnboardingStep, policy: OnboardingPolicy, user: User) -> bool:
    rider, onboarding = user.rider, user.onboarding
    answers: dict[OnboardingStep, object] = {
        OnboardingStep.NAME: rider.first_name and rider.last_name,
        OnboardingStep.GENDER: onboarding.gender,
        OnboardingStep.PHONE_NUMBER: rider.phone_number,
        OnboardingStep.EMAIL: rider.email,
        OnboardingStep.STREET_ADDRESS: onboarding.address,
        OnboardingStep.PERSONAL_NUMBER: onboarding.personal_number,
        OnboardingStep.PRIVACY_POLICY: _holds(onboarding.privacy_policy, policy),
        OnboardingStep.TERMS_AND_CONDITIONS: _holds(onboarding.terms_and_conditions, policy),
        OnboardingStep.TUTORIAL: onboarding.tutorial_at,
    }
    return bool(answers[step])


def _holds(acceptance: Acceptance | None, policy: OnboardingPolicy) -> bool:
    if acceptance is None:
        return False
    return _current_version(policy, acceptance.document) in {None, acceptance.version}


def accepted(
    onboarding: Onboarding,
    policy: OnboardingPolicy,
    document: OnboardingStep,
    *,
    version: str | None,
    consents: Mapping[str, bool],
    new_id: int,
    now: datetime,
) -> Onboarding:
    """An onboarding in which a document has been accepted; the same one where nothing about that is new.

    Consents that are not mentioned stay as they are.

    Raises:
        VersionNotCurrent: another version is in force than the one that has been accepted.
        TooManyConsents: nobody shows so many.
    """
    current = _current_version(policy, document)
    if current is not None and version not in {None, current}:
        raise VersionNotCurrent(f"The version in force is {current}")
    name = document.value
    before: Acceptance | None = getattr(onboarding, name)
    acceptance = Acceptance(
        id=new_id,
        rider_id=onboarding.rider_id,
        document=document,
        version=version or current,
        consents={**(before.consents if before else {}), **consents},
        at=now,
    )
    if before and (before.version, before.consents) == (acceptance.version, acceptance.consents):
        return onboarding
    if len(acceptance.consents) > MOST_CONSENTS:
        raise TooManyConsents(f"A user has at most {MOST_CONSENTS} legal consents")
    return onboarding.model_copy(update={name: acceptance})


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CODE_LENGTH: Final = 6
VALID_FOR: Final = timedelta(minutes=10)
MOST_FAILURES: Final = 5
_PAUSE: Final = timedelta(seconds=30)
_PERIOD: Final = timedelta(hours=1)
_MOST_STARTS: Final = 5


def state_digest(state: str) -> str:
    """What is kept of a state: it is random and long, so there is nothing to guess."""
    return hashlib.sha256(state.encode()).hexdigest()


def code_digest(state: str, rider_id: int, channel: Channel, value: str, code: str) -> str:
    """What is kept of a code: worthless without the state, and for any other user, channel or value."""
    bound = "\0".join((str(rider_id), channel, value, code))
    return hmac.digest(state.encode(), bound.encode(), "sha256").hex()


def started(before: Verification | None, new: Verification, now: datetime) -> Verification:
    """A new verification in the place of the one before it.

    Raises:
        TooManyCodes: the one before is too young, or there were too many within an hour.
    """
    starts = tuple(at for at in before.starts if now - at < _PERIOD) if before else ()
    if starts and now - starts[-1] < _PAUSE:
        raise TooManyCodes(f"A code has been sent less than {_PAUSE.seconds} seconds ago")
    if len(starts) >= _MOST_STARTS:
        raise TooManyCodes(f"{_MOST_STARTS} codes have been sent within an hour")
    return new.model_copy(update={"starts": (*starts, now), "version": before.version + 1 if before else 1})


def forgotten_at(verification: Verification) -> datetime:
    """When nothing about a verification matters any more."""
    return max(verification.valid_until, verification.starts[-1] + _PERIOD)


def check_open(verification: Verification | None, state: str, now: datetime) -> Verification:
    """The verification that a state names, if codes can be tried for it.

    Raises:
        CodeRefused: they cannot, and why.
    """
    if verification is None or not hmac.compare_digest(verification.state_digest, state_digest(state)):
        raise CodeRefused("The state is unknown, or a newer code has been sent")
    if verification.code_digest is None:
        raise CodeRefused("The code has been used")
    if now >= verification.valid_until:
        raise CodeRefused("The code has expired")
    if verification.failures >= MOST_FAILURES:
        raise CodeRefused("Too many wrong codes have been tried")
    return verification


def entered(code: str) -> str:
    """A code as a user has entered it, without the blanks and hyphens by which people group digits.

    Raises:
        CodeRefused: it is none that could have been sent, so nothing has been guessed.
    """
    digits = re.sub(r"[\s-]", "", code)
    if not (len(digits) == CODE_LENGTH and digits.isascii() and digits.isdecimal()):
        raise CodeRefused(f"A code has {CODE_LENGTH} digits")
    return digits


def proved_by(verification: Verification, state: str, code: str) -> str | None:
    """The value that a code proves to be the user's; ``None`` where it is not the code that was sent there."""
    kept, value = verification.code_digest, verification.value
    if kept is None or value is None:
        return None
    tried = code_digest(state, verification.rider_id, verification.channel, value, code)
    return value if hmac.compare_digest(kept, tried) else None


def with_proof(user: User, channel: Channel, value: str, now: datetime) -> User:
    """A user whose phone number or address is what has just been proved."""
    proof = {channel.value: Proof(value=value, at=now)}
    return User(
        rider=user.rider.model_copy(update={channel.value: value}),
        onboarding=user.onboarding.model_copy(update=proof),
    )


def failed(verification: Verification) -> Verification:
    """A verification for which one more wrong code has been tried."""
    return verification.model_copy(update={"failures": verification.failures + 1, "version": verification.version + 1})


def used(verification: Verification) -> Verification:
    """A verification that has served its purpose, and holds nothing about anybody any more."""
    return verification.model_copy(update={"value": None, "code_digest": None, "version": verification.version + 1})


# ── Addresses and personal numbers ───────────────────────────────────────────────────────────────────────────────────


class AddressVerifier(Protocol):
    """Knows whether addresses are right: a register, a provider, or nothing but their form."""

    def objection(self, address: Address, country: str) -> str | None:
        """Why an address cannot be right, in a sentence without it; ``None`` where it is."""


class PersonalNumberVerifier(Protocol):
    """Knows whether personal numbers are right: a register, a provider, or nothing but their form."""

    def objection(self, number: str, country: str) -> str | None:
        """Why a number cannot be right, in a sentence without it; ``None`` where it is."""


_POSTAL_CODES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("AT", "AU", "BE", "CH", "DK", "HU", "LU", "NO", "NZ", "SI"), r"\d{4}"),
    **dict.fromkeys(("DE", "EE", "ES", "FI", "FR", "HR", "IT", "TR", "US"), r"\d{5}"),
    **dict.fromkeys(("CZ", "GR", "SE", "SK"), r"\d{3} ?\d{2}"),
    "CA": r"[A-Z]\d[A-Z] ?\d[A-Z]\d",
    "GB": r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",
    "IE": r"[A-Z]\d[\dW] ?[A-Z\d]{4}",
    "IS": r"\d{3}",
    "LT": r"(LT-)?\d{5}",
    "LV": r"(LV-)?\d{4}",
    "NL": r"\d{4} ?[A-Z]{2}",
    "PL": r"\d{2}-\d{3}",
    "PT": r"\d{4}-\d{3}",
}


class AddressForm:
    """Takes an address for right whose postal code has the form that its country gives to them."""

    def objection(self, address: Address, country: str) -> str | None:
        """Why an address cannot be right, in a sentence without it; ``None`` where it may be."""
        form = _POSTAL_CODES.get(country)
        if form is None:
            return f"Addresses in {country} cannot be verified"
        if not re.fullmatch(form, address.postal_code.upper(), re.ASCII):
            return f"The postal code is none of {country}"
        return None


class PersonalNumberForm:
    """Takes a personal number for right whose check digits are those that its country computes."""

    def objection(self, number: str, country: str) -> str | None:
        """Why a number cannot be right, in a sentence without it; ``None`` where it may be."""
        plausible = _PERSONAL_NUMBERS.get(country)
        if plausible is None:
            return f"Personal numbers of {country} cannot be verified"
        return None if plausible(number) else f"The personal number is none of {country}"


_DAYS: Final = range(1, 32)
_MONTHS: Final = range(1, 13)
_NORWEGIAN: Final = re.compile(r"(\d{2})(\d{2})\d{2} ?\d{5}", re.ASCII)
_SWEDISH: Final = re.compile(r"(?:\d{2})?\d{2}(\d{2})(\d{2})[-+]?\d{4}", re.ASCII)
_FIRST_CHECK: Final = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_SECOND_CHECK: Final = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)


def _is_norwegian(number: str) -> bool:
    """Day and month, and two check digits modulo 11.

    40 on the day marks a D number; 40, 65 or 80 on the month a synthetic one.
    """
    found = _NORWEGIAN.fullmatch(number)
    if found is None:
        return False
    digits = [int(digit) for digit in number if digit != " "]
    sums = (sum(map(int.__mul__, weights, digits)) for weights in (_FIRST_CHECK, _SECOND_CHECK))
    is_a_day = any(int(found[1]) - shift in _DAYS for shift in (0, 40))
    is_a_month = any(int(found[2]) - shift in _MONTHS for shift in (0, 40, 65, 80))
    return is_a_day and is_a_month and not any(each % 11 for each in sums)


def _is_swedish(number: str) -> bool:
    """Month and day, and a check digit by Luhn over ten digits; 60 on the day marks a coordination number."""
    found = _SWEDISH.fullmatch(number)
    if found is None:
        return False
    digits = [int(digit) for digit in number if digit.isdecimal()][-10:]
    doubled = (each * 2 if place % 2 == 0 else each for place, each in enumerate(digits))
    is_a_day = any(int(found[2]) - shift in _DAYS for shift in (0, 60))
    return is_a_day and int(found[1]) in _MONTHS and sum(each // 10 + each % 10 for each in doubled) % 10 == 0


_PERSONAL_NUMBERS: Final = {"NO": _is_norwegian, "SE": _is_swedish}
