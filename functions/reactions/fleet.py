"""What follows from changes of vehicles and clusters."""

from typing import Final

from kickstand.fleet import clusters, directory, listing
from kickstand.fleet.model import Cluster, Unavailability, Vehicle
from kickstand.fleet.store import ClusterItem, VehicleItem
from kickstand.kernel.consumers import Change, chained, stream_batch_consumer, stream_consumer


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


@stream_consumer(ClusterItem)
def follow_clusters(change: Change[Cluster]) -> None:
    """Withdraw and restore the vehicles that stand in a cluster, as it and its docks go out of service and into it."""
    before, after = _withdrawn(change.old), _withdrawn(change.new)
    for vehicle_id in sorted(before.keys() | after.keys()):
        if before.get(vehicle_id) != after.get(vehicle_id):
            clusters.heed(vehicle_id)


def _withdrawn(cluster: Cluster | None) -> dict[int, frozenset[Unavailability]]:
    """Why the vehicles that stand in a cluster cannot be rented."""
    if cluster is None:
        return {}
    reasons = {each: clusters.reasons_in(cluster, int(number)) for number, each in cluster.parked.items()}
    return {vehicle_id: each for vehicle_id, each in reasons.items() if each}
