"""Items of the payments table."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pynamodb.attributes import UnicodeAttribute

from kickstand.kernel.events import Event
from kickstand.kernel.items import AgendaIndex, Entity, Item, Key, Value, shard, table_meta
from kickstand.payments import rules
from kickstand.payments.model import (
    PaymentIntent,
    PaymentProfile,
    PaymentRequest,
    PaymentState,
    Refund,
    RefundState,
    SetupOwner,
)


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


class SetupOwnerItem(PaymentsItem[SetupOwner]):
    """Whose card is being saved: ``SETUP#<id>`` / ``SETUP``; it expires."""

    KIND = "setup_owner"

    @staticmethod
    def key(setup_id: int) -> Key["SetupOwnerItem"]:
        """Where the owner of a setup is kept."""
        return Key(SetupOwnerItem, f"SETUP#{setup_id}", "SETUP")


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
    agenda = UnicodeAttribute(null=True)
    due_at = Value(datetime, null=True)
    by_agenda = AgendaIndex()

    @staticmethod
    def key(payment_id: int) -> Key["PaymentItem"]:
        """Where a payment is kept."""
        return Key(PaymentItem, f"PAYMENT#{payment_id}", "PAYMENT")

    @classmethod
    def of(cls, entity: PaymentIntent, **attributes: Any) -> "PaymentItem":  # noqa: ANN401 - as for all items
        """The item of a payment; it stands on the agenda until it is over."""
        return super().of(entity, **on_agenda(entity.id, rules.due_at(entity)), **attributes)


class PaymentWaitItem(PaymentsItem[BaseModel]):
    """The task token with which a payment's workflow waits: ``PAYMENT#<payment id>`` / ``WAIT``."""

    KIND = "wait"

    token = Value(str)
    version = Value(int)
    expires_at = Value(int)

    @staticmethod
    def key(payment_id: int) -> Key["PaymentWaitItem"]:
        """Where the token is kept."""
        return Key(PaymentWaitItem, f"PAYMENT#{payment_id}", "WAIT")


class ParkedPaymentItem(PaymentsItem[BaseModel]):
    """Says why a payment's workflow gave up: ``PAYMENT#<payment id>`` / ``PARKED``."""

    KIND = "parked"

    error = Value(str)
    at = Value(datetime)

    @staticmethod
    def key(payment_id: int) -> Key["ParkedPaymentItem"]:
        """Where the note is kept."""
        return Key(ParkedPaymentItem, f"PAYMENT#{payment_id}", "PARKED")


class RefundItem(PaymentsItem[Refund]):
    """A refund: ``REFUND#<id>`` / ``REFUND``."""

    KIND = "refund"

    state = Value(RefundState)
    version = Value(int)
    event = Value(Event)
    agenda = UnicodeAttribute(null=True)
    due_at = Value(datetime, null=True)
    by_agenda = AgendaIndex()

    @staticmethod
    def key(refund_id: int) -> Key["RefundItem"]:
        """Where a refund is kept."""
        return Key(RefundItem, f"REFUND#{refund_id}", "REFUND")

    @classmethod
    def of(cls, entity: Refund, **attributes: Any) -> "RefundItem":  # noqa: ANN401 - as for all items
        """The item of a refund; it stands on the agenda until it is over."""
        return super().of(entity, **on_agenda(entity.id, rules.refund_due_at(entity)), **attributes)


def due_in(shard: int, now: datetime, most: int) -> tuple[list[int], list[int]]:
    """The ids of the payments and of the refunds of a shard that are due, the oldest first; one query."""
    until = AgendaIndex.due_at <= str(PaymentItem.due_at.serialize(now))
    found = [item.pk.partition("#") for item in PaymentItem.by_agenda.query(str(shard), until, limit=most)]
    payments, refunds = ([int(number) for kind, _, number in found if kind == of] for of in ("PAYMENT", "REFUND"))
    return payments, refunds


def on_agenda(identifier: int, at: datetime | None) -> dict[str, Any]:
    """The keys of the index for what somebody has to look at then; none for what nobody has to."""
    return {} if at is None else {"agenda": shard(identifier), "due_at": at}


class PaymentRequestItem(PaymentsItem[PaymentRequest]):
    """What a client has asked for under a key of its own: ``REQUEST#<client>#<rider>#<digest>`` / ``REQUEST``."""

    KIND = "payment_request"
    KEYED_BY = ("name",)

    expires_at = Value(int)

    @staticmethod
    def key(name: str) -> Key["PaymentRequestItem"]:
        """Where it is kept."""
        return Key(PaymentRequestItem, f"REQUEST#{name}", "REQUEST")


class ProviderEventItem(PaymentsItem[BaseModel]):
    """Says that what the provider told has been dealt with: ``EVENT#<the provider's id>`` / ``EVENT``."""

    KIND = "provider_event"

    expires_at = Value(int)

    @staticmethod
    def key(event_id: str) -> Key["ProviderEventItem"]:
        """Where the note is kept."""
        return Key(ProviderEventItem, f"EVENT#{event_id}", "EVENT")
