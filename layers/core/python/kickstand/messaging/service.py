"""Use cases about messages."""

from datetime import timedelta
from typing import Final

from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.kernel import clock
from kickstand.kernel.events import Event
from kickstand.messaging import gateway, rules, store, templates
from kickstand.messaging.model import Message, MessageState
from kickstand.rental.model import Rental

LEASE: Final = timedelta(seconds=30)
"""Longer than the mail service can keep us waiting, retries included."""


class MessageInFlight(Exception):
    """Somebody else is sending the message, or died doing so: the event has to be looked at again."""


def notify(rental: Rental, event: Event) -> Message | None:
    """Tell the rider what happened to the rental, where that calls for a message: one mail for one event.

    A message is claimed before it is sent and settled afterwards. Whoever finds it settled does nothing; a claim whose
    holder died is taken over when its lease has run out. Nothing loses a mail, and only a death between the mail
    service's answer and our note of it sends one twice.

    Returns:
        The message if this call settled it; ``None`` if there was nothing to send, or it had been settled before.

    Raises:
        MessageInFlight: the message is neither settled nor free.
    """
    template = rules.template_for(rental, event)
    if template is None:
        return None
    now = clock.now()
    message = Message(
        event_id=event.id,
        rider_id=rental.rider_id,
        template=template,
        state=MessageState.PENDING,
        lease_until=now + LEASE,
    )
    if not store.claim(message, now):
        if store.state_of(event.id) is MessageState.PENDING:
            raise MessageInFlight
        return None
    try:
        state = _send(message, rental, event)
    except Exception:
        store.release(message, clock.now())
        raise
    store.settle(message, state)
    return message.model_copy(update={"state": state})


def _send(message: Message, rental: Rental, event: Event) -> MessageState:
    try:
        rider = identity.find_by_id(rental.rider_id)
    except RiderNotFound:
        return MessageState.REFUSED
    if rider.email is None:
        return MessageState.UNREACHABLE
    network = fleet.network(rental.network_id)
    mail = templates.write(message.template, rider, rental, network, event.at)
    try:
        gateway.send(mail, rider.email, network.issuer.email)
    except gateway.MailRefused:
        return MessageState.REFUSED
    return MessageState.SENT
