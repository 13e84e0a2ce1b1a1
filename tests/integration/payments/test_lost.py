"""What nobody waits for is asked for within the hour, also where its workflow was never started."""

from collections.abc import Iterator

import pytest

from kickstand.billing import following, rides
from kickstand.kernel import store
from kickstand.ledger.model import AccountKind
from kickstand.payments import holds
from kickstand.payments.model import PaymentState
from local.server import Tables
from tests.support.cashier import Cashier


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        yield Cashier(patch)


def agenda(cashier: Cashier, **later: float) -> int:
    cashier.advance(**later)
    store.begin()
    return following.keep_agenda()


def test_a_ride_that_no_workflow_collects_is_collected_by_the_agenda(cashier: Cashier) -> None:
    customer = cashier.customer()
    store.begin()
    rides.charge_rental(customer.ride())
    assert agenda(cashier, minutes=59) == 0
    assert agenda(cashier, minutes=2) == 1
    (payment,) = cashier.payments(cashier.begun[-1:])
    assert payment.state is PaymentState.SUCCEEDED
    assert customer.balance(AccountKind.DEBT) == 0


def test_a_hold_that_is_decided_about_before_it_is_asked_for_is_carried_out(cashier: Cashier) -> None:
    customer = cashier.customer()
    ride = customer.ride()
    cashier.hold(1_000)
    store.begin()
    hold = rides.secure(ride)
    cashier.hold(0)
    assert hold is not None
    store.begin()
    holds.capture(hold.id, 400)
    assert agenda(cashier, minutes=61) == 1
    (payment,) = cashier.payments([hold.id])
    assert (payment.state, payment.captured) == (PaymentState.SUCCEEDED, 400)
    assert agenda(cashier, minutes=61) == 0
