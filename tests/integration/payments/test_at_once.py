"""Requests, webhooks, workflows, the agenda and staff at the same moment: money moves once, and the books agree."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from kickstand.billing import following, reversals, rides, settlement
from kickstand.billing.errors import CreditRefused
from kickstand.kernel import ids, store
from kickstand.ledger.model import AccountKind
from kickstand.payments import intents
from kickstand.payments.errors import AmountExceeded
from kickstand.payments.model import PaymentState, Refund, RefundState
from local.server import Tables
from tests.support.bank import Plastic
from tests.support.cashier import Cashier

ROUNDS = range(4)
HELD = 6_000


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        yield Cashier(patch)


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """What each of them answers."""
    gate = Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        store.begin()
        gate.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_payment_that_everybody_looks_at(cashier: Cashier, _round: int) -> None:
    customer = cashier.customer(Plastic.PROVED)
    order = customer.deposit()
    payment = customer.pay(order).payment
    assert payment is not None
    cashier.bank.prove(payment.ref or "")
    webhook, workflow = partial(settlement.advance, payment.id), partial(following.look, payment.id)
    request, other_wish = partial(customer.pay, order), partial(settlement.give_up, payment.id)
    found = at_once(webhook, webhook, workflow, workflow, request, other_wish)
    assert {each.state for each in found} == {PaymentState.SUCCEEDED}
    assert customer.balance() == order.total
    assert cashier.bank.charged({payment.id}) == [order.total]
    assert cashier.gap() == 0


@pytest.mark.parametrize("_round", ROUNDS)
def test_refunds_of_more_than_there_is(cashier: Cashier, _round: int) -> None:
    customer = cashier.customer()
    payment = customer.pay(customer.deposit(5_000)).payment
    assert payment is not None

    def give_back(refund_id: int) -> Refund | None:
        try:
            return reversals.give_back(refund_id, payment.id, 2_000, "asked for")
        except (AmountExceeded, CreditRefused):
            return None

    wanted = [ids.new_id() for _ in range(4)]
    found = at_once(*(partial(give_back, each) for each in (*wanted, *wanted[:2])))
    given = [each for each in found if each is not None]
    assert {each.state for each in given} == {RefundState.SUCCEEDED}
    assert len({each.id for each in given}) == 2
    store.begin()
    after = intents.find(payment.id)
    assert (after.refunded, set(after.refunds)) == (4_000, {each.id for each in given})
    assert customer.balance() == 1_000
    assert cashier.gap() == 0


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_hold_that_is_replaced_and_captured(cashier: Cashier, _round: int) -> None:
    customer, since = cashier.customer(), len(cashier.begun)
    ride = customer.ride()
    cashier.hold(HELD)
    store.begin()
    hold = rides.secure(ride)
    cashier.hold(0)
    assert hold is not None
    cashier.settle(since=since)
    cashier.advance(days=6, minutes=1)
    replace, charge = partial(following.look, hold.id), partial(rides.charge_rental, ride)
    at_once(replace, charge, replace, charge)
    at_once(*(partial(following.look, each.id) for each in cashier.payments(cashier.begun[since:]) * 3))
    cashier.settle(since=since)
    assert sum(cashier.bank.charged(set(cashier.begun[since:]))) == customer.owed(ride)
    assert customer.balance(AccountKind.DEBT) == 0
    assert cashier.bank.held() == 0
    assert cashier.gap() == 0
