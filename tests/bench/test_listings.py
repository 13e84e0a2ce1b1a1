"""Vehicles by zone, for fleets of three sizes, and the areas of a real city."""

import json
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from gzip import decompress
from random import Random
from typing import Any
from uuid import UUID

import pytest

from kickstand.fleet import directory, listing
from kickstand.fleet.model import Cluster, ClusterKind, DockState, Vehicle
from kickstand.geo import service as geo
from kickstand.geo.model import MultiPolygon, Parking, Zone, ZoneRule
from kickstand.kernel import store
from kickstand.kernel.place import Position
from local.server import ROOT, Tables
from maas import dock_groups as maas_dock_groups
from maas import vehicles as maas_vehicles
from reactions.fleet import project_listings
from tests.support.api import access_token
from tests.support.bench import Table, milliseconds
from tests.support.city import City
from tests.support.vehicles import MORNING, records, vehicle
from voi import vehicles as vehicle_operations
from voi import zones as zone_operations

pytestmark = pytest.mark.bench

FLEETS = {11: 100, 12: 1_000, 13: 10_000}
DOCKED_FLEETS = {21: 100, 22: 1_000, 23: 10_000}
DOCKS = 20
PARIS = 2
Headers = dict[str, str]
Answer = dict[str, Any]
Ask = Callable[..., Answer]
PLAIN = {"accept-encoding": "identity"}
TIMES = 15


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(scope="module")
def token(city: City) -> Headers:
    _, secret = city.partner("Everywhere", (*FLEETS, PARIS))
    return {"x-auth-token": secret}


