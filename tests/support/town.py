"""A running platform as its partners, its riders and its vehicles see it, with the clock in the test's hand."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import pytest
from shapely.geometry import Point, shape
from shapely.ops import unary_union

from kickstand.clients import service as clients
from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, Unavailability, VehicleState
from kickstand.kernel import clock, ids, store
from local.server import Platform
from local.testing import running_platform
from local.vehicles import Vehicles
from tests.support.http import Answer, Http
from tests.support.maas import MaasClient

Place = tuple[float, float]
"""Longitude and latitude in degrees."""

OSLO: Final = "1"
PARIS: Final = "2"
T = TypeVar("T")

_VIRTUAL_FROM: Final = 10_000
"""The demo's clusters without hardware have greater numbers."""

_UNNOTICED_S: Final = 19 * 60
_PATIENCE = 8
"""Between two reports of a vehicle that keeps moving: a little less than standing still takes to be noticed."""


def until(condition: Callable[[], T], *, seconds: float = 5, what: str = "it did not happen") -> T:
    """Ask again and again until the answer is true; fails when that takes longer than ``seconds``.

    On a machine that is busy with other things, only the time counts that this process, in which the platform runs, got
    of a processor.
    """
    started, worked = time.monotonic(), time.process_time()
    while True:
        answer = condition()
        if answer:
            return answer
        waited = time.monotonic() - started
        busy_elsewhere = time.process_time() - worked < seconds and waited < _PATIENCE * seconds
        assert waited < seconds or busy_elsewhere, f"{what} within {seconds} s"
        time.sleep(0.01)


@dataclass(frozen=True)
class Partner:
    """A partner's backend: it knows its token and calls the Voi surface."""

    http: Http

    def register_product(self, name: str) -> str:
        """A new product's id."""
        return str(self.http.post("/v1/product/register", {"productName": name}).data[0]["id"])

    def register_user(self, product: str, email: str = "kari@kickstand.dev", **more: str) -> str:
        """A new user's id."""
        return str(self.http.post("/v1/user/register", {"email": email, "productId": product, **more}).data["id"])

    def listed(self, zone: str = OSLO) -> dict[str, Any]:
        """The vehicles of a zone that can be rented now, by id."""
        return {each["id"]: each["attributes"] for each in self.http.get("/v1/vehicles/", query={"zoneID": zone}).data}

    def start(self, user: str, vehicle: "Vehicle", **more: object) -> Answer:
        """Ask for a rental."""
        return self.http.post("/v1/rental/start", {"userId": user, "vehicleId": vehicle.id, **more})

    def end(self, rental: str, **more: object) -> Answer:
        """Ask for a rental's end."""
        return self.http.post(f"/v1/rental/{rental}/end", more)

    def rental(self, rental: str) -> dict[str, Any]:
        """What there is to know about a rental."""
        found: dict[str, Any] = self.http.get(f"/v1/rental/{rental}").data[0]["attributes"]
        return found

    def receipt(self, rental: str) -> Answer:
        """The document behind the link to a rental's receipt."""
        return Http("").get(self.rental(rental)["receipt"]["url"])


@dataclass(frozen=True)
class Vehicle:
    """A vehicle in the street."""

    id: str
    code: str
    place: Place

    @property
    def number(self) -> int:
        """The platform's own id of it."""
        return ids.id_of(UUID(self.id))


def condition(vehicle: Vehicle) -> tuple[VehicleState, set[Unavailability]]:
    """The truth about a vehicle, which operators know and this surface does not tell."""
    store.begin()
    found = fleet.vehicle(vehicle.number)
    return found.state, set(found.unavailabilities)


def known(number: int) -> Vehicle:
    """A vehicle by the platform's own id of it."""
    store.begin()
    found = fleet.vehicle(number)
    return Vehicle(str(found.public_id), found.code, (found.position.longitude, found.position.latitude))


def is_free_scooter(vehicle: Vehicle) -> bool:
    """Whether a vehicle is a scooter, in the street and in no dock."""
    store.begin()
    found = fleet.vehicle(vehicle.number)
    return found.spot is None and fleet.model(found.model_id).category is Category.SCOOTER


def given_back(vehicle: Vehicle) -> None:
    """Wait until a vehicle has confirmed its lock, and so is everybody's."""
    until(lambda: condition(vehicle)[0] is VehicleState.AVAILABLE, what="the vehicle is given back")


