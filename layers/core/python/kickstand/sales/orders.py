"""Use cases about orders: what riders want to buy, from the first wish to its completion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Network
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.kernel.events import Event
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, Movement
from kickstand.sales import discounts, offers, rules, subscriptions, vouchers
from kickstand.sales.errors import OrderInPayment, OrderNotFound
from kickstand.sales.model import (
    ORDER_STATES,
    Offer,
    Order,
    OrderKind,
    OrderLine,
    OrderState,
    OrderTrigger,
    PaymentMethod,
    Subscription,
)
from kickstand.sales.store import OrderItem, latest_orders

MOST_LISTED: Final = 1_000
"""So many of a rider's orders can be listed: the newest."""

# ── Ordering ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def order_subscription(client: ApiClient, user_id: str, offer_id: int, locale: str) -> Order:
    """Let a user order a subscription.

    Asking again makes another order; of several, one can be completed, the others expire.

    Raises:
        RiderNotFound: the client has no such user.
        OfferNotFound, OfferClosed: it cannot be ordered, or is no subscription.
        SubscriptionExists: the user has a subscription.
    """
    offers.expect(client.id, offer_id)
    rider_id = identity.external(client, user_id).rider_id
    offer = offers.offer(client, offer_id)
    lines = rules.subscription_lines(offer)
    ledger.expect(Account.wallet(rider_id, offer.currency))
    subscriptions.expect(rider_id)
    network = offers.seller(client)
    subscriptions.check_free(rider_id)
    return _place(_draft(client, rider_id, network, OrderKind.SUBSCRIPTION, lines, locale, offer=offer))


def order_deposit(client: ApiClient, user_id: str, amount: int, locale: str) -> Order:
    """Let a user order money for the user's own wallet, in the currency of the client's seller.

    Raises:
        RiderNotFound: the client has no such user.
        AmountNotValid: it is too little or too much.
    """
    rider_id = identity.external(client, user_id).rider_id
    network = offers.seller(client)
    lines = rules.deposit_lines(amount, network.currency)
    return _place(_draft(client, rider_id, network, OrderKind.WALLET_DEPOSIT, lines, locale))


def order_vouchers(
    client: ApiClient,
    user_id: str,
    lines: Sequence[tuple[int, int]],
    email: str,
    receipt_email: str | None,
    locale: str,
) -> Order:
    """Let a user order gift codes.

    Args:
        client: the client.
        user_id: its own id of the user.
        lines: products, each with how many of it.
        email: where the codes go.
        receipt_email: where the receipt goes; without it, to the rider's own address.
        locale: the language of whoever orders.

    Raises:
        RiderNotFound: the client has no such user.
        OfferNotFound, OfferClosed: one of them cannot be ordered, or is no gift code.
        AmountNotValid: they are too many.
    """
    offers.expect(client.id, *(offer_id for offer_id, _ in lines))
    rider_id = identity.external(client, user_id).rider_id
    found = offers.offers(client, [offer_id for offer_id, _ in lines])
    network = offers.seller(client)
    priced = rules.voucher_lines([(offer, quantity) for offer, (_, quantity) in zip(found, lines, strict=True)])
    drafted = _draft(client, rider_id, network, OrderKind.VOUCHER_CODES, priced, locale, gifts=tuple(found))
    return _place(drafted.model_copy(update={"email": email, "receipt_email": receipt_email}))


def order_renewal(tx: store.Transaction, subscription: Subscription, at: datetime) -> Order:
    """Order the next period of a subscription, at the price of the last one, within the transaction that notes it.

    It does not expire by itself: whoever renews withdraws it, or lets it fail.
    """
    order_id = ids.new_id()
    lines = rules.subscription_lines(subscription.offer)
    total, vat = rules.totals(lines)
    order = Order(
        id=order_id,
        token=ids.new_token(order_id),
        client_id=subscription.client_id,
        rider_id=subscription.rider_id,
        network_id=subscription.network_id,
        kind=OrderKind.RENEWAL,
        currency=subscription.offer.currency,
        lines=lines,
        total=total,
        vat=vat,
        offer=subscription.offer,
        subscription_id=subscription.id,
        locale=subscription.locale,
        auto_renew=True,
        created_at=at,
        expires_at=at + rules.RENEWABLE_FOR,
        event=Event.new("OrderPlaced", at),
    )
    tx.create(OrderItem.waiting(order))
    return order


