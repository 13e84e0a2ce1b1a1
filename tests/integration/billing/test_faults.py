"""Every call of every way to pay fails once, before it gets there or after it has worked: no money is lost or doubled.

A story is told in steps. The call that fails ends its step; then the workflows and the agenda do what they can, and the
books must agree. Then whoever told the step tells it again, as clients, riders, workflows and staff do, and goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import pytest

from kickstand.billing import invoices, renewals, reversals, rides
from kickstand.billing.settlement import Means, Wish
from kickstand.billing.store import DebtsItem
from kickstand.kernel import clock, ids, store
from kickstand.ledger.model import AccountKind
from kickstand.payments import holds, intents
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentState, Purpose, PurposeKind
from kickstand.rental.model import Rental
from kickstand.sales import subscriptions, vouchers
from kickstand.sales.model import Order, OrderState
from local.server import Tables
from tests.support.bank import Fault, Plastic
from tests.support.cashier import Cashier, Customer, is_over
from tests.support.faults import Calls
from tests.support.shop import GIFT, MONTHLY

PRICE: Final = 29_900
DEPOSIT: Final = 5_000


@pytest.fixture(scope="module")
def cashier(engine: Tables) -> Iterator[Cashier]:
    with pytest.MonkeyPatch.context() as patch:
        store.begin()
        yield Cashier(patch)


@dataclass
class Story:
    """Something about one customer's money.

    Attributes:
        charges: what the bank has taken at the end, by payment, in minor units.
    """

    cashier: Cashier
    customer: Customer = field(init=False)
    since: int = field(init=False)
    plastic = Plastic.GOOD
    funds = 0
    charges: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.since = len(self.cashier.begun)
        self.customer = self.cashier.customer(self.plastic, self.funds)
        self.prepare()

    def prepare(self) -> None:
        """What has been before."""

    def steps(self) -> list[Callable[[], Any]]:
        """What happens."""
        raise NotImplementedError

    def ends(self) -> None:
        """How it must end."""
        raise NotImplementedError

    def check(self) -> None:
        """What must hold at any time when nobody is in the middle of anything."""

    # ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def charged(self) -> tuple[int, ...]:
        """What the bank has taken of this customer."""
        return tuple(self.cashier.bank.charged(set(self.cashier.begun[self.since :])))

    def look(self) -> None:
        """Look at this story's payments, as their workflows and webhooks do."""
        self.cashier.look(since=self.since)

    def recover(self) -> None:
        """What happens without anybody's doing."""
        self.cashier.settle(since=self.since)


class _OfOrder(Story):
    """An order is paid."""

    wish = Wish(Means.CARD)
    by_bank = True

    def prepare(self) -> None:
        self.order = self.place()

    def place(self) -> Order:
        return self.customer.deposit(DEPOSIT)

    def steps(self) -> list[Callable[[], Any]]:
        return [lambda: self.customer.pay(self.order, self.wish)]

    def check(self) -> None:
        order = self.customer.order(self.order)
        assert order.state in {OrderState.PENDING, OrderState.COMPLETED}
        paid = (order.total,) if order.state is OrderState.COMPLETED and self.by_bank else ()
        assert self.charged() == paid
        self.booked(order)

    def booked(self, order: Order) -> None:
        assert self.customer.balance() == (DEPOSIT if order.state is OrderState.COMPLETED else 0)

    def ends(self) -> None:
        order = self.customer.order(self.order)
        assert order.state is OrderState.COMPLETED
        assert order.invoice_id is not None
        invoice = invoices.find(self.customer.rider_id, order.invoice_id)
        assert (invoice.total, invoice.due) == (order.total, 0)


class DepositBySavedCard(_OfOrder):
    pass


class DepositUnderAKey(_OfOrder):
    """The client names its wish, and names it again."""

    wish = Wish(Means.CARD, key="once")


class DepositByChosenCard(_OfOrder):
    plastic = None  # type: ignore[assignment]
    wish = Wish(Means.ANY, save=True)

    def steps(self) -> list[Callable[[], Any]]:
        return [lambda: self.customer.pay(self.order, self.wish), self.choose, self.look]

    def choose(self) -> None:
        (payment,) = self.cashier.payments(self.cashier.begun[self.since :])[-1:]
        if payment.ref is not None:
            self.cashier.bank.choose(payment.ref)

    def ends(self) -> None:
        super().ends()
        assert self.cashier.bank.cards[_saved(self.customer)] is Plastic.GOOD