def test_vehicles_by_zone(token: Headers) -> None:
    table = Table(
        f"Vehicles by zone, answered by the handler, ms (medians of {TIMES}, local engine)",
        "vehicles", "cold", "µs/vehicle", "changed", "same", "not gzip", "304", "reaction", "bytes", "gzip bytes",
    )  # fmt: skip
    warm = {}
    for network_id, size in FLEETS.items():
        fleet = fleet_of(network_id, size)
        listing.project((None, each) for each in fleet)
        ask = asking(vehicle_operations.list_vehicles_by_zone, token, query={"zoneID": str(network_id)})
        warm[size] = measure(table, size, ask, Changing(fleet[size // 2]), size)
    table.show(
        "cold: a process that has never seen the zone; changed: one vehicle has; same: gzip, one read of the header;",
        "reaction: one vehicle's battery, from its stream record to the written bucket",
    )
    assert warm[10_000] < 50


def test_vehicles_and_dock_groups(city: City) -> None:
    columns = ("cold", "µs/thing", "changed", "same", "not gzip", "304", "reaction", "bytes", "gzip bytes")
    vehicles = Table(
        f"All vehicles, a third of them in docks, ms (medians of {TIMES}, local engine)", "vehicles", *columns
    )
    groups = Table("Dock groups of the same fleets", "groups", *columns)
    warm = {}
    for network_id, size in DOCKED_FLEETS.items():
        clusters = [cluster(network_id, number) for number in range(size // DOCKS)]
        fleet = docked(fleet_of(network_id, size), clusters)
        directory.project((None, each) for each in clusters)
        listing.project((None, each) for each in fleet)
        token = {"authorization": f"Bearer {access_token(city.partner(f'Of {network_id}', (network_id,))[0].id)}"}
        all_vehicles = asking(maas_vehicles.get_vehicles, token)
        warm["vehicles", size] = measure(vehicles, size, all_vehicles, Changing(fleet[size // 2]), size)
        all_groups = asking(maas_dock_groups.get_dock_groups, token)
        warm["groups", size] = measure(groups, len(clusters), all_groups, Leaving(fleet[0]), len(clusters))
    vehicles.show()
    groups.show("changed: one vehicle has left its dock, or is back")
    assert warm["vehicles", 10_000] < 50
    assert warm["groups", 10_000] < 50


def measure(table: Table, size: int, ask: Ask, changing: Callable[[], None], shown: int) -> float:
    """A row of figures; answers how long an unchanged answer takes, in ms."""
    cold = milliseconds(ask, 5, before=forget)
    packed, plain = ask(), ask(PLAIN)
    assert len(json.loads(body(plain))["data"]) == shown
    after_change = milliseconds(ask, TIMES, before=changing)
    reaction = milliseconds(changing, TIMES)
    warm = milliseconds(ask, TIMES)
    known = {"if-none-match": ask()["headers"]["etag"]}
    table.row(
        size,
        cold,
        cold * 1000 / size,
        after_change,
        warm,
        milliseconds(partial(ask, PLAIN), TIMES),
        milliseconds(partial(ask, known), TIMES),
        reaction,
        len(body(packed)),
        len(b64decode(packed["body"])) if packed.get("isBase64Encoded") else len(packed["body"]),
    )
    return warm


def fleet_of(network_id: int, size: int) -> list[Vehicle]:
    """Scooters as a city has them: most near the centre, batteries of any level."""
    rng = Random(network_id)
    return [
        vehicle(
            network_id * 100_000 + number,
            network_id=network_id,
            public_id=UUID(int=rng.getrandbits(128), version=4),
            code="".join(rng.choices("23456789ABCDEFGHJKLMNPQRSTUVWXYZ", k=4)),
            battery_percent=rng.randint(20, 100),
            position=Position(
                longitude=round(rng.gauss(10.75, 0.03), 6),
                latitude=round(rng.gauss(59.92, 0.015), 6),
            ),
        )
        for number in range(size)
    ]


class Changing:
    """Lets a vehicle's battery change, each time it is called, as far as the listing."""

    def __init__(self, changed: Vehicle) -> None:
        self._now = changed

    def __call__(self) -> None:
        update = {"revision": self._now.revision + 1, "battery_percent": 20 + (self._now.battery_percent + 1) % 80}
        before, self._now = self._now, self._now.model_copy(update=update)
        assert project_listings(records([(before, self._now)]), None) == {"batchItemFailures": []}


class Leaving:
    """Lets a vehicle leave its dock and come back, each time it is called, as far as the listing."""

    def __init__(self, leaving: Vehicle) -> None:
        self._now, self._spot = leaving, leaving.spot

    def __call__(self) -> None:
        update = {"revision": self._now.revision + 1, "spot": None if self._now.spot else self._spot}
        before, self._now = self._now, self._now.model_copy(update=update)
        assert project_listings(records([(before, self._now)]), None) == {"batchItemFailures": []}


def cluster(network_id: int, number: int) -> Cluster:
    """A cluster as cities have them."""
    rng = Random(number)
    return Cluster(
        id=network_id * 100_000 + number,
        network_id=network_id,
        type=ClusterKind.PHYSICAL,
        name=str(number),
        title=f"Søndre gate {number}",
        subtitle="ved trikken",
        address=f"Søndre gate {number}, 0155 Oslo",
        position=Position(longitude=round(rng.gauss(10.75, 0.03), 6), latitude=round(rng.gauss(59.92, 0.015), 6)),
        docks={str(dock): DockState.WORKING for dock in range(1, DOCKS + 1)},
        created_at=MORNING,
        updated_at=MORNING,
    )


def docked(fleet: list[Vehicle], clusters: list[Cluster]) -> list[Vehicle]:
    """The fleet, with every third vehicle in a dock."""
    return [
        each.model_copy(update={"spot": clusters[number // 3 % len(clusters)].spot(1 + number // 3 // len(clusters))})
        if number % 3 == 0
        else each
        for number, each in enumerate(fleet)
    ]


def test_zone_areas(token: Headers) -> None:
    geo.put_zones(PARIS, Parking.FREE_FLOATING, paris())
    ask = asking(zone_operations.get_zone_areas, token, path={"zoneId": str(PARIS)})
    packed, plain = ask(), ask(PLAIN)
    known = {"if-none-match": packed["headers"]["etag"]}
    table = Table(f"Areas of Paris, answered by the handler, ms (medians of {TIMES}, local engine)",
        "zones", "cold", "same", "not gzip", "304", "bytes", "gzip bytes",
    )  # fmt: skip
    table.row(
        len(paris()),
        milliseconds(ask, 5, before=forget),
        milliseconds(ask, TIMES),
        milliseconds(partial(ask, PLAIN), TIMES),
        milliseconds(partial(ask, known), TIMES),
        len(plain["body"]),
        len(b64decode(packed["body"])),
    )
    table.show("clients may keep the areas for six hours; with the entity tag of the last answer they get a 304")


def paris() -> list[Zone]:
    document = json.loads((ROOT / "local" / "data" / "paris_zones.json").read_text(encoding="utf-8"))
    return [
        Zone(
            id=number,
            network_id=PARIS,
            name=each["name"],
            area_type=each["area_type"],
            rule=ZoneRule.model_validate(each["rule"]),
            geometry=MultiPolygon.model_validate(each["geometry"]),
        )
        for number, each in enumerate(document["zones"], 1)
    ]


def asking(handler: Callable[..., Answer], credential: Headers, **parameters: dict[str, str]) -> Ask:
    """Calls a handler as API Gateway does, for a client that takes gzip."""
    event = {
        "pathParameters": parameters.get("path", {}),
        "queryStringParameters": parameters.get("query", {}),
        "requestContext": {"requestId": "bench"},
    }

    def ask(headers: Headers | None = None) -> Answer:
        sent = {**credential, "accept-encoding": "gzip"} | (headers or {})
        answer = handler({**event, "headers": sent}, None)
        assert answer["statusCode"] == (304 if headers and "if-none-match" in headers else 200)
        return answer

    return ask


def body(answer: Answer) -> bytes:
    """What a client reads; what is too long for Lambda comes compressed to all."""
    sent = b64decode(answer["body"]) if answer.get("isBase64Encoded") else str(answer["body"]).encode()
    return decompress(sent) if "content-encoding" in answer["headers"] else sent


def forget() -> None:
    """What a fresh process does not have."""
    listing.forget()
    directory.forget()
    vehicle_operations._rendering.forget()
    maas_vehicles._rendering.forget()
    maas_dock_groups._bodies.clear()
    geo._zones.clear()
    geo._editions.clear()
    zone_operations._bodies.clear()
    store.begin()
