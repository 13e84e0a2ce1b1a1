"""Items of the sales table."""

from datetime import datetime
from typing import Any, Final

from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.sales.model import Subscription, SubscriptionState

SHARDS: Final = 8


class SalesItem(Item[Entity]):
    """Anything in the sales table."""

    Meta = table_meta("SALES_TABLE")


class AgendaIndex(GlobalSecondaryIndex[Any]):
    """What has to be done, by time; only items that wait for something have an ``agenda``, their :func:`shard`."""

    class Meta:
        """The index."""

        index_name = "agenda"
        projection = KeysOnlyProjection()

    agenda = UnicodeAttribute(hash_key=True)
    due_at = UnicodeAttribute(range_key=True)


def shard(identifier: int) -> str:
    """The part of the agenda in which what is named so waits: one partition would slow down all at once."""
    return str(identifier % SHARDS)


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


# ── The agenda ───────────────────────────────────────────────────────────────────────────────────────────────────────


def due(part: str, now: datetime, most: int) -> list[tuple[str, str]]:
    """The keys of what is due in a part of the agenda, at most ``most``, longest due first; eventually consistent."""
    moment: str = SubscriptionItem.due_at.serialize(now)
    found = SubscriptionItem.by_agenda.query(part, AgendaIndex.due_at <= moment, limit=most)
    return [(item.pk, item.sk) for item in found]