class DepositByProvedCard(_OfOrder):
    plastic = Plastic.PROVED

    def steps(self) -> list[Callable[[], Any]]:
        return [lambda: self.customer.pay(self.order, self.wish), self.prove, self.look]

    def prove(self) -> None:
        (payment,) = self.cashier.payments(self.cashier.begun[self.since :])[-1:]
        self.cashier.bank.prove(payment.ref or "")


class SubscriptionByCard(_OfOrder):
    wish = Wish(Means.CARD, auto_renew=True)

    def place(self) -> Order:
        return self.customer.subscription(MONTHLY)

    def booked(self, order: Order) -> None:
        store.begin()
        found = subscriptions.current(self.customer.rider_id)
        assert (found is not None) == (order.state is OrderState.COMPLETED)
        assert found is None or (found.id == order.subscription_id and found.auto_renew)


class SubscriptionByWallet(SubscriptionByCard):
    funds = PRICE + 100
    wish = Wish(Means.WALLET, auto_renew=True)
    by_bank = False

    def booked(self, order: Order) -> None:
        super().booked(order)
        assert self.customer.balance() == (100 if order.state is OrderState.COMPLETED else self.funds)


class SubscriptionThatIsNotToRenewAfterAll(DepositByChosenCard):
    """The rider changes a wish while the payment waits for a card: it is given up for another one."""

    wish = Wish(Means.CARD, auto_renew=False)

    def place(self) -> Order:
        return self.customer.subscription(MONTHLY)

    def steps(self) -> list[Callable[[], Any]]:
        return [lambda: self.customer.pay(self.order, Wish(Means.CARD, auto_renew=True)), *super().steps()]

    def booked(self, order: Order) -> None:
        store.begin()
        found = subscriptions.current(self.customer.rider_id)
        assert (found is not None) == (order.state is OrderState.COMPLETED)
        assert found is None or not found.auto_renew

    def ends(self) -> None:
        _OfOrder.ends(self)
        store.begin()
        assert payments.profile(self.customer.rider_id).cards == ()


class GiftCodesByCard(_OfOrder):
    def place(self) -> Order:
        return self.customer.gifts(GIFT)

    def booked(self, order: Order) -> None:
        if order.state is OrderState.COMPLETED:
            store.begin()
            letter = vouchers.letter(order.rider_id, order.id)
            assert len({gift.code for gift in letter.gifts}) == 2


class PaidWhenItWasTooLate(Story):
    """A second subscription is paid by a rider who has got one meanwhile: the money is the rider's."""

    plastic = Plastic.PROVED

    def prepare(self) -> None:
        self.late, other = self.customer.subscription(MONTHLY), self.customer.subscription(MONTHLY)
        payment = self.customer.pay(self.late).payment
        assert payment is not None
        self.customer.fill(PRICE)
        self.customer.pay(other, Wish(Means.WALLET))
        self.cashier.bank.prove(payment.ref or "")  # before anybody has seen that it is in vain

    def steps(self) -> list[Callable[[], Any]]:
        return [self.look]

    def check(self) -> None:
        assert self.customer.balance() == sum(self.charged())

    def ends(self) -> None:
        assert self.charged() == (PRICE,)
        assert self.customer.order(self.late).state is OrderState.FAILED


class GivenUpAsInVain(Story):
    """A payment of a subscription waits for its rider, who has got another one meanwhile: nobody is charged for it."""

    plastic = Plastic.PROVED

    def prepare(self) -> None:
        self.late, other = self.customer.subscription(MONTHLY), self.customer.subscription(MONTHLY)
        self.customer.pay(self.late)
        self.customer.fill(PRICE)
        self.customer.pay(other, Wish(Means.WALLET))

    def steps(self) -> list[Callable[[], Any]]:
        return [self.look, self.prove, self.look]

    def prove(self) -> None:
        for payment in self.cashier.payments(self.cashier.begun[self.since :]):
            self.cashier.bank.prove(payment.ref or "")

    def check(self) -> None:
        assert self.charged() == ()

    def ends(self) -> None:
        order = self.customer.order(self.late)
        assert (order.state, order.payment_id) == (OrderState.PENDING, None)


class _OfRide(Story):
    """A ride is charged."""

    def prepare(self) -> None:
        self.rental: Rental = self.customer.ride()
        self.fare = self.customer.owed(self.rental)

    def steps(self) -> list[Callable[[], Any]]:
        return [self.charge, self.look]

    def charge(self) -> None:
        store.begin()
        rides.charge_rental(self.rental)

    def check(self) -> None:
        owed = self.customer.balance(AccountKind.DEBT)
        assert owed in {0, -self.fare} or self.funds
        assert sum(self.charged()) in {0, self.fare - self.funds, *self.parts()}

    def parts(self) -> tuple[int, ...]:
        return ()

    def ends(self) -> None:
        assert self.customer.balance(AccountKind.DEBT) == 0
        assert self.customer.balance() == 0
        assert sum(self.charged()) == self.fare - self.funds
        store.begin()
        item = store.load(DebtsItem.key(self.customer.rider_id))
        assert item is None or item.entity.debts == ()


