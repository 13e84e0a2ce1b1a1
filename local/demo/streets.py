"""The demo's clusters and vehicles, at real places.

Oslo's 260 stations are clusters with the docks that they really have, as many of them out of service as the status
feed says. Each holds a quarter of the bikes that the feed counted, so that the city is there within seconds.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil
from typing import Any, Final

from kickstand.fleet import service as fleet
from kickstand.fleet.model import (
    Cluster,
    ClusterKind,
    ClusterState,
    DockState,
    Spot,
    Unavailability,
    Vehicle,
    VehicleState,
)
from kickstand.fleet.service import Standing
from kickstand.fleet.store import ClusterItem
from kickstand.geo.cells import cell_of
from kickstand.kernel import clock, store
from kickstand.kernel.place import Position
from kickstand.rental.model import Rental
from local.demo.cities import BIKE, CAR, CLOSED_STATION, E_BIKE, FAMILY_BIKE, SCOOTER, Judgement, Tariffs, data
from local.demo.names import FIRST, OSLO, PARIS, code, uuid

_SCOOTERS: Final = 300
_CARS: Final = 5
_FIRST_IN_DOCKS: Final = FIRST + _SCOOTERS
_FIRST_CAR: Final = 901
_FIRST_IN_PARIS: Final = 1001

_FIRST_STATION: Final = "Universitetsgata"
_WITH_CHILD_SEAT: Final = 551
_SHARE: Final = 4
"""One of so many bikes of a station is in the demo."""

_VIRTUAL: Final = ("Aker Brygge", "Grønlands torg", "Olaf Ryes plass", "Sofienbergparken sør")
"""Stations beside which there is a place without hardware."""

_FIRST_VIRTUAL: Final = 10_001
_VIRTUAL_DOCKS: Final = 8
_BESIDE: Final = 0.0006  # degrees of latitude, some 65 m

_IDLE: Final = (
    VehicleState.UNAVAILABLE,
    VehicleState.WITH_OPERATOR,
    VehicleState.IN_STOCK,
    VehicleState.LOST,
    VehicleState.DECOMMISSIONED,
)
_REASONS: Final = (Unavailability.LOW_BATTERY, Unavailability.BLOCKED, Unavailability.LOW_CONTROLLER_BATTERY)
_EVERY: Final = 25
"""One vehicle of so many is not on the road."""

_LOW_BATTERY: Final = 12
_AT_ONCE: Final = 50  # vehicles with their codes: a transaction takes 100 items


@dataclass(frozen=True)
class Streets:
    """Everything that stands in the streets."""

    clusters: Sequence[Cluster]
    vehicles: Sequence[Vehicle]

    def e_bike_at(self, cluster_id: int) -> tuple[Vehicle, Spot]:
        """The first e-bike in a cluster's docks, and its dock."""
        standing = ((each, each.spot) for each in self.vehicles if each.spot and each.spot.cluster_id == cluster_id)
        return next((vehicle, spot) for vehicle, spot in standing if vehicle.model_id == E_BIKE)

    def replacing(self, vehicle: Vehicle) -> "Streets":
        """The streets with another version of a vehicle."""
        return replace(self, vehicles=[vehicle if each.id == vehicle.id else each for each in self.vehicles])

    def ridden(self, rentals: Iterable[Rental]) -> "Streets":
        """The streets whose vehicles know their latest rental."""
        latest = {rental.vehicle_id: rental for rental in rentals}
        vehicles = [
            vehicle.model_copy(update={"last_rental_id": rental.id, "last_client_id": rental.client_id})
            if (rental := latest.get(vehicle.id))
            else vehicle
            for vehicle in self.vehicles
        ]
        return replace(self, vehicles=vehicles)

    def write(self) -> None:
        """Keep it all. The local engine commits a transaction as one, which is much faster than item by item."""
        for clusters in _chunks(self.clusters, _AT_ONCE * 2):
            with store.Transaction() as tx:
                for cluster in clusters:
                    tx.put(ClusterItem.of(cluster))
        for vehicles in _chunks(self.vehicles, _AT_ONCE):
            with store.Transaction() as tx:
                for vehicle in vehicles:
                    tx.put(fleet.code_item(vehicle))
                    tx.put(fleet.vehicle_item(vehicle, cell_of(vehicle.position)))


