"""Saving cards when answers get lost, processes die and others are faster."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.kernel import clock, ids, store
from kickstand.kernel.store import Contention
from kickstand.payments import methods, service
from kickstand.payments.errors import MethodExists, MethodNotFound, ProviderUnavailable
from kickstand.payments.model import PaymentProfile
from kickstand.payments.provider import Charge, ProviderRefusal, Setup, SetupStatus
from tests.support import provider as cards
from tests.support.provider import CANCEL, SUCCESS, LocalProvider

RIDER = 4711


@pytest.fixture(autouse=True)
def _account(aws: Session, provider: LocalProvider) -> None:
    store.begin()


def begin(*, replaces: bool = True) -> tuple[PaymentProfile, Setup]:
    store.begin()
    return methods.begin(RIDER, success_url=SUCCESS, cancel_url=CANCEL, replaces=replaces)


def profile() -> PaymentProfile:
    store.begin()
    return service.profile(RIDER)


def looked() -> PaymentProfile:
    store.begin()
    return methods.cards(RIDER)


def exists(method: str) -> bool:
    try:
        service.provider().card(method)
    except ProviderRefusal:
        return False
    return True


def test_a_webhook_takes_a_card_over(provider: LocalProvider) -> None:
    begun, setup = begin()
    provider.confirm(setup.secret or "")
    told = service.provider().event(*provider.signed(provider.gate.events[-1]))
    assert begun.setup is not None
    assert told is not None
    assert told.setup_id == begun.setup.id
    for _ in range(2):
        store.begin()
        methods.adopt(told.setup_id)
    assert profile().card is not None
    assert profile().setup is None
    store.begin()
    methods.adopt(ids.new_id())


def test_the_page_finds_its_setup(provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, setup = begin()
    assert begun.setup is not None
    store.begin()
    found, same = methods.setup_of(begun.setup.token)
    assert (found, same) == (begun, setup)
    another = ids.new_token(RIDER)
    for token in (another, ids.new_token(RIDER + 1), "", "a" * 43, "ä" * 43):
        store.begin()
        with pytest.raises(MethodNotFound):
            methods.setup_of(token)
    later = clock.now() + methods.SETUP_LIFE
    monkeypatch.setattr(clock, "now", lambda: later)
    store.begin()
    with pytest.raises(MethodNotFound):
        methods.setup_of(begun.setup.token)


def test_what_nobody_goes_on_with_is_given_up(provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    _, setup = begin()
    later = clock.now() + methods.SETUP_LIFE
    monkeypatch.setattr(clock, "now", lambda: later)
    assert looked().setup is None
    assert service.provider().setup(setup.ref).status is SetupStatus.CANCELLED


def test_a_card_that_was_saved_in_the_last_moment_is_not_lost(provider: LocalProvider) -> None:
    _, setup = begin()
    provider.confirm(setup.secret or "")
    with pytest.raises(MethodExists):
        begin(replaces=False)
    assert len(profile().cards) == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2])
def test_beginning_is_safe_to_repeat(provider: LocalProvider, nth: int, *, after: bool) -> None:
    provider.fail_next(nth, after=after)
    with pytest.raises(ProviderUnavailable):
        begin()
    _, setup = begin()
    provider.confirm(setup.secret or "")
    assert looked().card is not None
    assert len({each.document.get("customer") for each in setups(provider)}) == 1


def setups(provider: LocalProvider) -> list[Any]:
    return [each for each in provider.gate.requests if each.path == "/v1/setup_intents"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_new_card_takes_the_old_ones_place_whatever_fails(provider: LocalProvider, nth: int, *, after: bool) -> None:
    old = provider.save_card(RIDER)
    _, setup = begin()
    provider.confirm(setup.secret or "", cards.PROVED_ONCE)
    provider.authenticate(setup.secret or "")
    provider.fail_next(nth, after=after)
    try:
        seen = looked()
    except ProviderUnavailable:
        assert profile().card is not None  # the old one, until the new one is taken over
        seen = looked()
    (card,) = seen.cards
    assert card.last4 == "3155"
    assert profile().cards == (card,)
    assert not exists(old) or profile().leaving == (old,)
    store.begin()
    methods.remove(RIDER)
    assert (exists(old), exists(card.ref), profile().leaving) == (False, False, ())


@pytest.mark.parametrize("after", [False, True])
def test_a_removed_card_is_gone_whatever_fails(provider: LocalProvider, *, after: bool) -> None:
    card = provider.save_card(RIDER)
    provider.fail_next(after=after)
    store.begin()
    with pytest.raises(ProviderUnavailable):
        methods.remove(RIDER)
    assert (profile().card, profile().leaving) == (None, (card,))
    store.begin()
    methods.remove(RIDER)
    assert not exists(card)
    store.begin()
    with pytest.raises(MethodNotFound):
        methods.remove(RIDER)


def test_a_card_chosen_in_a_payment_is_kept(provider: LocalProvider) -> None:
    first = provider.save_card(RIDER)
    customer = profile().customer or ""
    charge = Charge(payment_id=1, amount=100, currency="NOK", customer=customer, save=True)
    intent = service.provider().create_intent(charge, key="payment-1")
    provider.confirm(intent.secret or "", cards.PROVED_ONCE)
    provider.authenticate(intent.secret or "")
    method = service.provider().intent(intent.ref or "").method or ""
    for _ in range(2):
        store.begin()
        methods.adopt_paid(RIDER, method)
    assert [each.ref for each in profile().cards] == [first, method]
    store.begin()
    methods.remove(RIDER)
    store.begin()
    methods.adopt_paid(RIDER, method)
    assert profile().cards == ()


def test_a_card_that_is_leaving_is_not_kept_again_by_a_payment(provider: LocalProvider) -> None:
    method = provider.save_card(RIDER)
    store.begin()
    provider.fail_next()
    with pytest.raises(ProviderUnavailable):
        methods.remove(RIDER)
    assert profile().leaving == (method,)
    assert exists(method)
    store.begin()
    assert methods.adopt_paid(RIDER, method).cards == ()
    assert profile().cards == ()


def test_a_lost_race_is_decided_anew(provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    _, setup = begin()
    provider.confirm(setup.secret or "")
    keep, lost = service.keep, [True]

    def lose_once(before: PaymentProfile, after: PaymentProfile) -> PaymentProfile:
        if lost:
            lost.clear()
            raise Contention
        return keep(before, after)

    monkeypatch.setattr(service, "keep", lose_once)
    assert looked().card is not None


def test_nothing_secret_is_shown(provider: LocalProvider) -> None:
    begun, setup = begin()
    assert begun.setup is not None
    assert begun.setup.token not in repr(begun)
    assert (setup.secret or "") not in repr(setup)


def test_an_hour_is_no_day(provider: LocalProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, _ = begin()
    later = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert looked().setup == begun.setup


def test_what_the_provider_does_not_know_is_nothing_to_wait_for(provider: LocalProvider) -> None:
    begin()
    provider.gate._localstripe.ask("DELETE", "/_config/data")
    assert looked().setup is None
