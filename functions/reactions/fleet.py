"""What follows from changes of vehicles and clusters."""

from typing import Final

from kickstand.fleet import directory, listing
from kickstand.fleet.model import Cluster, Vehicle
from kickstand.fleet.store import ClusterItem, VehicleItem
from kickstand.kernel.consumers import Change, chained, stream_batch_consumer


@stream_batch_consumer(VehicleItem)
def project_vehicles(changes: list[Change[Vehicle]]) -> None:
    """Keep the listings of vehicles: what a batch changes is written once."""
    listing.project((change.old, change.new) for change in changes)


@stream_batch_consumer(ClusterItem)
def project_clusters(changes: list[Change[Cluster]]) -> None:
    """Keep the directories of clusters, in the same way."""
    directory.project((change.old, change.new) for change in changes)


project_listings: Final = chained(project_vehicles, project_clusters)
"""Whatever lists of vehicles and clusters show."""
