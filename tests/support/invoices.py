"""Invoices with everything filled in, for tests that care about one field."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kickstand.billing import rules
from kickstand.billing.model import Invoice, Subject
from kickstand.fleet.model import Network
from kickstand.kernel import clock, ids
from kickstand.kernel.events import Event
from kickstand.kernel.money import vat_inside
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.sales.model import Order, OrderKind, OrderLine
from tests.support import samples


def order(lines: Sequence[OrderLine] | None = None, **changes: Any) -> Order:
    """A month's subscription for 199.00 EUR, with 19 % VAT inside."""
    lines = tuple(lines or [OrderLine(offer_id=1, name="A month of rides", unit_price=19_900, vat_percent=19)])
    order_id = ids.new_id()
    values = {
        "id": order_id,
        "token": ids.new_token(order_id),
        "client_id": 5,
        "rider_id": samples.RIDER_ID,
        "network_id": samples.NETWORK_ID,
        "kind": OrderKind.SUBSCRIPTION,
        "currency": "EUR",
        "lines": lines,
        "total": sum(line.gross for line in lines),
        "vat": sum(vat_inside(line.gross, line.vat_percent or 0) for line in lines),
        "locale": "nb",
        "created_at": clock.now(),
        "expires_at": clock.now(),
        "event": Event.new("OrderPlaced"),
    }
    return Order.model_validate(values | changes)


def paid(at: datetime | None = None, network: Network | None = None, **changes: Any) -> Invoice:
    """The invoice of an order that has been paid."""
    return rules.for_order(order(**changes), network or samples.network(), at or clock.now())


def owed(*amounts: int, at: datetime | None = None, network: Network | None = None, fine: int = 0) -> Invoice:
    """The invoice of a ride that is to be paid: lines of these net amounts at 19 % VAT, and a fine outside of it."""
    lines = [
        FareLine(kind=LineKind.TRIP, unit_net=net, vat_percent=19, vat=(net * 19 + 50) // 100)
        for net in amounts or (1_000,)
    ]
    if fine:
        lines.append(FareLine(kind=LineKind.LEFT_UNLOCKED, unit_net=fine))
    return rules.for_ride(
        Fare(currency="EUR", lines=tuple(lines)),
        network or samples.network(),
        at or clock.now(),
        subject=Subject.RENTAL,
        subject_id=ids.new_id(),
        client_id=5,
        rider_id=samples.RIDER_ID,
    )
