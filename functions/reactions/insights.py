"""What completed rentals and reservations add to figures."""

from kickstand.insights import service as insights
from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.rental.model import Rental, Reservation
from kickstand.rental.store import RentalItem, ReservationItem


@stream_consumer(RentalItem)
def count_rides(change: Change[Rental]) -> None:
    """Count a ride when its rental has completed; cancelled rentals count nothing."""
    if change.new is not None and change.event is not None and change.event.name == "RentalCompleted":
        insights.count(change.new)


@stream_consumer(ReservationItem)
def count_reservations(change: Change[Reservation]) -> None:
    """Count what a reservation that is over has cost; one that was free counts nothing."""
    if change.new is not None and change.event is not None and not change.new.is_active:
        insights.count_reservation(change.new)
