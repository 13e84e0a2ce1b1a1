"""Use cases about clusters and what stands in their docks.

A vehicle's item says in which dock it stands, its cluster's item says which vehicle each dock holds. One transaction
writes both, in the order of the docks' own events, whatever the order in which these arrive.
"""

from datetime import datetime
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.fleet import directory
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import ClusterNotFound
from kickstand.fleet.model import Cluster, ClusterKind, ClusterState, DockState, Spot, Unavailability, Vehicle
from kickstand.fleet.service import Fact, Standing
from kickstand.fleet.store import ClusterItem, VehicleItem, same_spot
from kickstand.kernel import clock, store
from kickstand.kernel.place import Position

# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def put_cluster(cluster: Cluster) -> None:
    """Open a cluster, or change everything about it except what stands in its docks."""
    item = ClusterItem.of(cluster)
    if store.create(item):
        return
    actions: list[store.Action] = [
        ClusterItem.state.set(cluster.state),
        ClusterItem.name.set(cluster.name),
        ClusterItem.title.set(cluster.title),
        ClusterItem.subtitle.set(cluster.subtitle) if cluster.subtitle else ClusterItem.subtitle.remove(),
        ClusterItem.address.set(cluster.address) if cluster.address else ClusterItem.address.remove(),
        ClusterItem.position.set(cluster.position),
        ClusterItem.radius_m.set(cluster.radius_m),
        ClusterItem.docks.set(cluster.docks),
        ClusterItem.updated_at.set(clock.now()),
        ClusterItem.revision.add(1),
    ]
    store.change(ClusterItem.key(cluster.id), actions)


def set_cluster_state(cluster_id: int, state: ClusterState) -> bool:
    """Take a cluster out of service or into it; answers whether it was otherwise before.

    Raises:
        ClusterNotFound: there is none.
    """
    cluster(cluster_id)
    return _change_cluster(cluster_id, ClusterItem.state.set(state), ClusterItem.state != state)


def set_dock_state(cluster_id: int, number: int, state: DockState) -> bool:
    """Take a dock out of service or into it; answers whether it was otherwise before.

    Raises:
        ClusterNotFound: there is no such cluster, or it has no such dock.
    """
    if str(number) not in cluster(cluster_id).docks:
        raise ClusterNotFound("The cluster has no such dock")
    dock = ClusterItem.docks[str(number)]
    return _change_cluster(cluster_id, dock.set(state.value), dock.exists() & (dock != state.value))


def _change_cluster(cluster_id: int, action: store.Action, condition: store.Condition) -> bool:
    actions = [action, ClusterItem.updated_at.set(clock.now()), ClusterItem.revision.add(1)]
    return store.change(ClusterItem.key(cluster_id), actions, condition=condition)


def expect_cluster(cluster_id: int) -> None:
    """Announce that this request will ask for a cluster."""
    store.expect(ClusterItem.key(cluster_id))


def cluster(cluster_id: int) -> Cluster:
    """A cluster by our own id, for work that nobody outside asked for.

    Raises:
        ClusterNotFound: there is none.
    """
    item = store.load(ClusterItem.key(cluster_id))
    if item is None:
        raise ClusterNotFound
    return item.entity


def find_cluster(client: ApiClient, cluster_id: int) -> Cluster:
    """A cluster of one of the partner's networks, in whatever state; one read.

    Raises:
        ClusterNotFound: it does not exist for this partner.
    """
    found = cluster(cluster_id)
    if not client.may_see(found.network_id):
        raise ClusterNotFound
    return found


def vehicles_at(cluster: Cluster) -> list[Vehicle]:
    """The vehicles in a cluster's docks, by the dock's number; one read."""
    parked = sorted(cluster.parked.items(), key=lambda dock: int(dock[0]))
    items = store.load_all([VehicleItem.key(vehicle_id) for _, vehicle_id in parked])
    return [item.entity for item in items if item is not None]


