"""A ride that costs more than was held: whoever pays its invoice learns how the rest stands, and not what was held."""

from collections.abc import Iterator

import pytest

from kickstand.billing import invoices, rides
from kickstand.billing.settlement import Means, Wish
from kickstand.kernel import store
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentState, Purpose, PurposeKind
from local.server import Tables
from tests.support.bank import Plastic
from tests.support.cashier import Cashier

HELD = 1_000


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        cashier = Cashier(patch)
        cashier.hold(HELD)
        yield cashier


@pytest.mark.parametrize("means", [Means.CARD, Means.ANY])
@pytest.mark.parametrize(
    ("then", "state"),
    [(Plastic.GOOD, PaymentState.SUCCEEDED), (Plastic.PROVED, PaymentState.REQUIRES_ACTION)],
)
def test_the_rest_counts(cashier: Cashier, means: Means, then: Plastic, state: PaymentState) -> None:
    customer = cashier.customer()
    ride = customer.ride()
    store.begin()
    rides.secure(ride)
    cashier.settle()
    store.begin()
    charge = rides.charge_rental(ride)
    card = payments.profile(customer.rider_id).card
    assert card is not None
    cashier.bank.cards[card.ref] = then
    document = Purpose(kind=PurposeKind.INVOICE, id=charge.invoice_id or 0)
    outcome = customer.pay(document, Wish(means))
    assert outcome.state is state
    store.begin()
    rest = customer.owed(ride) - HELD
    assert invoices.find(customer.rider_id, document.id).due == (0 if state is PaymentState.SUCCEEDED else rest)
    assert outcome.payment is not None
    assert outcome.payment.amount == rest
    assert cashier.gap() == 0
