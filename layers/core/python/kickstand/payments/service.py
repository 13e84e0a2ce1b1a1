"""Use cases about whom the payment provider knows, and about what it tells: its customers are our riders."""

from datetime import timedelta
from functools import cache
from typing import Final

from kickstand.kernel import clock, store
from kickstand.payments.errors import EventRefused, ProviderUnavailable
from kickstand.payments.model import PaymentProfile
from kickstand.payments.provider import Provider, ProviderEvent, ProviderRefusal, ProviderUnreachable
from kickstand.payments.store import ProfileItem, ProviderEventItem

_EVENTS_KEPT: Final = timedelta(days=7)  # the provider sends again for three


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
    changed, unchanged = _changed(before, after)
    if not store.put(ProfileItem.of(changed), condition=unchanged):
        raise store.Contention
    return changed


def change(tx: store.Transaction, before: PaymentProfile, after: PaymentProfile) -> PaymentProfile:
    """Keep a changed profile in a transaction, which is refused with ``Contention`` if somebody else was faster."""
    changed, unchanged = _changed(before, after)
    tx.put(ProfileItem.of(changed), condition=unchanged, otherwise=store.Contention)
    return changed


def _changed(before: PaymentProfile, after: PaymentProfile) -> tuple[PaymentProfile, store.Condition]:
    """The next version of a profile, and that the one before is still the last."""
    unchanged = ProfileItem.version == before.version if before.version else ProfileItem.pk.does_not_exist()
    return after.model_copy(update={"version": before.version + 1}), unchanged


# ── What the provider tells ──────────────────────────────────────────────────────────────────────────────────────────


def told(body: bytes, signature: str | None) -> ProviderEvent | None:
    """What a webhook of the provider is about; ``None`` where it is about nothing that matters here.

    Raises:
        EventRefused: it is not the provider's.
    """
    try:
        return provider().event(body, signature)
    except ProviderRefusal:
        raise EventRefused from None


def is_dealt_with(event: ProviderEvent) -> bool:
    """Whether nothing is left to be done about what the provider has told."""
    return store.load(ProviderEventItem.key(event.id)) is not None


def dealt_with(event: ProviderEvent) -> None:
    """Note that nothing is left to be done; to be called last, so that a crash leaves the rest to the next delivery."""
    key = ProviderEventItem.key(event.id)
    expires_at = int((clock.now() + _EVENTS_KEPT).timestamp())
    store.create(ProviderEventItem(key.pk, key.sk, kind=ProviderEventItem.KIND, expires_at=expires_at))