def parked_in(network_id: int) -> list[Vehicle]:
    """The vehicles of a network that stand in a dock, or in a place without hardware, and that nobody has taken."""
    places = store.load_all([ClusterItem.key(each) for each in directory.cluster_ids(network_id)])
    parked = sorted(each for item in places if item is not None for each in item.parked.values())
    vehicles = fleet.vehicles(parked).values()
    return [each for each in vehicles if each.spot is not None and each.rental_id is None]


def nearest_cluster(network_id: int, position: Position) -> Cluster | None:
    """The nearest active cluster of a network within whose radius a position lies, if any; mostly two reads."""
    found = directory.nearest(network_id, position)
    item = store.load(ClusterItem.key(found.id)) if found else None
    # The directory may be a second old.
    return item.entity if item and item.state is ClusterState.ACTIVE else None


# ── What follows for the vehicles that stand there ───────────────────────────────────────────────────────────────────

_OF_DOCKS: Final = frozenset({Unavailability.CLUSTER_CLOSED, Unavailability.DOCK_INACTIVE, Unavailability.DOCK_BROKEN})
_OF_LOCKS: Final = frozenset({Unavailability.LOCK_UNCONFIRMED, Unavailability.LOCK_REJECTED})
"""What a vehicle is not withdrawn for any more when a dock has closed on it."""


def reasons_in(cluster: Cluster, number: int) -> frozenset[Unavailability]:
    """Why a vehicle in a dock cannot be rented, as far as the dock and its cluster are concerned."""
    closed = cluster.state is not ClusterState.ACTIVE
    of_dock = {DockState.INACTIVE: Unavailability.DOCK_INACTIVE, DockState.BROKEN: Unavailability.DOCK_BROKEN}
    dock = of_dock.get(cluster.docks.get(str(number), DockState.WORKING))
    return frozenset({Unavailability.CLUSTER_CLOSED} if closed else ()) | ({dock} if dock else frozenset())


def heed(vehicle_id: int) -> bool:
    """Withdraw a vehicle for what keeps its dock from service, restore it from what did; answers whether it had to.

    Raises:
        Contention: the vehicle kept changing.
    """
    item = store.load(VehicleItem.key(vehicle_id))
    if item is None:
        return False
    has, wanted = item.unavailabilities & _OF_DOCKS, frozenset[Unavailability]()
    if item.spot is not None:
        place = store.load(ClusterItem.key(item.spot.cluster_id))
        wanted = reasons_in(place.entity, item.spot.number) if place else wanted
    for reason in sorted(wanted - has):
        with store.Transaction() as tx:
            fleet.withdraw(tx, fleet.vehicle(vehicle_id), reason)
    for reason in sorted(has - wanted):
        fleet.clear(vehicle_id, reason)
    return wanted != has


# ── What docks report ────────────────────────────────────────────────────────────────────────────────────────────────


class _Changed(store.Contention):
    """A vehicle or a dock changed between reading and writing; decide anew."""


def dock(vehicle_id: int, cluster_id: int, number: int, at: datetime, standing: Standing) -> bool:
    """A dock holds a vehicle now; answers whether that was news.

    The vehicle stands locked where the dock is and in no other dock any more; what the dock was thought to hold is out.
    What comes twice, late, or from a dock or a vehicle that is not there changes nothing.

    Args:
        vehicle_id: the vehicle.
        cluster_id: the cluster of the dock.
        number: of the dock.
        at: when the dock closed.
        standing: where the cluster is, and what follows from that.

    Raises:
        Contention: vehicle or docks kept changing.
    """
    return store.again(lambda: _dock(vehicle_id, cluster_id, str(number), at, standing), on=_Changed)


