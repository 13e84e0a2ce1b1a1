"""Polygons: checked when written, asked when judged. The only module that knows shapely."""

from collections.abc import Iterator, Sequence
from math import cos, hypot, isfinite, radians
from typing import Final

import numpy as np
import shapely
from shapely.geometry import mapping, shape

from kickstand.geo.errors import InvalidZone, ZoneFlaw
from kickstand.geo.model import AreaType, Box, Edition, EndRefusal, MultiPolygon, Parking, Ring, Verdict, Zone
from kickstand.kernel.place import Position

MAX_SPAN_M: Final = 200_000
"""No zone of a city is wider or taller than this, in metres."""

MAX_DISTANCE_M: Final = 100_000
"""No zone lies farther than this from its city, in metres."""

_DECIMALS: Final = 7  # about a centimetre: finer than any survey, and it keeps the items small
_METRES_PER_DEGREE: Final = 111_195.0
_LONGITUDE_LIMIT: Final = 180
_LATITUDE_LIMIT: Final = 90
_CLOSED_TRIANGLE: Final = 4


def checked(zones: Sequence[Zone], near: Position | None = None) -> list[Zone]:
    """The zones with their geometry in normal form: coordinates to 7 decimals, borders anticlockwise, holes clockwise.

    Each gets its centroid.

    Args:
        zones: all zones of one network.
        near: any place in the city. Without it the first operations area says where the city is.

    Raises:
        InvalidZone: for the first zone that is wrong; the message names zone, place and mistake.
    """
    normal = [_normalised(zone) for zone in zones]
    city = _city(normal, near)
    for zone in normal:
        if city is not None:
            _check_place(zone, city)
    return normal


def _normalised(zone: Zone) -> Zone:
    if not zone.geometry.coordinates:
        raise InvalidZone(ZoneFlaw.EMPTY, f"{_label(zone)} has no polygon")
    for place, ring in _rings(zone):
        _check_ring(place, ring)
    geometry = shapely.transform(shape(zone.geometry.model_dump()), lambda points: np.round(points, _DECIMALS))
    if not geometry.is_valid:
        raise InvalidZone(ZoneFlaw.NOT_SIMPLE, f"{_label(zone)}: {_reason(shapely.is_valid_reason(geometry))}")
    west, south, east, north = geometry.bounds
    width = (east - west) * _METRES_PER_DEGREE * cos(radians((south + north) / 2))
    height = (north - south) * _METRES_PER_DEGREE
    if max(width, height) > MAX_SPAN_M:
        size = f"{width / 1000:.0f} km wide and {height / 1000:.0f} km tall"
        raise InvalidZone(ZoneFlaw.TOO_WIDE, f"{_label(zone)} is {size}; {MAX_SPAN_M // 1000} km is the most")
    oriented = shapely.orient_polygons(geometry)
    centre = shapely.centroid(oriented)
    centroid = round(centre.x, _DECIMALS), round(centre.y, _DECIMALS)
    return zone.model_copy(update={"geometry": MultiPolygon.model_validate(mapping(oriented)), "centroid": centroid})


def _rings(zone: Zone) -> Iterator[tuple[str, Ring]]:
    for number, polygon in enumerate(zone.geometry.coordinates, 1):
        if not polygon:
            raise InvalidZone(ZoneFlaw.EMPTY, f"{_label(zone)}, polygon {number} has no ring")
        for which, ring in enumerate(polygon):
            yield f"{_label(zone)}, polygon {number}, {f'hole {which}' if which else 'border'}", ring


def _check_ring(place: str, ring: Ring) -> None:
    for index, (longitude, latitude) in enumerate(ring, 1):
        where = f"{place}, point {index} ({longitude}, {latitude})"
        if not (isfinite(longitude) and isfinite(latitude)):
            raise InvalidZone(ZoneFlaw.NOT_A_NUMBER, f"{where} is not a number")
        if abs(longitude) <= _LONGITUDE_LIMIT and abs(latitude) <= _LATITUDE_LIMIT:
            continue
        if abs(latitude) <= _LONGITUDE_LIMIT and abs(longitude) <= _LATITUDE_LIMIT:
            raise InvalidZone(ZoneFlaw.SWAPPED, f"{where} has latitude before longitude")
        raise InvalidZone(ZoneFlaw.OUT_OF_BOUNDS, f"{where} is not on Earth")
    if len(ring) < _CLOSED_TRIANGLE:
        raise InvalidZone(ZoneFlaw.TOO_FEW_POINTS, f"{place} has {len(ring)} points; a closed ring has four or more")
    if ring[0] != ring[-1]:
        raise InvalidZone(ZoneFlaw.NOT_CLOSED, f"{place} begins at {ring[0]} and ends at {ring[-1]}")


