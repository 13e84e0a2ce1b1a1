"""Dock groups as clients of the MaaS surface see them."""

import json
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import clusters, directory, listing
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, Cluster, ClusterKind, ClusterState, DockState, Vehicle, VehicleModel
from kickstand.kernel import clock, store
from kickstand.rental import service as rentals
from maas.dock_groups import DockGroup
from tests.support import zones
from tests.support.api import Client, access_token, maas
from tests.support.capacity import measured
from tests.support.city import BIKE, E_BIKE, City

CAR = VehicleModel(id=9, name="Car", category=Category.CAR, max_range_m=300_000)


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    fleet.put_model(CAR)
    return city


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


class Street:
    """Two clusters with some vehicles, listed as the stream would have it."""

    def __init__(self, city: City) -> None:
        physical = city.cluster(docks=5)
        clusters.put_cluster(physical.model_copy(update={"subtitle": 'By the "clock"', "address": "Storgata 1, Oslo"}))
        self.virtual = city.cluster(docks=2, type_=ClusterKind.VIRTUAL, position=zones.at(300, 0))
        self.bike, self.e_bike = city.docked(physical, 1), city.docked(physical, 2, E_BIKE)
        self.car, self.taken = city.docked(physical, 4, CAR), city.docked(self.virtual, 1, E_BIKE)
        clusters.set_dock_state(physical.id, 5, DockState.BROKEN)
        rentals.start(city.client, city.rider().public_id, self.taken.public_id)
        self.physical = self.now(physical)
        self.list()

    def now(self, cluster: Cluster) -> Cluster:
        store.begin()
        return clusters.cluster(cluster.id)

    def list(self) -> None:
        store.begin()
        every = fleet.vehicles([each.id for each in (self.bike, self.e_bike, self.car, self.taken)])
        listing.project((None, each) for each in every.values())
        directory.project((None, self.now(each)) for each in (self.physical, self.virtual))
        store.begin()


def listed(api: Client, **query: str) -> dict[int, dict[str, Any]]:
    return {each["id"]: each for each in api.call("get_dock_groups", query=query).json["data"]}


def one(api: Client, cluster: Cluster, **query: str) -> dict[str, Any]:
    found: dict[str, Any] = api.call("get_dock_group", path={"dockGroupId": str(cluster.id)}, query=query).json
    return found


def test_a_dock_group_says_what_is_there_to_take_and_to_leave(city: City, api: Client) -> None:
    street = Street(city)
    cluster = street.physical
    shown = one(api, cluster)
    assert shown == {
        "id": cluster.id,
        "createdAt": shown["createdAt"],
        "updatedAt": shown["updatedAt"],
        "type": "physical",
        "state": "active",
        "name": "58",
        "title": "Railway Square",
        "subtitle": 'By the "clock"',
        "address": "Storgata 1, Oslo",
        "availabilityInfo": {
            "availableVehicles": 2,
            "availableDocks": 1,
            "totalVehicles": 3,
            "totalDocks": 5,
            "vehicleCategories": [{"category": "bike", "available": 1}, {"category": "ebike", "available": 1}],
        },
        "geometry": {"type": "Point", "coordinates": [cluster.position.longitude, cluster.position.latitude]},
    }
    virtual = one(api, street.virtual)
    assert (virtual["type"], virtual["availabilityInfo"]["vehicleCategories"]) == ("virtual", [])
    assert virtual["availabilityInfo"]["totalVehicles"] == 1


@pytest.mark.parametrize("query", [{}, {"superpowers": "false"}, {"superpowers": "true"}])
def test_the_list_shows_every_group_as_it_is_alone(city: City, api: Client, query: dict[str, str]) -> None:
    street = Street(city)
    assert listed(api, **query) == {each.id: one(api, each, **query) for each in (street.physical, street.virtual)}


def test_the_list_is_what_its_model_would_write(city: City, api: Client) -> None:
    Street(city)
    models = {each.id: each for each in (BIKE, E_BIKE, CAR)}
    store.begin()
    groups = [DockGroup.of(*each, models, superpowers=True) for each in directory.read(1).clusters()]
    written = {each.id: json.loads(each.model_dump_json(by_alias=True, exclude_none=True)) for each in groups}
    assert listed(api, superpowers="true") == written


def test_superpowers_show_every_dock_and_what_is_not_open_yet(city: City, api: Client) -> None:
    street = Street(city)
    clusters.set_cluster_state(street.virtual.id, ClusterState.INACTIVE)
    street.list()
    assert set(listed(api)) == {street.physical.id}
    refused = api.call("get_dock_group", path={"dockGroupId": str(street.virtual.id)})
    assert (refused.status, refused.json["code"]) == (404, "dock_group_not_found")
    vehicles = api.call("get_vehicles_by_dock_group", path={"dockGroupId": str(street.virtual.id)})
    assert vehicles.status == 404
    everything = listed(api, superpowers="true")
    assert everything[street.virtual.id]["state"] == "inactive"
    docks = everything[street.physical.id]["availabilityInfo"]["docks"]
    assert docks == [
        {"number": 1, "state": "working", "vehicleId": street.bike.id},
        {"number": 2, "state": "working", "vehicleId": street.e_bike.id},
        {"number": 3, "state": "working"},
        {"number": 4, "state": "working", "vehicleId": street.car.id},
        {"number": 5, "state": "broken"},
    ]


