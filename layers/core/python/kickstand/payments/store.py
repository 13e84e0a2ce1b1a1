"""Items of the payments table."""

from datetime import datetime

from kickstand.kernel.events import Event
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.payments.model import PaymentIntent, PaymentProfile, PaymentState


class PaymentsItem(Item[Entity]):
    """Anything in the payments table."""

    Meta = table_meta("PAYMENTS_TABLE")


# ── Profiles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class ProfileItem(PaymentsItem[PaymentProfile]):
    """What the provider knows of a rider: ``RIDER#<rider id>`` / ``PAYMENT_PROFILE``."""

    KIND = "payment_profile"
    KEYED_BY = ("rider_id",)

    version = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["ProfileItem"]:
        """Where the profile of a rider is kept."""
        return Key(ProfileItem, f"RIDER#{rider_id}", "PAYMENT_PROFILE")


# ── Payments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class PaymentItem(PaymentsItem[PaymentIntent]):
    """A payment: ``PAYMENT#<id>`` / ``PAYMENT``."""

    KIND = "payment"

    state = Value(PaymentState)
    captured = Value(int)
    refunded = Value(int)
    held_until = Value(datetime, null=True)
    version = Value(int)
    event = Value(Event)

    @staticmethod
    def key(payment_id: int) -> Key["PaymentItem"]:
        """Where a payment is kept."""
        return Key(PaymentItem, f"PAYMENT#{payment_id}", "PAYMENT")
