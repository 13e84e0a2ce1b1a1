"""Items of the identity table."""

from uuid import UUID

from kickstand.identity.model import ExternalUser, Rider
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
    display_name = Value(str, null=True)
    email = Value(str, null=True)
    left_unlocked = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["RiderItem"]:
        """Where a rider is kept."""
        return Key(RiderItem, f"RIDER#{rider_id}", "RIDER")


class ExternalUserItem(IdentityItem[ExternalUser]):
    """Whom a partner calls by an id of its own: ``EXTERNAL#<client id>#<digest>`` / ``EXTERNAL``."""

    KIND = "external_user"
    KEYED_BY = ("user_key",)

    penalty_points = Value(int)

    @staticmethod
    def key(user_key: str) -> Key["ExternalUserItem"]:
        """Where the partner's claim on the id is kept."""
        return Key(ExternalUserItem, f"EXTERNAL#{user_key}", "EXTERNAL")