class RideByCard(_OfRide):
    def ends(self) -> None:
        super().ends()
        assert self.charged() == (self.fare,)


class RideByWalletAndCard(_OfRide):
    funds = 700


class _WithHold(_OfRide):
    held = 10_000

    def prepare(self) -> None:
        super().prepare()
        self.cashier.hold(self.held)

    def steps(self) -> list[Callable[[], Any]]:
        return [self.secure, self.look, self.charge, self.look]

    def secure(self) -> None:
        store.begin()
        rides.secure(self.rental)

    def ends(self) -> None:
        super().ends()
        assert self.cashier.bank.held() == 0
        self.cashier.hold(0)


class RideByHold(_WithHold):
    def ends(self) -> None:
        super().ends()
        assert self.charged() == (self.fare,)


class RideByHoldAndCard(_WithHold):
    held = 1_000

    def prepare(self) -> None:
        super().prepare()
        self.secure()
        self.look()

    def steps(self) -> list[Callable[[], Any]]:
        return [self.charge, self.look]

    def parts(self) -> tuple[int, ...]:
        return (self.held,)

    def ends(self) -> None:
        super().ends()
        assert sorted(self.charged()) == sorted((self.held, self.fare - self.held))


class HoldThatIsReplaced(_WithHold):
    """A ride of a week: the bank gives the first hold back before it ends."""

    def prepare(self) -> None:
        super().prepare()
        self.secure()
        self.look()
        (hold,) = self.cashier.payments(self.cashier.begun[self.since :])[:1]
        assert hold.held_until is not None
        self.cashier.now = max(clock.now(), hold.held_until - timedelta(hours=1))

    def steps(self) -> list[Callable[[], Any]]:
        return [self.look, self.look, self.charge, self.look]

    def ends(self) -> None:
        super().ends()
        assert self.charged() == (self.fare,)


class HoldThatIsGone(_WithHold):
    """Nobody looks after a hold until the bank has given it back: the card pays."""

    def prepare(self) -> None:
        super().prepare()
        self.secure()
        self.look()
        self.cashier.advance(days=7, hours=1)

    def ends(self) -> None:
        super().ends()
        assert self.charged() == (self.fare,)

    def steps(self) -> list[Callable[[], Any]]:
        return [self.charge, self.look]


class HoldThatIsReleased(_WithHold):
    def prepare(self) -> None:
        super().prepare()
        self.secure()
        self.look()

    def steps(self) -> list[Callable[[], Any]]:
        return [self.release, self.look]

    def release(self) -> None:
        store.begin()
        (hold,) = self.cashier.payments(self.cashier.begun[self.since :])
        holds.release(hold.id)

    def check(self) -> None:
        assert self.charged() == ()

    def ends(self) -> None:
        assert self.charged() == ()
        assert self.cashier.bank.held() == 0
        self.cashier.hold(0)


class InvoiceByCard(_OfRide):
    """A ride that nobody could collect is paid by its rider."""

    plastic = None  # type: ignore[assignment]

    def prepare(self) -> None:
        super().prepare()
        store.begin()
        charge = rides.charge_rental(self.rental)
        assert charge.invoice_id is not None
        self.document = Purpose(kind=PurposeKind.INVOICE, id=charge.invoice_id)
        self.cashier.bank.give_card(self.customer.rider_id)

    def steps(self) -> list[Callable[[], Any]]:
        return [lambda: self.customer.pay(self.document)]

    def ends(self) -> None:
        super().ends()
        assert self.charged() == (self.fare,)


class InvoiceByWallet(InvoiceByCard):
    def prepare(self) -> None:
        super().prepare()
        self.customer.fill(self.fare)

    def steps(self) -> list[Callable[[], Any]]:
        return [lambda: self.customer.pay(self.document, Wish(Means.WALLET))]

    def ends(self) -> None:
        assert self.customer.balance(AccountKind.DEBT) == 0
        assert self.customer.balance() == 0
        assert self.charged() == ()


