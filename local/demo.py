"""The city that a fresh platform starts with: two networks, two partners, a rider, and vehicles at real places.

Every id, code and token is the same on every machine, so that examples can be copied. Positions and zones come from
``local/data``, whose README says where from.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from kickstand.billing import service as billing
from kickstand.clients import tokens
from kickstand.clients.model import ApiClient, Product
from kickstand.clients.store import ClientItem, ProductItem
from kickstand.fleet import listing
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound
from kickstand.fleet.model import Category, Issuer, Network, Unavailability, Vehicle, VehicleModel, VehicleState
from kickstand.fleet.service import Standing
from kickstand.geo import service as geo
from kickstand.geo.cells import cell_of
from kickstand.geo.model import MultiPolygon, Parking, Verdict, Zone, ZoneRule
from kickstand.identity.model import Rider
from kickstand.identity.store import RiderItem
from kickstand.kernel import clock, ids, store
from kickstand.kernel.place import Position
from kickstand.pricing import service as pricing
from kickstand.pricing.model import Tariff, Terms
from kickstand.rental import rules as rental
from kickstand.rental.model import EndReason, Rental
from kickstand.rental.store import RentalItem, TrackItem
from local.types import Json
from local.vehicles import Status

_DATA: Final = Path(__file__).parent / "data"

OSLO: Final = 1
PARIS: Final = 2
TOKEN: Final = "kst_1_demo-of-a-partner-in-both-cities"  # noqa: S105 - known to everyone, on this machine only
PARIS_TOKEN: Final = "kst_2_demo-of-a-partner-in-paris"  # noqa: S105
CODE: Final = "DEMO"

_SCOOTER, _BIKE, _E_BIKE, _CAR = 1, 2, 3, 4
_MODELS: Final = (
    VehicleModel(id=_SCOOTER, name="Kick 5", category=Category.SCOOTER, max_range_m=45_000),
    VehicleModel(id=_BIKE, name="City 3", category=Category.BIKE, max_range_m=0),
    VehicleModel(id=_E_BIKE, name="City 3e", category=Category.E_BIKE, max_range_m=80_000),
    VehicleModel(id=_CAR, name="Compact", category=Category.CAR, max_range_m=320_000),
)

_FIRST: Final = 1
"""The number of the demo's first rider, first vehicle and first rental."""

_RIDE: Final = timedelta(minutes=14)
_FIRST_STATION: Final = "Universitetsgata"
_CODE_DIGITS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_CODE_LENGTH: Final = 4


def seed() -> None:
    """Fill an empty city. Where the demo has been before it changes nothing, whatever has happened there since."""
    store.begin()
    if store.load(ClientItem.key(_FIRST)) is not None:
        return
    oslo, paris = _network_oslo(), _network_paris()
    tariffs = _open_networks(oslo, paris)
    judged = _publish_zones(oslo, paris)
    vehicles = [*_vehicles_oslo(tariffs, judged[OSLO]), *_vehicles_paris(tariffs, judged[PARIS], first=1001)]
    # The listings first: the stream will find nothing new, and they are complete when the first request comes.
    listing.project((None, vehicle) for vehicle in vehicles)
    _write_vehicles(vehicles)
    clients = _clients()
    with store.Transaction() as tx:
        for product in _products():
            tx.put(ProductItem.of(product))
        tx.put(RiderItem.of(_rider()))
    _ride(vehicles[0], oslo)
    # The partner that the check above looks for comes last: a seeding that was cut short begins anew.
    with store.Transaction() as tx:
        for client in clients:
            tx.put(ClientItem.of(client))
    store.begin()


def describe() -> dict[str, Json]:
    """What a client needs to begin with, by surface.

    ``ids`` has a valid value for every path parameter. The first rider, vehicle and rental share one number and so one
    UUID: ``id`` fits wherever an operation says so.
    """
    first = str(_uuid(_FIRST))
    return {
        "surfaces": {
            "voi": {
                "base": "/voi",
                "headers": {"X-Auth-Token": TOKEN},
                "ids": {
                    "id": first,
                    "userId": first,
                    "vehicleId": first,
                    "rentalId": first,
                    "productId": str(_uuid(_FIRST, "product")),
                    "zoneId": str(OSLO),
                    "zoneID": str(OSLO),
                    "code": CODE,
                },
                "others": [{"about": "a partner in Paris only", "headers": {"X-Auth-Token": PARIS_TOKEN}}],
            }
        }
    }


def locate(vehicle_id: int) -> Status | None:
    """Where a vehicle of the fleet stands, for the simulator that takes its place; ``None`` for no vehicle of ours."""
    store.begin()
    try:
        vehicle = fleet.vehicle(vehicle_id)
    except VehicleNotFound:
        return None
    return Status(
        longitude=vehicle.position.longitude,
        latitude=vehicle.position.latitude,
        battery_percent=vehicle.battery_percent,
        locked=vehicle.locked,
    )


