"""What completed rentals add to figures."""

from kickstand.insights import service as insights
from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.rental.model import Rental
from kickstand.rental.store import RentalItem


@stream_consumer(RentalItem)
def count_rides(change: Change[Rental]) -> None:
    """Count a ride when its rental has completed; cancelled rentals count nothing."""
    if change.new is not None and change.event is not None and change.event.name == "RentalCompleted":
        insights.count(change.new)
