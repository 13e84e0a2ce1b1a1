"""Subscriptions for tests, made without anybody who pays."""

from datetime import datetime, timedelta
from typing import Any

from kickstand.kernel import clock, ids, store
from kickstand.kernel.events import Event
from kickstand.sales import subscriptions
from kickstand.sales.model import (
    Offer,
    OfferKind,
    Order,
    OrderKind,
    OrderLine,
    Subscription,
    Validity,
    ValidityUnit,
)
from tests.support.city import City

_PRICE = 29900


def ordered(city: City, rider_id: int, **changes: Any) -> Order:
    """An order of a month for NOK 299, which nothing has kept; ``offer`` changes what is offered."""
    now = clock.now()
    offer = Offer(
        id=7,
        client_id=city.client.id,
        network_id=city.network_id,
        kind=OfferKind.SUBSCRIPTION,
        name="Monthly pass",
        currency="NOK",
        vat_percent=25,
        price=_PRICE,
        validity=Validity(count=1, unit=ValidityUnit.MONTH),
        plan_id=24,
        renewable=True,
        cancellable=True,
    ).model_copy(update=changes.pop("offer", {}))
    order_id = ids.new_id()
    values: dict[str, Any] = {
        "id": order_id,
        "token": ids.new_token(order_id),
        "client_id": city.client.id,
        "rider_id": rider_id,
        "network_id": city.network_id,
        "kind": OrderKind.SUBSCRIPTION,
        "currency": "NOK",
        "lines": (OrderLine(offer_id=offer.id, name=offer.name, unit_price=offer.price, vat_percent=25),),
        "total": offer.price,
        "vat": offer.price // 5,
        "offer": offer,
        "locale": "nb",
        "auto_renew": True,
        "created_at": now,
        "expires_at": now + timedelta(days=1),
        "event": Event.new("OrderPlaced", now),
    }
    return Order.model_validate(values | changes)


def activated(city: City, rider_id: int, at: datetime | None = None, **changes: Any) -> Subscription:
    """A rider's subscription that begins now, or at another time; ``changes`` are those of :func:`ordered`."""
    store.begin()
    with store.Transaction() as tx:
        subscription = subscriptions.activate(tx, ordered(city, rider_id, **changes), at or clock.now())
    store.begin()
    return subscription


def kept(rider_id: int) -> Subscription | None:
    """A rider's subscription as it is now."""
    store.begin()
    return subscriptions.current(rider_id)
