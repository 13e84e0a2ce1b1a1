"""Renewals on the atomic engine and at the payment provider: one for each period, whatever happens."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import pytest

from kickstand.billing import invoices, renewals, settlement
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.kernel.errors import Contention
from kickstand.ledger import service as ledger
from kickstand.ledger.errors import InsufficientFunds
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.payments import intents
from kickstand.payments.model import PaymentState
from kickstand.sales import orders, periods, subscriptions
from kickstand.sales.errors import SubscriptionExists, SubscriptionNotFound
from kickstand.sales.model import Order, OrderKind, OrderState, Subscription, SubscriptionState, Validity, ValidityUnit
from kickstand.sales.store import OrderItem, SubscriptionItem, latest_orders
from local.server import Tables
from reactions import sales as reactions
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.provider import DECLINED_ON_CHARGE, PROVED_ALWAYS, LocalProvider
from tests.support.subscriptions import activated, kept, ordered
from tests.support.world import Crash, Dying

PRICE = 29900
PRIVATE = "kari@mail.example"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTH = Validity(count=30, unit=ValidityUnit.DAY)
_users = count(1)


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture
def rider(city: City) -> int:
    store.begin()
    return identity.ensure_external(city.client, f"renewing-{next(_users)}").rider_id


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Lets time pass, for this test."""

    def pass_(span: timedelta) -> None:
        monkeypatch.setattr(clock, "_offset", clock.offset() + span)
        store.begin()

    return pass_


Later = Callable[[timedelta], None]


def subscribed(city: City, rider: int, left: timedelta = 23 * HOUR, **changes: Any) -> Subscription:
    """A subscription of 30 days that ends soon, and is to be renewed now."""
    offer = {"validity": MONTH} | changes.pop("offer", {})
    return activated(city, rider, clock.now() - 30 * DAY + left, offer=offer, **changes)


def funded(city: City, rider: int, amount: int) -> Account:
    """A rider's wallet with money in it."""
    store.begin()
    wallet = Account(kind=AccountKind.WALLET, holder_id=rider, currency="NOK")
    movement = Movement(
        id=f"deposit-{ids.new_id()}",
        source=Account(kind=AccountKind.PROVIDER, holder_id=city.network_id, currency="NOK"),
        target=wallet,
        amount=amount,
        reason=Reason.DEPOSIT,
        document=1,
        at=clock.now(),
    )
    with store.Transaction() as tx:
        ledger.post(tx, [movement])
    return wallet


def tick() -> None:
    reactions.keep_agenda({}, None)
    store.begin()


def now(rider: int) -> Subscription:
    found = kept(rider)
    assert found is not None
    return found


def renewals_of(rider: int) -> list[Order]:
    """The renewals of a rider, newest first."""
    store.begin()
    return [each for each in latest_orders(rider, 100) if each.kind is OrderKind.RENEWAL]


def settle(rider: int) -> PaymentState:
    """Let the payment of the renewal that is under way be decided, as its workflow does."""
    (payment_id,) = [each.payment_id for each in renewals_of(rider) if each.state is OrderState.PENDING]
    assert payment_id is not None
    store.begin()
    return settlement.advance(payment_id).state


# ── What it is paid with ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_wallet_pays_where_it_suffices(city: City, rider: int, provider: LocalProvider) -> None:
    before = subscribed(city, rider)
    wallet = funded(city, rider, PRICE + 5)
    provider.save_card(rider)
    for _ in range(3):
        tick()
    after = now(rider)
    assert after.valid_until - before.valid_until >= 30 * DAY - HOUR
    assert (after.periods, after.renewal_id, after.attempts) == (2, None, 0)
    (order,) = renewals_of(rider)
    assert (order.state, order.total, order.subscription_id) == (OrderState.COMPLETED, PRICE, before.id)
    assert order.invoice_id is not None
    invoice = invoices.find(rider, order.invoice_id)
    assert (invoice.total, invoice.due) == (PRICE, 0)
    store.begin()
    assert ledger.balance(wallet) == 5
    assert provider.charges() == 0


