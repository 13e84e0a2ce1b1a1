"""Items of the identity table."""

from datetime import datetime
from uuid import UUID

from kickstand.identity.model import ExternalUser, Penalty, PenaltyState, Rider
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
    in_debt = Value(bool)

    @staticmethod
    def key(rider_id: int) -> Key["RiderItem"]:
        """Where a rider is kept."""
        return Key(RiderItem, f"RIDER#{rider_id}", "RIDER")


class ExternalUserItem(IdentityItem[ExternalUser]):
    """Whom a partner calls by an id of its own: ``EXTERNAL#<client id>#<digest>`` / ``EXTERNAL``."""

    KIND = "external_user"
    KEYED_BY = ("user_key",)

    penalty_points = Value(int)
    in_debt = Value(bool)

    @staticmethod
    def key(user_key: str) -> Key["ExternalUserItem"]:
        """Where the partner's claim on the id is kept."""
        return Key(ExternalUserItem, f"EXTERNAL#{user_key}", "EXTERNAL")


class PenaltyItem(IdentityItem[Penalty]):
    """A penalty, beside its user: ``EXTERNAL#<client id>#<digest>`` / ``PENALTY#<id>``."""

    KIND = "penalty"
    KEYED_BY = ("user_key", "id")

    state = Value(PenaltyState)
    resolved_at = Value(datetime, null=True)

    @staticmethod
    def key(user_key: str, penalty_id: int) -> Key["PenaltyItem"]:
        """Where a penalty is kept."""
        return Key(PenaltyItem, f"EXTERNAL#{user_key}", f"PENALTY#{penalty_id:016d}")


def latest_penalties(user_key: str, state: PenaltyState | None, most: int) -> list[Penalty]:
    """A user's penalties in ``state``, or in any; at most ``most``, newest first; one query."""
    found = PenaltyItem.query(
        f"EXTERNAL#{user_key}",
        PenaltyItem.sk.startswith("PENALTY#"),
        filter_condition=None if state is None else PenaltyItem.state == state,
        consistent_read=True,
        scan_index_forward=False,
        limit=most,
    )
    return [item.entity for item in found]