def _draft(
    client: ApiClient,
    rider_id: int,
    network: Network,
    kind: OrderKind,
    lines: tuple[OrderLine, ...],
    locale: str,
    *,
    offer: Offer | None = None,
    gifts: tuple[Offer, ...] = (),
) -> Order:
    now = clock.now()
    order_id = ids.new_id()
    total, vat = rules.totals(lines)
    return Order(
        id=order_id,
        token=ids.new_token(order_id),
        client_id=client.id,
        rider_id=rider_id,
        network_id=network.id,
        kind=kind,
        currency=network.currency,
        lines=lines,
        total=total,
        vat=vat,
        offer=offer,
        gifts=gifts,
        locale=locale,
        created_at=now,
        expires_at=now + rules.PAYABLE_FOR,
        event=Event.new("OrderPlaced", now),
    )


def _place(order: Order) -> Order:
    with store.Transaction() as tx:
        tx.create(OrderItem.waiting(order))
    return order


# ── Finding ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def expect(rider_id: int, order_id: int) -> None:
    """Announce that this request will ask for an order."""
    store.expect(OrderItem.key(rider_id, order_id))


def find(rider_id: int, order_id: int) -> Order:
    """A rider's order; one read.

    Raises:
        OrderNotFound: the rider has none of that id, whoever else may have.
    """
    item = store.load(OrderItem.key(rider_id, order_id))
    if item is None:
        raise OrderNotFound
    return item.entity


def by_token(rider_id: int, token: str) -> Order:
    """The order of a rider that a token names; one read.

    Raises:
        OrderNotFound: it names none.
    """
    order_id = ids.id_in(token)
    if order_id is None:
        raise OrderNotFound
    order = find(rider_id, order_id)
    if not compare_digest(order.token, token):
        raise OrderNotFound
    return order


class OrderBy(StrEnum):
    """What orders are sorted by."""

    CREATED_AT = "created_at"
    COMPLETED_AT = "completed_at"


@dataclass(frozen=True)
class Page:
    """Some of a rider's orders.

    Attributes:
        total: how many there are in all, of the newest 1,000.
    """

    orders: tuple[Order, ...]
    total: int


def list_orders(
    rider_id: int,
    states: frozenset[OrderState] = frozenset(),
    order_by: OrderBy = OrderBy.CREATED_AT,
    *,
    descending: bool = True,
    offset: int = 0,
    limit: int = 20,
) -> Page:
    """Orders of a rider, of the newest 1,000; one query.

    Args:
        rider_id: whose.
        states: which ones; without any, all.
        order_by: what they are sorted by; what has no such time comes last.
        descending: whether the latest comes first.
        offset: how many to pass over.
        limit: how many to answer at most.
    """
    found = [each for each in latest_orders(rider_id, MOST_LISTED) if not states or each.state in states]
    if not descending:
        found.reverse()
    if order_by is OrderBy.COMPLETED_AT:
        done = [(each.completed_at, each) for each in found if each.completed_at is not None]
        done.sort(key=lambda pair: pair[0], reverse=descending)
        found = [each for _, each in done] + [each for each in found if each.completed_at is None]
    return Page(orders=tuple(found[offset : offset + limit]), total=len(found))


# ── Discounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


