"""Vehicles: which can be rented, and where they stand."""

from contextlib import suppress
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from kickstand.clients.model import ApiClient
from kickstand.fleet import listing
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import NetworkNotFound
from kickstand.fleet.listing import RENTABLE, Rendering, VehicleEntry
from kickstand.fleet.model import Percent
from kickstand.fleet.model import Vehicle as DomainVehicle
from kickstand.http.messages import Representation, Request
from kickstand.http.surface import Loads
from voi._schemas import Location, VehicleCode, Wire
from voi._surface import (
    EMPTY_ZONE_ID,
    INVALID_INPUT,
    INVALID_VEHICLE_ID,
    VEHICLE_NOT_FOUND,
    ZONE_NOT_FOUND,
    Invalid,
    voi,
)
from voi._zone_ids import ZoneId, network_of, visible_network

_LISTING_MAX_AGE_S: Final = 1


class VehicleAttributes(Wire):
    """What there is to know about a vehicle."""

    battery_level: Percent
    location: Location
    code: VehicleCode
    zone_id: str


class Vehicle(Wire):
    """A vehicle."""

    type: Literal["vehicle"] = "vehicle"
    id: UUID
    attributes: VehicleAttributes


class VehicleList(Wire):
    """Vehicles."""

    data: list[Vehicle]

    @classmethod
    def of(cls, vehicle: DomainVehicle) -> "VehicleList":
        """The wire form of one vehicle, which this API shows as a list."""
        position, _ = listing.whereabouts(vehicle)  # where it is ridden to is its rider's business
        attributes = VehicleAttributes(
            battery_level=vehicle.battery_percent,
            location=Location.of(position),
            code=vehicle.code,
            zone_id=str(vehicle.network_id),
        )
        return cls(data=[Vehicle(id=vehicle.public_id, attributes=attributes)])


def _entry(network_id: int, entry: VehicleEntry) -> bytes:
    # Ten thousand of these make one answer: written by hand, they take a tenth of the time of ten thousand models.
    # Every part is a number, a UUID or a code of four letters and digits, so nothing needs escaping.
    return (
        f'{{"type":"vehicle","id":"{entry.public_id}","attributes":{{"batteryLevel":{entry.battery},'
        f'"location":{{"longitude":{entry.longitude},"latitude":{entry.latitude}}},'
        f'"code":"{entry.code}","zoneId":"{network_id}"}}}}'
    ).encode()


_rendering: Final = Rendering[VehicleEntry](head=b'{"data":[', between=b",", tail=b"]}")


def _expect_listing(zone_id: str) -> None:
    with suppress(NetworkNotFound):  # the operation itself refuses it, once it knows the caller
        listing.expect(network_of(zone_id), view=RENTABLE)


class ZoneQuery(Wire):
    """Which zone."""

    zone_id: Annotated[ZoneId, Field(alias="zoneID"), Loads(_expect_listing)]


class VehicleCodePath(Wire):
    """Which vehicle, by what is printed on it."""

    code: Annotated[VehicleCode, Invalid(INVALID_INPUT), Loads(fleet.expect_code)]


class VehiclePath(Wire):
    """Which vehicle."""

    id: Annotated[UUID, Invalid(INVALID_VEHICLE_ID), Loads(fleet.expect)]


@voi.operation(
    "GET",
    "/v1/vehicles/",
    tag="Vehicle",
    access="FleetRequests",
    errors=(EMPTY_ZONE_ID, ZONE_NOT_FOUND),
    answers=VehicleList,
    memory=1024,
)
def list_vehicles_by_zone(caller: ApiClient, query: ZoneQuery, request: Request) -> Representation:
    """List the vehicles of a zone that can be rented now.

    At most about a second old. Ask every few seconds, with the entity tag of the last answer and
    ``Accept-Encoding: gzip``.
    """
    network_id = visible_network(caller, query.zone_id)
    etag = listing.etag(network_id, view=RENTABLE)
    if request.has(etag):
        return Representation(etag, _LISTING_MAX_AGE_S)
    found = listing.read(network_id, view=RENTABLE)
    body = _rendering.body(found, _entry)
    return Representation(found.etag, _LISTING_MAX_AGE_S, body=body.plain, packed=body.packed)


@voi.operation(
    "GET",
    "/v1/vehicles/code/{code}",
    tag="Vehicle",
    access="FleetRequests",
    errors=(INVALID_INPUT, VEHICLE_NOT_FOUND),
)
def get_vehicle_by_code(caller: ApiClient, path: VehicleCodePath) -> VehicleList:
    """Find a vehicle by the code that is printed on it."""
    return VehicleList.of(fleet.find_by_code(caller, path.code))


@voi.operation(
    "GET",
    "/v1/vehicles/id/{id}",
    tag="Vehicle",
    access="FleetRequests",
    errors=(INVALID_VEHICLE_ID, VEHICLE_NOT_FOUND),
)
def get_vehicle_by_id(caller: ApiClient, path: VehiclePath) -> VehicleList:
    """Get a vehicle."""
    return VehicleList.of(fleet.find(caller, path.id))
