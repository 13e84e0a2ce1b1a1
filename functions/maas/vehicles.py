"""Vehicles: where they are, and whether they can be used."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, WithJsonSchema

from kickstand.clients import access
from kickstand.fleet import clusters, listing
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound
from kickstand.fleet.listing import Rendering, VehicleEntry
from kickstand.fleet.model import Vehicle as DomainVehicle
from kickstand.fleet.model import VehicleModel
from kickstand.http.messages import Representation, Request
from kickstand.http.surface import Loads
from kickstand.kernel import clock
from kickstand.rental import service as rentals
from kickstand.rental.model import RentalState
from maas._schemas import TextualId, Wire
from maas._surface import VEHICLE_NOT_FOUND, Caller, Invalid, maas
from maas._trips import Trip
from maas._vehicles import (
    RIDDEN,
    AssetModel,
    Condition,
    Vehicle,
    is_shown,
    range_of,
    reasons_of,
    state_of,
    status_of,
    vehicle_of,
)

_MAX_AGE_S: Final = 1
_CODE: Final = re.compile("[A-Za-z0-9]{1,8}")
_OVER: Final = frozenset({RentalState.COMPLETED, RentalState.CANCELLED})


class VehicleList(Wire):
    """Vehicles."""

    data: list[Vehicle]


# ── All vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────
# Ten thousand of these make one answer: written by hand, they take a tenth of the time of ten thousand models.


@lru_cache(maxsize=4096)
def _before(model: VehicleModel) -> tuple[str, str]:
    """What comes before a vehicle's code, and between the code and its status."""
    asset = AssetModel.of(model)
    name = json.dumps(f"{model.name} ", ensure_ascii=False).removesuffix('"')
    shown = asset.model_dump_json(by_alias=True, exclude_none=True)
    return f'"name":{name}', f'","vehicleCategory":"{asset.category}","model":{shown},'


@lru_cache(maxsize=4096)
def _condition(condition: Condition) -> str:
    reasons = ",".join(f'"{reason}"' for reason in reasons_of(condition))
    return f'"status":"{status_of(condition)}","state":"{state_of(condition)}","unavailabilityReasons":[{reasons}]'


def _entry(models: Mapping[int, VehicleModel], _network_id: int, entry: VehicleEntry) -> bytes:
    model = models.get(entry.model_id) or fleet.model(entry.model_id)  # it may be newer than the models that were read
    if not is_shown(model):
        return b""
    name, category = _before(model)
    condition = Condition(entry.state, entry.rentable, entry.reasons, entry.purpose, entry.progress, model.lock)
    charge = (
        f',"batteryCharge":{entry.battery},"batteryRange":{range_of(entry.battery, model)}' if model.max_range_m else ""
    )
    at = clock.at_milliseconds(entry.located_at)
    position = f'{{"position":{{"type":"Point","coordinates":[{entry.longitude},{entry.latitude}]}}}}'
    state_position = f',"statePosition":{position}' if entry.state in RIDDEN else ""
    spot = entry.spot
    dock = ""
    if spot is not None:
        group = json.dumps(spot.cluster_name, ensure_ascii=False)
        dock = f',"dock":{{"dockGroupId":{spot.cluster_id},"dockGroupName":{group},"dockNumber":{spot.number}}}'
    return (
        f'{{"id":{entry.id},{name}{entry.code}","number":"{entry.code}{category}{_condition(condition)}{charge},'
        f'"location":{{"timestamp":"{at:%Y-%m-%dT%H:%M:%S}.{entry.located_at % 1000:03d}Z","geoPosition":{position}'
        f'{state_position}{dock}}},"qrCode":"{entry.code}","isReserved":{"true" if entry.held else "false"}}}'
    ).encode()


_rendering: Final = Rendering[VehicleEntry](head=b'{"data":[', between=b",", tail=b"]}")


def _expect_list(client_id: int) -> None:
    listing.expect(*access.known_networks(client_id))