def test_else_the_saved_card_pays(city: City, rider: int, provider: LocalProvider) -> None:
    before = subscribed(city, rider)
    wallet = funded(city, rider, PRICE - 1)
    provider.save_card(rider)
    for _ in range(3):
        tick()
    assert now(rider).valid_until == before.valid_until
    assert settle(rider) is PaymentState.SUCCEEDED
    for _ in range(3):
        tick()
    after = now(rider)
    assert (after.periods, after.renewal_id, after.attempts) == (2, None, 0)
    assert [each.amount for each in provider.taken()] == [PRICE]
    (order,) = renewals_of(rider)
    assert order.state is OrderState.COMPLETED
    assert ledger.balance(wallet) == PRICE - 1


def test_what_costs_nothing_needs_nothing(city: City, rider: int) -> None:
    subscribed(city, rider, offer={"price": 0})
    tick()
    assert now(rider).periods == 2
    (order,) = renewals_of(rider)
    assert (order.state, order.total, order.invoice_id) == (OrderState.COMPLETED, 0, None)


def test_a_wallet_that_is_emptied_in_this_moment_leaves_it_to_the_card(
    city: City, rider: int, provider: LocalProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed(city, rider)
    provider.save_card(rider)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "balance", lambda _: PRICE)
        tick()
    assert settle(rider) is PaymentState.SUCCEEDED
    assert now(rider).periods == 2


def test_a_renewal_costs_what_was_bought(city: City, rider: int) -> None:
    before = subscribed(city, rider)
    tick()
    (order,) = renewals_of(rider)
    assert order.offer == before.offer
    assert order.discount is None
    assert [(each.name, each.gross) for each in order.lines] == [("Monthly pass", PRICE)]


# ── When ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_renewed_earlier_than_a_day_before(city: City, rider: int, later: Later) -> None:
    funded(city, rider, PRICE)
    subscribed(city, rider, left=25 * HOUR + HOUR)
    tick()
    assert renewals_of(rider) == []
    later(2 * HOUR + HOUR)
    tick()
    assert now(rider).periods == 2


def test_a_day_is_renewed_shortly_before_its_end(city: City, rider: int, later: Later) -> None:
    funded(city, rider, PRICE)
    offer = {"validity": Validity(count=1, unit=ValidityUnit.DAY)}
    subscription = activated(city, rider, offer=offer)
    tick()
    assert renewals_of(rider) == []
    later(subscription.valid_until - clock.now() - HOUR / 2)
    tick()
    assert now(rider).periods == 2


@pytest.mark.parametrize("ticks", [1, 5])
def test_whoever_comes_weeks_late_renews_once_and_from_now_on(city: City, rider: int, later: Later, ticks: int) -> None:
    wallet = funded(city, rider, 10 * PRICE)
    subscription = subscribed(city, rider)
    later(40 * DAY)
    for _ in range(ticks):
        tick()
    after = now(rider)
    assert after.periods == 1
    assert after.valid_from > subscription.valid_until + 38 * DAY
    assert after.is_valid(clock.now())
    assert len(renewals_of(rider)) == 1
    assert ledger.balance(wallet) == 9 * PRICE


def test_a_year_of_periods_is_a_renewal_for_each(city: City, rider: int, later: Later) -> None:
    wallet = funded(city, rider, 100 * PRICE)
    subscribed(city, rider)
    for _ in range(12):
        tick()
        tick()
        later(30 * DAY)
    assert len(renewals_of(rider)) == 12
    assert now(rider).periods == 13
    assert ledger.balance(wallet) == 88 * PRICE


def test_what_does_not_renew_itself_ends(city: City, rider: int, later: Later) -> None:
    funded(city, rider, PRICE)
    subscription = subscribed(city, rider, auto_renew=False)
    tick()
    assert now(rider) == subscription
    later(DAY)
    tick()
    assert kept(rider) is None
    item = store.load(SubscriptionItem.key(rider))
    assert item is not None
    assert (item.entity.state, item.entity.event.name) == (SubscriptionState.ENDED, "SubscriptionEnded")
    assert renewals_of(rider) == []


def test_what_is_cancelled_ends(city: City, rider: int, later: Later) -> None:
    funded(city, rider, PRICE)
    subscription = subscribed(city, rider, left=30 * HOUR)
    with store.Transaction() as tx:
        cancelled = periods.cancelled(subscription, clock.now())
        subscriptions.write(tx, subscription, cancelled)
    tick()
    assert now(rider) == cancelled
    later(31 * HOUR)
    tick()
    assert kept(rider) is None
    assert renewals_of(rider) == []


