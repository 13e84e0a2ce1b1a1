"""A payment whose time is over is given up, also where its rider was a moment faster and the bank then said no."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kickstand.billing import following
from kickstand.billing.settlement import Means, Wish
from kickstand.kernel import store
from kickstand.payments.errors import ProviderUnavailable
from kickstand.payments.model import PaymentState
from kickstand.payments.provider import IntentStatus
from local.server import Tables
from tests.support.bank import Fault, Plastic
from tests.support.cashier import Cashier


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        yield Cashier(patch)


def test_what_was_too_late_once_is_asked_for_again(cashier: Cashier, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = cashier.customer(Plastic.PROVED)
    order = customer.deposit()
    payment = customer.pay(order).payment
    assert payment is not None
    assert payment.ref is not None
    kept = cashier.bank.payments[payment.ref]
    waiting = kept.intent
    cashier.advance(minutes=31)
    store.begin()
    with monkeypatch.context() as patch:  # the rider answers the bank between our question and our next one
        patch.setattr(cashier.bank, "intent", lambda _ref: waiting)
        kept.intent = replace(waiting, status=IntentStatus.PROCESSING)
        assert following.look(payment.id).state is PaymentState.PROCESSING
    kept.intent = replace(waiting, status=IntentStatus.WAITING_FOR_METHOD, decline="card_declined")
    cashier.advance(seconds=2)
    store.begin()
    assert following.look(payment.id).state is PaymentState.FAILED
    assert kept.intent.status is IntentStatus.CANCELLED
    assert customer.order(order).payment_id is None


def test_what_only_people_can_find_out_is_no_error_of_ours(cashier: Cashier) -> None:
    customer = cashier.customer()
    order = customer.deposit()
    cashier.bank.fail(Fault.UNANSWERED)
    with pytest.raises(ProviderUnavailable):
        customer.pay(order, Wish(Means.CARD, key="once"))
    cashier.advance(hours=21)
    assert customer.pay(order).state is PaymentState.PROCESSING
    with pytest.raises(ProviderUnavailable):
        customer.pay(order, Wish(Means.CARD, key="once"))
    assert cashier.bank.charged(set(cashier.begun[-1:])) == [order.total]
