"""Zones around Oslo for tests."""

from collections.abc import Sequence
from math import cos, radians

from kickstand.geo.model import AreaType, Coordinates, MultiPolygon, Zone, ZoneRule
from kickstand.kernel.place import Position

OSLO = Position(longitude=10.7522, latitude=59.9139)
NETWORK = 1


def at(east_m: float, north_m: float, centre: Position = OSLO) -> Position:
    """The position so many metres east and north of a centre."""
    longitude, latitude = _moved(centre, east_m, north_m)
    return Position(longitude=longitude, latitude=latitude)


def square(half_m: float, centre: Position = OSLO) -> tuple[Coordinates, ...]:
    """A closed ring of a square around a centre, anticlockwise."""
    corners = [(-half_m, -half_m), (half_m, -half_m), (half_m, half_m), (-half_m, half_m), (-half_m, -half_m)]
    return tuple(_moved(centre, east, north) for east, north in corners)


def zone(
    zone_id: int,
    area_type: AreaType = AreaType.OPERATIONS,
    *,
    ring: Sequence[Coordinates] | None = None,
    holes: Sequence[Sequence[Coordinates]] = (),
    speed: int | None = None,
    network_id: int = NETWORK,
    name: str | None = None,
) -> Zone:
    """A zone with the usual rule of its type: a square of 10 km unless ``ring`` says otherwise."""
    border = tuple(ring) if ring is not None else square(5000)
    return Zone(
        id=zone_id,
        network_id=network_id,
        name=name or f"{area_type} {zone_id}",
        area_type=area_type,
        rule=ZoneRule.of(area_type, speed),
        geometry=MultiPolygon(coordinates=((border, *(tuple(hole) for hole in holes)),)),
    )


def _moved(centre: Position, east_m: float, north_m: float) -> Coordinates:
    per_degree = 111_195.0
    longitude = centre.longitude + east_m / (per_degree * cos(radians(centre.latitude)))
    return longitude, centre.latitude + north_m / per_degree