# ── What goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_whoever_cannot_pay_is_asked_four_times(city: City, rider: int, later: Later) -> None:
    subscription = subscribed(city, rider)
    attempts = []
    for days in (0, 1, 3, 5, 7):
        later(days * DAY)
        tick()
        tick()
        found = kept(rider)
        attempts.append(found.attempts if found else None)
    assert attempts == [1, 2, 3, None, None]
    (order,) = renewals_of(rider)
    assert order.state is OrderState.CANCELLED
    assert not any(each.rider_id == rider for each in subscriptions.due(clock.now() + 1000 * DAY))
    assert subscription.renewal_id is None


def test_it_lasts_as_long_as_it_is_paid(city: City, rider: int, later: Later) -> None:
    subscription = subscribed(city, rider)
    tick()
    assert now(rider).is_valid(clock.now())
    later(subscription.valid_until - clock.now())
    assert not now(rider).is_valid(clock.now())


def test_a_declined_card_is_tried_again_and_taken_once(
    city: City, rider: int, provider: LocalProvider, later: Later
) -> None:
    subscription = subscribed(city, rider)
    provider.save_card(rider, DECLINED_ON_CHARGE)
    tick()
    assert settle(rider) is PaymentState.FAILED
    failed = now(rider)
    assert (failed.attempts, failed.event.name) == (1, "SubscriptionRenewalFailed")
    tick()
    later(DAY + HOUR)
    provider.save_card(rider)
    tick()
    assert settle(rider) is PaymentState.SUCCEEDED
    after = now(rider)
    assert (after.periods, after.attempts) == (1, 0)
    assert after.valid_from > subscription.valid_until
    assert len(renewals_of(rider)) == 1
    assert provider.charges() == 1


def test_the_bank_may_ask_for_the_rider(city: City, rider: int, provider: LocalProvider, later: Later) -> None:
    subscribed(city, rider)
    provider.save_card(rider, PROVED_ALWAYS)
    tick()
    assert settle(rider) is PaymentState.REQUIRES_ACTION
    assert now(rider).event.name == "SubscriptionRenewalTried"
    later(10 * HOUR / 60)
    tick()
    waiting = now(rider)
    assert waiting.event.name == "SubscriptionRenewalWaits"
    for _ in range(3):  # asked once
        later(7 * HOUR)
        tick()
        assert now(rider).event == waiting.event
    intent = intents.find(waiting.event.data["payment_id"])
    assert intent.secret is not None
    provider.authenticate(intent.secret)
    assert settle(rider) is PaymentState.SUCCEEDED
    assert now(rider).renewal_id is None
    assert provider.charges() == 1


def test_a_rider_who_does_not_answer_the_bank_has_not_paid(
    city: City, rider: int, provider: LocalProvider, later: Later
) -> None:
    subscribed(city, rider)
    provider.save_card(rider, PROVED_ALWAYS)
    tick()
    assert settle(rider) is PaymentState.REQUIRES_ACTION
    later(8 * DAY)
    tick()
    assert settle(rider) in {PaymentState.CANCELLED, PaymentState.FAILED}
    failed = now(rider)
    assert failed.event.name == "SubscriptionRenewalFailed"
    assert not failed.is_valid(clock.now())
    assert provider.charges() == 0


def test_cancelling_withdraws_a_renewal_that_waits(city: City, rider: int, later: Later) -> None:
    subscription = subscribed(city, rider)
    tick()
    waiting = now(rider)
    with store.Transaction() as tx:
        subscriptions.write(tx, waiting, periods.cancelled(waiting, clock.now()))
    tick()
    (order,) = renewals_of(rider)
    assert order.state is OrderState.CANCELLED
    assert now(rider).due_at == subscription.valid_until
    later(DAY)
    tick()
    assert kept(rider) is None


def test_a_payment_under_way_when_it_is_cancelled_pays_one_more_period(
    city: City, rider: int, provider: LocalProvider, later: Later
) -> None:
    subscribed(city, rider)
    provider.save_card(rider)
    tick()
    waiting = now(rider)
    with store.Transaction() as tx:
        subscriptions.write(tx, waiting, periods.cancelled(waiting, clock.now()))
    tick()
    assert settle(rider) is PaymentState.SUCCEEDED
    after = now(rider)
    assert (after.periods, after.auto_renew) == (2, False)
    later(32 * DAY)
    tick()
    assert kept(rider) is None
    assert provider.charges() == 1


