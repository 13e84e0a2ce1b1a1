"""A payment that the provider refuses before it exists has failed: nobody waits for it, and what it was for is free."""

from collections.abc import Iterator

import pytest

from kickstand.billing import invoices, rides
from kickstand.billing.settlement import Means, Wish
from kickstand.billing.store import DebtsItem
from kickstand.kernel import store
from kickstand.ledger.model import AccountKind
from kickstand.payments.model import PaymentState
from kickstand.sales.model import OrderState
from local.server import Tables
from tests.support.cashier import Cashier

SMALLEST = 300
"""What the provider takes at least, in minor units."""


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        cashier = Cashier(patch)
        cashier.bank.smallest = SMALLEST
        yield cashier


def test_an_order_that_is_refused_can_be_paid_in_another_way(cashier: Cashier) -> None:
    customer = cashier.customer()
    order = customer.deposit(SMALLEST - 1)
    outcome = customer.pay(order)
    assert outcome.payment is not None
    assert (outcome.state, outcome.payment.decline) == (PaymentState.FAILED, "amount_too_small")
    assert (customer.order(order).state, customer.order(order).payment_id) == (OrderState.PENDING, None)
    again = customer.pay(order, Wish(Means.ANY))
    assert again.payment is not None
    assert again.payment.id != outcome.payment.id
    assert cashier.gap() == 0


def test_a_hold_of_which_nothing_can_be_taken_is_given_back(cashier: Cashier) -> None:
    customer = cashier.customer()
    ride = customer.ride()
    customer.fill(customer.owed(ride) - SMALLEST + 1)
    cashier.hold(SMALLEST)
    store.begin()
    hold = rides.secure(ride)
    cashier.hold(0)
    cashier.settle()
    assert cashier.bank.held() == 1
    assert hold is not None
    store.begin()
    charge = rides.charge_rental(ride)
    cashier.settle()
    assert cashier.bank.held() == 0
    (after,) = cashier.payments([hold.id])
    assert (after.state, after.captured) == (PaymentState.EXPIRED, 0)
    store.begin()
    invoice = invoices.find(customer.rider_id, charge.invoice_id or 0)
    assert (invoice.due, invoice.payment_id) == (SMALLEST - 1, None)


def test_a_rest_that_is_refused_is_owed(cashier: Cashier) -> None:
    customer = cashier.customer()
    ride = customer.ride()
    customer.fill(customer.owed(ride) - SMALLEST + 1)
    store.begin()
    charge = rides.charge_rental(ride)
    cashier.settle()
    store.begin()
    invoice = invoices.find(customer.rider_id, charge.invoice_id or 0)
    assert (invoice.due, invoice.payment_id) == (SMALLEST - 1, None)
    assert customer.balance(AccountKind.DEBT) == 1 - SMALLEST
    store.begin()
    debts = store.load(DebtsItem.key(customer.rider_id))
    assert debts is not None
    assert debts.entity.is_overdue
    assert cashier.gap() == 0
