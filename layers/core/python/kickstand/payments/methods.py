"""Use cases about cards that riders save: begun here, chosen in the rider's browser, taken over when they are saved.

Cards are forgotten here first and at the provider afterwards: what is not in the profile is never charged. Until the
provider has forgotten one, the profile remembers that it has to.
"""

from datetime import timedelta
from hmac import compare_digest
from typing import Final

from kickstand.kernel import clock, ids, store
from kickstand.payments import service
from kickstand.payments.errors import MethodExists, MethodNotFound, PaymentRefused, ProviderUnavailable
from kickstand.payments.model import PaymentProfile, PendingSetup, SavedCard, SetupOwner
from kickstand.payments.provider import ProviderRefusal, ProviderUnreachable, Setup, SetupStatus
from kickstand.payments.store import SetupOwnerItem

SETUP_LIFE: Final = timedelta(hours=24)
"""How long a card can be saved after it was begun."""

_KEPT: Final = timedelta(days=30)  # the provider tells of a setup for some days


def cards(rider_id: int) -> PaymentProfile:
    """The saved cards of a rider, with one that has been saved at the provider meanwhile.

    Raises:
        ProviderUnavailable: the provider does not answer.
    """
    return store.again(lambda: _look(service.profile(rider_id)))


def adopt(setup_id: int) -> None:
    """Take over a card that the provider says is saved. Telling it again, or of another one, changes nothing.

    Raises:
        ProviderUnavailable: the provider does not answer.
    """
    owner = store.load(SetupOwnerItem.key(setup_id))
    if owner is not None:
        cards(owner.entity.rider_id)


def adopt_paid(rider_id: int, method: str) -> PaymentProfile:
    """Keep a card that was chosen in a payment, to be charged from now on; one that was removed since is left out.

    Raises:
        ProviderUnavailable: the provider does not answer.
    """

    def attempt() -> PaymentProfile:
        before = service.profile(rider_id)
        if any(card.ref == method for card in before.cards) or method in before.leaving:
            return before
        card = _card(method)
        if card is None:
            return before
        return service.keep(before, before.model_copy(update={"cards": (*before.cards, card)}))

    return store.again(attempt)


def begin(rider_id: int, *, success_url: str, cancel_url: str, replaces: bool) -> tuple[PaymentProfile, Setup]:
    """Begin to save a card. One that is being saved already is given up for it.

    Args:
        rider_id: whose card.
        success_url: where the browser goes when it is saved.
        cancel_url: where it goes otherwise.
        replaces: whether the card takes the place of those saved before; where there are none, it is the first.

    Raises:
        MethodExists: there is a saved card, and it is not to be replaced.
        ProviderUnavailable: the provider does not answer; beginning again is safe.
        PaymentRefused: the provider refuses it.
    """

    def attempt() -> PaymentProfile:
        before = service.ensure_customer(_give_up(service.profile(rider_id)))
        if before.cards and not replaces:
            raise MethodExists
        now, setup_id = clock.now(), ids.new_id()
        setup = PendingSetup(
            id=setup_id,
            token=ids.new_token(rider_id),
            replaces=replaces,
            success_url=success_url,
            cancel_url=cancel_url,
            expires_at=now + SETUP_LIFE,
        )
        owner = SetupOwner(id=setup_id, rider_id=rider_id, expires_at=int((now + _KEPT).timestamp()))
        with store.Transaction() as tx:
            tx.create(SetupOwnerItem.of(owner))
            return service.change(tx, before, before.model_copy(update={"setup": setup}))

    return _asked(store.again(attempt))


def setup_of(token: str) -> tuple[PaymentProfile, Setup]:
    """The card that is being saved under a token, for the page on which it is chosen.

    Raises:
        MethodNotFound: none is, or not any more.
        ProviderUnavailable: the provider does not answer.
        PaymentRefused: the provider refuses it.
    """
    rider_id = ids.id_in(token)
    if rider_id is None:
        raise MethodNotFound
    profile = service.profile(rider_id)
    pending = profile.setup
    if pending is None or not compare_digest(pending.token, token) or pending.expires_at <= clock.now():
        raise MethodNotFound
    return _asked(profile)


def saved_under(token: str) -> PendingSetup | None:
    """What was being saved under a token, if that was the last card that was saved; for a browser that comes back."""
    rider_id = ids.id_in(token)
    finished = None if rider_id is None else service.profile(rider_id).finished
    return finished if finished is not None and compare_digest(finished.token, token) else None


