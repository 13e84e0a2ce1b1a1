"""Items of the pricing table: the tariff that counts, and beside it every version there ever was."""

from datetime import datetime

from kickstand.kernel.events import Event
from kickstand.kernel.store import Item, Key, Value, table_meta
from kickstand.pricing.model import Tariff


class PricingItem(Item[Tariff]):
    """Anything in the pricing table."""

    Meta = table_meta("PRICING_TABLE")

    id = Value(int)
    network_id = Value(int)
    model_id = Value(int)
    version = Value(int)
    published_at = Value(datetime)
    currency = Value(str)
    start_price = Value(int)
    price_per_minute = Value(int)
    vat_percent = Value(int)
    free_under_s = Value(int)
    free_under_m = Value(int)

    @staticmethod
    def partition(network_id: int, model_id: int) -> str:
        """Where all versions of a network's tariff for a model are kept together."""
        return f"TARIFF#{network_id}#{model_id}"


class TariffItem(PricingItem):
    """The tariff that counts, with the event of its publication: ``TARIFF#<network>#<model>`` / ``CURRENT``."""

    KIND = "tariff"
    ENTITY = Tariff

    event = Value(Event)

    @staticmethod
    def key(network_id: int, model_id: int) -> Key["TariffItem"]:
        """Where the current tariff is kept."""
        return Key(TariffItem, PricingItem.partition(network_id, model_id), "CURRENT")

    @classmethod
    def key_of(cls, entity: Tariff) -> Key["TariffItem"]:
        """Where this tariff is kept while it is current."""
        return cls.key(entity.network_id, entity.model_id)


class TariffVersionItem(PricingItem):
    """One version, never changed: ``TARIFF#<network>#<model>`` / ``VERSION#<number>``."""

    KIND = "tariff_version"
    ENTITY = Tariff

    @staticmethod
    def key(network_id: int, model_id: int, version: int) -> Key["TariffVersionItem"]:
        """Where a version is kept."""
        return Key(TariffVersionItem, PricingItem.partition(network_id, model_id), f"VERSION#{version:08d}")

    @classmethod
    def key_of(cls, entity: Tariff) -> Key["TariffVersionItem"]:
        """Where this version is kept."""
        return cls.key(entity.network_id, entity.model_id, entity.version)


def versions_of(network_id: int, model_id: int) -> list[Tariff]:
    """Every version of a tariff, oldest first; one query."""
    partition = PricingItem.partition(network_id, model_id)
    items = TariffVersionItem.query(partition, TariffVersionItem.sk.startswith("VERSION#"), consistent_read=True)
    return [item.entity for item in items]
