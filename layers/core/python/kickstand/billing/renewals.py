"""Renewing subscriptions: what the agenda does about those that are due.

A renewal is an order, and a subscription has one at a time: the transaction that places it notes it in the
subscription. It is paid by the wallet, or by the saved card: the transaction that begins the payment claims the order
and counts the attempt. So whoever comes second, or again after a crash, finds what has been done and goes on there.
"""

from typing import Final

from kickstand.billing import settlement
from kickstand.kernel import clock, store
from kickstand.ledger import service as ledger
from kickstand.ledger.errors import InsufficientFunds
from kickstand.ledger.model import Account
from kickstand.payments import intents
from kickstand.payments import service as payments
from kickstand.payments.model import PaymentState, Purpose, PurposeKind, SavedCard
from kickstand.sales import orders, periods, subscriptions
from kickstand.sales.model import Order, OrderState, Subscription

_STEPS: Final = 4
"""At most: a period is ordered and paid; one that is not wanted any more is withdrawn, then its subscription ends."""


def follow_up(rider_id: int) -> None:
    """Do what is due about a rider's subscription: renew it, try again, give it up, or end it. Repeating it is no harm.

    Raises:
        Contention: somebody else is doing it.
    """
    for _ in range(_STEPS):
        store.forget()
        subscription = subscriptions.current(rider_id)
        if subscription is None or subscription.due_at is None or subscription.due_at > clock.now():
            return
        _step(subscription)


def _step(subscription: Subscription) -> None:
    now = clock.now()
    if subscription.renewal_id is None:
        opens_at = periods.renewable_from(subscription)
        if subscription.auto_renew and now < opens_at:  # somebody has asked for it too early
            _keep(subscription, periods.looked_after(subscription, opens_at))
        elif subscription.auto_renew:
            _order(subscription)
        elif now >= subscription.valid_until:
            _keep(subscription, periods.ended(subscription, now))
        else:
            _keep(subscription, periods.looked_after(subscription, subscription.valid_until))
        return
    renewal = orders.find(subscription.rider_id, subscription.renewal_id)
    if renewal.state is not OrderState.PENDING:
        _keep(subscription, periods.given_up(subscription, now))
    elif renewal.payment_id is not None:
        _watch(subscription, renewal.payment_id)
    elif subscription.auto_renew and renewal.expires_at > now:
        _pay(subscription, renewal)
    else:
        with store.Transaction() as tx:
            orders.withdraw(tx, renewal)
            subscriptions.write(tx, subscription, periods.given_up(subscription, now))


def _order(subscription: Subscription) -> None:
    now = clock.now()
    with store.Transaction() as tx:
        renewal = orders.order_renewal(tx, subscription, now)
        subscriptions.write(tx, subscription, periods.renewing(subscription, renewal.id, now))


def _pay(subscription: Subscription, renewal: Order) -> None:
    wallet = Account.wallet(renewal.rider_id, renewal.currency)
    payments.expect_profile(renewal.rider_id)
    if renewal.total == 0 or ledger.balance(wallet) >= renewal.total:
        try:
            settlement.from_wallet(renewal)
        except InsufficientFunds:  # it has been spent in this moment
            store.forget()
        else:
            return
    card = payments.profile(renewal.rider_id).card
    if card is None:
        _keep(subscription, periods.unaffordable(subscription, clock.now()))
    else:
        _charge(subscription, renewal, card)


def _charge(subscription: Subscription, renewal: Order, card: SavedCard) -> None:
    """Commit a payment by the saved card; its workflow sees to it, and tells the order how it ended."""
    intent = intents.draft(
        client_id=renewal.client_id,
        rider_id=renewal.rider_id,
        network_id=renewal.network_id,
        purpose=Purpose(kind=PurposeKind.ORDER, id=renewal.id),
        amount=renewal.total,
        currency=renewal.currency,
        card=card.ref,
        off_session=True,
    )
    with store.Transaction() as tx:
        intents.create(tx, intent)
        orders.claim(tx, renewal, intent.id)
        subscriptions.write(tx, subscription, periods.tried(subscription, intent.id, clock.now()))


def _watch(subscription: Subscription, payment_id: int) -> None:
    """Let the rider know once that the bank asks for the rider; otherwise wait for the payment to tell how it ended.

    Where the rider has cancelled meanwhile, nobody is to answer the bank any more.
    """
    now = clock.now()
    intent = intents.find(payment_id)
    asks = intent.off_session and intent.state is PaymentState.REQUIRES_ACTION
    if asks and subscription.auto_renew and not periods.waits_for(subscription, payment_id):
        _keep(subscription, periods.waiting(subscription, payment_id, now))
    elif asks and subscription.cancelled_at is not None and intent.deadline > now:
        with store.Transaction() as tx:  # the link that the rider has must not charge for what was cancelled
            intents.call_back(tx, intent)
            subscriptions.write(tx, subscription, periods.looked_after(subscription, now + periods.SOON))
    else:
        soon = intent.off_session and intent.state is PaymentState.CREATED
        _keep(subscription, periods.looked_after(subscription, now + (periods.SOON if soon else periods.LATER)))


def _keep(before: Subscription, after: Subscription) -> None:
    with store.Transaction() as tx:
        subscriptions.write(tx, before, after)
