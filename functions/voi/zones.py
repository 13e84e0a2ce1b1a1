"""Zones: the cities a partner may operate in, and the areas inside them."""

from contextlib import suppress
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import NetworkNotFound
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType, Edition, MultiPolygon
from kickstand.http.messages import Representation, Request, compress
from kickstand.http.surface import Loads
from kickstand.kernel import clock
from kickstand.kernel.cache import Recent
from voi._schemas import Wire
from voi._surface import EMPTY_ZONE_ID, ZONE_NOT_FOUND, voi
from voi._zone_ids import ZoneId, network_of, visible_network

_AREAS_MAX_AGE_S: Final = 6 * 3600
_ZONES_KEPT: Final = 8


class AreaDescription(Wire):
    """An area and where it is."""

    area_type: AreaType = Field(alias="area_type")
    geometry: MultiPolygon


class ZoneAreasAttributes(Wire):
    """The areas of a zone."""

    areas: list[AreaDescription]


class ZoneAreas(Wire):
    """A zone with its areas."""

    id: str
    type: Literal["area"] = "area"
    attributes: ZoneAreasAttributes


class ZoneAreasResponse(Wire):
    """One zone's areas."""

    data: ZoneAreas


class ZoneName(Wire):
    """A zone and the city it is in."""

    zone_id: str
    zone_name: str


class ZoneInfoAttributes(Wire):
    """The zones that the partner has access to."""

    zones: list[ZoneName]


class ZoneInfo(Wire):
    """The partner's zones."""

    id: UUID
    type: Literal["zone"] = "zone"
    attributes: ZoneInfoAttributes


class ZoneInfoResponse(Wire):
    """The partner's zones."""

    data: ZoneInfo


def _expect_geofence(zone_id: str) -> None:
    with suppress(NetworkNotFound):  # the operation itself refuses it, once it knows the caller
        geo.expect(network_of(zone_id))


class ZonePath(Wire):
    """Which zone."""

    zone_id: Annotated[ZoneId, Loads(_expect_geofence)]


_bodies: Final[Recent[int, tuple[str, bytes, bytes]]] = Recent(_ZONES_KEPT)


@voi.operation(
    "GET",
    "/v1/zone/id/{zoneId}",
    tag="Zone",
    access="GeoRequests",
    errors=(EMPTY_ZONE_ID, ZONE_NOT_FOUND),
    answers=ZoneAreasResponse,
    memory=1024,
)
def get_zone_areas(caller: ApiClient, path: ZonePath, request: Request) -> Representation:
    """Get the areas of a zone.

    Only areas that are in force at this time of the week are shown. They change rarely: the answer may be kept for as
    long as it says, six hours at most, and asking with its entity tag costs next to nothing. A zone has either
    ``no-parking`` or ``parking-spot`` areas, never both.
    """
    network_id = visible_network(caller, path.zone_id)
    edition = geo.edition(network_id)
    if request.has(_etag(edition)):
        return Representation(_etag(edition), _max_age(edition))
    kept = _bodies.get(network_id)
    if kept is None or kept[0] != edition.tag:
        areas = geo.areas(network_id)
        edition, body = areas.edition, _areas_body(areas)
        kept = _bodies.put(network_id, (edition.tag, body, compress(body)))
    return Representation(_etag(edition), _max_age(edition), body=kept[1], packed=kept[2])


def _etag(edition: Edition) -> str:
    return f'"{edition.tag}"'


def _max_age(edition: Edition) -> int:
    return edition.max_age(clock.now(), _AREAS_MAX_AGE_S)


def _areas_body(areas: geo.Areas) -> bytes:
    described = [AreaDescription(area_type=zone.area_type, geometry=zone.geometry) for zone in areas.in_force]
    zone = ZoneAreas(id=str(areas.network_id), attributes=ZoneAreasAttributes(areas=described))
    return ZoneAreasResponse(data=zone).model_dump_json(by_alias=True).encode()


@voi.operation("GET", "/v1/zone/info", tag="Zone", access="FleetRequests")
def get_operational_zones(caller: ApiClient) -> ZoneInfoResponse:
    """List the zones that the partner has access to."""
    zones = [ZoneName(zone_id=str(each.id), zone_name=each.name) for each in fleet.networks(caller)]
    return ZoneInfoResponse(data=ZoneInfo(id=caller.public_id, attributes=ZoneInfoAttributes(zones=zones)))
