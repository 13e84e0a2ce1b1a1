"""Several who save cards of one rider at the same time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from kickstand.kernel import ids, store
from kickstand.kernel.store import Contention
from kickstand.payments import methods, service
from kickstand.payments.model import PaymentProfile
from kickstand.payments.provider import Setup
from local.server import Tables
from tests.support.provider import CANCEL, SUCCESS, LocalProvider

HOW_MANY = 8


@pytest.fixture
def rider(engine: Tables, provider: LocalProvider) -> int:
    store.begin()
    return ids.new_id()


def begin(rider: int) -> Setup:
    store.begin()
    return methods.begin(rider, success_url=SUCCESS, cancel_url=CANCEL, replaces=True)[1]


def profile(rider: int) -> PaymentProfile:
    store.begin()
    return service.profile(rider)


def test_many_take_over_one_card(rider: int, provider: LocalProvider) -> None:
    provider.save_card(rider)
    setup = begin(rider)
    provider.confirm(setup.secret or "")
    start = Barrier(HOW_MANY)

    def look(_: int) -> str | None:
        start.wait()
        store.begin()
        try:
            card = methods.cards(rider).card
        except Contention:
            return None
        return card.ref if card is not None else None

    with ThreadPoolExecutor(HOW_MANY) as pool:
        found = {each for each in pool.map(look, range(HOW_MANY)) if each is not None}
    (card,) = profile(rider).cards
    assert card.ref in found
    store.begin()
    methods.remove(rider)
    assert profile(rider).leaving == ()


def test_one_of_many_that_begin_goes_on(rider: int, provider: LocalProvider) -> None:
    start = Barrier(HOW_MANY)

    def attempt(_: int) -> Setup | None:
        start.wait()
        try:
            return begin(rider)
        except Contention:
            return None

    with ThreadPoolExecutor(HOW_MANY) as pool:
        begun = [each for each in pool.map(attempt, range(HOW_MANY)) if each is not None]
    pending = profile(rider).setup
    assert pending is not None
    assert pending.ref is None or pending.ref in {each.ref for each in begun}
    assert sum(each.path == "/v1/customers" for each in provider.gate.requests) == 1
    provider.confirm(begin(rider).secret or "")
    store.begin()
    assert len(methods.cards(rider).cards) == 1
