"""The directory of a network's clusters, and what stands in them; kept and read as the listing of vehicles is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kickstand.fleet import listing_store
from kickstand.fleet.listing import DOCKED
from kickstand.fleet.listing import vehicles as vehicle_listings
from kickstand.fleet.listing_store import Bucket, ClusterCodec, ClusterEntry, VehicleEntry
from kickstand.fleet.model import Cluster, ClusterState, DockState
from kickstand.fleet.projection import Listing, Projection, Shape, tag
from kickstand.kernel import clock
from kickstand.kernel.cache import Recent
from kickstand.kernel.place import Position

__all__ = [
    "ClusterEntry",
    "Directory",
    "Stock",
    "cluster_ids",
    "clusters",
    "entry_of",
    "etag",
    "expect",
    "forget",
    "models",
    "nearest",
    "project",
    "read",
    "rebuild",
    "tag",
]

BUCKETS: Final = 16
_BUCKETS_KEPT: Final = 16 * 64
_DEGREE_M: Final = 111_000  # of latitude; rounded down


def entry_of(cluster: Cluster) -> ClusterEntry:
    """How a cluster shows in the directory."""
    return ClusterEntry(
        id=cluster.id,
        revision=cluster.revision,
        type=cluster.type,
        state=cluster.state,
        name=cluster.name,
        title=cluster.title,
        subtitle=cluster.subtitle,
        address=cluster.address,
        longitude=cluster.position.longitude,
        latitude=cluster.position.latitude,
        radius_m=cluster.radius_m,
        docks=tuple(sorted((int(number), state) for number, state in cluster.docks.items())),
        created_at=clock.milliseconds(cluster.created_at),
        updated_at=clock.milliseconds(cluster.updated_at),
    )


clusters: Final[Projection[Cluster, ClusterEntry]] = Projection(
    Shape(
        name="CLUSTERS",
        buckets=BUCKETS,
        entry=entry_of,
        codec=ClusterCodec(),
        of_network=listing_store.clusters_of,
        some=listing_store.clusters,
        views={},
    )
)
"""The directories of all networks' clusters."""

project, rebuild = clusters.project, clusters.rebuild


@dataclass
class Stock:
    """What stands in a cluster.

    Attributes:
        parked: the vehicle in each occupied dock, by the dock's number.
        rentable: how many vehicles of each vehicle model anybody may rent now.
    """

    parked: dict[int, int] = field(default_factory=dict)
    rentable: dict[int, int] = field(default_factory=dict)

    def free_docks(self, cluster: ClusterEntry) -> int:
        """How many docks of the cluster work and hold nothing."""
        return sum(state is DockState.WORKING and number not in self.parked for number, state in cluster.docks)


class _Parked(NamedTuple):
    cluster_id: int
    number: int
    vehicle_id: int
    model_id: int
    rentable: bool


_stocks: Final[Recent[tuple[int, int], tuple[int, list[_Parked]]]] = Recent(_BUCKETS_KEPT)


@dataclass(frozen=True)
class Directory:
    """The clusters of some networks and what stands there, each at most about a second old.

    Attributes:
        etag: an entity tag, in quotes; moves when a cluster, or what stands in one, shows differently.
        listing: the clusters.
        stocks: what stands in each cluster that is not empty.
        models: the vehicle models of what may stand there.
    """

    etag: str
    listing: Listing[ClusterEntry]
    stocks: Mapping[int, Stock]
    models: frozenset[int]

    def cluster(self, cluster_id: int) -> tuple[ClusterEntry, Stock] | None:
        """A cluster with what stands there, if it is one of these networks."""
        for bucket in self.listing.buckets:
            if bucket.number == cluster_id % BUCKETS:
                for entry in _entries(self.listing, bucket):
                    if entry.id == cluster_id:
                        return entry, self.stocks.get(cluster_id, Stock())
        return None

    def clusters(self) -> Iterator[tuple[ClusterEntry, Stock]]:
        """The clusters with what stands there, in no particular order."""
        nothing = Stock()
        for bucket in self.listing.buckets:
            for entry in _entries(self.listing, bucket):
                yield entry, self.stocks.get(entry.id, nothing)