def lay_out(tariffs: Tariffs, judged: Mapping[int, Judgement]) -> Streets:
    """Both cities: 300 scooters, about 400 bikes in docks and five cars in Oslo, 60 scooters in Paris."""
    rng = random.Random("oslo")  # noqa: S311 - the same city every time
    stations = data("oslo_stations.json")["stations"]
    open_ones = [each for each in stations if each.get("installed", True)]
    open_ones.sort(key=lambda each: (each["name"] != _FIRST_STATION, -each["capacity"], each["id"]))

    free = [_Place(SCOOTER, _near(station, rng)) for station in (open_ones + open_ones)[:_SCOOTERS]]
    clusters = [_station(each) for each in stations] + list(_virtual_clusters(stations))
    docked = [place for cluster, station in zip(clusters, stations, strict=False) for place in _held(cluster, station)]
    docked += [place for cluster in clusters[len(stations) :] for place in _beside(cluster)]
    cars = [_Place(CAR, _near(station, rng)) for station in open_ones[1 : 1 + _CARS]]

    oslo = _Lot(OSLO, tariffs, judged[OSLO], rng)
    vehicles = [
        *oslo.vehicles(FIRST, free),
        *oslo.vehicles(_FIRST_IN_DOCKS, docked),
        *oslo.vehicles(_FIRST_CAR, cars),
        *_vehicles_paris(tariffs, judged[PARIS]),
    ]
    return Streets(list(_holding(clusters, vehicles)), vehicles)


