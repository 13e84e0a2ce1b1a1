"""Use cases about whom the payment provider knows: its customers are our riders."""

from functools import cache

from kickstand.kernel import store
from kickstand.payments.errors import ProviderUnavailable
from kickstand.payments.model import PaymentProfile
from kickstand.payments.provider import Provider, ProviderUnreachable
from kickstand.payments.store import ProfileItem


@cache
def provider() -> Provider:
    """The payment provider. Its SDK is loaded here: functions that never pay do without it."""
    from kickstand.payments.stripe_gateway import Stripe

    return Stripe()


def expect_profile(rider_id: int) -> None:
    """Announce that the payment profile of a rider will be needed."""
    store.expect(ProfileItem.key(rider_id))


def profile(rider_id: int) -> PaymentProfile:
    """The payment profile of a rider; an empty one where there is none yet."""
    item = store.load(ProfileItem.key(rider_id))
    return PaymentProfile(rider_id=rider_id) if item is None else item.entity


def ensure_customer(known: PaymentProfile) -> PaymentProfile:
    """The profile with the provider's name of its rider, who becomes known there if need be.

    Whoever asks at the same time, or again after a crash, gets the same customer: the provider goes by the rider's id.

    Raises:
        ProviderUnavailable: the provider does not answer.
    """
    if known.customer is not None:
        return known
    try:
        customer = provider().create_customer(known.rider_id, key=f"customer-{known.rider_id}")
    except ProviderUnreachable:
        raise ProviderUnavailable from None

    def attempt() -> PaymentProfile:
        before = profile(known.rider_id)
        if before.customer is not None:
            return before
        after = before.model_copy(update={"customer": customer})
        return keep(before, after)

    return store.again(attempt)


def keep(before: PaymentProfile, after: PaymentProfile) -> PaymentProfile:
    """Keep a changed profile, if nobody else has changed it since.

    Raises:
        Contention: somebody has.
    """
    with store.Transaction() as tx:
        return change(tx, before, after)


def change(tx: store.Transaction, before: PaymentProfile, after: PaymentProfile) -> PaymentProfile:
    """Keep a changed profile in a transaction, which is refused with ``Contention`` if somebody else was faster."""
    changed = after.model_copy(update={"version": before.version + 1})
    unchanged = ProfileItem.version == before.version if before.version else ProfileItem.pk.does_not_exist()
    tx.put(ProfileItem.of(changed), condition=unchanged, otherwise=store.Contention)
    return changed