def _reason(explanation: str) -> str:
    what, _, where = explanation.partition("[")
    return f"{what.strip().lower()} at {where.rstrip(']').replace(' ', ', ')}" if where else what.lower()


def _city(zones: Sequence[Zone], near: Position | None) -> Box | None:
    if near is not None:
        return near.longitude, near.latitude, near.longitude, near.latitude
    return next((_box(zone) for zone in zones if zone.area_type is AreaType.OPERATIONS), None)


def _check_place(zone: Zone, city: Box) -> None:
    box = _box(zone)
    away = _gap_m(box, city)
    if away <= MAX_DISTANCE_M:
        return
    west, south, east, north = box
    if _gap_m((south, west, north, east), city) <= MAX_DISTANCE_M:
        message = f"{_label(zone)} has latitude before longitude: so it lies {away / 1000:.0f} km away from the city"
        raise InvalidZone(ZoneFlaw.SWAPPED, message)
    raise InvalidZone(ZoneFlaw.TOO_FAR, f"{_label(zone)} lies {away / 1000:.0f} km away from the city")


def bounds(zones: Sequence[Zone]) -> Box:
    """The box around the operations areas among ``zones``, of which there is one at least."""
    boxes = [_box(zone) for zone in zones if zone.area_type is AreaType.OPERATIONS]
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _box(zone: Zone) -> Box:
    points = [point for polygon in zone.geometry.coordinates for point in polygon[0]]
    longitudes, latitudes = [longitude for longitude, _ in points], [latitude for _, latitude in points]
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _gap_m(one: Box, other: Box) -> float:
    middle = (one[1] + one[3] + other[1] + other[3]) / 4
    across = max(0.0, one[0] - other[2], other[0] - one[2]) * cos(radians(middle))
    along = max(0.0, one[1] - other[3], other[1] - one[3])
    return hypot(across, along) * _METRES_PER_DEGREE


def _label(zone: Zone) -> str:
    return f'Zone "{zone.name}"'


class Judge:
    """Says what the zones of one geofence mean for positions. Costly to make, cheap to ask.

    Where zones overlap, the strictest counts: no-go before no-parking before slow, and of two speeds the lower. Where
    parking is mandatory a ride ends in a parking spot only. A border belongs to its zone.
    """

    def __init__(self, version: int, parking: Parking, zones: Sequence[Zone]) -> None:
        self._version = version
        self._parking = parking
        self._zones = zones
        self._shapes = np.array([shape(zone.geometry.model_dump()) for zone in zones], dtype=object)
        shapely.prepare(self._shapes)
        self._tree = shapely.STRtree(self._shapes)

    def covering(self, position: Position) -> list[Zone]:
        """The zones that a position lies in."""
        near = self._tree.query(shapely.Point(position.longitude, position.latitude))
        inside = shapely.intersects_xy(self._shapes[near], position.longitude, position.latitude)
        return [self._zones[index] for index in sorted(near[inside])]

    def verdict(self, position: Position, edition: Edition | None = None) -> Verdict:
        """What may happen at ``position`` while an edition is in force; without any, as if all zones were."""
        zones = [zone for zone in self.covering(position) if edition is None or edition.shows(zone)]
        types = {zone.area_type for zone in zones}
        speeds = [zone.rule.maximum_speed_kph for zone in zones if zone.rule.maximum_speed_kph is not None]
        return Verdict(
            geofence_version=self._version,
            ride_start_allowed=AreaType.OPERATIONS in types and all(zone.rule.ride_start_allowed for zone in zones),
            end_refusal=self._end_refusal(types),
            max_speed_kmh=min(speeds, default=None),
        )

    def _end_refusal(self, types: set[AreaType]) -> EndRefusal | None:
        if AreaType.NO_GO_ZONE in types:
            return EndRefusal.NO_GO
        if AreaType.OPERATIONS not in types:
            return EndRefusal.OUTSIDE_OPERATIONS
        if AreaType.NO_PARKING in types:
            return EndRefusal.NO_PARKING
        if self._parking is Parking.MANDATORY and AreaType.PARKING_SPOT not in types:
            return EndRefusal.NOT_IN_PARKING_SPOT
        return None
