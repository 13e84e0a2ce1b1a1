"""Subscriptions on the atomic engine: one at a time, whoever is fastest."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.kernel import clock, store
from kickstand.kernel.errors import Contention, DomainError
from kickstand.kernel.items import shard
from kickstand.sales import orders, periods, subscriptions
from kickstand.sales.errors import (
    NotCancellable,
    OrderClosed,
    SubscriptionExists,
    SubscriptionNotFound,
    SubscriptionRequired,
)
from kickstand.sales.model import Order, OrderKind, OrderState, Subscription, SubscriptionState
from kickstand.sales.store import EndedSubscriptionItem, OrderItem, SubscriptionItem, due
from local.server import Tables
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.subscriptions import activated, kept, ordered

DAY = timedelta(days=1)
PLAN = 24


@pytest.fixture
def city(engine: Tables) -> City:
    return City()


@pytest.fixture
def rider(city: City) -> int:
    return enlisted(city, "kari")


def enlisted(city: City, user: str) -> int:
    store.begin()
    return identity.ensure_external(city.client, user).rider_id


def changed(subscription: Subscription, after: Subscription) -> Subscription:
    store.begin()
    with store.Transaction() as tx:
        subscriptions.write(tx, subscription, after)
    return after


def renewal_of(city: City, subscription: Subscription, **changes: Any) -> Order:
    """An order by which a subscription is being renewed."""
    renewal = ordered(city, subscription.rider_id, kind=OrderKind.RENEWAL, subscription_id=subscription.id, **changes)
    changed(subscription, periods.renewing(subscription, renewal.id, clock.now()))
    with store.Transaction() as tx:
        tx.create(OrderItem.waiting(renewal))
    return renewal


def agenda(subscription: Subscription, days: float) -> list[tuple[str, str]]:
    store.begin()
    found = due(shard(subscription.id), clock.now() + days * DAY, 1000)
    return [(pk, sk) for _, pk, sk in found if pk == f"RIDER#{subscription.rider_id}"]


def in_threads(number: int, attempt: Callable[[int], Any]) -> list[Any]:
    def caught(each: int) -> Any:
        store.begin()
        try:
            return attempt(each)
        except DomainError as error:
            return type(error)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(caught, range(number)))


def test_a_paid_order_becomes_a_subscription(city: City, rider: int) -> None:
    assert kept(rider) is None
    subscription = activated(city, rider)
    assert kept(rider) == subscription
    assert subscription.is_valid(clock.now())
    assert agenda(subscription, 20) == []
    assert agenda(subscription, 31) == [(f"RIDER#{rider}", "SUBSCRIPTION")]


def test_there_is_one_at_a_time(city: City, rider: int) -> None:
    first = activated(city, rider)
    with pytest.raises(SubscriptionExists):
        activated(city, rider)
    store.begin()
    with pytest.raises(SubscriptionExists):
        subscriptions.check_free(rider)
    assert kept(rider) == first


def test_of_32_at_once_one_wins(city: City, rider: int) -> None:
    found = in_threads(32, lambda _: activated(city, rider))
    winners = [each for each in found if isinstance(each, Subscription)]
    assert len(winners) == 1
    assert {each for each in found if not isinstance(each, Subscription)} == {SubscriptionExists}
    assert kept(rider) == winners[0]


def test_a_clock_that_is_behind_takes_nobodys_subscription_away(city: City, rider: int) -> None:
    first = activated(city, rider)
    with pytest.raises(SubscriptionExists):
        activated(city, rider, first.valid_from - timedelta(seconds=1))
    assert kept(rider) == first


def test_of_32_that_follow_another_at_once_one_wins(city: City, rider: int) -> None:
    old = activated(city, rider, clock.now() - 40 * DAY)
    found = in_threads(32, lambda _: activated(city, rider))
    assert len([each for each in found if isinstance(each, Subscription)]) == 1
    assert {each for each in found if not isinstance(each, Subscription)} == {SubscriptionExists}
    store.begin()
    moved = store.load(EndedSubscriptionItem.key(rider, old.id))
    assert moved is not None
    assert moved.entity.state is SubscriptionState.ENDED


def test_the_next_one_keeps_the_last_one_beside_it(city: City, rider: int) -> None:
    old = activated(city, rider, clock.now() - 40 * DAY)
    over = changed(old, periods.ended(old, clock.now()))
    assert kept(rider) is None
    store.begin()
    subscriptions.check_free(rider)
    new = activated(city, rider)
    assert kept(rider) == new
    store.begin()
    moved = store.load(EndedSubscriptionItem.key(rider, old.id))
    assert moved is not None
    assert moved.entity == over
    assert len(agenda(new, 60)) == 1


def test_none_follows_while_a_renewal_is_paid(city: City, rider: int) -> None:
    old = activated(city, rider, clock.now() - 40 * DAY)
    renewal_of(city, old, payment_id=13)
    with pytest.raises(SubscriptionExists):
        activated(city, rider)


def test_one_that_follows_withdraws_the_renewal_of_the_last_one(city: City, rider: int) -> None:
    old = activated(city, rider, clock.now() - 40 * DAY)
    renewal = renewal_of(city, old)
    assert activated(city, rider) == kept(rider)
    store.begin()
    assert orders.find(rider, renewal.id).state is OrderState.CANCELLED
    assert subscriptions.due(clock.now() + 400 * DAY)  # the new one, and no order of this rider
    assert not [each for each in subscriptions.due(clock.now() + 400 * DAY) if each.order_id == renewal.id]


def test_a_renewal_adds_a_period_once(city: City, rider: int) -> None:
    subscription = activated(city, rider)
    renewal = renewal_of(city, subscription)

    def pay() -> Subscription:
        store.begin()
        with store.Transaction() as tx:
            return subscriptions.extend(tx, renewal, clock.now())

    extended = pay()
    assert extended.valid_until > subscription.valid_until + 27 * DAY
    with pytest.raises(OrderClosed):
        pay()
    assert kept(rider) == extended


def test_of_16_payments_of_a_renewal_at_once_one_counts(city: City, rider: int) -> None:
    subscription = activated(city, rider)
    renewal = renewal_of(city, subscription)

    def pay(_: int) -> Subscription:
        with store.Transaction() as tx:
            return subscriptions.extend(tx, renewal, clock.now())

    found = in_threads(16, pay)
    assert len([each for each in found if isinstance(each, Subscription)]) == 1
    assert {each for each in found if not isinstance(each, Subscription)} <= {Contention, OrderClosed}
    extended = kept(rider)
    assert extended is not None
    assert extended.periods == 2


def test_a_failed_renewal_waits_for_its_next_attempt(city: City, rider: int) -> None:
    subscription = activated(city, rider)
    renewal = renewal_of(city, subscription)
    now = clock.now()
    store.begin()
    with store.Transaction() as tx:
        subscriptions.renewal_failed(tx, renewal, now)
    found = kept(rider)
    assert found is not None
    assert (found.due_at, found.renewal_id) == (now + DAY, renewal.id)
    stranger = ordered(city, rider, kind=OrderKind.RENEWAL, subscription_id=subscription.id)
    store.begin()
    with store.Transaction() as tx:
        subscriptions.renewal_failed(tx, stranger, now)
    assert kept(rider) == found


def test_cancelling(city: City, rider: int) -> None:
    subscription = activated(city, rider)
    store.begin()
    cancelled = subscriptions.cancel(city.client, "kari")
    assert cancelled.is_valid(subscription.valid_until - DAY)
    assert not cancelled.auto_renew
    store.begin()
    assert subscriptions.cancel(city.client, "kari") == cancelled
    assert kept(rider) == cancelled


def test_16_cancellations_at_once_are_one(city: City, rider: int) -> None:
    activated(city, rider)
    found = in_threads(16, lambda _: subscriptions.cancel(city.client, "kari"))
    done = {each for each in found if not isinstance(each, Subscription)}
    assert done <= {Contention}
    assert len({each.cancelled_at for each in found if isinstance(each, Subscription)}) == 1


def test_what_is_neither_free_nor_cancellable_is_not_cancelled(city: City, rider: int) -> None:
    subscription = activated(city, rider, offer={"cancellable": False})
    store.begin()
    with pytest.raises(NotCancellable):
        subscriptions.cancel(city.client, "kari")
    assert kept(rider) == subscription


def test_one_that_has_run_out_is_nobodys_any_more(city: City, rider: int) -> None:
    activated(city, rider, clock.now() - 40 * DAY, auto_renew=False)
    for attempt in (subscriptions.find, subscriptions.cancel):
        store.begin()
        with pytest.raises(SubscriptionNotFound):
            attempt(city.client, "kari")
    store.begin()
    with pytest.raises(RiderNotFound):
        subscriptions.find(city.client, "nobody")


def test_whose_renewal_is_still_tried_can_give_it_up(city: City, rider: int) -> None:
    old = activated(city, rider, clock.now() - 40 * DAY)
    renewal_of(city, old)
    store.begin()
    assert not subscriptions.cancel(city.client, "kari").auto_renew
    store.begin()
    with pytest.raises(SubscriptionNotFound):
        subscriptions.cancel(city.client, "kari")


def test_which_plans_it_opens(city: City, rider: int) -> None:
    store.begin()
    with pytest.raises(SubscriptionRequired):
        subscriptions.check_opens(rider, PLAN)
    activated(city, rider)
    store.begin()
    subscriptions.check_opens(rider, PLAN)
    with pytest.raises(SubscriptionRequired):
        subscriptions.check_opens(rider, PLAN + 1)


def test_what_has_run_out_opens_nothing(city: City, rider: int) -> None:
    activated(city, rider, clock.now() - 40 * DAY)
    store.begin()
    with pytest.raises(SubscriptionRequired):
        subscriptions.check_opens(rider, PLAN)


def test_finding_takes_one_read_and_cancelling_one_write(city: City, rider: int) -> None:
    activated(city, rider)
    store.begin()
    with measured() as usage:
        subscriptions.find(city.client, "kari")
    assert usage.calls == ["BatchGetItem", "BatchGetItem"]
    assert usage.read_units <= 3
    with measured() as usage:
        subscriptions.cancel(city.client, "kari")
    assert usage.calls == ["TransactWriteItems"]


def test_what_is_over_leaves_the_agenda(city: City, rider: int) -> None:
    subscription = activated(city, rider, clock.now() - 40 * DAY)
    assert agenda(subscription, 0)
    changed(subscription, periods.ended(subscription, clock.now()))
    assert agenda(subscription, 1000) == []
    assert store.load(SubscriptionItem.key(rider)) is not None