def remove(rider_id: int) -> None:
    """Forget all cards of a rider, and what is being saved.

    Repeating it after a failure goes on where it failed.

    Raises:
        MethodNotFound: there is none.
        ProviderUnavailable: the provider does not answer; the cards are not charged any more already.
        PaymentRefused: the provider keeps a card; likewise.
    """

    def attempt() -> PaymentProfile:
        before = _look(service.profile(rider_id))
        if not before.cards:
            return before
        before = _give_up(before)
        leaving = (*before.leaving, *(card.ref for card in before.cards))
        return service.keep(before, before.model_copy(update={"cards": (), "leaving": leaving}))

    profile = store.again(attempt)
    if not profile.leaving:
        raise MethodNotFound
    _forget(profile)


# ── Steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _asked(profile: PaymentProfile) -> tuple[PaymentProfile, Setup]:
    """The profile and its pending setup as the provider has it, which is told of it if need be.

    The setup is committed before the provider is asked: whoever asks again after a crash gets the same one.
    """
    pending = profile.setup
    if pending is None:
        raise MethodNotFound
    provider = service.provider()
    try:
        if pending.ref is not None:
            return profile, provider.setup(pending.ref)
        setup = provider.create_setup(pending.id, profile.customer or "", key=f"setup-{pending.id}")
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    except ProviderRefusal:
        raise PaymentRefused from None
    known = pending.model_copy(update={"ref": setup.ref})
    return service.keep(profile, profile.model_copy(update={"setup": known})), setup


def _look(profile: PaymentProfile) -> PaymentProfile:
    """The profile after a look at what is being saved; what nobody has gone on with in time is given up."""
    if profile.setup is None or profile.setup.ref is None:
        return profile
    if profile.setup.expires_at <= clock.now():
        return _give_up(profile)
    try:
        found = service.provider().setup(profile.setup.ref)
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    except ProviderRefusal:
        found = _nowhere(profile.setup.ref)
    return _settled(profile, found)


def _nowhere(ref: str) -> Setup:
    """A setup that the provider does not know, such as one of another account: it cannot be gone on with."""
    return Setup(ref=ref, status=SetupStatus.CANCELLED)


def _give_up(profile: PaymentProfile) -> PaymentProfile:
    """The profile without anything being saved; what has been saved at the provider in time is kept.

    A setup that the provider was not heard of needs no cancelling: nobody was given what it takes to go on with it.
    """
    if profile.setup is None or profile.setup.ref is None:
        return profile
    try:
        found = service.provider().cancel_setup(profile.setup.ref)
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    except ProviderRefusal:
        found = _nowhere(profile.setup.ref)
    return _settled(profile, found)


def _settled(profile: PaymentProfile, found: Setup) -> PaymentProfile:
    """Keep what has become of a setup."""
    pending = profile.setup
    if pending is None or found.status is SetupStatus.WAITING:
        return profile
    card = _card(found.method) if found.status is SetupStatus.SUCCEEDED and found.method is not None else None
    if card is None:
        return service.keep(profile, profile.model_copy(update={"setup": None}))
    old = profile.cards if pending.replaces else ()
    kept = tuple(each for each in profile.cards if each not in old)
    leaving = (*profile.leaving, *(each.ref for each in old))
    changes = {"setup": None, "finished": pending, "cards": (*kept, card), "leaving": leaving}
    after = profile.model_copy(update=changes)
    return _tidy(service.keep(profile, after))


def _card(method: str) -> SavedCard | None:
    """A card as it is kept; ``None`` for one that the provider does not keep."""
    try:
        card = service.provider().card(method)
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    except ProviderRefusal:
        return None
    return SavedCard(**card.model_dump(), ref=method, saved_at=clock.now())


def _tidy(profile: PaymentProfile) -> PaymentProfile:
    """Let the provider forget what was replaced, if it answers; otherwise that is left to the next removal."""
    try:
        return _forget(profile)
    except (ProviderUnavailable, PaymentRefused):
        return profile


def _forget(profile: PaymentProfile) -> PaymentProfile:
    """Let the provider forget the cards that are leaving, then forget that they are."""
    provider = service.provider()
    try:
        for method in profile.leaving:
            provider.detach(method)
    except ProviderUnreachable:
        raise ProviderUnavailable from None
    except ProviderRefusal:
        raise PaymentRefused from None
    if not profile.leaving:
        return profile
    gone = set(profile.leaving)

    def attempt() -> PaymentProfile:
        before = service.profile(profile.rider_id)
        left = tuple(each for each in before.leaving if each not in gone)
        return service.keep(before, before.model_copy(update={"leaving": left}))

    return store.again(attempt)
