"""Payments are seen through by workflows and the agenda; holds are decided about once; money goes back once."""

from collections.abc import Iterator

import pytest

from kickstand.billing import following, invoices, reversals, rides
from kickstand.billing.errors import CreditRefused
from kickstand.billing.settlement import Means, Wish
from kickstand.billing.store import InvoiceItem
from kickstand.kernel import ids, store
from kickstand.ledger.errors import InsufficientFunds
from kickstand.ledger.model import AccountKind
from kickstand.payments import gateway, holds, intents, refunds, rules
from kickstand.payments.errors import AmountExceeded, MethodNotFound, PaymentNotFound, PaymentStateRefused
from kickstand.payments.intents import PaymentUnknown
from kickstand.payments.model import PaymentIntent, PaymentState, RefundState
from kickstand.payments.provider import ProviderUnreachable
from kickstand.payments.refunds import RefundUnknown
from kickstand.payments.store import ParkedPaymentItem, PaymentItem, PaymentWaitItem
from kickstand.sales.model import OrderState
from local.server import Tables
from reactions import payments as reactions
from tests.support.bank import Fault, Plastic
from tests.support.capacity import measured
from tests.support.cashier import NETWORK, Cashier, Customer
from tests.support.shop import GIFT, MONTHLY
from tests.support.streams import batch
from workflows import payment as tasks
from workflows._tasks import TaskFailed

DEPOSIT = 5_000
HELD = 6_000


