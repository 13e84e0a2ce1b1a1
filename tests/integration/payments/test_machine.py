"""Riders, banks and workflows do anything in any order while answers get lost: what must hold of money, holds."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from kickstand.billing import following, reversals, rides
from kickstand.billing.settlement import Means, Wish
from kickstand.kernel import ids, store
from kickstand.kernel.errors import DomainError
from kickstand.payments import holds
from kickstand.payments.intents import PaymentUnknown
from kickstand.payments.model import PaymentIntent, PaymentState, PurposeKind
from kickstand.payments.provider import IntentStatus, ProviderUnreachable
from kickstand.payments.refunds import RefundUnknown
from kickstand.sales.model import Order, OrderState
from local.server import Tables
from tests.support.bank import Bank, Fault, Plastic
from tests.support.cashier import Cashier, Customer, is_over
from tests.support.faults import Calls, Kind

HELD = 6_000
LOSSES = st.one_of(
    st.none(),
    st.none(),
    st.tuples(st.sampled_from(Fault), st.integers(1, 3)),
    st.tuples(st.sampled_from(Kind), st.integers(1, 6)),
)
"""What fails of the next thing that is done: nothing, a call of the bank, or one of the database."""


class Money(RuleBasedStateMachine):
    """Anything that can happen to the money of two customers."""

    cashier: Cashier

    @initialize()
    def people(self) -> None:
        self.since = len(self.cashier.begun)
        self.gap = self.cashier.gap()
        self.cashier.bank.faults.clear()
        self.cashier.bank.refuses_refunds = False
        self.cashier.hold(HELD)
        self.customers = [self.cashier.customer(Plastic.GOOD), self.cashier.customer(Plastic.PROVED, funds=2_000)]
        self.orders: list[tuple[Customer, Order]] = []
        self.refunds: list[int] = []

    # ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    @rule(number=st.integers(0, 1), amount=st.sampled_from([2_000, 5_000]))
    def order(self, number: int, amount: int) -> None:
        customer = self.customers[number]
        self.orders.append((customer, customer.deposit(amount)))

    @precondition(lambda self: self.orders)
    @rule(number=st.integers(0, 3), means=st.sampled_from([Means.CARD, Means.ANY]), loss=LOSSES)
    def pay(self, number: int, means: Means, loss: Any) -> None:
        customer, order = self.orders[-1 - number % len(self.orders)]
        self._do(loss, lambda: customer.pay(order, Wish(means)))

    @rule(number=st.integers(0, 1), plastic=st.sampled_from(Plastic))
    def change_card(self, number: int, plastic: Plastic) -> None:
        store.begin()
        self.cashier.bank.give_card(self.customers[number].rider_id, plastic)

    @precondition(lambda self: self.known())
    @rule(number=st.integers(0, 5), ok=st.booleans())
    def answer_the_bank(self, number: int, ok: bool) -> None:
        ref = self.payment(number).ref
        if ref is not None:
            self.cashier.bank.prove(ref, ok=ok)

    @precondition(lambda self: self.known())
    @rule(number=st.integers(0, 5), loss=LOSSES)
    def look(self, number: int, loss: Any) -> None:
        payment_id = self.payment(number).id
        self._do(loss, lambda: following.look(payment_id))

    @rule(number=st.integers(0, 1), minutes=st.sampled_from([1, 30]), hold=st.booleans(), loss=LOSSES)
    def ride(self, number: int, minutes: int, hold: bool, loss: Any) -> None:
        rental = self.customers[number].ride(minutes)
        if hold:
            self._do(None, lambda: rides.secure(rental))
            self.cashier.look(since=self.since)
        self._do(loss, lambda: rides.charge_rental(rental))

    @rule(number=st.integers(0, 1))
    def hold(self, number: int) -> None:
        rental = self.customers[number].ride()
        self._do(None, lambda: rides.secure(rental))
        self.cashier.look(since=self.since)

    @precondition(lambda self: self.holds())
    @rule(number=st.integers(0, 3), amount=st.sampled_from([0, 1, 3_000, HELD, HELD + 1]), loss=LOSSES)
    def capture(self, number: int, amount: int, loss: Any) -> None:
        found = self.holds()
        payment_id = found[-1 - number % len(found)].id

        def take() -> None:
            holds.capture(payment_id, amount)
            following.look(payment_id)

        self._do(loss, take)

    @precondition(lambda self: self.known())
    @rule(number=st.integers(0, 5), amount=st.sampled_from([1, 1_000, 5_000]), refused=st.booleans(), loss=LOSSES)
    def give_back(self, number: int, amount: int, refused: bool, loss: Any) -> None:
        payment_id, refund_id = self.payment(number).id, ids.new_id()
        self.cashier.bank.refuses_refunds = refused
        self.refunds.append(refund_id)
        self._do(loss, lambda: reversals.give_back(refund_id, payment_id, amount, "asked for"))

    @rule(hours=st.sampled_from([0.01, 1, 12, 150]), loss=LOSSES)
    def wait(self, hours: float, loss: Any) -> None:
        self.cashier.advance(hours=hours)
        self._do(loss, following.keep_agenda)

    # ── What holds ───────────────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def nothing_is_taken_that_was_not_allowed(self) -> None:
        if not hasattr(self, "since"):
            return
        bank: Bank = self.cashier.bank
        taken: dict[int, int] = {}
        for payment in self.known():
            there = [each.intent for each in bank.payments.values() if each.charge.payment_id == payment.id]
            assert len(there) <= 1
            for intent in there:
                assert 0 <= intent.refunded <= intent.captured <= payment.amount
                assert payment.captured in {0, intent.captured}
                assert intent.refunded <= payment.refunded <= payment.captured or not payment.captured
                if payment.hold and intent.captured:
                    taken[payment.purpose.id] = taken.get(payment.purpose.id, 0) + 1
                if payment.state in {PaymentState.FAILED, PaymentState.CANCELLED, PaymentState.RELEASED}:
                    assert intent.status is IntentStatus.CANCELLED
        assert all(count == 1 for count in taken.values())

    def teardown(self) -> None:
        if not hasattr(self, "since"):
            return
        bank = self.cashier.bank
        bank.faults.clear()
        for _ in range(3):
            self._do(None, following.keep_agenda)
            for payment in self.known():
                self._end(payment)
            for refund_id in self.refunds:
                self._do(None, partial(following.refund_found, refund_id, bank.refund_of(refund_id)))
            self.cashier.settle(since=self.since)
            self.cashier.advance(days=4)
        assert all(is_over(each) for each in self.known())
        self.nothing_is_taken_that_was_not_allowed()
        for customer, order in self.orders:
            found = customer.order(order)
            charged = bank.charged({found.payment_id or 0})
            assert charged == ([found.total] if found.state is OrderState.COMPLETED else [])
        assert self.cashier.gap() == self.gap

    def _end(self, payment: PaymentIntent) -> None:
        """What people do about a payment of which nobody knows anything, and about a hold that nobody wants."""
        if payment.is_open and payment.ref is None:
            self._do(None, partial(following.found, payment.id, self.cashier.bank.ref_of(payment.id)))
        if payment.state is PaymentState.HELD and payment.to_capture is None:
            self._do(None, partial(holds.release, payment.id))

    # ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def known(self) -> list[PaymentIntent]:
        if not hasattr(self, "since"):
            return []
        return self.cashier.payments(self.cashier.begun[self.since :])

    def payment(self, number: int) -> PaymentIntent:
        found = self.known()
        return found[-1 - number % len(found)]

    def holds(self) -> list[PaymentIntent]:
        return [each for each in self.known() if each.purpose.kind is PurposeKind.HOLD]

    def _do(self, loss: Any, act: Callable[[], Any]) -> None:
        store.begin()
        calls = Calls()
        if loss is not None:
            kind, number = loss
            if isinstance(kind, Fault):
                self.cashier.bank.fail(kind, number)
            else:
                calls = Calls(number, kind)
        try:
            with calls:
                act()
        except (DomainError, ProviderUnreachable, PaymentUnknown, RefundUnknown):
            pass
        except ExceptionGroup as group:  # what only people can find out is told each time
            if loss is None and group.split((PaymentUnknown, RefundUnknown))[1] is not None:
                raise
        except Exception:
            if loss is None:
                raise
        self.cashier.bank.faults.clear()


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        yield Cashier(patch)


@pytest.mark.parametrize("steps", [500, pytest.param(10_000, marks=pytest.mark.long)])
def test_money(cashier: Cashier, steps: int) -> None:
    chosen = settings(
        max_examples=steps // 25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=steps < 1000,
    )
    machine = type("Money", (Money,), {"cashier": cashier})
    run_state_machine_as_test(machine, settings=chosen)
