"""Items of the sales table."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pynamodb.attributes import UnicodeAttribute

from kickstand.kernel import store
from kickstand.kernel.events import Event
from kickstand.kernel.items import AgendaIndex, Entity, Item, Key, Value, shard, table_meta
from kickstand.sales.model import (
    DiscountCode,
    GiftLetter,
    Offer,
    OfferState,
    Order,
    OrderKind,
    OrderState,
    Subscription,
    SubscriptionState,
    Voucher,
    VoucherState,
)


class SalesItem(Item[Entity]):
    """Anything in the sales table."""

    Meta = table_meta("SALES_TABLE")


# ── Offers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class OfferItem(SalesItem[Offer]):
    """A product: ``CLIENT#<client id>`` / ``OFFER#<id>``, all of a client's beside each other."""

    KIND = "offer"
    KEYED_BY = ("client_id", "id")

    @staticmethod
    def key(client_id: int, offer_id: int) -> Key["OfferItem"]:
        """Where a product is kept."""
        return Key(OfferItem, f"CLIENT#{client_id}", f"OFFER#{offer_id:016d}")


def offers_of(client_id: int) -> list[Offer]:
    """All products of a client, the oldest first; one query."""
    found = OfferItem.query(f"CLIENT#{client_id}", OfferItem.sk.startswith("OFFER#"), consistent_read=True)
    return [item.entity for item in found]


# ── Orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class OrderItem(SalesItem[Order]):
    """An order: ``RIDER#<rider id>`` / ``ORDER#<id>``; on the agenda while it waits for its rider to pay it."""

    KIND = "order"
    KEYED_BY = ("rider_id", "id")

    agenda = UnicodeAttribute(null=True)
    due_at = Value(datetime, null=True)
    version = Value(int)
    event = Value(Event)

    @staticmethod
    def key(rider_id: int, order_id: int) -> Key["OrderItem"]:
        """Where an order is kept."""
        return Key(OrderItem, f"RIDER#{rider_id}", f"ORDER#{order_id:016d}")

    @classmethod
    def waiting(cls, order: Order) -> "OrderItem":
        """The item; a renewal is withdrawn by whoever renews."""
        waits = order.state is OrderState.PENDING and order.payment_id is None and order.kind is not OrderKind.RENEWAL
        return cls.of(order, agenda=shard(order.id), due_at=order.expires_at) if waits else cls.of(order)


def latest_orders(rider_id: int, most: int) -> list[Order]:
    """A rider's orders, at most ``most``, newest first; one query."""
    found = OrderItem.query(
        f"RIDER#{rider_id}",
        OrderItem.sk.startswith("ORDER#"),
        consistent_read=True,
        scan_index_forward=False,
        limit=most,
    )
    return [item.entity for item in found]


# ── Subscriptions ────────────────────────────────────────────────────────────────────────────────────────────────────


class SubscriptionItem(SalesItem[Subscription]):
    """A rider's subscription, the last one there was: ``RIDER#<rider id>`` / ``SUBSCRIPTION``."""

    KIND = "subscription"
    KEYED_BY = ("rider_id",)

    agenda = UnicodeAttribute(null=True)
    due_at = Value(datetime, null=True)
    by_agenda = AgendaIndex()

    id = Value(int)
    state = Value(SubscriptionState)
    version = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["SubscriptionItem"]:
        """Where a rider's subscription is kept."""
        return Key(SubscriptionItem, f"RIDER#{rider_id}", "SUBSCRIPTION")

    @classmethod
    def waiting(cls, subscription: Subscription) -> "SubscriptionItem":
        """The item, on the agenda as long as something is to be done about it."""
        return cls.of(subscription, agenda=shard(subscription.id) if subscription.due_at else None)