def apply_discount(client: ApiClient, user_id: str, order_id: int, code: str) -> Order:
    """Make a user's order cheaper by a discount code, in place of any other it has.

    Applying the code that the order has changes nothing. A rider's only use of a code moves here from another order
    that nobody has begun to pay, which costs its full price again.

    Raises:
        RiderNotFound: the client has no such user.
        OrderNotFound: the user has no such order.
        OrderClosed: it is not pending any more.
        OrderInPayment: a payment is under way.
        DiscountNotValid: there is no such code, or it is not for this order, or is used up.
    """
    wanted = discounts.normalised(code)
    discounts.expect(client.id, wanted)

    def attempt() -> Order:
        rider_id = identity.external(client, user_id).rider_id
        if wanted is not None:
            discounts.expect_use(client.id, wanted, rider_id)
        expect_for_payment(client, rider_id, order_id)
        order = find(rider_id, order_id)
        now = clock.now()
        rules.check_payable(order, now)
        if order.discount is not None and order.discount.code == wanted:
            return order
        found = discounts.find(client.id, wanted)
        cheaper = _changed(rules.discounted(order, found, now), "OrderDiscounted", now)
        with store.Transaction() as tx:
            _write(tx, order, cheaper)
            discounts.release(tx, order)
            holder = discounts.holder(found, rider_id)
            if holder is None:
                discounts.claim(tx, found, cheaper)
            else:
                _take_over(tx, find(rider_id, holder), cheaper, now)
        return cheaper

    return store.again(attempt)


def _take_over(tx: store.Transaction, other: Order, order: Order, now: datetime) -> None:
    """Let an order have the use of its code that another one of the same rider has, if that waits for nothing."""
    rules.check_releasable(other)
    _write(tx, other, _changed(rules.undiscounted(other), "OrderDiscountRemoved", now))
    discounts.move(tx, other, order)


def remove_discount(client: ApiClient, user_id: str, order_id: int) -> Order:
    """Let a user's order cost its full price again; nothing for one that does.

    Raises:
        RiderNotFound: the client has no such user.
        OrderNotFound: the user has no such order.
        OrderClosed: it is not pending any more.
        OrderInPayment: a payment is under way.
    """

    def attempt() -> Order:
        rider_id = identity.external(client, user_id).rider_id
        expect_for_payment(client, rider_id, order_id)
        order = find(rider_id, order_id)
        now = clock.now()
        rules.check_payable(order, now)
        if order.discount is None:
            return order
        full = _changed(rules.undiscounted(order), "OrderDiscountRemoved", now)
        with store.Transaction() as tx:
            _write(tx, order, full)
            discounts.release(tx, order)
        return full

    return store.again(attempt)


# ── Paying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_for_payment(client: ApiClient, rider_id: int, order_id: int) -> None:
    """Announce that this request will ask for an order, and for :func:`methods` of it."""
    expect(rider_id, order_id)
    ledger.expect(Account.wallet(rider_id, offers.seller(client).currency))


def methods(order: Order) -> tuple[PaymentMethod, ...]:
    """What an order can be paid with now; one read at most, of the rider's wallet."""
    now = clock.now()
    asks = rules.methods(order, order.total, now) != rules.methods(order, 0, now)
    return rules.methods(order, ledger.balance(Account.wallet(order.rider_id, order.currency)) if asks else 0, now)


def payable(order: Order, now: datetime) -> None:
    """Refuse an order that cannot be paid now.

    Raises:
        OrderClosed: it is not pending, or its time is over.
        OrderInPayment: a payment is under way.
    """
    rules.check_payable(order, now)


def claim(tx: store.Transaction, order: Order, payment_id: int, *, auto_renew: bool | None = None) -> Order:
    """Let a payment of an order begin, within the transaction that commits it; there is one at a time.

    Args:
        tx: the transaction.
        order: the order as it was read.
        payment_id: the payment.
        auto_renew: whether the subscription is to renew itself; ``None`` leaves it as it was ordered.

    Raises, now or when the transaction is committed:
        OrderClosed, OrderInPayment: it cannot be paid now.
        Contention: somebody else has changed it meanwhile.
    """
    now = clock.now()
    rules.check_payable(order, now)
    wished = order.auto_renew if auto_renew is None else auto_renew
    claimed = _changed(order, "OrderPaymentBegun", now, payment_id=payment_id, auto_renew=wished)
    _write(tx, order, claimed)
    return claimed