def _uuid(number: int, kind: str = "") -> UUID:
    digest = blake2b(f"demo {kind} {number}".encode(), digest_size=9).digest()
    return ids.uuid_of(number, int.from_bytes(digest, "big") >> 3)


# ── Networks, tariffs and zones ──────────────────────────────────────────────────────────────────────────────────────


def _network_oslo() -> Network:
    return Network(
        id=OSLO,
        name="Oslo",
        currency="NOK",
        timezone="Europe/Oslo",
        vat_percent=25,
        parking=Parking.FREE_FLOATING,
        left_unlocked_fine=29_000,
        issuer=Issuer(
            name="Kickstand Oslo AS (demo)",
            address=("Storgata 1", "0155 Oslo", "Norway"),
            vat_number="NO 999 999 999 MVA",
            email="oslo@kickstand.example",
        ),
    )


def _network_paris() -> Network:
    return Network(
        id=PARIS,
        name="Paris",
        currency="EUR",
        timezone="Europe/Paris",
        vat_percent=20,
        parking=Parking.FREE_FLOATING,
        left_unlocked_fine=2_500,
        issuer=Issuer(
            name="Kickstand Paris SAS (demo)",
            address=("1 rue de Rivoli", "75001 Paris", "France"),
            vat_number="FR 99 999 999 999",
            email="paris@kickstand.example",
        ),
    )


Tariffs = Mapping[tuple[int, int], Tariff]

# start price and price per minute, without VAT
_PRICES: Final = {
    OSLO: {_SCOOTER: (800, 200), _BIKE: (0, 80), _E_BIKE: (800, 240), _CAR: (0, 320)},
    PARIS: {_SCOOTER: (100, 25)},
}


def _open_networks(*networks: Network) -> Tariffs:
    for model in _MODELS:
        fleet.put_model(model)
    tariffs: dict[tuple[int, int], Tariff] = {}
    for network in networks:
        fleet.put_network(network)
        for model_id, (start, minute) in _PRICES[network.id].items():
            terms = Terms(
                currency=network.currency, start_price=start, price_per_minute=minute, vat_percent=network.vat_percent
            )
            tariffs[network.id, model_id] = pricing.publish_tariff(network.id, model_id, terms)
    return tariffs


Judgement = Callable[[Sequence[Position]], list[Verdict]]


def _publish_zones(*networks: Network) -> dict[int, Judgement]:
    judged: dict[int, Judgement] = {}
    for network in networks:
        zones = [
            Zone(
                id=network.id * 10_000 + number,
                network_id=network.id,
                name=each["name"],
                area_type=each["area_type"],
                rule=ZoneRule.model_validate(each["rule"]),
                geometry=MultiPolygon.model_validate(each["geometry"]),
            )
            for number, each in enumerate(_data(f"{network.name.lower()}_zones.json")["zones"], 1)
        ]
        geo.put_zones(network.id, network.parking, zones)
        judged[network.id] = partial(geo.judge_all, network.id)
    return judged