@dataclass
class Ride:
    """A rental that somebody has started."""

    id: str
    user: str
    mail: str
    vehicle: Vehicle
    partner: Partner

    @property
    def number(self) -> int:
        """The platform's own id of it."""
        return ids.id_of(UUID(self.id))

    @property
    def attributes(self) -> dict[str, Any]:
        """How its partner sees it now."""
        return self.partner.rental(self.id)

    @property
    def state(self) -> str:
        """How its partner sees its state now."""
        return str(self.attributes["state"])


@dataclass
class Town:
    """A running platform.

    Attributes:
        told: every command that a vehicle has received, oldest first.
    """

    platform: Platform
    told: list[dict[str, Any]]

    def __post_init__(self) -> None:
        self.http = Http(self.platform.url)
        surfaces = self.http.get("/_local/demo").json["surfaces"]
        self.described, self.described_maas = surfaces["voi"], surfaces["maas"]
        self.demo = self._partner(self.described["headers"]["X-Auth-Token"])
        self.maas = self._client(self.described_maas["client"]["id"], self.described_maas["client"]["secret"])
        self._taken: set[str] = set()
        self._allowed: dict[str, Any] = {}

    # ── Who is there ─────────────────────────────────────────────────────────────────────────────────────────────────

    def partner(self, name: str, *networks: str) -> Partner:
        """A new partner that may operate in the networks given, in Oslo by default."""
        store.begin()
        client = clients.register_client(
            name, f"{name.lower()}@kickstand.dev", [int(each) for each in networks or OSLO]
        )
        return self._partner(clients.issue_token(client.id))

    def client(self, name: str, *networks: str) -> MaasClient:
        """A new client of the MaaS surface that may operate in the networks given, in Oslo by default."""
        store.begin()
        client = clients.register_client(
            name, f"{name.lower()}@kickstand.dev", [int(each) for each in networks or OSLO]
        )
        return self._client(*clients.issue_credential(client.id))

    def _client(self, client_id: str, secret: str) -> MaasClient:
        return MaasClient(self.platform.url + self.described_maas["base"], client_id, secret)

    def _partner(self, token: str) -> Partner:
        return Partner(Http(self.platform.url + self.described["base"], {"X-Auth-Token": token}))

    def vehicle(self, zone: str = OSLO) -> Vehicle:
        """A scooter that can be rented, stands in no dock where a rental may end, and was not taken before."""
        for identity, shown in self.demo.listed(zone).items():
            place = shown["location"]["longitude"], shown["location"]["latitude"]
            vehicle = Vehicle(identity, shown["code"], place)
            if identity not in self._taken and self.may_end_at(place, zone) and is_free_scooter(vehicle):
                self._taken.add(identity)
                return vehicle
        raise AssertionError("every vehicle is taken")

    def docked(self, category: str) -> tuple[int, Vehicle]:
        """A station in Oslo, and a vehicle in one of its docks that can be rented and was not taken before."""
        for number, shown in self.maas.vehicles().items():
            dock = shown["location"].get("dock")
            if dock is None or shown["vehicleCategory"] != category or shown["status"] != "available":
                continue
            vehicle = known(number)
            if vehicle.id not in self._taken and dock["dockGroupId"] < _VIRTUAL_FROM:
                self._taken.add(vehicle.id)
                return dock["dockGroupId"], vehicle
        raise AssertionError(f"every {category} is taken")

    def free_dock(self, station: int) -> dict[str, int]:
        """A dock of a station that works and holds nothing, as the simulator is told of it."""
        store.begin()
        return {"cluster_id": station, "number": clusters.cluster(station).free_docks[0]}

    # ── Where things are ─────────────────────────────────────────────────────────────────────────────────────────────

    def area(self, kind: str, zone: str = OSLO) -> Any:
        """All areas of a kind in one geometry."""
        areas = self.demo.http.get(f"/v1/zone/id/{zone}").data["attributes"]["areas"]
        return unary_union([shape(each["geometry"]) for each in areas if each["area_type"] == kind])

    def may_end_at(self, place: Place, zone: str = OSLO) -> bool:
        """Whether the areas let a rental end there."""
        if zone not in self._allowed:
            forbidden = [self.area(kind, zone) for kind in ("no-parking", "no-go-zone")]
            self._allowed[zone] = self.area("operations", zone).difference(unary_union(forbidden))
        return bool(self._allowed[zone].contains(Point(place)))

    def forbidden(self, zone: str = OSLO) -> Place:
        """A place where vehicles must not be parked."""
        point = self.area("no-parking", zone).representative_point()
        return point.x, point.y

    # ── What happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    def ride(self, partner: Partner | None = None, user: str | None = None, vehicle: Vehicle | None = None) -> Ride:
        """Somebody starts a rental, and the platform and the vehicle do what they do then."""
        partner, vehicle = partner or self.demo, vehicle or self.vehicle()
        mail = f"rider-{vehicle.number}@kickstand.dev"
        user = user or partner.register_user(partner.register_product("Rides"), mail)
        mail = partner.http.get(f"/v1/user/id/{user}").data["attributes"]["email"]
        rental = str(partner.start(user, vehicle).data[0]["id"])
        self.settle()
        return Ride(rental, user, mail, vehicle, partner)

    def moves(self, vehicle: Vehicle, place: Place, speed_kmh: float = 15) -> None:
        """A vehicle reports from a place, and the platform takes note."""
        self.control(vehicle, move_to=place, speed_kmh=speed_kmh)
        self.settle()

    def docks(self, vehicle: Vehicle, dock: dict[str, int]) -> None:
        """Somebody puts a vehicle into a dock, and the platform takes note."""
        self.control(vehicle, dock=dock)
        self.settle()

    def control(self, vehicle: Vehicle, **wishes: object) -> None:
        """Tell the simulator how a vehicle behaves from now on, or what it reports."""
        assert self.http.post(f"/_local/vehicles/{vehicle.number}", wishes).status == 200

    def says(self, vehicle: Vehicle, **message: object) -> None:
        """A vehicle says something of its own accord, and the platform takes note."""
        words = {"vehicle_id": vehicle.number, "at": clock.now().isoformat(), **message}
        self.platform.vehicles.publish(f"vehicles/{vehicle.number}/messages", json.dumps(words).encode())
        self.settle()

    def passes(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Time passes, and what becomes due happens."""
        self.skip(hours=hours, minutes=minutes, seconds=seconds)
        self.settle()

    def skip(self, **time: float) -> None:
        """Time passes."""
        answer = self.http.post("/_local/clock", {"advance_seconds": timedelta(**time).total_seconds()})
        assert answer.status == 200

    def keeps_moving(self, ride: Ride, *, hours: float) -> None:
        """A vehicle goes round the block for hours."""
        longitude, latitude = ride.vehicle.place
        corners = cycle([(longitude + 0.002, latitude), (longitude, latitude)])
        left = hours * 3600
        while left > 0:
            step = min(left, _UNNOTICED_S)
            self.skip(seconds=step)
            self.moves(ride.vehicle, next(corners))
            left -= step

    @contextmanager
    def timings(self, zone: str, **seconds: int) -> Iterator[None]:
        """Other timings for the rentals of a city, for the length of a block."""
        store.begin()
        network = fleet.network(int(zone))
        changed = network.timings.model_copy(update=seconds)
        fleet.put_network(network.model_copy(update={"timings": changed}))
        try:
            yield
        finally:
            fleet.put_network(network)

    def settle(self) -> None:
        """Wait until the platform has nothing left to do."""
        self.platform.settle()

    # ── What can be seen from outside ────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> datetime:
        """The platform's time."""
        return datetime.fromisoformat(self.http.get("/_local/clock").json["now"])

    def mails(self, receiver: str) -> list[dict[str, Any]]:
        """The mails that somebody has got, oldest first; with spaces that break."""
        mails = self.http.get("/_local/outbox").json["mails"]
        return [each | {"text": each["text"].replace("\u00a0", " ")} for each in mails if receiver in each["to"]]

    def subjects(self, receiver: str) -> list[str]:
        """The subjects of the mails that somebody has got."""
        return [mail["subject"] for mail in self.mails(receiver)]

    def events(self, ride: Ride) -> list[str]:
        """What other systems have been told about a rental."""
        events = self.http.get("/_local/outbox").json["events"]
        return [each["detail-type"] for each in events if each["detail"].get("public_id") == ride.id]

    def executions(self, ride: Ride) -> list[str]:
        """The states of a rental's workflows, newest first."""
        found = self.http.get("/_local/workflows").json["executions"]
        return [each["status"] for each in found if json.loads(each["input"]).get("rental_id") == ride.number]

    def commands(self, vehicle: Vehicle) -> list[str]:
        """What a vehicle has been told."""
        return [each["action"] for each in self.told if each["vehicle_id"] == vehicle.number]


@contextmanager
def running_town(state: Path) -> Iterator[Town]:
    """A town with its state in a folder."""
    told: list[dict[str, Any]] = []
    publish = Vehicles.publish

    def heard(self: Vehicles, topic: str, payload: bytes) -> None:
        if topic.endswith("/commands"):
            told.append(json.loads(payload))
        publish(self, topic, payload)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Vehicles, "publish", heard)
        with running_platform(state) as platform:
            yield Town(platform, told)
