"""Items of the identity table."""

import hashlib
from uuid import UUID

from pydantic import BaseModel

from kickstand.identity.model import Rider
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta


class IdentityItem(Item[Entity]):
    """Anything in the identity table."""

    Meta = table_meta("IDENTITY_TABLE")


class RiderItem(IdentityItem[Rider]):
    """A rider: ``RIDER#<id>`` / ``RIDER``."""

    KIND = "rider"

    public_id = Value(UUID)
    client_id = Value(int)
    first_name = Value(str, null=True)
    left_unlocked = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["RiderItem"]:
        """Where a rider is kept."""
        return Key(RiderItem, f"RIDER#{rider_id}", "RIDER")


class ExternalIdItem(IdentityItem[BaseModel]):
    """Says that a partner has given an external id away: ``EXTERNAL#<client id>#<digest>`` / ``EXTERNAL``."""

    KIND = "external_id"

    rider_id = Value(int)

    @staticmethod
    def key(client_id: int, external_id: str) -> Key["ExternalIdItem"]:
        """Where the claim is kept; external ids may be longer than a key, so their digest stands for them."""
        digest = hashlib.sha256(external_id.encode()).hexdigest()
        return Key(ExternalIdItem, f"EXTERNAL#{client_id}#{digest}", "EXTERNAL")
