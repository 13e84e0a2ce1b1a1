"""Use cases about what users tell and accept, and about addresses and personal numbers that are verified.

All of them read the user in one round trip beside the one that authenticates, and write in one transaction. Whatever is
so already is not written again.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from kickstand.clients.model import ApiClient, OnboardingPolicy, OnboardingStep
from kickstand.identity import service as identity
from kickstand.identity.model import Rider
from kickstand.identity.service import Profile
from kickstand.kernel import clock, ids, store
from kickstand.kernel.items import Key
from kickstand.onboarding import gateway, rules
from kickstand.onboarding.errors import NothingToVerify, NotVerifiable
from kickstand.onboarding.model import Acceptance, Address, Gender, Onboarding, StepState, User
from kickstand.onboarding.rules import (
    AddressForm,
    AddressVerifier,
    PersonalNumberForm,
    PersonalNumberVerifier,
)
from kickstand.onboarding.store import AcceptanceItem, OnboardingItem, acceptances_of, put_onboarding

_PROFILE: Final = ("first_name", "last_name", "phone_number", "email")
_DOCUMENTS: Final = ("privacy_policy", "terms_and_conditions")

ADDRESSES: Final[AddressVerifier] = AddressForm()
PERSONAL_NUMBERS: Final[PersonalNumberVerifier] = PersonalNumberForm()
"""Who verifies; an adapter of a register takes their place."""


def find(client: ApiClient, external_id: str) -> User:
    """How far a partner's user is.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    return load(client, external_id)


def steps(client: ApiClient, user: User) -> list[StepState]:
    """How far a user is with each step that the partner asks for, required ones first."""
    return rules.steps(client.onboarding, user)


# ── Telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def set_name(client: ApiClient, external_id: str, first_name: str, last_name: str) -> User:
    """Keep a user's name.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    return _change(client, external_id, lambda user: _told(user, first_name=first_name, last_name=last_name))


def set_gender(client: ApiClient, external_id: str, gender: Gender) -> User:
    """Keep a user's gender.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    return _change(client, external_id, lambda user: _with(user, gender=gender))


def set_phone_number(client: ApiClient, external_id: str, phone_number: str) -> User:
    """Keep a user's phone number; another one than before has to be proved anew.

    Raises:
        RiderNotFound: the partner has no such user.
    """

    def decide(user: User) -> User:
        if user.rider.phone_number == phone_number:
            return user
        return _with(_told(user, phone_number=phone_number), phone_number=None)

    return _change(client, external_id, decide)


def set_email(client: ApiClient, external_id: str, email: str) -> User:
    """Keep the address for a user's mails; another one than before has to be proved anew.

    Raises:
        RiderNotFound: the partner has no such user.
    """

    def decide(user: User) -> User:
        if user.rider.email == email:
            return user
        return _with(_told(user, email=email), email=None)

    return _change(client, external_id, decide)


def set_address(client: ApiClient, external_id: str, address: Address) -> User:
    """Keep where a user lives; another address than before has to be verified anew.

    Raises:
        RiderNotFound: the partner has no such user.
    """

    def decide(user: User) -> User:
        if user.onboarding.address == address:
            return user
        return _with(user, address=address, address_verified_at=None)

    return _change(client, external_id, decide)


def set_personal_number(client: ApiClient, external_id: str, number: str) -> User:
    """Keep a user's personal number, encrypted; it has to be verified anew, as nobody here can tell whether it is new.

    Raises:
        RiderNotFound: the partner has no such user.
    """

    def decide(user: User) -> User:
        kept = gateway.encrypt(number, user.rider.id)
        return _with(user, personal_number=kept, personal_number_verified_at=None)

    return _change(client, external_id, decide)


# ── Accepting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def accept_privacy_policy(
    client: ApiClient, external_id: str, version: str | None, consents: Mapping[str, bool]
) -> User:
    """Keep that a user has accepted the privacy policy, and what the user has agreed to beside it, or not.

    Args:
        client: the partner.
        external_id: its own id of the user.
        version: which version; without it, the one in force.
        consents: by their keys; those that are not mentioned stay as they are.

    Raises:
        RiderNotFound: the partner has no such user.
        VersionNotCurrent: another version is in force.
        TooManyConsents: nobody shows so many.
    """
    return _accept(client, external_id, OnboardingStep.PRIVACY_POLICY, version, consents)


def accept_terms(client: ApiClient, external_id: str, version: str | None) -> User:
    """Keep that a user has accepted the terms and conditions, as with the privacy policy.

    Raises:
        RiderNotFound: the partner has no such user.
        VersionNotCurrent: another version is in force.
    """
    return _accept(client, external_id, OnboardingStep.TERMS_AND_CONDITIONS, version, {})