def test_a_bank_that_asks_for_a_rider_who_has_cancelled_is_not_answered(
    city: City, rider: int, provider: LocalProvider, later: Later
) -> None:
    subscription = subscribed(city, rider)
    provider.save_card(rider, PROVED_ALWAYS)
    tick()
    assert settle(rider) is PaymentState.REQUIRES_ACTION
    later(periods.SOON)
    tick()
    waiting = now(rider)
    assert waiting.event.name == "SubscriptionRenewalWaits"
    with store.Transaction() as tx:
        subscriptions.write(tx, waiting, periods.cancelled(waiting, clock.now()))
    tick()
    assert settle(rider) is PaymentState.CANCELLED
    assert now(rider).event.name == "SubscriptionCancelled"  # and no mail says that it could not be renewed
    tick()
    (order,) = renewals_of(rider)
    assert order.state is OrderState.CANCELLED
    assert now(rider).due_at == subscription.valid_until
    assert provider.charges() == 0


def test_whoever_answers_the_bank_before_the_payment_is_called_back_has_paid(
    city: City, rider: int, provider: LocalProvider, later: Later
) -> None:
    subscribed(city, rider)
    provider.save_card(rider, PROVED_ALWAYS)
    tick()
    assert settle(rider) is PaymentState.REQUIRES_ACTION
    later(periods.SOON)
    tick()
    waiting = now(rider)
    with store.Transaction() as tx:
        subscriptions.write(tx, waiting, periods.cancelled(waiting, clock.now()))
    tick()
    intent = intents.find(waiting.event.data["payment_id"])
    assert intent.secret is not None
    provider.authenticate(intent.secret)
    assert settle(rider) is PaymentState.SUCCEEDED
    after = now(rider)
    assert (after.periods, after.auto_renew) == (2, False)


def test_a_renewal_that_somebody_has_cancelled_is_the_last(city: City, rider: int) -> None:
    subscribed(city, rider)
    tick()
    (order,) = renewals_of(rider)
    with store.Transaction() as tx:
        orders.withdraw(tx, order)
    store.begin()
    waiting = now(rider)
    with store.Transaction() as tx:
        subscriptions.write(tx, waiting, periods.looked_after(waiting, clock.now()))
    tick()
    after = now(rider)
    assert (after.auto_renew, after.renewal_id, after.due_at) == (False, None, after.valid_until)


@pytest.mark.parametrize("at", range(1, 4))
def test_whoever_dies_on_the_way_charges_nobody_twice(
    city: City, rider: int, provider: LocalProvider, later: Later, at: int
) -> None:
    subscribed(city, rider)
    provider.save_card(rider)
    store.begin()
    with Dying(at):
        try:
            renewals.follow_up(rider)
            settle(rider)
        except Crash:
            store.begin()
        else:
            pytest.fail("nobody has died")
    for _ in range(3):
        tick()
        if renewals_of(rider)[0].state is OrderState.PENDING:
            settle(rider)
        later(10 * HOUR / 60)
    assert now(rider).periods == 2
    assert len(renewals_of(rider)) == 1
    assert provider.charges() == 1


@pytest.mark.parametrize("at", range(1, 3))
def test_whoever_dies_with_a_wallet_takes_it_once(city: City, rider: int, at: int) -> None:
    subscribed(city, rider)
    wallet = funded(city, rider, 3 * PRICE)
    store.begin()
    with Dying(at), pytest.raises(Crash):
        renewals.follow_up(rider)
    for _ in range(3):
        tick()
    assert now(rider).periods == 2
    assert ledger.balance(wallet) == 2 * PRICE


def at_once(number: int, attempt: Callable[[], object]) -> list[type[Exception]]:
    def caught(_: int) -> type[Exception] | None:
        store.begin()
        try:
            attempt()
        except Contention as error:
            return type(error)
        return None

    with ThreadPoolExecutor(number) as pool:
        return [each for each in pool.map(caught, range(number)) if each is not None]


def test_16_rounds_at_once_begin_one_payment(city: City, rider: int, provider: LocalProvider) -> None:
    subscribed(city, rider)
    provider.save_card(rider)
    at_once(16, lambda: renewals.follow_up(rider))
    tick()
    assert settle(rider) is PaymentState.SUCCEEDED
    assert now(rider).periods == 2
    assert len(renewals_of(rider)) == 1
    assert provider.charges() == 1


