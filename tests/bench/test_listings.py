"""Vehicles by zone, for fleets of three sizes, and the areas of a real city."""

import json
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import pytest

from kickstand.fleet import listing
from kickstand.fleet.model import Vehicle
from kickstand.geo import service as geo
from kickstand.geo.model import MultiPolygon, Parking, Zone, ZoneRule
from kickstand.kernel import store
from kickstand.kernel.place import Position
from local.server import ROOT, Tables
from reactions.fleet import project_listings
from tests.support.bench import Table, milliseconds
from tests.support.city import City
from tests.support.vehicles import records, vehicle
from voi import vehicles as vehicle_operations
from voi import zones as zone_operations

pytestmark = pytest.mark.bench

FLEETS = {11: 100, 12: 1_000, 13: 10_000}
PARIS = 2
PLAIN = {"accept-encoding": "identity"}
TIMES = 15


@pytest.fixture(scope="module")
def token(engine: Tables) -> str:
    city = City()
    _, secret = city.partner("Everywhere", (*FLEETS, PARIS))
    return secret


def test_vehicles_by_zone(token: str) -> None:
    table = Table(
        f"Vehicles by zone, answered by the handler, ms (medians of {TIMES}, local engine)",
        "vehicles", "cold", "µs/vehicle", "changed", "same", "not gzip", "304", "reaction", "bytes", "gzip bytes",
    )  # fmt: skip
    warm = {}
    for network_id, size in FLEETS.items():
        fleet = fleet_of(network_id, size)
        listing.project((None, each) for each in fleet)
        ask = asking(vehicle_operations.list_vehicles_by_zone, token, query={"zoneID": str(network_id)})
        cold = milliseconds(ask, 5, before=forget)
        packed, plain = ask(), ask(PLAIN)
        assert len(json.loads(plain["body"])["data"]) == size
        changing = Changing(fleet[size // 2])
        after_change = milliseconds(ask, TIMES, before=changing)
        reaction = milliseconds(changing, TIMES)
        warm[size] = milliseconds(ask, TIMES)
        known = {"if-none-match": ask()["headers"]["etag"]}
        table.row(
            size,
            cold,
            cold * 1000 / size,
            after_change,
            warm[size],
            milliseconds(partial(ask, PLAIN), TIMES),
            milliseconds(partial(ask, known), TIMES),
            reaction,
            len(plain["body"]),
            len(b64decode(packed["body"])),
        )
    table.show(
        "cold: a process that has never seen the zone; changed: one vehicle has; same: gzip, one read of the header;",
        "reaction: one vehicle's battery, from its stream record to the written bucket",
    )
    assert warm[10_000] < 50


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


def test_zone_areas(token: str) -> None:
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


Answer = dict[str, Any]


def asking(handler: Callable[..., Answer], token: str, **parameters: dict[str, str]) -> Callable[..., Answer]:
    """Calls a handler as API Gateway does, for a client that takes gzip."""
    event = {
        "pathParameters": parameters.get("path", {}),
        "queryStringParameters": parameters.get("query", {}),
        "requestContext": {"requestId": "bench"},
    }

    def ask(headers: dict[str, str] | None = None) -> Answer:
        sent = {"x-auth-token": token, "accept-encoding": "gzip"} | (headers or {})
        answer = handler({**event, "headers": sent}, None)
        assert answer["statusCode"] == (304 if headers and "if-none-match" in headers else 200)
        return answer

    return ask


def forget() -> None:
    """What a fresh process does not have."""
    listing.forget()
    vehicle_operations._rendering.forget()
    geo._zones.clear()
    geo._editions.clear()
    zone_operations._bodies.clear()
    store.begin()