@maas.operation(
    "GET",
    "/vehicles",
    tag="Vehicles",
    access="DirectoryRequests",
    answers=VehicleList,
    memory=1024,
    expects=_expect_list,
)
def get_vehicles(caller: Caller, request: Request) -> Representation:
    """List all vehicles of all systems, whatever their state; without those that are decommissioned.

    At most about a second old. Ask every few seconds, with the entity tag of the last answer and
    ``Accept-Encoding: gzip``.
    """
    systems = sorted(caller.client.network_ids)
    models = fleet.models(listing.models(*systems))
    etag = listing.tag(listing.etag(*systems), _stamp(models))
    if request.has(etag):
        return Representation(etag, _MAX_AGE_S)
    found = listing.read(*systems)
    models = fleet.models(found.models)
    stamp = _stamp(models)
    stamps = {system: _stamp(fleet.models(listing.models(system))) for system in systems}
    body = _rendering.body(found, partial(_entry, models), stamps)
    return Representation(listing.tag(found.etag, stamp), _MAX_AGE_S, body=body.plain, packed=body.packed)


def _stamp(models: Mapping[int, VehicleModel]) -> str:
    """What of the models vehicles are shown with."""
    shown = [(each.id, *_before(each), each.lock, each.max_range_m) for each in models.values() if is_shown(each)]
    return listing.tag(*sorted(shown))


# ── One vehicle ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _known(caller: Caller, vehicle: DomainVehicle) -> Vehicle:
    """A vehicle with what only its rider's client may know: the trip that it is on, and the latest one."""
    fleet.expect_model(vehicle.model_id)
    trip = None
    if vehicle.rental_id is not None and vehicle.last_client_id == caller.client.id:
        trip = _trip(vehicle.rental_id)
    model = fleet.model(vehicle.model_id)
    if not is_shown(model):
        raise VehicleNotFound
    return vehicle_of(vehicle, model, trip=trip, client_id=caller.client.id)


def _trip(rental_id: int) -> Trip | None:
    rental = rentals.get(rental_id)
    if rental.external_rider_id is None or rental.state in _OVER:
        return None  # a rider without an id that this API could name; or it has ended since the vehicle was read
    spot = rental.start_spot
    address = clusters.cluster(spot.cluster_id).address if spot else None
    return Trip.of(rental, clock.now(), None, {spot.cluster_id: address} if spot and address else {})


def _code(text: str) -> str:
    if not _CODE.fullmatch(text):
        raise ValueError("no vehicle carries a code like this")
    return text


class QrCodePath(Wire):
    """Which vehicle, by what its QR code says."""

    qr_code: Annotated[str, AfterValidator(_code), Invalid(VEHICLE_NOT_FOUND), Loads(fleet.expect_code)]


class GbfsIdPath(Wire):
    """Which vehicle, by its id in feeds."""

    gbfs_id: Annotated[UUID, WithJsonSchema({"type": "string"}), Invalid(VEHICLE_NOT_FOUND), Loads(fleet.expect)]


class VehiclePath(Wire):
    """Which vehicle."""

    id: Annotated[TextualId, Invalid(VEHICLE_NOT_FOUND), Loads(lambda text: fleet.expect_id(int(text)))]


@maas.operation("GET", "/vehicles/qr/{qrCode}", tag="Vehicles", access="VehicleRequests", errors=(VEHICLE_NOT_FOUND,))
def get_vehicle_by_qr_code(caller: Caller, path: QrCodePath) -> Vehicle:
    """Find a vehicle by its QR code."""
    return _known(caller, fleet.find_by_code(caller.client, path.qr_code))


@maas.operation(
    "GET",
    "/vehicles/gbfs/{gbfsId}",
    tag="Vehicles",
    access="VehicleRequests",
    errors=(VEHICLE_NOT_FOUND,),
    deprecated=True,
)
def get_vehicle_by_gbfs_id(caller: Caller, path: GbfsIdPath) -> Vehicle:
    """Find a vehicle by its GBFS id."""
    return _known(caller, fleet.find(caller.client, path.gbfs_id))


@maas.operation("GET", "/vehicles/{id}", tag="Vehicles", access="VehicleRequests", errors=(VEHICLE_NOT_FOUND,))
def get_vehicle_by_id(caller: Caller, path: VehiclePath) -> Vehicle:
    """Get a vehicle."""
    return _known(caller, fleet.find_by_id(caller.client, int(path.id)))
