"""Items of the billing table."""

from kickstand.billing.model import Charge
from kickstand.kernel.items import Item, Key, table_meta


class ChargeItem(Item[Charge]):
    """What a rental costs: ``CHARGE#<rental id>`` / ``CHARGE``."""

    Meta = table_meta("BILLING_TABLE")
    KIND = "charge"

    @staticmethod
    def key(rental_id: int) -> Key["ChargeItem"]:
        """Where the charge of a rental is kept."""
        return Key(ChargeItem, f"CHARGE#{rental_id}", "CHARGE")
