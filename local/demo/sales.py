"""What the demo's first partner sells beside rides, and what its user has ordered."""

from base64 import urlsafe_b64encode
from datetime import timedelta
from hashlib import blake2b
from typing import Final

from kickstand.kernel import clock, store
from kickstand.kernel.events import Event
from kickstand.sales import discounts, offers, rules
from kickstand.sales.model import (
    DiscountCode,
    Offer,
    OfferKind,
    Order,
    OrderKind,
    Validity,
    ValidityUnit,
)
from kickstand.sales.store import OrderItem
from local.demo.names import OSLO
from local.demo.partners import IN_BOTH, SUBSCRIBERS, user

MONTHLY, YEARLY, GIFT = 11, 12, 13
"""The numbers of the products."""

DISCOUNT: Final = "WELCOME10"
"""The discount code."""

ORDER: Final = 1
"""The number of the order."""

ORDER_TOKEN: Final = (
    urlsafe_b64encode(ORDER.to_bytes(8, "big") + blake2b(b"demo order", digest_size=24).digest()).rstrip(b"=").decode()
)

OFFERS: Final = (
    Offer(
        id=MONTHLY,
        client_id=IN_BOTH.number,
        network_id=OSLO,
        kind=OfferKind.SUBSCRIPTION,
        name="Monthly pass (demo)",
        description="Rides of up to 45 minutes for a month",
        currency="NOK",
        vat_percent=25,
        price=29_900,
        validity=Validity(count=1, unit=ValidityUnit.MONTH),
        plan_id=SUBSCRIBERS,
        renewable=True,
        cancellable=True,
    ),
    Offer(
        id=YEARLY,
        client_id=IN_BOTH.number,
        network_id=OSLO,
        kind=OfferKind.SUBSCRIPTION,
        name="Yearly pass (demo)",
        description="Rides of up to 45 minutes for a year",
        currency="NOK",
        vat_percent=25,
        price=199_000,
        validity=Validity(count=1, unit=ValidityUnit.YEAR),
        plan_id=SUBSCRIBERS,
    ),
    Offer(
        id=GIFT,
        client_id=IN_BOTH.number,
        network_id=OSLO,
        kind=OfferKind.GIFT_CODE,
        name="Gift of 100 kroner (demo)",
        currency="NOK",
        vat_percent=0,
        price=10_000,
        value=10_000,
        validity=Validity(count=3, unit=ValidityUnit.YEAR),
    ),
)


def open_shop() -> None:
    """Offer the products and the discount code; the user wants a monthly pass and has a day to pay it."""
    client, now = IN_BOTH.client, clock.now()
    for offer in OFFERS:
        offers.put(client, offer)
    discounts.put(
        DiscountCode(
            client_id=client.id,
            code=DISCOUNT,
            percent=10,
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=3 * 365),
        )
    )
    with store.Transaction() as tx:
        tx.put(OrderItem.waiting(_order()))


def _order() -> Order:
    now = clock.now()
    monthly = OFFERS[0]
    lines = rules.subscription_lines(monthly)
    total, vat = rules.totals(lines)
    return Order(
        id=ORDER,
        token=ORDER_TOKEN,
        client_id=IN_BOTH.number,
        rider_id=user().id,
        network_id=monthly.network_id,
        kind=OrderKind.SUBSCRIPTION,
        currency=monthly.currency,
        lines=lines,
        total=total,
        vat=vat,
        offer=monthly,
        locale="nb",
        created_at=now,
        expires_at=now + rules.PAYABLE_FOR,
        event=Event.new("OrderPlaced", now),
    )
