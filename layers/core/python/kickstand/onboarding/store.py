"""Items of onboarding: they lie beside the rider, in the rider's partition of the identity table.

So what a person has told, accepted and proved can be found, and erased, in one place.
"""

from datetime import datetime

from kickstand.identity.store import IdentityItem
from kickstand.kernel import store
from kickstand.kernel.items import Key, Value
from kickstand.onboarding import rules
from kickstand.onboarding.model import Acceptance, Channel, Onboarding, Verification


class OnboardingItem(IdentityItem[Onboarding]):
    """What a user has told, accepted and proved: ``RIDER#<id>`` / ``ONBOARDING``."""

    KIND = "onboarding"
    KEYED_BY = ("rider_id",)

    version = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["OnboardingItem"]:
        """Where a user's onboarding is kept."""
        return Key(OnboardingItem, f"RIDER#{rider_id}", "ONBOARDING")


class AcceptanceItem(IdentityItem[Acceptance]):
    """An acceptance, for good: ``RIDER#<id>`` / ``ACCEPTANCE#<id>``."""

    KIND = "acceptance"
    KEYED_BY = ("rider_id", "id")

    @staticmethod
    def key(rider_id: int, acceptance_id: int) -> Key["AcceptanceItem"]:
        """Where an acceptance is kept."""
        return Key(AcceptanceItem, f"RIDER#{rider_id}", f"ACCEPTANCE#{acceptance_id:016d}")


class VerificationItem(IdentityItem[Verification]):
    """The code that was sent last by a channel: ``RIDER#<id>`` / ``VERIFICATION#<channel>``."""

    KIND = "verification"
    KEYED_BY = ("rider_id", "channel")

    version = Value(int)
    starts = Value(tuple[datetime, ...])
    expires_at = Value(int)

    @staticmethod
    def key(rider_id: int, channel: Channel) -> Key["VerificationItem"]:
        """Where a code is kept."""
        return Key(VerificationItem, f"RIDER#{rider_id}", f"VERIFICATION#{channel}")


def put_onboarding(tx: store.Transaction, onboarding: Onboarding) -> Onboarding:
    """Keep an onboarding within a transaction; :class:`Contention` where somebody else has changed it meanwhile.

    Returns:
        It, with the version that it has then.
    """
    unchanged: store.Condition = OnboardingItem.version == onboarding.version
    if not onboarding.version:
        unchanged = OnboardingItem.pk.does_not_exist()
    kept = onboarding.model_copy(update={"version": onboarding.version + 1})
    tx.put(OnboardingItem.of(kept), condition=unchanged, otherwise=store.Contention)
    return kept


def put_verification(tx: store.Transaction, verification: Verification) -> None:
    """Keep a verification, whose version has grown by one, within a transaction; likewise."""
    item, unchanged = _verification(verification)
    tx.put(item, condition=unchanged, otherwise=store.Contention)


def count_failure(verification: Verification) -> None:
    """Keep a verification for which a wrong code has been tried, likewise."""
    item, unchanged = _verification(verification)
    if not store.put(item, condition=unchanged):
        raise store.Contention


def _verification(verification: Verification) -> tuple[VerificationItem, store.Condition]:
    expires_at = int(rules.forgotten_at(verification).timestamp())
    unchanged: store.Condition = VerificationItem.version == verification.version - 1
    if verification.version == 1:
        unchanged = VerificationItem.pk.does_not_exist()
    return VerificationItem.of(verification, expires_at=expires_at), unchanged


def acceptances_of(rider_id: int) -> list[Acceptance]:
    """Everything that a user has accepted, oldest first; one query."""
    found = AcceptanceItem.query(f"RIDER#{rider_id}", AcceptanceItem.sk.startswith("ACCEPTANCE#"), consistent_read=True)
    return [item.entity for item in found]