class Renewal(Story):
    """A subscription renews itself by the saved card."""

    def prepare(self) -> None:
        order = self.customer.subscription(MONTHLY)
        self.customer.fill(PRICE)
        self.customer.pay(order, Wish(Means.WALLET, auto_renew=True))
        store.begin()
        found = subscriptions.current(self.customer.rider_id)
        assert found is not None
        assert found.due_at is not None
        self.until = found.valid_until
        self.cashier.now = max(clock.now(), found.due_at)

    def steps(self) -> list[Callable[[], Any]]:
        return [self.follow_up, self.look]

    def follow_up(self) -> None:
        store.begin()
        renewals.follow_up(self.customer.rider_id)

    def check(self) -> None:
        store.begin()
        found = subscriptions.current(self.customer.rider_id)
        assert found is not None
        assert (found.valid_until > self.until) == (self.charged() == (PRICE,))
        assert self.charged() in {(), (PRICE,)}

    def ends(self) -> None:
        assert self.charged() == (PRICE,)


class GivenBack(Story):
    """A part of what was paid for a subscription goes back."""

    back = 9_900

    def prepare(self) -> None:
        self.order = self.customer.subscription(MONTHLY)
        payment = self.customer.pay(self.order).payment
        assert payment is not None
        self.payment_id, self.refund_id = payment.id, ids.new_id()

    def steps(self) -> list[Callable[[], Any]]:
        return [self.give_back]

    def give_back(self) -> None:
        store.begin()
        reversals.give_back(self.refund_id, self.payment_id, self.back, "too much")

    def recover(self) -> None:
        self.cashier.keep_agenda()

    def check(self) -> None:
        store.begin()
        payment = intents.find(self.payment_id)
        assert payment.refunded in {0, self.back}
        assert self.kept() == PRICE - payment.refunded

    def kept(self) -> int:
        ref = intents.find(self.payment_id).ref
        found = self.cashier.bank.payments[ref or ""].intent
        return found.captured - found.refunded

    def ends(self) -> None:
        assert self.kept() == PRICE - self.back
        invoice = invoices.find(self.customer.rider_id, self.customer.order(self.order).invoice_id or 0)
        assert invoice.credited == self.back


class GivenBackInVain(GivenBack):
    """The bank does not take back what was paid: it goes into the wallet."""

    def prepare(self) -> None:
        super().prepare()
        self.cashier.bank.refuses_refunds = True

    def check(self) -> None:
        assert self.kept() == PRICE
        assert self.customer.balance() in {0, self.back}

    def ends(self) -> None:
        assert self.customer.balance() == self.back
        self.cashier.bank.refuses_refunds = False


def _saved(customer: Customer) -> str:
    store.begin()
    card = payments.profile(customer.rider_id).card
    assert card is not None
    return card.ref


STORIES: Final[list[type[Story]]] = [
    DepositBySavedCard,
    DepositUnderAKey,
    DepositByChosenCard,
    DepositByProvedCard,
    SubscriptionByCard,
    SubscriptionByWallet,
    SubscriptionThatIsNotToRenewAfterAll,
    GiftCodesByCard,
    PaidWhenItWasTooLate,
    GivenUpAsInVain,
    RideByCard,
    RideByWalletAndCard,
    RideByHold,
    RideByHoldAndCard,
    HoldThatIsReplaced,
    HoldThatIsGone,
    HoldThatIsReleased,
    InvoiceByCard,
    InvoiceByWallet,
    Renewal,
    GivenBack,
    GivenBackInVain,
]


def tell(story: Story, calls: Calls, *, faults: int = 1) -> None:
    """Tell a story to its end; a step that fails is told again after all that happens by itself has happened."""
    for step in story.steps():
        try:
            with calls:
                step()
        except Exception:
            if not faults:
                raise
            faults -= 1
            story.recover()
            story.check()
            step()
    story.recover()
    story.check()
    assert all(is_over(each) for each in story.cashier.payments(story.cashier.begun[story.since :]))
    story.ends()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_any_call_may_fail_once(cashier: Cashier, story: type[Story]) -> None:
    told, calls, before = story(cashier), Calls(), len(cashier.bank.calls)
    tell(told, calls, faults=0)
    asked = len(cashier.bank.calls) - before
    assert calls.made
    for number, kind in list(calls.faults()):
        tell(story(cashier), Calls(number, kind))
    for number in range(1, asked + 1):
        for fault in Fault:
            failing = story(cashier)
            cashier.bank.fail(fault, number)
            tell(failing, Calls())
            cashier.bank.faults.clear()
    assert cashier.gap() == 0


def test_a_declined_card_leaves_nothing_behind(cashier: Cashier) -> None:
    customer = cashier.customer(Plastic.DECLINED)
    order = customer.deposit()
    assert customer.pay(order).state is PaymentState.FAILED
    cashier.bank.give_card(customer.rider_id)
    assert customer.pay(order).state is PaymentState.SUCCEEDED
    assert customer.balance() == 5_000
    assert cashier.gap() == 0