def test_16_rounds_at_once_take_a_wallet_once(city: City, rider: int) -> None:
    wallet = funded(city, rider, 20 * PRICE)
    subscribed(city, rider)
    at_once(16, lambda: renewals.follow_up(rider))
    tick()
    assert now(rider).periods == 2
    assert ledger.balance(wallet) == 19 * PRICE


# ── The agenda ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_order_that_nobody_pays_is_cancelled(city: City, rider: int, later: Later) -> None:
    user = f"renewing-{next(_users)}"
    identity.ensure_external(city.client, user)
    store.begin()
    order = orders.order_deposit(city.client, user, 10_000, "nb")
    tick()
    assert orders.find(order.rider_id, order.id).state is OrderState.PENDING
    later(DAY + HOUR)
    tick()
    assert orders.find(order.rider_id, order.id).state is OrderState.CANCELLED


@pytest.fixture
def broken(city: City, monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Riders about whom nothing can be done, as long as they are in here; one of them at first."""
    store.begin()
    riders = {identity.ensure_external(city.client, f"renewing-{next(_users)}").rider_id}
    follow_up = renewals.follow_up

    def fail(rider_id: int) -> None:
        if rider_id in riders:
            raise RuntimeError(PRIVATE)
        follow_up(rider_id)

    monkeypatch.setattr(renewals, "follow_up", fail)
    return riders


def test_one_that_fails_holds_up_nobody_else(
    city: City, rider: int, broken: set[int], caplog: pytest.LogCaptureFixture
) -> None:
    (one,) = broken
    funded(city, rider, PRICE)
    for each in (one, rider):
        subscribed(city, each)
    with pytest.raises(ExceptionGroup):
        tick()
    assert now(rider).periods == 2
    (logged,) = [vars(each) for each in caplog.records if each.message == "agenda failed"]
    assert (logged["rider"], logged["order"], logged["error"]) == (one, None, "RuntimeError")
    assert PRIVATE not in str(logged)


def test_one_that_fails_is_tried_again_in_half_an_hour(city: City, broken: set[int], later: Later) -> None:
    (one,) = broken
    subscribed(city, one)
    with pytest.raises(ExceptionGroup):
        tick()
    tick()
    later(HOUR / 2)
    with pytest.raises(ExceptionGroup):
        tick()
    broken.clear()
    later(HOUR / 2)
    tick()
    assert now(one).attempts == 1


def test_those_that_fail_do_not_fill_the_agenda(
    city: City, rider: int, broken: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tick()
    monkeypatch.setattr("kickstand.kernel.items.SHARDS", 1)
    monkeypatch.setattr(subscriptions, "SHARDS", 1)
    monkeypatch.setattr(subscriptions, "_MOST_DUE", 1)
    funded(city, rider, PRICE)
    for each in broken:
        subscribed(city, each, left=HOUR)
    subscribed(city, rider)
    with pytest.raises(ExceptionGroup):
        tick()
    tick()
    assert now(rider).periods == 2


def test_nobody_is_charged_days_before_the_end(city: City, rider: int, later: Later) -> None:
    funded(city, rider, PRICE)
    before = subscribed(city, rider, left=10 * DAY)
    store.change(SubscriptionItem.key(rider), [SubscriptionItem.due_at.set(clock.now())])
    tick()
    assert (renewals_of(rider), now(rider).due_at) == ([], before.valid_until - DAY)
    later(9 * DAY + HOUR)
    tick()
    assert now(rider).periods == 2


def test_one_that_fails_when_it_is_done_is_not_done_again(
    city: City, rider: int, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    funded(city, rider, 2 * PRICE)
    subscribed(city, rider)
    follow_up = renewals.follow_up

    def die(rider_id: int) -> None:
        follow_up(rider_id)
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(renewals, "follow_up", die)
        with pytest.raises(ExceptionGroup):
            tick()
    later(HOUR)
    tick()
    assert now(rider).periods == 2


def test_a_round_ends_before_the_next_one_and_has_done_what_is_longest_due(
    city: City, rider: int, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick()
    store.begin()
    late = [identity.ensure_external(city.client, f"renewing-{next(_users)}").rider_id for _ in range(9)]
    for hours, each in enumerate([*late, rider]):
        subscribed(city, each, left=(22 - hours) * HOUR)  # whoever ends first comes first, whatever part they are in
    followed: list[int] = []

    def dawdle(rider_id: int) -> None:
        followed.append(rider_id)
        later(timedelta(minutes=1))

    with monkeypatch.context() as patch:
        patch.setattr(renewals, "follow_up", dawdle)
        assert reactions.keep_agenda({}, None) == {"due": 10, "done": 4}
    assert followed == [rider, *reversed(late)][:4]
    tick()
    assert {now(each).attempts for each in (rider, *late)} == {1}


def test_whoever_is_second_leaves_it_to_the_first(city: City, rider: int, monkeypatch: pytest.MonkeyPatch) -> None:
    subscribed(city, rider)

    def lose(_: int) -> None:
        raise Contention

    with monkeypatch.context() as patch:
        patch.setattr(renewals, "follow_up", lose)
        tick()
    tick()
    assert len(renewals_of(rider)) == 1


def test_a_round_without_anything_due_is_a_query_for_each_part(city: City) -> None:
    tick()
    with measured() as usage:
        reactions.keep_agenda({}, None)
    assert usage.calls == ["Query"] * 8
    assert usage.read_units <= 8


# ── Anything in any order ────────────────────────────────────────────────────────────────────────────────────────────


class Life:
    """Somebody who has a pass, and everything that can happen to it; money comes and goes by the wallet."""

    def __init__(self, city: City, user: str, later: Later, seed: int) -> None:
        self.city, self.user, self.later, self.random = city, user, later, random.Random(seed)
        self.rider = identity.ensure_external(city.client, user).rider_id
        self.paid_in = 0
        self.bought = 0

    def live(self) -> None:
        self.pay_in()
        happenings = (self.wait, self.wait, self.wait, tick, self.die, self.crowd, self.pay_in, self.cancel, self.buy)
        for _ in range(60):
            store.begin()
            self.random.choice(happenings)()
            self.check()

    def wait(self) -> None:
        self.later(self.random.choice((HOUR, DAY, 3 * DAY, 10 * DAY, 40 * DAY)))
        tick()

    def die(self) -> None:
        with Dying(self.random.randint(1, 4)), suppress(Crash, Contention):
            renewals.follow_up(self.rider)

    def crowd(self) -> None:
        at_once(4, lambda: renewals.follow_up(self.rider))

    def pay_in(self) -> None:
        amount = self.random.choice((1, PRICE, 3 * PRICE))
        funded(self.city, self.rider, amount)
        self.paid_in += amount

    def cancel(self) -> None:
        with suppress(SubscriptionNotFound):
            subscriptions.cancel(self.city.client, self.user)

    def buy(self) -> None:
        order = ordered(self.city, self.rider, offer={"validity": MONTH}, auto_renew=self.random.random() < 0.8)
        with store.Transaction() as tx:
            tx.create(OrderItem.waiting(order))
        with suppress(SubscriptionExists, InsufficientFunds):
            settlement.from_wallet(order)
            self.bought += 1

    def check(self) -> None:
        """Every period is paid for once, every payment has given a period, and nobody has two orders open."""
        placed = renewals_of(self.rider)
        open_ = [each for each in placed if each.state is OrderState.PENDING]
        done = [each for each in placed if each.state is OrderState.COMPLETED]
        wallet = Account(kind=AccountKind.WALLET, holder_id=self.rider, currency="NOK")
        assert ledger.balance(wallet) == self.paid_in - PRICE * (self.bought + len(done))
        found = SubscriptionItem.query(f"RIDER#{self.rider}", SubscriptionItem.sk.startswith("SUBSCRIPTION"))
        passes = sorted((each.entity for each in found), key=lambda each: each.id)
        assert len(passes) == self.bought
        assert [each.state for each in passes[:-1]] == [SubscriptionState.ENDED] * len(passes[:-1])
        for before, after in pairwise(passes):
            assert before.valid_until <= after.valid_from
        for each in passes:
            assert abs(each.valid_until - each.valid_from - each.periods * 30 * DAY) <= HOUR
        assert {each.id for each in open_} <= {each.renewal_id for each in passes[-1:]}


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_every_period_is_paid_for_once(city: City, later: Later, seed: int) -> None:
    Life(city, f"renewing-{next(_users)}", later, seed).live()