def expect(*network_ids: int) -> None:
    """Announce that this request will read networks' directories and what stands in their clusters."""
    clusters.expect(*network_ids)
    vehicle_listings.expect(*network_ids, view=DOCKED)


def etag(*network_ids: int) -> str:
    """The entity tag of networks' directories at this moment, in quotes; two small reads for each."""
    expect(*network_ids)
    return tag(clusters.etag(*network_ids), vehicle_listings.etag(*network_ids, view=DOCKED))


def models(*network_ids: int) -> frozenset[int]:
    """The vehicle models that may stand in networks' clusters; read together with the tag."""
    return vehicle_listings.models(*network_ids, view=DOCKED)


def read(*network_ids: int) -> Directory:
    """The clusters of networks and what stands there; never reads vehicles, only what their listings say of docks.

    One read of the headers, which :func:`etag` may have done already. Where anything moved since this process read it
    last, one or two more of the buckets that did.
    """
    expect(*network_ids)
    listing, docked = clusters.read(*network_ids), vehicle_listings.read(*network_ids, view=DOCKED)
    stocks: dict[int, Stock] = {}
    for bucket in docked.buckets:
        for each in _parked(docked, bucket):
            stock = stocks.get(each.cluster_id)
            if stock is None:
                stock = stocks[each.cluster_id] = Stock()
            stock.parked[each.number] = each.vehicle_id
            if each.rentable:
                stock.rentable[each.model_id] = stock.rentable.get(each.model_id, 0) + 1
    return Directory(tag(listing.etag, docked.etag), listing, stocks, docked.models)


def _parked(docked: Listing[VehicleEntry], bucket: Bucket) -> list[_Parked]:
    key, version = (bucket.network_id, bucket.number), bucket.views[DOCKED]
    known = _stocks.get(key)
    if known is None or known[0] != version:
        parked = [
            _Parked(each.spot.cluster_id, each.spot.number, each.id, each.model_id, each.rentable)
            for each in docked.entries_of(bucket)
            if each.spot is not None
        ]
        known = _stocks.put(key, (version, parked))
    return known[1]


_unpacked: Final[Recent[tuple[int, int], tuple[int, list[ClusterEntry]]]] = Recent(_BUCKETS_KEPT)


def _entries(listing: Listing[ClusterEntry], bucket: Bucket) -> list[ClusterEntry]:
    key, version = (bucket.network_id, bucket.number), bucket.version
    known = _unpacked.get(key)
    if known is None or known[0] != version:
        known = _unpacked.put(key, (version, list(listing.entries_of(bucket))))
    return known[1]


def nearest(network_id: int, position: Position) -> ClusterEntry | None:
    """The nearest active cluster of a network within whose radius a position lies; mostly one small read."""
    listing = clusters.read(network_id)
    distances = [
        (Position(longitude=each.longitude, latitude=each.latitude).distance_m(position), each)
        for bucket in listing.buckets
        for each in _entries(listing, bucket)
        if each.state is ClusterState.ACTIVE and abs(each.latitude - position.latitude) * _DEGREE_M <= each.radius_m
    ]
    within = [(distance, each.id, each) for distance, each in distances if distance <= each.radius_m]
    return min(within)[2] if within else None


def cluster_ids(network_id: int) -> list[int]:
    """The clusters of a network, in whatever state; mostly one small read."""
    listing = clusters.read(network_id)
    return sorted(each.id for bucket in listing.buckets for each in _entries(listing, bucket))


def forget() -> None:
    """Keep nothing in memory any more."""
    clusters.forget()
    _stocks.clear()
    _unpacked.clear()