def park(vehicle_id: int, spot: Spot, at: datetime, *, ride: int | None = None) -> bool:
    """A vehicle was left at a cluster without hardware; answers whether it has a place there now.

    It stays where it stands, and gets the next place where somebody was given its own at the same moment. One that
    somebody rides by now has left already.

    Args:
        vehicle_id: the vehicle.
        spot: the place that it was given.
        at: when it was left.
        ride: the rental that left it there, where one did; one that was followed by another has left nothing.

    Raises:
        Contention: vehicle or docks kept changing.
    """

    def attempt() -> bool:
        taken = cluster(spot.cluster_id).parked.get(str(spot.number))
        free = cluster(spot.cluster_id).free_docks if taken not in {None, vehicle_id} else [spot.number]
        return bool(free) and _dock(vehicle_id, spot.cluster_id, str(free[0]), at, None, ride)

    return store.again(attempt, on=_Changed)


def settle(vehicle_id: int) -> bool:
    """A vehicle was left somewhere: where that is a cluster without hardware, it gets a free place there, if any."""
    vehicle = fleet.vehicle(vehicle_id)
    place = nearest_cluster(vehicle.network_id, vehicle.position)
    if place is None or place.type is not ClusterKind.VIRTUAL or not place.free_docks:
        return False
    return park(vehicle_id, place.spot(place.free_docks[0]), clock.now())


def stray(vehicle: Vehicle, position: Position, at: datetime) -> bool:
    """A vehicle that nobody rides is elsewhere: its cluster without hardware has it no more; answers whether it had.

    Args:
        vehicle: as read.
        position: where it is.
        at: since when.
    """
    if vehicle.rental_id is not None or vehicle.spot is None or not vehicle.spot.virtual:
        return False
    place = store.load(ClusterItem.key(vehicle.spot.cluster_id))
    if place is not None and place.position.distance_m(position) <= place.radius_m:
        return False
    return undock(vehicle.id, at)


def undock(vehicle_id: int, at: datetime) -> bool:
    """No dock holds a vehicle any more; answers whether that was news. What comes twice or late changes nothing.

    Args:
        vehicle_id: the vehicle.
        at: when the dock opened.

    Raises:
        Contention: vehicle or dock kept changing.
    """
    return store.again(lambda: _undock(vehicle_id, at), on=_Changed)


def _dock(
    vehicle_id: int, cluster_id: int, number: str, at: datetime, standing: Standing | None, ride: int | None = None
) -> bool:
    item, place = store.load_all([VehicleItem.key(vehicle_id), ClusterItem.key(cluster_id)])
    if item is None or place is None or number not in place.docks or item.network_id != place.network_id:
        return False
    vehicle: Vehicle = item.entity
    if not _is_news(vehicle, at) or (standing is None and not _is_left(vehicle, ride)):
        return False
    before: Cluster = place.entity
    left = _spot_of(vehicle)
    other = _vehicle_in(before, number) if before.parked.get(number) not in {None, vehicle_id} else None
    if other is not None and not _is_news(other, at):
        return False
    with store.Transaction() as tx:
        if standing:
            over = _OF_LOCKS if before.type is ClusterKind.PHYSICAL else frozenset[Unavailability]()
            facts = [fleet.signs_of_life(vehicle, over), _told_by_dock(vehicle, at, locked=True)]
        else:
            facts = [Fact(condition=_still_left(vehicle))]
        actions = [
            VehicleItem.spot.set(before.spot(int(number))),
            VehicleItem.spot_at.set(at),
            *(_place(vehicle, at, standing) if standing else ()),
            VehicleItem.revision.add(1),
        ]
        _change(tx, vehicle, actions, facts)
        if other is not None:
            _change(tx, other, [VehicleItem.spot.remove(), VehicleItem.revision.add(1)], [])
        if before.parked.get(number) != vehicle_id:
            _park(tx, before, number, vehicle_id, left)
        if left is not None and left.cluster_id != cluster_id:
            _vacate(tx, left, vehicle_id)
    return True