def let_go(tx: store.Transaction, order: Order, payment_id: int) -> Order:
    """Let an order be paid in another way after a payment that came to nothing; nothing where it is not that payment's.

    Where its time has run out meanwhile, the agenda cancels it.
    """
    if order.state is not OrderState.PENDING or order.payment_id != payment_id:
        return order
    free = _changed(order, "OrderPaymentFailed", clock.now(), payment_id=None)
    _write(tx, order, free)
    return free


def complete(
    tx: store.Transaction, order: Order, *, source: Account, invoice_id: int | None, at: datetime
) -> tuple[Order, list[Movement]]:
    """Give a rider what was ordered, within the transaction that books its payment.

    It does not ask whether the order's time is over: what has been paid is delivered.

    Args:
        tx: the transaction.
        order: the order as it was read.
        source: where its price is taken from.
        invoice_id: its invoice, if it has one.
        at: when.

    Returns:
        The completed order, and the money that has to be moved in the same transaction.

    Raises, now or when the transaction is committed:
        OrderClosed: it is not pending any more.
        SubscriptionExists: the rider has got another subscription meanwhile; nothing can come of this one any more.
        Contention: somebody else has changed it meanwhile.
    """
    done = _over(order, OrderTrigger.COMPLETE, at, invoice_id=invoice_id, completed_at=at)
    worth = 0
    match order.kind:
        case OrderKind.SUBSCRIPTION:
            done = done.model_copy(update={"subscription_id": subscriptions.activate(tx, done, at).id})
        case OrderKind.RENEWAL:
            subscriptions.extend(tx, done, at)
        case OrderKind.VOUCHER_CODES:
            worth = vouchers.issue(tx, done, fleet.known_network(order.network_id).timezone, at)
        case OrderKind.WALLET_DEPOSIT:
            pass
    _write(tx, order, done)
    return done, rules.movements(done, source, at, worth=worth)


def fail(tx: store.Transaction, order: Order) -> Order:
    """Give up an order that was paid and cannot be delivered, within the transaction that gives the money back."""
    failed = _over(order, OrderTrigger.FAIL, clock.now())
    _write(tx, order, failed)
    discounts.release(tx, order)
    return failed


def withdraw(tx: store.Transaction, order: Order) -> Order:
    """Cancel a pending order within a transaction; a payment that is under way has to be given up first.

    Raises:
        OrderClosed: it is not pending any more.
        OrderInPayment: a payment is under way.
    """
    if order.payment_id is not None and order.state is OrderState.PENDING:
        raise OrderInPayment
    cancelled = _over(order, OrderTrigger.CANCEL, clock.now())
    _write(tx, order, cancelled)
    discounts.release(tx, order)
    return cancelled


def expire(rider_id: int, order_id: int) -> Order | None:
    """Cancel an order that nobody has paid in time; ``None`` for one that waits still, or waits no more."""

    def attempt() -> Order | None:
        order = find(rider_id, order_id)
        waits = order.payment_id is not None or order.expires_at > clock.now()
        if order.state is not OrderState.PENDING or waits:
            return None
        with store.Transaction() as tx:
            return withdraw(tx, order)

    return store.again(attempt)


# ── Plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_EVENTS: Final = {
    OrderTrigger.COMPLETE: "OrderCompleted",
    OrderTrigger.CANCEL: "OrderCancelled",
    OrderTrigger.FAIL: "OrderFailed",
}


def _over(order: Order, trigger: OrderTrigger, at: datetime, **changes: object) -> Order:
    return _changed(order, _EVENTS[trigger], at, state=ORDER_STATES.next(order.state, trigger), **changes)


def _changed(order: Order, event: str, at: datetime, **changes: object) -> Order:
    return order.model_copy(update={**changes, "version": order.version + 1, "event": Event.new(event, at)})


def _write(tx: store.Transaction, before: Order, after: Order) -> None:
    """Write what has become of an order, if nobody else has changed it meanwhile."""
    unchanged = OrderItem.version == before.version
    tx.put(OrderItem.waiting(after), condition=unchanged, otherwise=store.Contention)
