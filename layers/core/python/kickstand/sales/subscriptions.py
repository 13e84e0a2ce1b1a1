"""Use cases about subscriptions: a rider's right to ride at a plan for a time."""

import heapq
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.kernel.items import SHARDS
from kickstand.sales import periods
from kickstand.sales import store as sales
from kickstand.sales.errors import OrderClosed, SubscriptionExists, SubscriptionNotFound, SubscriptionRequired
from kickstand.sales.model import Order, OrderState, Subscription, SubscriptionState
from kickstand.sales.store import EndedSubscriptionItem, OrderItem, SubscriptionItem

_MOST_DUE: Final = 1_000
_POSTPONED: Final = timedelta(minutes=30)

# ── What riders and partners do ──────────────────────────────────────────────────────────────────────────────────────


def expect(rider_id: int) -> None:
    """Announce that this request will ask for a rider's subscription."""
    store.expect(SubscriptionItem.key(rider_id))


def current(rider_id: int) -> Subscription | None:
    """The rider's subscription; one read.

    It may have run out while its renewal is still tried: :meth:`Subscription.is_valid` says whether it counts.
    """
    item = store.load(SubscriptionItem.key(rider_id))
    return item.entity if item is not None and item.state is SubscriptionState.ACTIVE else None


def find(client: ApiClient, user_id: str) -> Subscription:
    """The valid subscription of a partner's user.

    Raises:
        RiderNotFound: the partner has no such user.
        SubscriptionNotFound: the user has none.
    """
    subscription = current(identity.external(client, user_id).rider_id)
    if subscription is None or not subscription.is_valid(clock.now()):
        raise SubscriptionNotFound
    return subscription


def cancel(client: ApiClient, user_id: str) -> Subscription:
    """Let a user's subscription end with the period that is paid. Cancelling once more changes nothing.

    One that has run out can be cancelled for as long as its renewal is still tried.

    Raises:
        RiderNotFound: the partner has no such user.
        SubscriptionNotFound: the user has none.
        NotCancellable: it is neither free nor cancellable by its users.
    """
    rider_id = identity.external(client, user_id).rider_id

    def attempt() -> Subscription:
        subscription = current(rider_id)
        now = clock.now()
        if subscription is None or not (subscription.is_valid(now) or subscription.auto_renew):
            raise SubscriptionNotFound
        periods.check_cancellable(subscription)
        if subscription.cancelled_at is not None:
            return subscription
        over = periods.cancelled(subscription, now)
        with store.Transaction() as tx:
            write(tx, subscription, over)
        return over

    return store.again(attempt)


def check_opens(rider_id: int, plan_id: int) -> None:
    """Refuse a rider who has no valid subscription that opens a plan; one read.

    Raises:
        SubscriptionRequired: the rider has none.
    """
    subscription = current(rider_id)
    if subscription is None or not subscription.is_valid(clock.now()) or subscription.offer.plan_id != plan_id:
        raise SubscriptionRequired


# ── What orders do ───────────────────────────────────────────────────────────────────────────────────────────────────


def check_free(rider_id: int) -> None:
    """Refuse a rider who cannot have another subscription now; one read, and one more where a renewal is tried.

    Raises:
        SubscriptionExists: the rider has one that is valid, or whose renewal is being paid.
    """
    _replaceable(rider_id, clock.now())


def activate(tx: store.Transaction, order: Order, at: datetime) -> Subscription:
    """Begin the subscription that a rider has ordered, within the transaction that completes the order.

    Of several at once, one wins. It takes the place of one that has run out, whose renewal is tried no more.

    Raises, now or when the transaction is committed:
        SubscriptionExists: the rider has one.
    """
    before, renewal = _replaceable(order.rider_id, at)
    subscription = periods.opened(order, at, fleet.known_network(order.network_id).timezone)
    item = SubscriptionItem.waiting(subscription)
    if before is None:
        tx.create(item, otherwise=SubscriptionExists)
        return subscription
    unchanged = (SubscriptionItem.id == before.id) & (SubscriptionItem.version == before.version)
    tx.put(item, condition=unchanged, otherwise=SubscriptionExists)
    over = before if before.state is SubscriptionState.ENDED else periods.ended(before, at)
    tx.create(EndedSubscriptionItem.of(over))
    if renewal is not None:
        withdrawn = periods.withdrawn(renewal, at)
        tx.put(OrderItem.waiting(withdrawn), condition=OrderItem.version == renewal.version, otherwise=store.Contention)
    return subscription


def extend(tx: store.Transaction, order: Order, at: datetime) -> Subscription:
    """Add the period that a renewal has paid for, within the transaction that completes the order.

    Raises:
        OrderClosed: this is not what the rider's subscription is being renewed by.
    """
    before = current(order.rider_id)
    if before is None or before.renewal_id != order.id:
        raise OrderClosed
    after = periods.renewed(before, order, at, fleet.known_network(before.network_id).timezone)
    write(tx, before, after)
    return after


def renewal_failed(tx: store.Transaction, order: Order, at: datetime) -> None:
    """Try a renewal again in some days, or give it up, within the transaction that lets go of the order's payment.

    Nothing for an order by which no subscription is being renewed any more. Of one that the rider has cancelled, the
    agenda sees to the end.
    """
    before = current(order.rider_id)
    if before is not None and before.renewal_id == order.id:
        unwanted = before.cancelled_at is not None
        write(tx, before, periods.looked_after(before, at) if unwanted else periods.failed(before, at))


def _replaceable(rider_id: int, at: datetime) -> tuple[Subscription | None, Order | None]:
    """What a new subscription takes the place of, and the order by which that was to be renewed."""
    item = store.load(SubscriptionItem.key(rider_id))
    if item is None:
        return None, None
    before = item.entity
    if before.state is SubscriptionState.ENDED:
        return before, None
    if at < before.valid_until:  # wherever it begins: by the clock of whoever was faster, that may be after ``at``
        raise SubscriptionExists
    found = store.load(OrderItem.key(rider_id, before.renewal_id)) if before.renewal_id is not None else None
    if found is None or found.entity.state is not OrderState.PENDING:
        return before, None
    if found.entity.payment_id is not None:
        raise SubscriptionExists
    return before, found.entity


def write(tx: store.Transaction, before: Subscription, after: Subscription) -> None:
    """Write what has become of a subscription, if nobody else has changed it meanwhile."""
    unchanged = (SubscriptionItem.id == before.id) & (SubscriptionItem.version == before.version)
    tx.put(SubscriptionItem.waiting(after), condition=unchanged, otherwise=store.Contention)


# ── The agenda ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Due:
    """Something whose time has come.

    Attributes:
        rider_id: whose.
        order_id: the order whose time is over; ``None`` where it is the rider's subscription.
    """

    rider_id: int
    order_id: int | None


def due(now: datetime) -> list[Due]:
    """What is due, at most 1,000 of each of eight parts, longest due first; a query for each part."""
    found = heapq.merge(*(sales.due(str(part), now, _MOST_DUE) for part in range(SHARDS)))
    return [Due(rider_id=_number(pk), order_id=_number(sk) if sk.startswith("ORDER#") else None) for _, pk, sk in found]


def postpone(due: Due) -> None:
    """Look again half an hour later at what is due and could not be done, so that others come first."""
    now = clock.now()
    sales.postpone(due.rider_id, due.order_id, now, now + _POSTPONED)


def _number(key: str) -> int:
    return int(key.partition("#")[2])