def _data(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((_DATA / name).read_text(encoding="utf-8"))
    return document


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────

_IDLE: Final = (VehicleState.UNAVAILABLE, VehicleState.WITH_OPERATOR, VehicleState.IN_STOCK, VehicleState.LOST)
_EVERY: Final = 25
"""One vehicle of so many is not on the road."""

_LOW_BATTERY: Final = 12
_AT_ONCE: Final = 50  # vehicles with their codes: a transaction takes 100 items


@dataclass(frozen=True)
class _Spot:
    """A vehicle to be: its model and where it stands."""

    model_id: int
    position: Position


def _vehicles_oslo(tariffs: Tariffs, judged: Judgement) -> list[Vehicle]:
    """300 scooters, two bikes and an e-bike at some stations that held bikes, and five cars near big stations."""
    rng = random.Random("oslo")  # noqa: S311 - the same city every time
    stations = [each for each in _data("oslo_stations.json")["stations"] if each.get("installed", True)]
    stations.sort(key=lambda each: (each["name"] != _FIRST_STATION, -each["capacity"], each["id"]))
    spots = [_Spot(_SCOOTER, _near(station, rng)) for station in (stations + stations)[:300]]
    holding = [each for each in stations if each.get("bikes", 0)]
    for station in holding[:15]:
        spots.extend(_Spot(model_id, _near(station, rng)) for model_id in (_BIKE, _BIKE, _E_BIKE))
    spots.extend(_Spot(_CAR, _near(station, rng)) for station in stations[1:6])
    return _vehicles(tariffs, OSLO, _FIRST, spots, judged, rng)


def _near(station: Mapping[str, Any], rng: random.Random) -> Position:
    longitude, latitude = station["longitude"], station["latitude"]
    return Position(
        longitude=round(longitude + rng.uniform(-0.0002, 0.0002), 6),
        latitude=round(latitude + rng.uniform(-0.0001, 0.0001), 6),
    )


def _vehicles_paris(tariffs: Tariffs, judged: Judgement, first: int) -> list[Vehicle]:
    """60 scooters at arbitrary places within the city's ring road where rides may end."""
    rng = random.Random("paris")  # noqa: S311 - likewise
    anywhere = [
        Position(longitude=round(rng.uniform(2.28, 2.40), 6), latitude=round(rng.uniform(48.835, 48.885), 6))
        for _ in range(120)
    ]
    allowed = (place for place, verdict in zip(anywhere, judged(anywhere), strict=True) if verdict.ride_end_allowed)
    spots = [_Spot(_SCOOTER, place) for place in islice(allowed, 60)]
    return _vehicles(tariffs, PARIS, first, spots, judged, rng)


def _vehicles(
    tariffs: Tariffs, network_id: int, first: int, spots: Sequence[_Spot], judged: Judgement, rng: random.Random
) -> list[Vehicle]:
    verdicts = judged([spot.position for spot in spots])
    vehicles: list[Vehicle] = []
    for number, (spot, verdict) in enumerate(zip(spots, verdicts, strict=True), first):
        standing = Standing(position=spot.position, cell=cell_of(spot.position), verdict=verdict)
        tariff = tariffs[network_id, spot.model_id]
        vehicle = fleet.new_vehicle(_code(number), tariff, standing, rng.randint(25, 100), vehicle_id=number)
        vehicles.append(vehicle.model_copy(update={"public_id": _uuid(number)} | _condition(number)))
    return vehicles


def _condition(number: int) -> dict[str, Any]:
    if number % _EVERY:
        return {}
    state = _IDLE[number // _EVERY % len(_IDLE)]
    if state is VehicleState.UNAVAILABLE:
        reasons = frozenset({Unavailability.LOW_BATTERY})
        return {"state": state, "unavailabilities": reasons, "battery_percent": _LOW_BATTERY}
    return {"state": state}


def _code(number: int) -> str:
    if number == _FIRST:
        return CODE
    # An odd factor maps the numbers one to one on all codes of four digits to the base 32.
    scrambled = number * 48_271 % len(_CODE_DIGITS) ** _CODE_LENGTH
    code = ""
    for _ in range(_CODE_LENGTH):
        scrambled, digit = divmod(scrambled, len(_CODE_DIGITS))
        code += _CODE_DIGITS[digit]
    return code


def _write_vehicles(vehicles: Sequence[Vehicle]) -> None:
    # The local engine commits a transaction as one, which is much faster than item by item.
    for start in range(0, len(vehicles), _AT_ONCE):
        with store.Transaction() as tx:
            for vehicle in vehicles[start : start + _AT_ONCE]:
                tx.put(fleet.code_item(vehicle))
                tx.put(fleet.vehicle_item(vehicle, cell_of(vehicle.position)))


# ── Partners, a rider and a ride ─────────────────────────────────────────────────────────────────────────────────────


def _clients() -> list[ApiClient]:
    expires_at = clock.now() + tokens.LIFETIME
    return [
        ApiClient(
            id=number,
            public_id=_uuid(number, "client"),
            name=name,
            email=email,
            network_ids=frozenset(network_ids),
            tokens=(tokens.kept(token, expires_at),),
        )
        for number, name, email, network_ids, token in (
            (1, "Demo Mobility", "demo@partner.example", (OSLO, PARIS), TOKEN),
            (2, "Paris Mobility", "paris@partner.example", (PARIS,), PARIS_TOKEN),
        )
    ]


def _products() -> Iterator[Product]:
    for number, name in ((1, "Demo app"), (2, "Paris app")):
        yield Product(id=number, public_id=_uuid(number, "product"), client_id=number, name=name)


def _rider() -> Rider:
    return Rider(
        id=_FIRST,
        public_id=_uuid(_FIRST),
        client_id=1,
        product_id=1,
        email="kari@rider.example",
        first_name="Kari",
        last_name="Nordmann",
    )


def _ride(vehicle: Vehicle, network: Network) -> None:
    """Let the rider have had a ride on ``vehicle``, charged and with a receipt."""
    ended_at = clock.now() - timedelta(hours=1)
    started_at = ended_at - _RIDE
    begun = rental.started(_FIRST, _rider(), vehicle, started_at, None).model_copy(update={"public_id": _uuid(_FIRST)})
    track = rental.first_track(begun).model_copy(update={"distance_m": 2_300})
    ending = rental.Ending(reason=EndReason.RIDER, at=ended_at)
    over: Rental = rental.completed(rental.ended(rental.unlocked(begun, started_at), track, ending, ended_at), ended_at)
    billing.record_charge(over)
    over = over.model_copy(update={"receipt": billing.issue_receipt(over, network)})
    with store.Transaction() as tx:
        tx.put(RentalItem.of(over))
        tx.put(TrackItem.of(track))