def _undock(vehicle_id: int, at: datetime) -> bool:
    item = store.load(VehicleItem.key(vehicle_id))
    if item is None or not _is_news(item.entity, at):
        return False
    vehicle = item.entity
    left = _spot_of(vehicle)
    with store.Transaction() as tx:
        actions = [VehicleItem.spot.remove(), VehicleItem.spot_at.set(at), VehicleItem.revision.add(1)]
        _change(tx, vehicle, actions, [fleet.signs_of_life(vehicle), _told_by_dock(vehicle, at, locked=False)])
        if left is not None:
            _vacate(tx, left, vehicle_id)
    return True


def _is_left(vehicle: Vehicle, ride: int | None) -> bool:
    """Whether a vehicle still is where it was left: by a rental, where it is named, and by whomever otherwise."""
    return vehicle.rental_id is None and ride in {None, vehicle.last_rental_id}


def _still_left(vehicle: Vehicle) -> store.Condition:
    """That nobody has taken a vehicle since it was read."""
    last = VehicleItem.last_rental_id
    same: store.Condition = last.does_not_exist() if vehicle.last_rental_id is None else last == vehicle.last_rental_id
    same &= VehicleItem.rental_id.does_not_exist()
    return same


def _place(vehicle: Vehicle, at: datetime, standing: Standing) -> list[store.Action]:
    return [
        VehicleItem.position.set(standing.position),
        VehicleItem.cell.set(VehicleItem.cell_key(vehicle.network_id, standing.cell)),
        VehicleItem.verdict.set(standing.verdict),
        VehicleItem.located_at.set(max(at, vehicle.located_at)),
    ]


def _change(tx: store.Transaction, vehicle: Vehicle, actions: list[store.Action], facts: list[Fact]) -> None:
    condition = same_spot(vehicle)
    for fact in facts:
        actions.extend(fact.actions)
        condition = condition if fact.condition is None else condition & fact.condition
    tx.update(VehicleItem.key(vehicle.id), actions, condition=condition, otherwise=_Changed)


def _spot_of(vehicle: Vehicle) -> Spot | None:
    """The dock that a vehicle stands in, if the dock's cluster says so too."""
    if vehicle.spot is None:
        return None
    item = store.load(ClusterItem.key(vehicle.spot.cluster_id))
    return vehicle.spot if item and item.parked.get(str(vehicle.spot.number)) == vehicle.id else None


def _vehicle_in(cluster: Cluster, number: str) -> Vehicle | None:
    """The vehicle that a dock holds, if the vehicle says so too."""
    item = store.load(VehicleItem.key(cluster.parked[number]))
    spot = item.spot if item else None
    return item.entity if item and spot and (spot.cluster_id, str(spot.number)) == (cluster.id, number) else None


def _is_news(vehicle: Vehicle, at: datetime) -> bool:
    return vehicle.spot_at is None or at > vehicle.spot_at


def _told_by_dock(vehicle: Vehicle, at: datetime, *, locked: bool) -> Fact:
    """What a dock's event says about the vehicle's lock, unless the vehicle has said something later."""
    if at <= vehicle.reported_at:
        return Fact()
    settled = fleet.settled_by(vehicle, locked=locked)
    return Fact((VehicleItem.locked.set(locked), *settled.actions), settled.condition)


def _park(tx: store.Transaction, cluster: Cluster, number: str, vehicle_id: int, left: Spot | None) -> None:
    held = cluster.parked.get(number)
    dock = ClusterItem.parked[number]
    same = dock.does_not_exist() if held is None else dock == held
    actions = [dock.set(vehicle_id), ClusterItem.revision.add(1)]
    if left is not None and left.cluster_id == cluster.id:  # a transaction changes an item once
        before = ClusterItem.parked[str(left.number)]
        same &= before == vehicle_id
        actions.append(before.remove())
    tx.update(ClusterItem.key(cluster.id), actions, condition=same, otherwise=_Changed)


def _vacate(tx: store.Transaction, left: Spot, vehicle_id: int) -> None:
    dock = ClusterItem.parked[str(left.number)]
    actions = [dock.remove(), ClusterItem.revision.add(1)]
    tx.update(ClusterItem.key(left.cluster_id), actions, condition=dock == vehicle_id, otherwise=_Changed)