@pytest.fixture(scope="module")
def running(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        yield Cashier(patch)


@pytest.fixture
def cashier(running: Cashier) -> Iterator[Cashier]:
    """A cashier whose agenda is empty, and a bank that does as it is asked."""
    yield running
    running.bank.faults.clear()
    running.bank.refuses_refunds = False
    running.advance(days=30)
    for payment in running.payments(running.begun):
        if payment.is_open and payment.ref is None:
            following.found(payment.id, running.bank.ref_of(payment.id))
    running.settle()
    store.begin()
    assert following.keep_agenda() == 0


def now(payment: PaymentIntent) -> PaymentIntent:
    store.begin()
    return intents.find(payment.id)


def waiting(cashier: Cashier) -> tuple[Customer, PaymentIntent]:
    """A payment that waits for its rider."""
    customer = cashier.customer(Plastic.PROVED)
    payment = customer.pay(customer.deposit()).payment
    assert payment is not None
    return customer, payment


def held(cashier: Cashier, plastic: Plastic = Plastic.GOOD, customer: Customer | None = None) -> PaymentIntent:
    """An amount that is held for a rental."""
    customer = customer or cashier.customer(plastic)
    store.begin()
    with store.Transaction() as tx:
        hold = holds.place(
            tx,
            client_id=cashier.client.id,
            rider_id=customer.rider_id,
            network_id=NETWORK,
            rental_id=ids.new_id(),
            amount=HELD,
            currency="NOK",
        )
    store.begin()
    assert following.look(hold.id).state is PaymentState.HELD
    return now(hold)


def paid(cashier: Cashier, amount: int = DEPOSIT) -> tuple[Customer, PaymentIntent]:
    """A deposit that has been paid."""
    customer = cashier.customer()
    payment = customer.pay(customer.deposit(amount)).payment
    assert payment is not None
    return customer, now(payment)


# ── Workflows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_payment_starts_its_workflow_and_a_change_wakes_it(
    cashier: Cashier, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    woken: list[str] = []
    monkeypatch.setattr(gateway, "start_workflow", started.append)
    monkeypatch.setattr(gateway, "wake_workflow", woken.append)
    _, payment = waiting(cashier)
    first = payment.model_copy(
        update={"version": 1, "event": payment.event.model_copy(update={"id": ids.new_id(), "name": "PaymentCreated"})}
    )
    reactions.follow_payments(batch((None, PaymentItem.of(first))), None)
    assert (started, woken) == ([payment.id], [])

    planned = tasks.plan_payment({"payment_id": payment.id}, None)
    assert planned["next"] == "wait"
    assert tasks.await_payment_news({**planned, "token": "t-1"}, None) == {}
    reactions.follow_payments(batch((PaymentItem.of(first), PaymentItem.of(payment))), None)
    assert woken == []  # this is what it waits on
    cashier.bank.prove(payment.ref or "")
    after = following.look(payment.id)
    for _ in range(2):
        reactions.follow_payments(batch((PaymentItem.of(payment), PaymentItem.of(after))), None)
    assert woken == ["t-1", "t-1"]
    assert tasks.plan_payment({"payment_id": payment.id}, None)["next"] == "leave"
    with pytest.raises(tasks.PaymentChanged):
        tasks.await_payment_news({**planned, "token": "t-2"}, None)
    store.begin()
    wait = store.load(PaymentWaitItem.key(payment.id))
    assert wait is not None
    assert wait.token == "t-1"


def test_a_workflow_waits_for_a_rider_and_gives_up_with_the_time(cashier: Cashier) -> None:
    customer, payment = waiting(cashier)
    order = customer.order(customer.deposit())
    assert order.state is OrderState.PENDING
    seconds = []
    step = tasks.plan_payment({"payment_id": payment.id}, None)
    while step["next"] == "wait":
        seconds.append(step["seconds"])
        cashier.advance(seconds=step["seconds"])
        step = tasks.advance_payment({"payment_id": payment.id}, None)
    assert [round(each, -1) for each in seconds] == [10, 50, 540, 1200]
    assert now(payment).state is PaymentState.CANCELLED
    assert step == {"payment_id": payment.id, "version": now(payment).version, "next": "leave"}


def test_a_task_says_no_more_of_a_failure_than_its_name(cashier: Cashier) -> None:
    _, payment = waiting(cashier)
    cashier.bank.fail(Fault.LOST)
    with pytest.raises(ProviderUnreachable) as silent:
        tasks.advance_payment({"payment_id": payment.id}, None)
    assert silent.value.args == ()
    with pytest.raises(TaskFailed, match="PaymentNotFound"):
        tasks.plan_payment({"payment_id": 404}, None)


def test_what_cannot_be_finished_is_parked(cashier: Cashier) -> None:
    failure = {"Error": "TaskFailed", "Cause": '{"errorMessage": "PaymentUnknown"}'}
    tasks.park_payment({"payment_id": 7, "error": failure}, None)
    store.begin()
    item = store.load(ParkedPaymentItem.key(7))
    assert item is not None
    assert item.error == "PaymentUnknown"


# ── The agenda ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_agenda_costs_a_query_for_each_part(cashier: Cashier) -> None:
    with measured() as usage:
        assert reactions.keep_agenda({}, None) == {"done": 0}
    assert usage.calls == ["Query"] * 8


def test_the_agenda_finds_a_payment_whose_workflow_was_lost(cashier: Cashier) -> None:
    _, payment = waiting(cashier)
    cashier.advance(minutes=89)
    store.begin()
    assert following.keep_agenda() == 0
    cashier.advance(minutes=2)
    assert following.keep_agenda() == 1
    assert now(payment).state is PaymentState.CANCELLED
    assert following.keep_agenda() == 0


def test_where_the_provider_is_silent_the_agenda_asks_it_in_the_next_round(cashier: Cashier) -> None:
    _, payment = waiting(cashier)
    cashier.advance(minutes=91)
    cashier.bank.fail(Fault.LOST)
    store.begin()
    assert following.keep_agenda() == 1
    assert now(payment).is_open
    assert following.keep_agenda() == 1
    assert not now(payment).is_open


def test_what_only_people_can_find_out_is_told_and_put_off(cashier: Cashier) -> None:
    customer = cashier.customer()
    order = customer.deposit()
    cashier.bank.fail(Fault.LOST)
    with pytest.raises(Exception, match="does not answer"):
        customer.pay(order)
    (payment,) = cashier.payments(cashier.begun[-1:])
    cashier.advance(hours=21)
    store.begin()
    with pytest.raises(ExceptionGroup) as told:
        following.keep_agenda()
    assert told.group_contains(PaymentUnknown)
    assert following.keep_agenda() == 0
    cashier.advance(hours=6, minutes=1)
    with pytest.raises(ExceptionGroup):
        following.keep_agenda()
    store.begin()
    assert following.found(payment.id, None).state is PaymentState.SUCCEEDED  # it was never asked for
    assert customer.order(order).state is OrderState.COMPLETED


def test_whoever_finds_a_payment_at_the_provider_says_what_it_is_called_there(cashier: Cashier) -> None:
    customer = cashier.customer()
    order = customer.deposit()
    cashier.bank.fail(Fault.UNANSWERED)
    with pytest.raises(Exception, match="does not answer"):
        customer.pay(order)
    (payment,) = cashier.payments(cashier.begun[-1:])
    cashier.advance(hours=25)
    ref = cashier.bank.ref_of(payment.id)
    store.begin()
    assert following.found(payment.id, ref).state is PaymentState.SUCCEEDED
    assert cashier.bank.charged({payment.id}) == [DEPOSIT]
    assert following.found(payment.id, "pi_other").ref == ref


# ── Holds ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_hold_needs_a_card(cashier: Cashier) -> None:
    customer = cashier.customer(None)
    with pytest.raises(MethodNotFound):
        held(cashier, customer=customer)


@pytest.mark.parametrize("amount", [1, 2_500, HELD])
def test_a_hold_is_captured_once(cashier: Cashier, amount: int) -> None:
    hold = held(cashier)
    with pytest.raises(AmountExceeded):
        holds.capture(hold.id, HELD + 1)
    for _ in range(2):
        store.begin()
        assert holds.capture(hold.id, amount).to_capture == amount
        assert following.look(hold.id).captured == amount
    for other in (0, amount - 1, amount + 1):
        store.begin()
        with pytest.raises((PaymentStateRefused, AmountExceeded)):
            holds.capture(hold.id, other)
    assert cashier.bank.charged({hold.id}) == [amount]


def test_a_hold_is_released_once(cashier: Cashier) -> None:
    hold = held(cashier)
    for _ in range(2):
        store.begin()
        holds.release(hold.id)
        assert following.look(hold.id).state is PaymentState.RELEASED
    store.begin()
    with pytest.raises(PaymentStateRefused):
        holds.capture(hold.id, 1)


def test_what_the_bank_has_given_back_is_not_captured(cashier: Cashier) -> None:
    hold = held(cashier)
    cashier.advance(days=7, hours=1)
    store.begin()
    holds.capture(hold.id, 100)
    after = following.look(hold.id)
    assert (after.state, after.captured) == (PaymentState.EXPIRED, 0)


def renewing(cashier: Cashier) -> tuple[PaymentIntent, PaymentIntent]:
    """A hold and the one that is to take its place, of which the bank has not been asked yet."""
    hold = held(cashier)
    cashier.advance(days=6, minutes=1)
    store.begin()
    following.look(hold.id)
    (successor,) = cashier.payments(cashier.begun[-1:])
    assert (successor.replaces, now(hold).replaced_by) == (hold.id, successor.id)
    assert cashier.bank.held() == 1
    return hold, successor


def test_a_hold_is_replaced_and_then_given_back(cashier: Cashier) -> None:
    hold, successor = renewing(cashier)
    store.begin()
    assert following.look(successor.id).state is PaymentState.HELD
    assert cashier.bank.held() == 2
    store.begin()
    assert following.look(hold.id).state is PaymentState.RELEASED
    store.begin()
    assert holds.capture(hold.id, 700).id == successor.id
    assert following.look(successor.id).captured == 700
    assert cashier.bank.charged({hold.id, successor.id}) == [700]


def test_a_hold_stays_whose_place_nothing_can_take(cashier: Cashier) -> None:
    hold = held(cashier)
    cashier.bank.cards[hold.card or ""] = Plastic.DECLINED
    cashier.advance(days=6, minutes=1)
    for _ in range(2):
        cashier.settle()
    assert now(hold).state is PaymentState.HELD
    store.begin()
    holds.capture(hold.id, 900)
    assert following.look(hold.id).captured == 900


def test_a_hold_that_is_captured_while_it_is_replaced_is_captured_once(cashier: Cashier) -> None:
    hold, successor = renewing(cashier)
    store.begin()
    assert holds.capture(hold.id, 800).id == hold.id
    assert now(successor).to_capture == 0
    for payment in (successor, hold, successor):
        store.begin()
        following.look(payment.id)
    assert (now(hold).captured, now(successor).state) == (800, PaymentState.RELEASED)
    assert cashier.bank.held() == 0
    assert cashier.bank.charged({hold.id, successor.id}) == [800]


def test_both_are_given_back_when_neither_is_wanted(cashier: Cashier) -> None:
    hold, successor = renewing(cashier)
    store.begin()
    following.look(successor.id)
    store.begin()
    holds.release(hold.id)
    for payment in (successor, hold):
        store.begin()
        assert following.look(payment.id).state is PaymentState.RELEASED
    assert cashier.bank.held() == 0


def test_the_agenda_replaces_a_hold_whose_workflow_was_lost(cashier: Cashier) -> None:
    hold = held(cashier)
    cashier.advance(hours=rules.HELD_FOR.total_seconds() / 3600 - 10.9)
    store.begin()
    assert following.keep_agenda() == 1
    assert now(hold).replaced_by is not None


# ── Refunds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def give_back(payment: PaymentIntent, amount: int, refund_id: int | None = None) -> RefundState:
    store.begin()
    return reversals.give_back(refund_id or ids.new_id(), payment.id, amount, "asked for").state


def test_a_deposit_goes_back_in_parts_and_no_more_than_it_was(cashier: Cashier) -> None:
    customer, payment = paid(cashier)
    for amount, left in ((2_000, 3_000), (3_000, 0)):
        assert give_back(payment, amount) is RefundState.SUCCEEDED
        assert customer.balance() == left
    with pytest.raises(AmountExceeded):
        give_back(payment, 1)
    assert cashier.bank.charged({payment.id}) == [DEPOSIT]
    assert cashier.bank.payments[payment.ref or ""].intent.refunded == DEPOSIT


def test_a_refund_that_is_asked_for_again_is_the_same(cashier: Cashier) -> None:
    customer, payment = paid(cashier)
    refund_id = ids.new_id()
    for _ in range(3):
        assert give_back(payment, 1_000, refund_id) is RefundState.SUCCEEDED
    assert customer.balance() == DEPOSIT - 1_000
    assert now(payment).refunded == 1_000


def test_money_that_has_been_spent_does_not_go_back(cashier: Cashier) -> None:
    customer, payment = paid(cashier, 29_900)
    customer.pay(customer.subscription(MONTHLY), Wish(Means.WALLET))
    with pytest.raises(InsufficientFunds):
        give_back(payment, 1)
    assert now(payment).refunded == 0


def test_gift_codes_are_out(cashier: Cashier) -> None:
    customer = cashier.customer()
    payment = customer.pay(customer.gifts(GIFT)).payment
    assert payment is not None
    with pytest.raises(CreditRefused):
        give_back(payment, 1)


def test_a_ride_goes_back_with_a_credit_note(cashier: Cashier) -> None:
    customer = cashier.customer()
    store.begin()
    charge = rides.charge_rental(customer.ride())
    cashier.settle()
    (payment,) = cashier.payments(cashier.begun[-1:])
    assert give_back(payment, 1_000) is RefundState.SUCCEEDED
    store.begin()
    assert invoices.find(customer.rider_id, charge.invoice_id or 0).credited == 1_000
    notes = [item.entity for item in InvoiceItem.scan(InvoiceItem.kind == InvoiceItem.KIND)]
    assert [each.total for each in notes if each.credits == charge.invoice_id] == [-1_000]
    assert customer.balance(AccountKind.DEBT) == 0


def test_what_the_bank_does_not_take_back_goes_into_the_wallet(cashier: Cashier) -> None:
    customer = cashier.customer()
    payment = customer.pay(customer.subscription(MONTHLY)).payment
    assert payment is not None
    cashier.bank.refuses_refunds = True
    assert give_back(now(payment), 5_000) is RefundState.FAILED
    assert customer.balance() == 5_000
    assert now(payment).refunded == 0
    assert cashier.gap() == 0


def test_a_refund_that_comes_back_goes_into_the_wallet(cashier: Cashier) -> None:
    customer = cashier.customer()
    payment = customer.pay(customer.subscription(MONTHLY)).payment
    assert payment is not None
    first, second = ids.new_id(), ids.new_id()
    give_back(now(payment), 5_000, first)
    give_back(now(payment), 700, second)
    assert now(payment).refunds == (first, second)
    store.begin()
    cashier.bank.come_back(refunds.find(first).ref or "")
    for _ in range(2):
        store.begin()
        reversals.look(payment.id)
    assert customer.balance() == 5_000
    assert now(payment).refunded == 700
    assert [refunds.find(each).state for each in (first, second)] == [RefundState.FAILED, RefundState.SUCCEEDED]
    assert cashier.gap() == 0


def test_a_refund_without_an_answer_is_asked_for_by_the_agenda(cashier: Cashier) -> None:
    customer, payment = paid(cashier)
    for fault in Fault:
        cashier.bank.fail(fault)
        assert give_back(payment, 1_000) is RefundState.CREATED
        cashier.advance(seconds=11)
        store.begin()
        assert following.keep_agenda() == 1
    assert customer.balance() == DEPOSIT - 2_000
    assert cashier.bank.payments[payment.ref or ""].intent.refunded == 2_000


@pytest.mark.parametrize("fault", Fault)
def test_a_refund_of_which_nobody_knows_is_found_by_people(cashier: Cashier, fault: Fault) -> None:
    _, payment = paid(cashier)
    refund_id = ids.new_id()
    cashier.bank.fail(fault)
    give_back(payment, 1_000, refund_id)
    cashier.advance(hours=25)
    store.begin()
    with pytest.raises(ExceptionGroup) as told:
        following.keep_agenda()
    assert told.group_contains(RefundUnknown)
    store.begin()
    assert following.keep_agenda() == 0
    store.begin()
    assert following.refund_found(refund_id, cashier.bank.refund_of(refund_id)).state is RefundState.SUCCEEDED
    assert cashier.bank.payments[payment.ref or ""].intent.refunded == 1_000


def test_there_is_no_refund_of_that_id() -> None:
    with pytest.raises(PaymentNotFound):
        refunds.find(404)


def test_the_books_agree_with_the_bank(cashier: Cashier) -> None:
    assert cashier.gap() == 0


def test_what_giving_back_costs(cashier: Cashier) -> None:
    _, payment = paid(cashier)
    store.begin()
    with measured() as usage:
        reversals.give_back(ids.new_id(), payment.id, 100, "asked for")
    reads = [call for call in usage.calls if call == "BatchGetItem"]
    assert usage.calls.count("TransactWriteItems") == 2
    assert len(reads) == 4  # the refund and the payment, the order and the network, the invoice; and what was written
