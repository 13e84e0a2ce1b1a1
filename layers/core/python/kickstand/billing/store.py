"""Items of the billing table."""

from datetime import datetime
from uuid import UUID

from kickstand.billing.model import Charge, ChargeState
from kickstand.kernel.store import Item, Key, Value, table_meta
from kickstand.pricing.model import Fare


class ChargeItem(Item[Charge]):
    """What a rental costs: ``CHARGE#<rental id>`` / ``CHARGE``."""

    Meta = table_meta("BILLING_TABLE")
    KIND = "charge"
    ENTITY = Charge

    id = Value(int)
    rental_public_id = Value(UUID)
    client_id = Value(int)
    product_id = Value(int)
    rider_id = Value(int)
    network_id = Value(int)
    fare = Value(Fare)
    state = Value(ChargeState)
    recorded_at = Value(datetime)

    @staticmethod
    def key(rental_id: int) -> Key["ChargeItem"]:
        """Where the charge of a rental is kept."""
        return Key(ChargeItem, f"CHARGE#{rental_id}", "CHARGE")

    @classmethod
    def key_of(cls, entity: Charge) -> Key["ChargeItem"]:
        """Where this charge is kept."""
        return cls.key(entity.id)