def test_at_a_closed_group_nothing_can_be_taken_or_left(city: City, api: Client) -> None:
    street = Street(city)
    clusters.set_cluster_state(street.physical.id, ClusterState.CLOSED)
    street.list()
    for shown in (one(api, street.physical), listed(api)[street.physical.id]):
        info = shown["availabilityInfo"]
        assert (shown["state"], info["availableVehicles"], info["availableDocks"]) == ("closed", 0, 0)
        assert (info["totalVehicles"], info["totalDocks"], info["vehicleCategories"]) == (3, 5, [])


def test_the_vehicles_of_a_group_are_all_that_stand_there(city: City, api: Client) -> None:
    street = Street(city)

    def ids(cluster: Cluster) -> list[int]:
        answer = api.call("get_vehicles_by_dock_group", path={"dockGroupId": str(cluster.id)})
        return [each["id"] for each in answer.json["data"]]

    assert ids(street.physical) == [street.bike.id, street.e_bike.id]
    assert ids(street.virtual) == [street.taken.id]


@pytest.mark.parametrize("group", ["404", "abc", "-1", "9" * 30])
def test_groups_that_do_not_exist_are_not_found(city: City, api: Client, group: str) -> None:
    for operation in ("get_dock_group", "get_vehicles_by_dock_group"):
        answer = api.call(operation, path={"dockGroupId": group})
        assert (answer.status, answer.json["code"]) == (404, "dock_group_not_found")


def test_groups_of_foreign_networks_do_not_exist(city: City) -> None:
    street = Street(city)
    stranger = maas(access_token(city.partner("Stranger", (2,))[0].id))
    assert listed(stranger) == {}
    assert stranger.call("get_dock_group", path={"dockGroupId": str(street.physical.id)}).status == 404


def test_nonsense_is_refused(city: City, api: Client) -> None:
    answer = api.call("get_dock_groups", query={"superpowers": "flying"})
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


def test_who_has_the_list_already_is_told_so(city: City, api: Client) -> None:
    street = Street(city)
    tag = api.call("get_dock_groups").headers["etag"]

    def status() -> int:
        return api.call("get_dock_groups", headers={"if-none-match": tag}).status

    assert status() == 304
    assert api.call("get_dock_groups", query={"superpowers": "true"}, headers={"if-none-match": tag}).status == 200
    away = city.vehicle(model=BIKE)
    listing.project([(None, away), (away, later(away, battery_percent=3))])
    assert status() == 304, "what stands in no dock does not count"
    bike = fleet.vehicle(street.bike.id)
    listing.project([(bike, later(bike, battery_percent=3))])
    assert status() == 304, "nor does the charge"
    listing.project([(bike, later(bike, 2, spot=None))])
    assert status() == 200


def later(vehicle: Vehicle, by: int = 1, **differently: Any) -> Vehicle:
    return vehicle.model_copy(update={"revision": vehicle.revision + by, **differently})


def test_an_unchanged_list_is_one_round_trip(city: City, api: Client) -> None:
    Street(city)
    api.call("get_dock_groups")
    with measured() as usage:
        assert api.call("get_dock_groups").status == 200
    assert usage.calls == ["BatchGetItem"]


def test_an_unchanged_group_is_one_round_trip(city: City, api: Client) -> None:
    street = Street(city)
    one(api, street.physical)
    with measured() as usage:
        one(api, street.physical)
    assert usage.calls == ["BatchGetItem"]


def test_who_has_a_group_already_is_told_so(city: City, api: Client) -> None:
    street = Street(city)
    path = {"dockGroupId": str(street.physical.id)}
    known = api.call("get_dock_group", path=path).headers
    assert known["cache-control"] == "private, max-age=1"

    def status(**query: str) -> int:
        return api.call("get_dock_group", path=path, query=query, headers={"if-none-match": known["etag"]}).status

    assert status() == 304
    assert status(superpowers="true") == 200
    e_bike = fleet.vehicle(street.taken.id)
    listing.project([(e_bike, later(e_bike, 2, spot=None))])
    assert status() == 304, "what happens at others does not count"
    bike = fleet.vehicle(street.bike.id)
    listing.project([(bike, later(bike, 2, spot=None))])
    assert status() == 200


def test_records_of_clusters_may_come_twice_and_in_any_order(city: City, api: Client) -> None:
    cluster = city.cluster()
    first = clusters.cluster(cluster.id)
    second = first.model_copy(update={"title": "Harbour", "revision": 5, "updated_at": clock.now()})
    third = second.model_copy(update={"title": "Old harbour", "revision": 6})
    for change in ((second, third), (first, second), (None, first), (second, third)):
        store.begin()
        directory.project([change])
    assert listed(api)[cluster.id]["title"] == "Old harbour"
    store.begin()
    assert directory.rebuild(1) == 1
    assert listed(api)[cluster.id]["title"] == "Old harbour", "what the stream has told since stays"
