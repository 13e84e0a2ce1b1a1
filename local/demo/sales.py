"""What the demo's first partner sells beside rides, and what its user has bought and ordered."""

from base64 import urlsafe_b64encode
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from kickstand.billing import invoices
from kickstand.billing import rules as billing
from kickstand.fleet.model import Network
from kickstand.kernel import clock, store
from kickstand.kernel.events import Event
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind, Movement, Reason
from kickstand.sales import discounts, offers, orders, rules
from kickstand.sales.model import (
    DiscountCode,
    Offer,
    OfferKind,
    Order,
    OrderKind,
    OrderLine,
    OrderState,
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

ORDER: Final = 2
"""The number of the order that waits for its payment."""

_BOUGHT: Final = 1
_INVOICE: Final = 1
_AGO: Final = timedelta(days=3)
_GIVEN: Final = 40_000
"""What the user's wallet held before, in øre."""


def _token(number: int, of: str) -> str:
    """What names something beside its number, the same on every machine."""
    secret = blake2b(f"demo {of}".encode(), digest_size=24).digest()
    return urlsafe_b64encode(number.to_bytes(8, "big") + secret).rstrip(b"=").decode()


ORDER_TOKEN: Final = _token(ORDER, "order")
INVOICE_TOKEN: Final = _token(_INVOICE, "invoice")

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
    """Offer the products and the discount code."""
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


def sell(network: Network) -> None:
    """Let the user have bought a monthly pass from the wallet, and want a gift code, with a day to pay it."""
    monthly, _, gift = OFFERS
    wanted = _order(ORDER, OrderKind.VOUCHER_CODES, rules.voucher_lines([(gift, 1)]), clock.now())
    with store.Transaction() as tx:
        tx.put(OrderItem.waiting(wanted.model_copy(update={"gifts": (gift,), "email": "friend@rider.example"})))
    at = clock.now() - _AGO
    order = _order(_BOUGHT, OrderKind.SUBSCRIPTION, rules.subscription_lines(monthly), at)
    order = order.model_copy(update={"offer": monthly, "auto_renew": True})
    known = store.load(OrderItem.key(order.rider_id, _BOUGHT))  # from a seeding that was cut short
    if known is None:
        with store.Transaction() as tx:
            tx.put(OrderItem.waiting(order))
    elif known.entity.state is OrderState.COMPLETED:
        return
    invoice = billing.for_order(order, network, at).model_copy(update={"id": _INVOICE, "token": INVOICE_TOKEN})
    wallet = Account(kind=AccountKind.WALLET, holder_id=order.rider_id, currency=order.currency)
    given = Movement(
        id="demo-gift",
        source=Account(kind=AccountKind.PROMOTION, holder_id=network.id, currency=order.currency),
        target=wallet,
        amount=_GIVEN,
        reason=Reason.CORRECTION,
        document=_BOUGHT,
        at=at,
    )
    with store.Transaction() as tx:
        invoices.create(tx, invoice)
        _, movements = orders.complete(tx, order, source=wallet, invoice_id=invoice.id, at=at)
        ledger.post(tx, [given, *movements])


def _order(number: int, kind: OrderKind, lines: tuple[OrderLine, ...], at: datetime) -> Order:
    total, vat = rules.totals(lines)
    return Order(
        id=number,
        token=_token(number, "order"),
        client_id=IN_BOTH.number,
        rider_id=user().id,
        network_id=OSLO,
        kind=kind,
        currency="NOK",
        lines=lines,
        total=total,
        vat=vat,
        locale="nb",
        created_at=at,
        expires_at=at + rules.PAYABLE_FOR,
        event=Event.new("OrderPlaced", at),
    )
