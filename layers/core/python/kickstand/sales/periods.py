"""How long subscriptions last, and what becomes of them; pure."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from kickstand.kernel import ids
from kickstand.kernel.events import Event
from kickstand.sales.errors import NotCancellable, OfferClosed
from kickstand.sales.model import (
    ORDER_STATES,
    Order,
    OrderTrigger,
    Subscription,
    SubscriptionState,
    Validity,
    ValidityUnit,
)

_DAY: Final = timedelta(days=1)
_AHEAD: Final = _DAY
_SHORTLY: Final = timedelta(hours=1)
RETRIES: Final = (1 * _DAY, 3 * _DAY, 5 * _DAY)
"""How long after a failed renewal the next attempt follows; after the last one there is none."""
SOON: Final = timedelta(minutes=5)
LATER: Final = timedelta(hours=6)
"""When a payment that is under way is looked at: it tells by itself how it ends."""


def end_of(start: datetime, validity: Validity, timezone: str, periods: int = 1) -> datetime:
    """When so many periods are over that began at ``start``, in UTC.

    Periods are local days: each ends at the local time at which it began, whatever clocks did meanwhile. Months and
    years end on the day with the same number, or on the month's last where it has none. A local time that the clocks
    skip is the one right after, and of one that they go through twice it is the second.

    Args:
        start: when the first period began.
        validity: how long one of them is.
        timezone: IANA name of the network's timezone.
        periods: how many they are.
    """
    zone = ZoneInfo(timezone)
    began = start.astimezone(zone)
    ended = datetime.combine(_later(began.date(), validity, periods), began.time())
    # A zone answers for both readings of a local time: whichever is later has given the rider the whole day.
    return max(ended.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def _later(day: date, validity: Validity, periods: int) -> date:
    count = validity.count * periods
    if validity.unit is ValidityUnit.DAY:
        return day + count * _DAY
    months = day.year * 12 + day.month - 1 + (count if validity.unit is ValidityUnit.MONTH else 12 * count)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def renewal_at(began: datetime, ends: datetime) -> datetime:
    """When a period is to be renewed: a day before its end, or shortly before where it is hardly longer than that."""
    return ends - (_AHEAD if ends - began >= 2 * _AHEAD else _SHORTLY)


def renewable_from(subscription: Subscription) -> datetime:
    """Before this moment nobody is charged for the next period, whatever the agenda says."""
    return subscription.valid_until - _AHEAD


# ── What becomes of a subscription ───────────────────────────────────────────────────────────────────────────────────


def opened(order: Order, at: datetime, timezone: str) -> Subscription:
    """The subscription that a completed order has become; it is valid from now on."""
    offer = order.offer
    if offer is None or offer.validity is None:
        raise OfferClosed  # no order of a subscription is taken without
    subscription = Subscription(
        id=ids.new_id(),
        client_id=order.client_id,
        rider_id=order.rider_id,
        network_id=order.network_id,
        offer=offer,
        counted_from=at,
        valid_from=at,
        valid_until=end_of(at, offer.validity, timezone),
        auto_renew=order.auto_renew and offer.renewable,
        locale=order.locale,
        event=Event.new("SubscriptionActivated", at, order_id=order.id),
    )
    return subscription.model_copy(update={"due_at": _due(subscription, timezone)})


def renewed(subscription: Subscription, order: Order, at: datetime, timezone: str) -> Subscription:
    """The subscription with one more period: after the last one, or from now on where that is over."""
    validity = _validity(subscription)
    late = at >= subscription.valid_until
    counted_from = at if late else subscription.counted_from
    periods = 1 if late else subscription.periods + 1
    extended = subscription.model_copy(
        update={
            "counted_from": counted_from,
            "periods": periods,
            "valid_from": at if late else subscription.valid_from,
            "valid_until": end_of(counted_from, validity, timezone, periods),
            "renewal_id": None,
            "attempts": 0,
        }
    )
    return _changed(extended, Event.new("SubscriptionRenewed", at, order_id=order.id), due_at=_due(extended, timezone))


def renewing(subscription: Subscription, order_id: int, at: datetime) -> Subscription:
    """The subscription whose next period is ordered."""
    return _changed(subscription, Event.new("SubscriptionRenewalOrdered", at, order_id=order_id), renewal_id=order_id)


def looked_after(subscription: Subscription, due_at: datetime) -> Subscription:
    """The subscription that is looked at again later; nothing has happened to it."""
    return subscription.model_copy(update={"due_at": due_at, "version": subscription.version + 1})


def tried(subscription: Subscription, payment_id: int, at: datetime) -> Subscription:
    """The subscription whose renewal is being paid; soon it is seen whether that needs the rider."""
    return _changed(
        subscription,
        Event.new("SubscriptionRenewalTried", at, payment_id=payment_id),
        attempts=subscription.attempts + 1,
        due_at=at + SOON,
    )


def waiting(subscription: Subscription, payment_id: int, at: datetime) -> Subscription:
    """The subscription whose rider has to confirm the payment of its renewal."""
    return _changed(subscription, Event.new("SubscriptionRenewalWaits", at, payment_id=payment_id), due_at=at + LATER)


def waits_for(subscription: Subscription, payment_id: int) -> bool:
    """Whether its rider has been asked to confirm a payment."""
    event = subscription.event
    return event.name == "SubscriptionRenewalWaits" and event.data["payment_id"] == payment_id


def unaffordable(subscription: Subscription, at: datetime) -> Subscription:
    """The subscription whose rider has nothing to pay its renewal with."""
    return failed(subscription.model_copy(update={"attempts": subscription.attempts + 1}), at)


def failed(subscription: Subscription, at: datetime) -> Subscription:
    """The subscription whose renewal was not paid: it is tried again, unless that has been done often enough."""
    attempts = max(1, subscription.attempts)
    again = subscription.auto_renew and attempts <= len(RETRIES)
    return _changed(
        subscription,
        Event.new("SubscriptionRenewalFailed", at, attempt=attempts, again=again),
        auto_renew=again,
        due_at=at + RETRIES[attempts - 1] if again else at,
    )


def given_up(subscription: Subscription, at: datetime) -> Subscription:
    """The subscription that is renewed no more: nothing is left of the renewal that was under way."""
    return _changed(
        subscription,
        Event.new("SubscriptionRenewalGivenUp", at, order_id=subscription.renewal_id),
        auto_renew=False,
        renewal_id=None,
        due_at=max(at, subscription.valid_until),
    )


def withdrawn(renewal: Order, at: datetime) -> Order:
    """The order by which nothing is renewed any more, as another subscription has begun."""
    state = ORDER_STATES.next(renewal.state, OrderTrigger.CANCEL)
    event = Event.new("OrderCancelled", at)
    return renewal.model_copy(update={"state": state, "version": renewal.version + 1, "event": event})


def check_cancellable(subscription: Subscription) -> None:
    """Refuse to cancel what is neither free nor cancellable by its users."""
    if not subscription.is_cancellable:
        raise NotCancellable


def cancelled(subscription: Subscription, at: datetime) -> Subscription:
    """The subscription that its rider does not want beyond its end."""
    # A renewal that is ordered and not paid has to be withdrawn first.
    due_at = subscription.valid_until if subscription.renewal_id is None else at
    return _changed(
        subscription, Event.new("SubscriptionCancelled", at), auto_renew=False, cancelled_at=at, due_at=due_at
    )


def ended(subscription: Subscription, at: datetime) -> Subscription:
    """The subscription that is over."""
    return _changed(
        subscription,
        Event.new("SubscriptionEnded", at),
        state=SubscriptionState.ENDED,
        auto_renew=False,
        renewal_id=None,
        due_at=None,
    )


def _due(subscription: Subscription, timezone: str) -> datetime:
    if not subscription.auto_renew:
        return subscription.valid_until
    before = subscription.periods - 1
    began = end_of(subscription.counted_from, _validity(subscription), timezone, before)
    return renewal_at(began, subscription.valid_until)


def _validity(subscription: Subscription) -> Validity:
    if subscription.offer.validity is None:
        raise OfferClosed  # none has been activated without
    return subscription.offer.validity


def _changed(subscription: Subscription, event: Event, **changes: object) -> Subscription:
    return subscription.model_copy(update={**changes, "version": subscription.version + 1, "event": event})
