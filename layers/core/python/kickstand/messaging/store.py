"""Items of the messaging table: which messages have gone out."""

from datetime import datetime, timedelta
from typing import Final

from kickstand.kernel.items import Item, Key, Value, table_meta
from kickstand.kernel.store import change, create, load
from kickstand.messaging.model import Message, MessageState

_KEPT: Final = timedelta(days=30)
"""Far longer than any stream repeats an event."""


class MessageItem(Item[Message]):
    """A message: ``MESSAGE#<event id>`` / ``RIDER#<rider id>``."""

    Meta = table_meta("MESSAGING_TABLE")
    KIND = "message"
    KEYED_BY = ("event_id", "rider_id")

    expires_at = Value(int)

    state = Value(MessageState)
    lease_until = Value(datetime)

    @staticmethod
    def key(event_id: int, rider_id: int) -> Key["MessageItem"]:
        """Where the message to a rider about an event is kept."""
        return Key(MessageItem, f"MESSAGE#{event_id}", f"RIDER#{rider_id}")


def claim(message: Message, now: datetime) -> bool:
    """Take a message for sending: a new one, or a pending one whose lease has run out. Answers whether it is ours."""
    if create(MessageItem.of(message, expires_at=int((now + _KEPT).timestamp()))):
        return True
    abandoned = (MessageItem.state == MessageState.PENDING) & (MessageItem.lease_until <= now)
    return change(MessageItem.key_of(message), [MessageItem.lease_until.set(message.lease_until)], condition=abandoned)


def state_of(message: Message) -> MessageState | None:
    """What is known about a message to the same rider about the same event."""
    item = load(MessageItem.key_of(message))
    return item.state if item else None


def settle(message: Message, state: MessageState) -> None:
    """Keep what became of a message."""
    change(MessageItem.key_of(message), [MessageItem.state.set(state)])


def release(message: Message, now: datetime) -> None:
    """Let anybody try a message again at once."""
    change(MessageItem.key_of(message), [MessageItem.lease_until.set(now)])
