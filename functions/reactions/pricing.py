"""What follows from changes of tariffs."""

from kickstand.fleet import service as fleet
from kickstand.kernel.consumers import Change, stream_consumer
from kickstand.pricing.model import Tariff
from kickstand.pricing.store import TariffItem


@stream_consumer(TariffItem)
def offer_tariffs(change: Change[Tariff]) -> None:
    """Offer the vehicles of a network and model at their new tariff."""
    if change.new is not None and change.event is not None:
        fleet.offer(change.new)
