"""What our staff does with vehicles and clusters, and what follows from it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import clusters, directory, gateway
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import ClusterNotFound, TransitionRefused
from kickstand.fleet.model import (
    Action,
    Cluster,
    ClusterKind,
    ClusterState,
    Command,
    DockState,
    Hold,
    Operation,
    Purpose,
    Telemetry,
    Unavailability,
    Vehicle,
    VehicleState,
    VehicleTrigger,
)
from kickstand.fleet.operations import operate
from kickstand.fleet.service import Standing
from kickstand.fleet.store import ClusterItem
from kickstand.kernel import clock, store
from reactions.fleet import follow_clusters, project_listings
from tests.support import zones
from tests.support.city import ALLOWED, BIKE, E_BIKE, OSLO, City

_O, _S, _U = Operation, VehicleState, Unavailability


@pytest.fixture
def city(aws: Session) -> City:
    return City()


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    sent: list[Command] = []
    monkeypatch.setattr(gateway, "publish", sent.append)
    return sent


def condition(vehicle: Vehicle) -> tuple[VehicleState, set[Unavailability]]:
    store.begin()
    found = fleet.vehicle(vehicle.id)
    return found.state, set(found.unavailabilities)


def withdrawn(vehicle: Vehicle, reason: Unavailability) -> None:
    store.begin()
    with store.Transaction() as tx:
        fleet.withdraw(tx, fleet.vehicle(vehicle.id), reason)
    store.begin()


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_vehicle_goes_to_the_depot_and_back_and_to_scrap(city: City) -> None:
    vehicle = city.vehicle()
    steps = [
        (_O.COLLECT, _S.WITH_OPERATOR),
        (_O.STOCK, _S.IN_STOCK),
        (_O.COLLECT, _S.WITH_OPERATOR),
        (_O.DEPLOY, _S.AVAILABLE),
        (_O.COLLECT, _S.WITH_OPERATOR),
        (_O.DECOMMISSION, _S.DECOMMISSIONED),
    ]
    for operation, state in steps:
        store.begin()
        assert operate(vehicle.id, operation).state is state
    with pytest.raises(TransitionRefused):
        operate(vehicle.id, _O.COLLECT)


def test_a_blocked_vehicle_is_for_nobody(city: City) -> None:
    vehicle = city.vehicle()
    assert operate(vehicle.id, _O.BLOCK).unavailabilities == {_U.BLOCKED}
    store.begin()
    operate(vehicle.id, _O.BLOCK)
    assert condition(vehicle) == (_S.UNAVAILABLE, {_U.BLOCKED})
    operate(vehicle.id, _O.UNBLOCK)
    assert condition(vehicle) == (_S.AVAILABLE, set())


def test_what_is_ridden_is_left_alone_and_blocked_when_it_comes_back(city: City) -> None:
    vehicle = city.vehicle()
    with store.Transaction() as tx:
        fleet.rent(tx, vehicle, 5, city.client.id)
    for operation in (_O.COLLECT, _O.DEPLOY, _O.STOCK, _O.DECOMMISSION):
        store.begin()
        with pytest.raises(TransitionRefused):
            operate(vehicle.id, operation)
    operate(vehicle.id, _O.BLOCK)
    assert condition(vehicle) == (_S.IN_USE, {_U.BLOCKED})
    with store.Transaction() as tx:
        fleet.give_back(tx, fleet.vehicle(vehicle.id), 5)
    assert condition(vehicle) == (_S.UNAVAILABLE, {_U.BLOCKED})


def test_who_deploys_a_vehicle_has_looked_at_it(city: City) -> None:
    vehicle = city.vehicle()
    for reason in (_U.LOCK_UNCONFIRMED, _U.FOUND, _U.BROKEN):
        withdrawn(vehicle, reason)
    operate(vehicle.id, _O.COLLECT)
    store.begin()
    operate(vehicle.id, _O.DEPLOY)
    assert condition(vehicle) == (_S.UNAVAILABLE, {_U.BROKEN})
    fleet.clear(vehicle.id, _U.BROKEN)
    assert condition(vehicle) == (_S.AVAILABLE, set())


def test_whoever_changes_a_vehicle_meanwhile_is_not_overwritten(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    change, reasons = store.change, [_U.BROKEN]

    def interrupted(*arguments: Any, **options: Any) -> bool:
        if reasons:
            withdrawn(vehicle, reasons.pop())
        return change(*arguments, **options)

    monkeypatch.setattr(store, "change", interrupted)
    with pytest.raises(store.Contention):
        operate(vehicle.id, _O.COLLECT)
    assert condition(vehicle) == (_S.UNAVAILABLE, {_U.BROKEN})


def test_an_unlocked_vehicle_is_locked_where_it_is_left(city: City, published: list[Command]) -> None:
    later = clock.now() + timedelta(minutes=1)
    for model, commands in ((E_BIKE, [(Action.LOCK, Purpose.PARK)]), (BIKE, [])):
        vehicle = city.vehicle(model=model)
        report = Telemetry(vehicle_id=vehicle.id, at=later, position=OSLO, battery_percent=50, locked=False)
        fleet.receive(report, Standing(OSLO, "8809993867fffff", ALLOWED))
        published.clear()
        for operation in (_O.COLLECT, _O.DEPLOY):
            store.begin()
            operate(vehicle.id, operation)
        assert [(each.action, each.purpose) for each in published] == commands
        shown = fleet.vehicle(vehicle.id).maneuver
        assert (shown is not None and shown.purpose is Purpose.PARK) is (model is E_BIKE)


def test_a_vehicle_is_left_in_the_virtual_cluster_that_is_there(city: City) -> None:
    cluster = city.cluster(docks=1, type_=ClusterKind.VIRTUAL)
    directory.project([(None, cluster)])
    vehicle, another = city.vehicle(zones.at(5, 0)), city.vehicle()
    for each in (vehicle, another):
        for operation in (_O.COLLECT, _O.DEPLOY):
            store.begin()
            operate(each.id, operation)
    store.begin()
    assert fleet.vehicle(vehicle.id).spot == cluster.spot(1)
    assert fleet.vehicle(vehicle.id).position == zones.at(5, 0)
    assert fleet.vehicle(another.id).spot is None, "there is one place only"
    store.begin()
    operate(vehicle.id, _O.COLLECT)
    store.begin()
    assert fleet.vehicle(vehicle.id).spot is None
    assert clusters.cluster(cluster.id).parked == {}


# ── Being heard of ───────────────────────────────────────────────────────────────────────────────────────────────────


def report_of(city: City, vehicle: Vehicle) -> None:
    store.begin()
    telemetry = Telemetry(
        vehicle_id=vehicle.id,
        at=vehicle.reported_at + timedelta(seconds=9),
        position=OSLO,
        battery_percent=50,
        locked=True,
    )
    assert fleet.receive(telemetry, Standing(OSLO, "8809993867fffff", ALLOWED))


def docking_of(city: City, vehicle: Vehicle) -> None:
    cluster = city.cluster()
    store.begin()
    at = vehicle.reported_at + timedelta(seconds=9)
    assert clusters.dock(vehicle.id, cluster.id, 1, at, Standing(OSLO, "8809993867fffff", ALLOWED))


@pytest.mark.parametrize(("heard", "left"), [(report_of, {_U.LOCK_UNCONFIRMED, _U.FOUND}), (docking_of, {_U.FOUND})])
def test_a_lost_vehicle_that_is_heard_of_is_found(
    city: City, heard: Callable[[City, Vehicle], None], left: set[Unavailability]
) -> None:
    vehicle = city.vehicle()
    with store.Transaction() as tx:
        fleet.rent(tx, vehicle, 5, city.client.id)
    with store.Transaction() as tx:
        fleet.give_back(tx, fleet.vehicle(vehicle.id), 5, VehicleTrigger.LOSE, _U.LOCK_UNCONFIRMED)
    heard(city, vehicle)
    assert condition(vehicle) == (_S.UNAVAILABLE, left)


@pytest.mark.parametrize("heard", [report_of, docking_of])
@pytest.mark.parametrize("other", [None, _U.BLOCKED])
def test_a_vehicle_that_was_never_seen_is_there_when_it_is_heard_of(
    city: City, heard: Callable[[City, Vehicle], None], other: Unavailability | None
) -> None:
    standing = Standing(OSLO, "8809993867fffff", ALLOWED)
    vehicle = fleet.new_vehicle("NEW1", city.tariff(), standing, 0, seen=False)
    fleet.add_vehicle(vehicle, standing.cell)
    assert condition(vehicle) == (_S.UNAVAILABLE, {_U.NEVER_SEEN})
    if other is not None:
        withdrawn(vehicle, other)
    heard(city, vehicle)
    assert condition(vehicle) == ((_S.UNAVAILABLE, {other}) if other else (_S.AVAILABLE, set()))


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def follow(before: Cluster | None, after: Cluster | None) -> None:
    images = {
        name: ClusterItem.of(of).to_dynamodb_dict() for name, of in (("OldImage", before), ("NewImage", after)) if of
    }
    image = next(iter(images.values()))
    record = {"dynamodb": {"Keys": {"pk": image["pk"], "sk": image["sk"]}, "SequenceNumber": "1", **images}}
    assert follow_clusters({"Records": [record]}, None) == {"batchItemFailures": []}
    assert project_listings({"Records": [record]}, None) == {"batchItemFailures": []}


def now(cluster: Cluster) -> Cluster:
    store.begin()
    return clusters.cluster(cluster.id)


def test_what_stands_in_a_closed_cluster_or_a_bad_dock_is_withdrawn(city: City) -> None:
    cluster = city.cluster()
    first, second = city.docked(cluster, 1), city.docked(cluster, 2)
    opened = now(cluster)
    assert clusters.set_dock_state(cluster.id, 2, DockState.BROKEN)
    broken = now(cluster)
    assert broken.docks["2"] is DockState.BROKEN
    follow(opened, broken)
    assert condition(first) == (_S.AVAILABLE, set())
    assert condition(second) == (_S.UNAVAILABLE, {_U.DOCK_BROKEN})
    assert clusters.set_cluster_state(cluster.id, ClusterState.CLOSED)
    closed = now(cluster)
    follow(broken, closed)
    follow(broken, closed)
    assert condition(first) == (_S.UNAVAILABLE, {_U.CLUSTER_CLOSED})
    assert condition(second) == (_S.UNAVAILABLE, {_U.CLUSTER_CLOSED, _U.DOCK_BROKEN})
    clusters.set_dock_state(cluster.id, 2, DockState.INACTIVE)
    clusters.set_cluster_state(cluster.id, ClusterState.ACTIVE)
    follow(closed, now(cluster))
    assert condition(first) == (_S.AVAILABLE, set())
    assert condition(second) == (_S.UNAVAILABLE, {_U.DOCK_INACTIVE})
    follow(closed, broken)  # late news: what counts is how things are
    assert condition(second) == (_S.UNAVAILABLE, {_U.DOCK_INACTIVE})


def test_who_leaves_a_bad_dock_or_comes_into_one_is_noticed(city: City) -> None:
    bad, good = city.cluster(), city.cluster(position=zones.at(500, 0))
    clusters.set_dock_state(bad.id, 1, DockState.BROKEN)
    empty = now(bad)
    vehicle = city.docked(bad, 1)
    taken = now(bad)
    follow(empty, taken)
    assert condition(vehicle) == (_S.UNAVAILABLE, {_U.DOCK_BROKEN})
    at = clock.now() + timedelta(seconds=1)
    clusters.dock(vehicle.id, good.id, 1, at, Standing(good.position, "8809993867fffff", ALLOWED))
    follow(taken, now(bad))
    follow(now(good), now(good))
    assert condition(vehicle) == (_S.AVAILABLE, set())


def test_a_reservation_loses_a_vehicle_whose_cluster_closes(city: City) -> None:
    cluster = city.cluster()
    vehicle = city.docked(cluster, 1)
    opened = now(cluster)
    with store.Transaction() as tx:
        fleet.reserve(tx, vehicle, Hold(reservation_id=9, rider_id=8, until=clock.now() + timedelta(minutes=15)))
    clusters.set_cluster_state(cluster.id, ClusterState.INACTIVE)
    follow(opened, now(cluster))
    store.begin()
    found = fleet.vehicle(vehicle.id)
    assert (found.state, found.hold) == (_S.UNAVAILABLE, None)


def test_clusters_and_docks_that_do_not_exist_are_refused(city: City) -> None:
    cluster = city.cluster(docks=2)
    assert not clusters.set_cluster_state(cluster.id, ClusterState.ACTIVE)
    assert not clusters.set_dock_state(cluster.id, 2, DockState.WORKING)
    with pytest.raises(ClusterNotFound):
        clusters.set_cluster_state(404, ClusterState.CLOSED)
    with pytest.raises(ClusterNotFound):
        clusters.set_dock_state(cluster.id, 3, DockState.BROKEN)
    assert now(cluster).revision == cluster.revision
