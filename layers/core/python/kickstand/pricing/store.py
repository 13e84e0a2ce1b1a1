"""Items of the pricing table: tariffs, each beside every version there ever was; plans, and how riders use them."""

from datetime import date
from typing import Any

from kickstand.kernel.events import Event
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.pricing.model import Allowance, PlanState, PlanUse, PricingPlan, Tariff


class PricingItem(Item[Entity]):
    """Anything in the pricing table."""

    Meta = table_meta("PRICING_TABLE")


def _tariff(network_id: int, model_id: int) -> str:
    return f"TARIFF#{network_id}#{model_id}"


class TariffItem(PricingItem[Tariff]):
    """The tariff that counts, with the event of its publication: ``TARIFF#<network>#<model>`` / ``CURRENT``."""

    KIND = "tariff"
    KEYED_BY = ("network_id", "model_id")

    event = Value(Event)

    version = Value(int)

    @staticmethod
    def key(network_id: int, model_id: int) -> Key["TariffItem"]:
        """Where the current tariff is kept."""
        return Key(TariffItem, _tariff(network_id, model_id), "CURRENT")


class TariffVersionItem(PricingItem[Tariff]):
    """One version, never changed: ``TARIFF#<network>#<model>`` / ``VERSION#<number>``."""

    KIND = "tariff_version"
    KEYED_BY = ("network_id", "model_id", "version")

    @staticmethod
    def key(network_id: int, model_id: int, version: int) -> Key["TariffVersionItem"]:
        """Where a version is kept."""
        return Key(TariffVersionItem, _tariff(network_id, model_id), f"VERSION#{version:08d}")


class PlanItem(PricingItem[PricingPlan]):
    """A partner's plan: ``CLIENT#<client id>`` / ``PLAN#<id>``, all of a partner's beside each other."""

    KIND = "plan"
    KEYED_BY = ("client_id", "id")

    state = Value(PlanState)

    @staticmethod
    def key(client_id: int, plan_id: int) -> Key["PlanItem"]:
        """Where a plan is kept."""
        return Key(PlanItem, f"CLIENT#{client_id}", f"PLAN#{plan_id:016d}")


class PlanUseItem(PricingItem[PlanUse]):
    """How a rider has used a plan: ``USE#<user>`` / ``PLAN#<plan id>``."""

    KIND = "plan_use"
    KEYED_BY = ("user", "plan_id")

    day = Value(date, null=True)
    minutes = Value(int)

    @staticmethod
    def key(user: str, plan_id: int) -> Key["PlanUseItem"]:
        """Where the use is kept."""
        return Key(PlanUseItem, f"USE#{user}", f"PLAN#{plan_id:016d}")

    @classmethod
    def unchanged(cls, allowance: Allowance) -> Any:  # noqa: ANN401 - a condition of pynamodb
        """The condition that the use is still the one that leaves ``allowance``; ``None`` where none can change it."""
        if allowance.registration_due:
            return cls.pk.does_not_exist()
        if allowance.day is None:
            return None
        so_far = (cls.day == allowance.day) & (cls.minutes == allowance.free_minutes_used)
        if allowance.free_minutes_used:
            return so_far
        return so_far | cls.day.does_not_exist() | (cls.day < allowance.day)


def plans_of(client_id: int) -> list[PricingPlan]:
    """All plans of a partner, by id; one query."""
    found = PlanItem.query(f"CLIENT#{client_id}", PlanItem.sk.startswith("PLAN#"), consistent_read=True)
    return [item.entity for item in found]


def versions_of(network_id: int, model_id: int) -> list[Tariff]:
    """Every version of a tariff, oldest first; one query."""
    partition = _tariff(network_id, model_id)
    items = TariffVersionItem.query(partition, TariffVersionItem.sk.startswith("VERSION#"), consistent_read=True)
    return [item.entity for item in items]
