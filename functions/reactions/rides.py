"""What riders pay us for: reservations that have cost something, and amounts that are held while they ride."""

from kickstand.billing import rides
from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.rental.model import Rental, Reservation
from kickstand.rental.store import RentalItem, ReservationItem


@stream_consumer(ReservationItem)
def charge_reservations(change: Change[Reservation]) -> None:
    """Charge a reservation that is over; rentals are charged by their workflows."""
    if change.new is not None and change.event is not None:
        rides.charge_reservation(change.new)


@stream_consumer(RentalItem)
def secure_rentals(change: Change[Rental]) -> None:
    """Hold an amount for a rental that has begun."""
    if change.new is not None and change.event is not None and change.event.name == "RentalStarted":
        rides.secure(change.new)
