"""Reactions to vehicles: their changes and their messages."""

from kickstand.fleet import listing
from kickstand.fleet.model import Vehicle
from kickstand.fleet.store import VehicleItem
from kickstand.kernel.consumers import Change, stream_batch_consumer


@stream_batch_consumer(VehicleItem)
def project_availability(changes: list[Change[Vehicle]]) -> None:
    """Keep the listings of available vehicles: what a batch changes is written once."""
    listing.project((change.old, change.new) for change in changes)
