"""What clients are told of their own accord: six kinds of events, from what has been committed."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from kickstand.billing import rides
from kickstand.billing.model import Debts, Invoice
from kickstand.billing.store import DebtsItem
from kickstand.clients import service as clients
from kickstand.fleet.model import Vehicle, VehicleState
from kickstand.fleet.store import VehicleItem
from kickstand.identity import service as identity
from kickstand.kernel.consumers import Change, chained, stream_consumer
from kickstand.kernel.events import Event
from kickstand.payments.model import PaymentIntent
from kickstand.payments.store import PaymentItem
from kickstand.rental.model import Rental
from kickstand.rental.model import Reservation as DomainReservation
from kickstand.rental.store import RentalItem, ReservationItem
from kickstand.webhooks import service as webhooks
from maas._events import LostVehicleEvent, UserInvoiceEvent, UserMessageEvent, UserPenaltyEvent
from maas._reservations import Reservation
from maas._schemas import Wire
from maas._trips import Trip, state_of, trips_of

TRIPS: Final = "/trips/events"
RESERVATIONS: Final = "/reservations"
INVOICES: Final = "/users/invoices"
PENALTIES: Final = "/users/penalties"
MESSAGES: Final = "/users/messages"
LOST_VEHICLES: Final = "/vehicles/lost"

_ON_ITS_WAY: Final = frozenset({"RentalTooLong", "RentalPenalised"})
"""What happens to a rental without changing its state."""


@dataclass(frozen=True)
class _News:
    """Something to tell a client.

    Attributes:
        path: the kind of event.
        subject: events of one subject arrive in order.
        id: names the event within its subject.
        payload: makes what is told, where somebody wants to know.
    """

    path: str
    subject: str
    id: str
    payload: Callable[[], Wire]


def _tell(client_id: int, told: Iterator[_News]) -> None:
    news = list(told)
    endpoints = webhooks.endpoints(client_id) if news else ()
    for each in news:
        if any(endpoint.wants(each.path) for endpoint in endpoints):
            payload = each.payload().model_dump(mode="json", by_alias=True, exclude_none=True)
            webhooks.publish(client_id, each.path, each.subject, each.id, payload)


@stream_consumer(RentalItem)
def tell_of_trips(change: Change[Rental]) -> None:
    """Tell a client of a trip's state, and of what its user owes, gets or has to know because of it."""
    if change.new is not None and change.event is not None and change.new.external_rider_id is not None:
        _tell(change.new.client_id, _about_trip(change.old, change.new, change.event))


def _about_trip(before: Rental | None, rental: Rental, event: Event) -> Iterator[_News]:
    if _shows(before, rental, event):
        yield _News(TRIPS, f"trip-{rental.id}", str(event.id), lambda: _trip(rental, event))
    user = f"user-{rental.rider_id}"
    if (penalty := UserPenaltyEvent.of(rental, event)) is not None:
        yield _News(PENALTIES, user, f"{event.id}-penalty", lambda: penalty)
    if (message := UserMessageEvent.of_trip(rental, event)) is not None:
        yield _News(MESSAGES, user, f"{event.id}-message", lambda: message)
    if (invoice := UserInvoiceEvent.of_trip(rental, event)) is not None:
        yield _News(INVOICES, user, f"{event.id}-invoice", lambda: invoice)


def _shows(before: Rental | None, rental: Rental, event: Event) -> bool:
    """Whether an event has changed what clients see as the state of a trip."""
    if event.name in _ON_ITS_WAY:
        return False
    replayed = before is not None and before.event.id == event.id
    return replayed or before is None or state_of(before) is not state_of(rental)


def _trip(rental: Rental, event: Event) -> Trip:
    (trip,) = trips_of([rental], event.at)
    return trip


@stream_consumer(ReservationItem)
def tell_of_reservations(change: Change[DomainReservation]) -> None:
    """Tell a client of a reservation's state, and of what its user owes or has to know because of it."""
    if change.new is not None and change.event is not None:
        _tell(change.new.client_id, _about_reservation(change.new, change.event))


def _about_reservation(reservation: DomainReservation, event: Event) -> Iterator[_News]:
    yield _News(RESERVATIONS, f"reservation-{reservation.id}", str(event.id), lambda: Reservation.of(reservation))
    user = f"user-{reservation.holder_id}"
    if (message := UserMessageEvent.of_reservation(reservation, event)) is not None:
        yield _News(MESSAGES, user, f"{event.id}-message", lambda: message)
    if (invoice := UserInvoiceEvent.of_reservation(reservation)) is not None:
        yield _News(INVOICES, user, f"{event.id}-invoice", lambda: invoice)


tell_of_riding: Final = chained(tell_of_trips, tell_of_reservations)
"""Whatever clients are told about changes in the rental table."""


@stream_consumer(PaymentItem)
def tell_of_payments(change: Change[PaymentIntent]) -> None:
    """Tell a client what its user has to do about the payment of a trip or a reservation."""
    if change.new is not None and change.event is not None:
        intent, event = change.new, change.event
        invoice = rides.troubled(intent, event)
        if invoice is not None:
            url = f"{os.environ['CHECKOUT_URL']}/payments/{intent.token}"
            _tell_user(invoice, event, lambda user_id: UserMessageEvent.of_payment(user_id, invoice, event, url))


@stream_consumer(DebtsItem)
def tell_of_debts(change: Change[Debts]) -> None:
    """Tell a client that its user has to pay for a trip or a reservation and has no card."""
    if change.new is not None and change.event is not None:
        invoice = rides.unpayable(change.new, change.event)
        if invoice is not None:
            _tell_user(invoice, change.event, lambda user_id: UserMessageEvent.of_debt(user_id, invoice))


def _tell_user(invoice: Invoice, event: Event, message: Callable[[str], Wire]) -> None:
    user_id = identity.find_by_id(invoice.rider_id).external_id
    if user_id is not None:
        news = _News(MESSAGES, f"user-{invoice.rider_id}", f"{event.id}-message", lambda: message(user_id))
        _tell(invoice.client_id, iter((news,)))


@stream_consumer(VehicleItem)
def tell_of_lost_vehicles(change: Change[Vehicle]) -> None:
    """Tell the client whose user rode a vehicle last that it is lost, or found."""
    vehicle = change.new
    if vehicle is not None and vehicle.last_client_id is not None:
        _tell(vehicle.last_client_id, _about_vehicle(change.old, vehicle, vehicle.last_client_id))


def _about_vehicle(before: Vehicle | None, vehicle: Vehicle, client_id: int) -> Iterator[_News]:
    was, is_lost = before is not None and before.state is VehicleState.LOST, vehicle.state is VehicleState.LOST
    if was is is_lost:
        return

    def payload() -> LostVehicleEvent:
        client = clients.find(client_id)
        return LostVehicleEvent(client_id=str(client.public_id), vehicle_id=vehicle.id, lost=is_lost)

    yield _News(LOST_VEHICLES, f"vehicle-{vehicle.id}", f"{vehicle.id}-{vehicle.revision}", payload)