class EndedSubscriptionItem(SalesItem[Subscription]):
    """A subscription that another one has followed: ``RIDER#<rider id>`` / ``SUBSCRIPTION#<id>``."""

    KIND = "ended_subscription"
    KEYED_BY = ("rider_id", "id")

    @staticmethod
    def key(rider_id: int, subscription_id: int) -> Key["EndedSubscriptionItem"]:
        """Where a subscription is kept that is over."""
        return Key(EndedSubscriptionItem, f"RIDER#{rider_id}", f"SUBSCRIPTION#{subscription_id:016d}")


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class DiscountCodeItem(SalesItem[DiscountCode]):
    """A discount code: ``DISCOUNT#<client id>#<code>`` / ``DISCOUNT``."""

    KIND = "discount_code"
    KEYED_BY = ("client_id", "code")

    uses = Value(int)
    state = Value(OfferState)

    @staticmethod
    def key(client_id: int, code: str) -> Key["DiscountCodeItem"]:
        """Where a code is kept."""
        return Key(DiscountCodeItem, f"DISCOUNT#{client_id}#{code}", "DISCOUNT")


def replace_code(tx: store.Transaction, code: DiscountCode) -> None:
    """Change everything about a discount code but its uses, which others count, within a transaction."""
    told = (name for name in DiscountCode.model_fields if name not in {"client_id", "code", "uses"})
    values = [(getattr(DiscountCodeItem, name), getattr(code, name)) for name in told]
    actions = [attribute.remove() if value is None else attribute.set(value) for attribute, value in values]
    known = DiscountCodeItem.pk.exists()
    tx.update(DiscountCodeItem.key_of(code), actions, condition=known, otherwise=store.Contention)


class DiscountUseItem(SalesItem[BaseModel]):
    """Says which order has a rider's only use of a code: ``DISCOUNT#<client id>#<code>`` / ``RIDER#<rider id>``."""

    KIND = "discount_use"

    order_id = Value(int)

    @staticmethod
    def key(client_id: int, code: str, rider_id: int) -> Key["DiscountUseItem"]:
        """Where the use is kept."""
        return Key(DiscountUseItem, f"DISCOUNT#{client_id}#{code}", f"RIDER#{rider_id}")

    @classmethod
    def marking(cls, order: Order, code: str) -> "DiscountUseItem":
        """The use by this order."""
        key = cls.key(order.client_id, code, order.rider_id)
        return cls(key.pk, key.sk, kind=cls.KIND, order_id=order.id)


class VoucherItem(SalesItem[Voucher]):
    """A gift code: ``VOUCHER#<client id>#<digest>`` / ``VOUCHER``."""

    KIND = "voucher"
    KEYED_BY = ("client_id", "digest")

    state = Value(VoucherState)
    redeemed_by = Value(int, null=True)
    redeemed_at = Value(datetime, null=True)

    @staticmethod
    def key(client_id: int, digest: str) -> Key["VoucherItem"]:
        """Where a gift code is kept."""
        return Key(VoucherItem, f"VOUCHER#{client_id}#{digest}", "VOUCHER")


class GiftLetterItem(SalesItem[GiftLetter]):
    """The gift codes of an order, in the clear: ``RIDER#<rider id>`` / ``GIFTS#<order id>``; gone after a time."""

    KIND = "gift_letter"
    KEYED_BY = ("rider_id", "order_id")

    expires_at = Value(int, null=True)
    email = Value(str)
    event = Value(Event)

    @staticmethod
    def key(rider_id: int, order_id: int) -> Key["GiftLetterItem"]:
        """Where the codes are kept."""
        return Key(GiftLetterItem, f"RIDER#{rider_id}", f"GIFTS#{order_id:016d}")


# ── The agenda ───────────────────────────────────────────────────────────────────────────────────────────────────────


def due(part: str, now: datetime, most: int) -> list[tuple[datetime, str, str]]:
    """What is due in a part of the agenda, at most ``most``, longest due first: since when, and its key.

    Eventually consistent.
    """
    moment: str = SubscriptionItem.due_at.serialize(now)
    found = SubscriptionItem.by_agenda.query(part, AgendaIndex.due_at <= moment, limit=most)
    return [(item.due_at, item.pk, item.sk) for item in found]


def postpone(rider_id: int, order_id: int | None, now: datetime, until: datetime) -> None:
    """Look later at an order, or at a rider's subscription, that is due still; what is due no more stays as it is."""
    due_at = SubscriptionItem.due_at
    key: Key[Any] = SubscriptionItem.key(rider_id) if order_id is None else OrderItem.key(rider_id, order_id)
    store.change(key, [due_at.set(until)], condition=due_at <= now)
