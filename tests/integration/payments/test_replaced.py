"""Of two holds of which one takes the place of the other, what was decided is the same however often it is decided."""

from collections.abc import Iterator

import pytest

from kickstand.billing import following, rides, settlement
from kickstand.kernel import store
from kickstand.payments import holds
from kickstand.payments.model import PaymentState
from local.server import Tables
from tests.support.cashier import Cashier

HELD = 6_000


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        cashier = Cashier(patch)
        cashier.hold(HELD)
        yield cashier


def test_a_capture_that_is_repeated_while_the_other_is_still_held(cashier: Cashier) -> None:
    store.begin()
    first = rides.secure(cashier.customer().ride())
    assert first is not None
    cashier.settle()
    cashier.advance(days=6, minutes=1)
    store.begin()
    following.look(first.id)
    (second,) = cashier.payments(cashier.begun[-1:])
    assert second.replaces == first.id
    store.begin()
    assert holds.capture(first.id, 800).id == first.id
    store.begin()
    assert settlement.advance(second.id).state is PaymentState.HELD  # and is given back next
    store.begin()
    assert holds.capture(first.id, 800).id == first.id
    cashier.settle()
    assert cashier.bank.charged({first.id, second.id}) == [800]
    assert cashier.bank.held() == 0