def acknowledge_tutorial(client: ApiClient, external_id: str) -> User:
    """Keep when a user has seen the tutorial first.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    return _change(
        client, external_id, lambda user: _with(user, tutorial_at=user.onboarding.tutorial_at or clock.now())
    )


def acceptances(client: ApiClient, external_id: str) -> list[Acceptance]:
    """Everything that a user has ever accepted, oldest first.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    return acceptances_of(identity.external(client, external_id).rider_id)


def _accept(
    client: ApiClient, external_id: str, document: OnboardingStep, version: str | None, consents: Mapping[str, bool]
) -> User:
    def decide(user: User) -> User:
        onboarding = rules.accepted(
            user.onboarding,
            client.onboarding,
            document,
            version=version,
            consents=consents,
            new_id=ids.new_id(),
            now=clock.now(),
        )
        return replace(user, onboarding=onboarding)

    return _change(client, external_id, decide)


# ── Verifying by other means than codes ──────────────────────────────────────────────────────────────────────────────


def verify_address(client: ApiClient, external_id: str, verifier: AddressVerifier = ADDRESSES) -> User:
    """Verify a user's address; one that is verified already is not looked at again.

    Raises:
        RiderNotFound: the partner has no such user.
        NothingToVerify: the user has told no address.
        NotVerifiable: it does not stand the check, and why.
    """

    def decide(user: User) -> User:
        address = user.onboarding.address
        if address is None:
            raise NothingToVerify("No street address has been submitted")
        if user.onboarding.address_verified_at is not None:
            return user
        _insist(verifier.objection(address, address.country or _country(client.onboarding)))
        return _with(user, address_verified_at=clock.now())

    return _change(client, external_id, decide)


def verify_personal_number(
    client: ApiClient, external_id: str, verifier: PersonalNumberVerifier = PERSONAL_NUMBERS
) -> User:
    """Verify a user's personal number, the only time that it is read; likewise.

    The number is one of the partner's country, or else of the one in which the user lives.

    Raises:
        RiderNotFound: the partner has no such user.
        NothingToVerify: the user has told no personal number.
        NotVerifiable: it does not stand the check, and why.
    """

    def decide(user: User) -> User:
        kept, address = user.onboarding.personal_number, user.onboarding.address
        if kept is None:
            raise NothingToVerify("No personal number has been submitted")
        if user.onboarding.personal_number_verified_at is not None:
            return user
        country = client.onboarding.country or (address.country if address else None) or _country(client.onboarding)
        _insist(verifier.objection(gateway.decrypt(kept, user.rider.id), country))
        return _with(user, personal_number_verified_at=clock.now())

    return _change(client, external_id, decide)


def _country(policy: OnboardingPolicy) -> str:
    if policy.country is None:
        raise NotVerifiable("The country is not known")
    return policy.country


def _insist(objection: str | None) -> None:
    if objection is not None:
        raise NotVerifiable(objection)


# ── Reading and writing ──────────────────────────────────────────────────────────────────────────────────────────────


def load(client: ApiClient, external_id: str, *beside: Callable[[int], Key[Any]]) -> User:
    """A partner's user, with what is announced by the keys of other items beside the rider; two reads.

    Raises:
        RiderNotFound: the partner has no such user.
    """
    rider_id = identity.external(client, external_id).rider_id
    store.expect(OnboardingItem.key(rider_id), *(key(rider_id) for key in beside))
    rider = identity.find_by_id(rider_id)
    item = store.load(OnboardingItem.key(rider_id))
    return User(rider, item.entity if item else Onboarding(rider_id=rider_id))


def keep(tx: store.Transaction, before: User, after: User) -> User:
    """Write within a transaction what has changed; :class:`Contention` where somebody else has changed it meanwhile.

    Returns:
        The user as it is kept then.

    Raises, when the transaction is committed:
        RiderNotFound: the user is gone.
    """
    identity.keep_profile(tx, before.rider, Profile(**_changes(before.rider, after.rider)))
    if after.onboarding == before.onboarding:
        return after
    for name in _DOCUMENTS:
        acceptance: Acceptance | None = getattr(after.onboarding, name)
        if acceptance is not None and acceptance != getattr(before.onboarding, name):
            tx.create(AcceptanceItem.of(acceptance))
    return replace(after, onboarding=put_onboarding(tx, after.onboarding))


def _change(client: ApiClient, external_id: str, decide: Callable[[User], User]) -> User:
    def attempt() -> User:
        before = load(client, external_id)
        after = decide(before)
        if after == before:
            return before
        with store.Transaction() as tx:
            return keep(tx, before, after)

    return store.again(attempt)


def _changes(before: Rider, after: Rider) -> dict[str, str]:
    return {name: getattr(after, name) for name in _PROFILE if getattr(after, name) != getattr(before, name)}


def _told(user: User, **changes: str) -> User:
    return replace(user, rider=user.rider.model_copy(update=changes))


def _with(user: User, **changes: object) -> User:
    return replace(user, onboarding=user.onboarding.model_copy(update=changes))
