"""What nobody looks at any more, and what nobody remembers any more: workflows that were lost, keys that are old."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kickstand.billing import following, rides
from kickstand.billing.settlement import Means, Wish
from kickstand.kernel import store
from kickstand.ledger.model import AccountKind
from kickstand.payments import holds
from kickstand.payments.errors import KeyReused
from kickstand.payments.model import PaymentState
from kickstand.payments.provider import IntentStatus
from local.server import Tables
from tests.support.bank import Plastic
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


def test_what_is_still_undecided_is_looked_at_again_hours_later(cashier: Cashier) -> None:
    customer = cashier.customer(Plastic.PROVED)
    payment = customer.pay(customer.deposit()).payment
    assert payment is not None
    kept = cashier.bank.payments[payment.ref or ""]
    kept.intent = replace(kept.intent, status=IntentStatus.PROCESSING)
    assert agenda(cashier, minutes=91) == 1
    assert agenda(cashier, minutes=5) == 0
    assert agenda(cashier, hours=6) == 1
    kept.intent = replace(kept.intent, status=IntentStatus.WAITING_FOR_RIDER)
    cashier.bank.prove(payment.ref or "")
    assert agenda(cashier, hours=6) == 1
    assert customer.balance() == payment.amount


def test_a_key_of_a_client_is_known_for_a_day(cashier: Cashier) -> None:
    customer = cashier.customer()
    first, second = customer.deposit(), customer.deposit()
    customer.pay(first, Wish(Means.CARD, key="once"))
    with pytest.raises(KeyReused):
        customer.pay(second, Wish(Means.CARD, key="once"))
    cashier.advance(hours=24, seconds=1)
    third = customer.deposit()
    outcome = customer.pay(third, Wish(Means.CARD, key="once"))
    assert outcome.order is not None
    assert outcome.order.id == third.id
    assert customer.pay(third, Wish(Means.CARD, key="once")).state is PaymentState.SUCCEEDED
    assert customer.balance() == first.total + third.total
