"""Vehicles as clients of the MaaS surface see them."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import clusters, listing
from kickstand.fleet import service as fleet
from kickstand.fleet.model import (
    Category,
    ClusterKind,
    Hold,
    Maneuver,
    Progress,
    Purpose,
    Unavailability,
    Vehicle,
    VehicleModel,
    VehicleState,
)
from kickstand.kernel import clock, ids, store
from kickstand.kernel.place import Position
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from maas import vehicles
from maas._vehicles import vehicle_of
from tests.support import zones
from tests.support.api import Client, access_token, maas
from tests.support.capacity import measured
from tests.support.city import BIKE, E_BIKE, SCOOTER, City

CAR = VehicleModel(id=9, name="Car", category=Category.CAR, max_range_m=300_000)
QUOTED = VehicleModel(
    id=10,
    name='The "Ø\\1"',
    category=Category.E_BIKE_CHILD_SEAT,
    max_range_m=61_003,
    manufacturer="Åse & sønner",
    brand="«B»",
    make="X1",
    bridge="axa",
    lock_visual="ring_lock",
)


@pytest.fixture
def city(aws: Session) -> City:
    city = City()
    for model in (CAR, QUOTED):
        fleet.put_model(model)
    return city


@pytest.fixture
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


def kept(vehicle: Vehicle, **differently: Any) -> Vehicle:
    """A vehicle that has become different."""
    changed = vehicle.model_copy(update={"revision": vehicle.revision + 1, **differently})
    with store.Transaction() as tx:
        tx.put(fleet.vehicle_item(changed, "8809993867fffff"))
    store.begin()
    return changed


def project(*vehicles: Vehicle) -> None:
    store.begin()
    listing.project((None, each) for each in vehicles)
    store.begin()


def wire(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def point(position: Position) -> dict[str, Any]:
    return {"position": {"type": "Point", "coordinates": [position.longitude, position.latitude]}}


def by_id(api: Client, vehicle: Vehicle) -> dict[str, Any]:
    found: dict[str, Any] = api.call("get_vehicle_by_id", path={"id": str(vehicle.id)}).json
    return found


# ── One vehicle ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_vehicle_says_what_it_is_and_whether_it_can_be_used(city: City, api: Client) -> None:
    cluster = city.cluster()
    vehicle = city.docked(cluster, 3, E_BIKE)
    assert by_id(api, vehicle) == {
        "id": vehicle.id,
        "name": f"City e {vehicle.code}",
        "number": vehicle.code,
        "vehicleCategory": "ebike",
        "model": {"id": 3, "name": "City e", "type": "ebike", "category": "ebike"},
        "status": "available",
        "state": "docked",
        "unavailabilityReasons": [],
        "batteryCharge": 80,
        "batteryRange": 48_000,
        "location": {
            "timestamp": f"{vehicle.located_at:%Y-%m-%dT%H:%M:%S}.{vehicle.located_at.microsecond // 1000:03d}Z",
            "geoPosition": {
                "position": {"type": "Point", "coordinates": [vehicle.position.longitude, vehicle.position.latitude]},
            },
            "dock": {"dockGroupId": cluster.id, "dockGroupName": "58", "dockNumber": 3},
        },
        "qrCode": vehicle.code,
        "isReserved": False,
    }


def test_a_vehicle_is_found_by_each_of_its_names(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    shown = by_id(api, vehicle)
    assert api.call("get_vehicle_by_qr_code", path={"qrCode": vehicle.code.lower()}).json == shown
    assert api.call("get_vehicle_by_gbfs_id", path={"gbfsId": str(vehicle.public_id)}).json == shown


def test_without_a_motor_there_is_no_charge(city: City, api: Client) -> None:
    shown = by_id(api, city.vehicle(model=BIKE))
    assert shown["vehicleCategory"] == "bike"
    assert not {"batteryCharge", "batteryRange"} & shown.keys()


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("get_vehicle_by_id", {"id": "404"}),
        ("get_vehicle_by_id", {"id": "abc"}),
        ("get_vehicle_by_id", {"id": "0012"}),
        ("get_vehicle_by_id", {"id": "9" * 40}),
        ("get_vehicle_by_qr_code", {"qrCode": "NONE"}),
        ("get_vehicle_by_qr_code", {"qrCode": "x" * 5_000}),
        ("get_vehicle_by_gbfs_id", {"gbfsId": "00000000-0000-4000-8000-000000000000"}),
        ("get_vehicle_by_gbfs_id", {"gbfsId": "bike"}),
    ],
)
def test_what_does_not_exist_is_not_found(city: City, api: Client, operation: str, path: dict[str, str]) -> None:
    answer = api.call(operation, path=path)
    assert (answer.status, answer.json["code"]) == (404, "vehicle_not_found")


def test_foreign_networks_and_other_kinds_of_vehicles_do_not_exist(city: City, api: Client) -> None:
    vehicle, car = city.vehicle(), city.vehicle(model=CAR)
    stranger, _ = city.partner("Stranger", (2,))
    for client, hidden in ((maas(access_token(stranger.id)), vehicle), (api, car)):
        paths = {
            "get_vehicle_by_id": {"id": str(hidden.id)},
            "get_vehicle_by_qr_code": {"qrCode": hidden.code},
            "get_vehicle_by_gbfs_id": {"gbfsId": str(hidden.public_id)},
        }
        for operation, path in paths.items():
            assert client.call(operation, path=path).status == 404


def test_only_its_client_sees_the_trip_and_where_it_goes(city: City, api: Client) -> None:
    cluster = city.cluster()
    vehicle = city.docked(cluster, 1)
    rental = rentals.start_for(city.client, "kari", vehicle.id)
    store.begin()
    lifecycle.confirm_unlocked(rental.id)
    store.begin()
    taken = fleet.vehicle(vehicle.id)
    there = kept(taken, position=zones.at(900, 0), located_at=clock.now(), spot=None)
    other, _ = city.partner("Other")
    mine, theirs = by_id(api, vehicle), by_id(maas(access_token(other.id)), vehicle)
    trip = mine.pop("trip")
    assert (trip["id"], trip["userId"], trip["state"]) == (rental.id, "kari", "in_progress")
    assert "vehicle" not in trip
    assert mine.pop("lastTripId") == rental.id
    begun, place, now = ids.created_at(rental.id), point(vehicle.position), listing.to_centimetres(there.position)
    assert theirs["location"] == {"timestamp": wire(begun), "geoPosition": place, "statePosition": place}
    known = {"timestamp": wire(there.located_at), "geoPosition": point(now), "statePosition": place}
    assert mine == theirs | {"location": known}
    assert api.call("get_trip", path={"tripId": str(rental.id)}).json["vehicle"]["location"] == known
    assert (mine["status"], mine["state"]) == ("on_trip", "in_progress")
    store.begin()
    lifecycle.docked(rental.id, cluster.spot(1), cluster.position, clock.now() + timedelta(seconds=1))
    store.begin()
    after = by_id(api, vehicle)
    assert (after["lastTripId"], "trip" in after) == (rental.id, False)
    assert "lastTripId" not in by_id(maas(access_token(other.id)), vehicle)


def test_a_rider_whom_the_client_has_not_named_has_no_trip_here(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    shown = by_id(api, vehicle)
    assert (shown["status"], "trip" in shown) == ("on_trip", False)


def test_a_vehicle_is_one_round_trip_its_model_another_a_minute_and_its_trip_one_more(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    by_id(api, vehicle)
    with measured() as usage:
        by_id(api, vehicle)
    assert usage.calls == ["BatchGetItem"]
    rentals.start_for(city.client, "kari", vehicle.id)
    with measured() as usage:
        by_id(api, vehicle)
    assert usage.calls == ["BatchGetItem"] * 2


# ── All vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────


def a_bit_of_everything(city: City) -> list[Vehicle]:
    cluster = city.cluster()
    virtual = city.cluster(type_=ClusterKind.VIRTUAL, position=zones.at(50, 0))
    made = [
        city.vehicle(),
        city.vehicle(model=BIKE),
        city.docked(cluster, 1, E_BIKE),
        kept(city.docked(virtual, 2, SCOOTER), battery_percent=0),
        city.vehicle(model=QUOTED, position=Position(longitude=-0.0000001, latitude=59)),
        kept(city.vehicle(), hold=Hold(reservation_id=1, rider_id=2, until=clock.now()), state=VehicleState.RESERVED),
        kept(
            city.vehicle(model=E_BIKE),
            state=VehicleState.UNAVAILABLE,
            unavailabilities=frozenset({Unavailability.BROKEN, Unavailability.DOCK_BROKEN}),
        ),
        kept(city.vehicle(), state=VehicleState.LOST),
    ]
    spot = cluster.spot(4).model_copy(update={"cluster_name": 'Sørenga "øst"'})
    for state, purpose, progress in (
        (VehicleState.IN_USE, Purpose.START, Progress.AWAITING_INTERACTION),
        (VehicleState.ON_HOLD, Purpose.PAUSE, Progress.JAMMED),
    ):
        maneuver = Maneuver(command_id="1", purpose=purpose, progress=progress, progress_at=clock.now())
        ridden = {"rental_id": ids.new_id(), "taken_from": zones.at(7, 7), "maneuver": maneuver, "spot": spot}
        made.append(kept(city.vehicle(model=E_BIKE), state=state, **ridden))
    return made


def test_the_list_shows_every_vehicle_as_it_is_alone(city: City, api: Client) -> None:
    vehicles = a_bit_of_everything(city)
    hidden = [city.vehicle(model=CAR), kept(city.vehicle(), state=VehicleState.DECOMMISSIONED)]
    project(*vehicles, *hidden)
    shown = api.call("get_vehicles").json["data"]
    expected = [vehicle_of(each, fleet.model(each.model_id)) for each in vehicles]
    plain = [json.loads(each.model_dump_json(by_alias=True, exclude_none=True)) for each in expected]
    assert sorted(shown, key=lambda each: each["id"]) == sorted(plain, key=lambda each: each["id"])


def test_the_list_is_of_all_systems_and_of_no_others(city: City) -> None:
    here, there, elsewhere = (City(network_id=number).vehicle() for number in (1, 2, 3))
    project(here, there, elsewhere)
    both, none = city.partner("Both", (1, 2))[0], city.partner("None", (77,))[0]
    client = maas(access_token(both.id))
    assert {each["id"] for each in client.call("get_vehicles").json["data"]} == {here.id, there.id}
    assert maas(access_token(none.id)).call("get_vehicles").json == {"data": []}


def test_clients_of_different_systems_do_not_make_each_others_lists_anew(
    city: City, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(city.vehicle(), City(network_id=2).vehicle(model=E_BIKE))
    both = maas(access_token(city.partner("Both", (1, 2))[0].id))
    rendered = []
    render = vehicles._entry

    def counted(*given: Any) -> bytes:
        rendered.append(given[1])
        return render(*given)

    monkeypatch.setattr(vehicles, "_entry", counted)
    for client in (both, api, both, api):
        vehicles._rendering._bodies.clear()
        assert client.call("get_vehicles").status == 200
    assert sorted(rendered) == [1, 2]


def conditional(api: Client, operation: str = "get_vehicles", **query: str) -> Callable[[], int]:
    """Asks again with the tag of the last answer; answers the status."""
    tags = [api.call(operation, query=query).headers["etag"]]

    def ask() -> int:
        answer = api.call(operation, query=query, headers={"if-none-match": tags[-1]})
        tags.append(answer.headers["etag"])
        return answer.status

    return ask


def test_who_has_the_list_already_is_told_so(city: City, api: Client) -> None:
    vehicle = city.vehicle()
    project(vehicle)
    ask = conditional(api)
    assert ask() == 304
    listing.project([(vehicle, kept(vehicle, state=VehicleState.IN_USE))])
    assert (ask(), ask()) == (200, 304)
    fleet.put_model(SCOOTER.model_copy(update={"name": "Scooter 2"}))
    assert (ask(), ask()) == (200, 304)
    fleet.put_model(SCOOTER.model_copy(update={"name": "Scooter 2", "docked": True}))
    assert ask() == 304
    name = api.call("get_vehicles").json["data"][0]["name"]
    assert name == f"Scooter 2 {vehicle.code}"
    fleet.put_model(SCOOTER)


def test_an_unchanged_list_is_one_round_trip(city: City, api: Client) -> None:
    project(city.vehicle())
    ask = conditional(api)
    with measured() as usage:
        assert ask() == 304
        assert api.call("get_vehicles").status == 200
    assert usage.calls == ["BatchGetItem"] * 2


def test_a_model_that_is_newer_than_the_header_is_shown_too(
    city: City, api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle(model=E_BIKE)
    project(city.vehicle(), vehicle)
    models = fleet.models
    monkeypatch.setattr(fleet, "models", lambda wanted: models(set(wanted) - {E_BIKE.id}))
    assert vehicle.id in {each["id"] for each in api.call("get_vehicles").json["data"]}


def test_clusters_leave_no_address_with_vehicles(city: City, api: Client) -> None:
    cluster = city.cluster()
    clusters.put_cluster(cluster.model_copy(update={"address": "Storgata 1"}))
    vehicle = city.docked(cluster, 1)
    assert "streetAddress" not in by_id(api, vehicle)["location"]["geoPosition"]
