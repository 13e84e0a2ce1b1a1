"""Items of the pricing table: the tariff that counts, and beside it every version there ever was."""

from kickstand.kernel.events import Event
from kickstand.kernel.items import Item, Key, Value, table_meta
from kickstand.pricing.model import Tariff


class PricingItem(Item[Tariff]):
    """Anything in the pricing table."""

    Meta = table_meta("PRICING_TABLE")

    @staticmethod
    def partition(network_id: int, model_id: int) -> str:
        """Where all versions of a network's tariff for a model are kept together."""
        return f"TARIFF#{network_id}#{model_id}"


class TariffItem(PricingItem):
    """The tariff that counts, with the event of its publication: ``TARIFF#<network>#<model>`` / ``CURRENT``."""

    KIND = "tariff"
    KEYED_BY = ("network_id", "model_id")

    event = Value(Event)

    version = Value(int)

    @staticmethod
    def key(network_id: int, model_id: int) -> Key["TariffItem"]:
        """Where the current tariff is kept."""
        return Key(TariffItem, PricingItem.partition(network_id, model_id), "CURRENT")


class TariffVersionItem(PricingItem):
    """One version, never changed: ``TARIFF#<network>#<model>`` / ``VERSION#<number>``."""

    KIND = "tariff_version"
    KEYED_BY = ("network_id", "model_id", "version")

    @staticmethod
    def key(network_id: int, model_id: int, version: int) -> Key["TariffVersionItem"]:
        """Where a version is kept."""
        return Key(TariffVersionItem, PricingItem.partition(network_id, model_id), f"VERSION#{version:08d}")


def versions_of(network_id: int, model_id: int) -> list[Tariff]:
    """Every version of a tariff, oldest first; one query."""
    partition = PricingItem.partition(network_id, model_id)
    items = TariffVersionItem.query(partition, TariffVersionItem.sk.startswith("VERSION#"), consistent_read=True)
    return [item.entity for item in items]
