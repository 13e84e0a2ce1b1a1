"""Use cases about messages."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from kickstand.billing import invoices
from kickstand.billing.model import Invoice
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Network
from kickstand.identity import service as identity
from kickstand.identity.errors import RiderNotFound
from kickstand.identity.model import Rider
from kickstand.kernel import clock
from kickstand.kernel.events import Event
from kickstand.messaging import gateway, rules, store, templates
from kickstand.messaging.model import Mail, Message, MessageState, Template
from kickstand.payments.model import PaymentIntent
from kickstand.rental.model import Rental
from kickstand.sales.model import GiftLetter, Subscription
from kickstand.support.model import Maintenance

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

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write(template, rider, rental, network, event.at)

    return _tell(_message(event, rental.rider_id, template), rental.network_id, write)


def notify_repaired(maintenance: Maintenance, event: Event, rider_id: int) -> Message | None:
    """Tell a rider that a vehicle has been repaired, as :func:`notify` does it."""

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write_repaired(rider, maintenance.vehicle_code, network)

    return _tell(_message(event, rider_id, Template.VEHICLE_REPAIRED), maintenance.network_id, write)


def notify_renewal_failed(subscription: Subscription, event: Event) -> Message | None:
    """Tell a rider that a subscription could not be renewed, as :func:`notify` does it."""

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write_renewal_failed(rider, subscription, network, again=event.data["again"])

    return _tell(_message(event, subscription.rider_id, Template.RENEWAL_FAILED), subscription.network_id, write)


def notify_renewal_waits(subscription: Subscription, event: Event, link: str) -> Message | None:
    """Ask a rider to confirm the payment of a renewal, as :func:`notify` does it.

    Args:
        subscription: what is renewed.
        event: that the payment waits for the rider.
        link: where it can be confirmed.
    """

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write_renewal_waits(rider, subscription, network, link)

    return _tell(_message(event, subscription.rider_id, Template.RENEWAL_WAITS), subscription.network_id, write)


def notify_payment(intent: PaymentIntent, invoice: Invoice, event: Event) -> Message | None:
    """Tell a rider that the payment of an invoice waits for the rider, or has failed, as :func:`notify` does it."""
    if event.name == "PaymentActionWanted":
        link = f"{os.environ['CHECKOUT_URL']}/payments/{intent.token}"
        template = Template.PAYMENT_WAITS
    else:
        link = None
        template = Template.PAYMENT_FAILED

    def write(rider: Rider, network: Network) -> Mail:
        if link is not None:
            return templates.write_payment_waits(rider, invoice, intent.amount, network, link)
        return templates.write_debt(rider, invoice, network, tried=True)

    return _tell(_message(event, invoice.rider_id, template), invoice.network_id, write)


def notify_debt(invoice: Invoice, event: Event) -> Message | None:
    """Tell a rider without a card that an invoice is to be paid, as :func:`notify` does it."""

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write_debt(rider, invoice, network, tried=False)

    return _tell(_message(event, invoice.rider_id, Template.DEBT_OPEN), invoice.network_id, write)


def notify_gift_codes(letter: GiftLetter, event: Event) -> bool:
    """Mail the gift codes of an order to the address that was given for them, as :func:`notify` does it.

    Returns:
        Whether they have gone out, now or before.
    """

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write_gift_codes(rider, letter, network)

    message = _message(event, letter.rider_id, Template.GIFT_CODES)
    told = _tell(message, letter.network_id, write, recipient=letter.email)
    return (told.state if told else store.state_of(message)) is MessageState.SENT


def notify_invoice(invoice: Invoice, event: Event) -> Message | None:
    """Tell a rider that an invoice has been paid or taken back, as :func:`notify` does it.

    The mail goes to the address that was given for the receipt, or to the rider's own.
    """
    template = rules.template_for_invoice(invoice, event)
    if template is None:
        return None

    def write(rider: Rider, network: Network) -> Mail:
        return templates.write_invoice(template, rider, invoice, invoices.address(invoice), network)

    message = _message(event, invoice.rider_id, template)
    return _tell(message, invoice.network_id, write, recipient=invoice.receipt_email)


def _message(event: Event, rider_id: int, template: Template) -> Message:
    return Message(
        event_id=event.id,
        rider_id=rider_id,
        template=template,
        state=MessageState.PENDING,
        lease_until=clock.now() + LEASE,
    )


def _tell(
    message: Message, network_id: int, write: Callable[[Rider, Network], Mail], *, recipient: str | None = None
) -> Message | None:
    if not store.claim(message, clock.now()):
        if store.state_of(message) is MessageState.PENDING:
            raise MessageInFlight
        return None
    try:
        state = _send(message.rider_id, network_id, write, recipient)
    except Exception:
        store.release(message, clock.now())
        raise
    store.settle(message, state)
    return message.model_copy(update={"state": state})


def _send(
    rider_id: int, network_id: int, write: Callable[[Rider, Network], Mail], recipient: str | None
) -> MessageState:
    try:
        rider = identity.find_by_id(rider_id)
    except RiderNotFound:
        return MessageState.REFUSED
    address = recipient or rider.email
    if address is None:
        return MessageState.UNREACHABLE
    network = fleet.network(network_id)
    try:
        gateway.send(write(rider, network), address, network.issuer.email)
    except gateway.MailRefused:
        return MessageState.REFUSED
    return MessageState.SENT