def _chunks(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (things[start : start + size] for start in range(0, len(things), size))


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _station(station: Mapping[str, Any]) -> Cluster:
    now = clock.now()
    capacity = station["capacity"]
    working = min(capacity, station.get("bikes", 0) + station.get("docks", capacity))
    state = ClusterState.ACTIVE if station.get("installed", True) else ClusterState.INACTIVE
    return Cluster(
        id=station["id"],
        network_id=OSLO,
        type=ClusterKind.PHYSICAL,
        state=ClusterState.CLOSED if station["id"] == CLOSED_STATION else state,
        name=str(station["id"]),
        title=station["name"],
        address=station["address"],
        position=_position(station),
        docks={
            str(number): DockState.WORKING if number <= working else _out_of_service(number)
            for number in range(1, capacity + 1)
        },
        created_at=now,
        updated_at=now,
    )


def _out_of_service(number: int) -> DockState:
    return DockState.BROKEN if number % 2 else DockState.INACTIVE


def _virtual_clusters(stations: Sequence[Mapping[str, Any]]) -> Iterator[Cluster]:
    now = clock.now()
    beside = {each["name"]: each for each in stations}
    for number, name in enumerate(_VIRTUAL, _FIRST_VIRTUAL):
        place = _position(beside[name])
        yield Cluster(
            id=number,
            network_id=OSLO,
            type=ClusterKind.VIRTUAL,
            name=f"V{number - _FIRST_VIRTUAL + 1}",
            title=f"{name} (demo)",
            subtitle="Between the painted lines",
            position=place.model_copy(update={"latitude": round(place.latitude + _BESIDE, 6)}),
            radius_m=30,
            docks={str(dock): DockState.WORKING for dock in range(1, _VIRTUAL_DOCKS + 1)},
            created_at=now,
            updated_at=now,
        )


def _holding(clusters: Sequence[Cluster], vehicles: Sequence[Vehicle]) -> Iterator[Cluster]:
    """The clusters with the vehicles that stand there."""
    parked: dict[int, dict[str, int]] = {cluster.id: {} for cluster in clusters}
    for vehicle in vehicles:
        if vehicle.spot:
            parked[vehicle.spot.cluster_id][str(vehicle.spot.number)] = vehicle.id
    for cluster in clusters:
        yield cluster.model_copy(update={"parked": parked[cluster.id]})


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Place:
    """Where a vehicle is to stand, in a dock or in the street."""

    model_id: int
    position: Position
    spot: Spot | None = None
    reason: Unavailability | None = None


def _held(cluster: Cluster, station: Mapping[str, Any]) -> Iterator[_Place]:
    """What stands in a station's docks: of three bikes one has a motor."""
    if cluster.state is ClusterState.INACTIVE:
        return
    reason = Unavailability.CLUSTER_CLOSED if cluster.state is ClusterState.CLOSED else None
    for number in range(1, ceil(min(station.get("bikes", 0), station["capacity"]) / _SHARE) + 1):
        model = BIKE if number % 3 else E_BIKE
        if number == 1 and cluster.id == _WITH_CHILD_SEAT:
            model = FAMILY_BIKE
        yield _Place(model, cluster.position, cluster.spot(number), reason)


def _beside(cluster: Cluster) -> Iterator[_Place]:
    """What stands in a place without hardware: two scooters and an e-bike."""
    for number, model in enumerate((SCOOTER, SCOOTER, E_BIKE), 1):
        yield _Place(model, cluster.position, cluster.spot(number))


def _position(station: Mapping[str, Any]) -> Position:
    return Position(longitude=station["longitude"], latitude=station["latitude"])


def _near(station: Mapping[str, Any], rng: random.Random) -> Position:
    return Position(
        longitude=round(station["longitude"] + rng.uniform(-0.0002, 0.0002), 6),
        latitude=round(station["latitude"] + rng.uniform(-0.0001, 0.0001), 6),
    )


def _vehicles_paris(tariffs: Tariffs, judged: Judgement) -> list[Vehicle]:
    """60 scooters at arbitrary places within the city's ring road where rides may end."""
    rng = random.Random("paris")  # noqa: S311 - likewise
    anywhere = [
        Position(longitude=round(rng.uniform(2.28, 2.40), 6), latitude=round(rng.uniform(48.835, 48.885), 6))
        for _ in range(120)
    ]
    allowed = (place for place, verdict in zip(anywhere, judged(anywhere), strict=True) if verdict.ride_end_allowed)
    places = [_Place(SCOOTER, place) for place in islice(allowed, 60)]
    return _Lot(PARIS, tariffs, judged, rng).vehicles(_FIRST_IN_PARIS, places)


@dataclass(frozen=True)
class _Lot:
    """Makes the vehicles of one city."""

    network_id: int
    tariffs: Tariffs
    judged: Judgement
    rng: random.Random

    def vehicles(self, first: int, places: Sequence[_Place]) -> list[Vehicle]:
        """A vehicle for each place, numbered from ``first`` on."""
        verdicts = self.judged([place.position for place in places])
        vehicles: list[Vehicle] = []
        for number, (place, verdict) in enumerate(zip(places, verdicts, strict=True), first):
            standing = Standing(position=place.position, cell=cell_of(place.position), verdict=verdict)
            tariff = self.tariffs[self.network_id, place.model_id]
            battery = self.rng.randint(25, 100)
            vehicle = fleet.new_vehicle(code(number), tariff, standing, battery, vehicle_id=number)
            vehicles.append(vehicle.model_copy(update={"public_id": uuid(number)} | _condition(number, place)))
        return vehicles


def _condition(number: int, place: _Place) -> dict[str, Any]:
    """What is the matter with a vehicle, and the dock that holds it if it is in the street at all."""
    in_dock = {"spot": place.spot, "spot_at": clock.now()} if place.spot else {}
    if place.reason:
        return in_dock | {"state": VehicleState.UNAVAILABLE, "unavailabilities": frozenset({place.reason})}
    if number % _EVERY:
        return in_dock
    turn = number // _EVERY
    state = _IDLE[turn % len(_IDLE)]
    if state is not VehicleState.UNAVAILABLE:
        return {"state": state}
    reason = _REASONS[turn // len(_IDLE) % len(_REASONS)]
    battery = {"battery_percent": _LOW_BATTERY} if reason is Unavailability.LOW_BATTERY else {}
    return in_dock | {"state": state, "unavailabilities": frozenset({reason})} | battery
