"""Use cases of zones: publish a geofence, show its areas, judge positions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict

from kickstand.geo import store
from kickstand.geo.errors import (
    GeofenceChanged,
    GeofenceTooLarge,
    InvalidZone,
    NoOperationsArea,
    WrongParking,
    ZoneFlaw,
)
from kickstand.geo.model import NOWHERE, AreaType, Geofence, Parking, Verdict, Zone
from kickstand.kernel import clock, ids
from kickstand.kernel import store as kernel_store
from kickstand.kernel.cache import Recent
from kickstand.kernel.place import Position

if TYPE_CHECKING:
    from kickstand.geo.geometry import Judge

MAX_ZONES: Final = 5_000
MAX_ZONE_BYTES: Final = store.PART_BYTES
MAX_GEOFENCE_BYTES: Final = 8_000_000

_NETWORKS: Final = 32  # geofences kept per process


class Areas(BaseModel):
    """The zones of a network as published.

    Attributes:
        version: the geofence's version; 0 where the network has none yet.
        content_id: changes exactly when the zones do, across restored backups too; good for entity tags.
    """

    model_config = ConfigDict(frozen=True)

    network_id: int
    version: int
    content_id: int
    zones: tuple[Zone, ...]


_areas: Final[Recent[int, Areas]] = Recent(_NETWORKS)
_judges: "Final[Recent[int, tuple[int, Judge]]]" = Recent(_NETWORKS)


def put_zones(
    network_id: int,
    parking: Parking,
    zones: Sequence[Zone],
    *,
    near: Position | None = None,
    expected_version: int | None = None,
) -> Geofence:
    """Publish ``zones`` as the whole geofence of a network.

    Readers see the old geofence until the new one is complete; a crash on the way leaves the old one in force.

    Args:
        network_id: the network all zones belong to.
        parking: how its vehicles are parked.
        zones: all its zones; ids are the caller's and stay with a zone through its versions.
        near: a place in the city, which tells exchanged coordinates even when all zones have them.
        expected_version: the version that the caller has seen, 0 for none; without it the one published at this moment.

    Returns:
        The published geofence.

    Raises:
        InvalidZone: a geometry, a rule or an id is wrong.
        WrongParking: parking spots in a free-floating network, or no-parking areas where parking is mandatory.
        NoOperationsArea: nothing would be inside.
        GeofenceTooLarge: more than 5,000 zones or 8 MB of GeoJSON.
        GeofenceChanged: someone else published in the meantime.
    """
    from kickstand.geo import geometry

    _check_composition(network_id, parking, zones)
    kernel_store.forget()
    published = store.read_header(network_id)
    version = 0 if published is None else published.version
    if expected_version is not None and expected_version != version:
        raise GeofenceChanged
    normal = geometry.checked(zones, near)
    encoded = [store.encoded(zone) for zone in normal]
    _check_sizes(normal, encoded)
    draft = Geofence(
        network_id=network_id,
        version=version + 1,
        content_id=ids.new_id(),
        parts=0,
        zone_count=len(normal),
        parking=parking,
        published_at=clock.now(),
    )
    geofence = store.write_zones(draft, encoded)
    store.publish(geofence)
    kernel_store.forget()
    store.retire(geofence)
    return geofence


def _check_composition(network_id: int, parking: Parking, zones: Sequence[Zone]) -> None:
    if len(zones) > MAX_ZONES:
        raise GeofenceTooLarge(f"{len(zones)} zones; {MAX_ZONES} is the most")
    seen: set[int] = set()
    for zone in zones:
        if zone.network_id != network_id:
            raise InvalidZone(ZoneFlaw.FOREIGN, f'Zone "{zone.name}" belongs to another network')
        if zone.id in seen:
            raise InvalidZone(ZoneFlaw.DUPLICATE, f'Zone "{zone.name}" has the id of another zone, {zone.id}')
        seen.add(zone.id)
        if zone.rule.area_type is not zone.area_type:
            message = f'Zone "{zone.name}" is called {zone.area_type} but its rule makes it {zone.rule.area_type}'
            raise InvalidZone(ZoneFlaw.WRONG_RULE, message)
        if zone.area_type is _FORBIDDEN[parking]:
            raise WrongParking(f'Zone "{zone.name}" is {zone.area_type}, but parking in this network is {parking}')
    if not any(zone.area_type is AreaType.OPERATIONS for zone in zones):
        raise NoOperationsArea


_FORBIDDEN: Final = {Parking.FREE_FLOATING: AreaType.PARKING_SPOT, Parking.MANDATORY: AreaType.NO_PARKING}


def _check_sizes(zones: Sequence[Zone], encoded: Sequence[bytes]) -> None:
    for zone, each in zip(zones, encoded, strict=True):
        if len(each) > MAX_ZONE_BYTES:
            message = f'Zone "{zone.name}" takes {len(each):,} bytes of GeoJSON; {MAX_ZONE_BYTES:,} is the most'
            raise InvalidZone(ZoneFlaw.TOO_LONG, message)
    total = sum(map(len, encoded))
    if total > MAX_GEOFENCE_BYTES:
        raise GeofenceTooLarge(f"{total:,} bytes of GeoJSON; {MAX_GEOFENCE_BYTES:,} is the most")


def expect(network_id: int) -> None:
    """Announce that this request will ask for a network's geofence, so that it comes with the first reading."""
    kernel_store.expect(store.GeofenceItem.key(network_id))


def geofence(network_id: int) -> Geofence | None:
    """The published geofence of a network without its zones; ``None`` before the first publication."""
    return store.read_header(network_id)


def content_id(network_id: int) -> int:
    """What changes exactly when the zones of a network do; 0 before the first publication. One read."""
    published = store.read_header(network_id)
    return published.content_id if published else 0


def areas(network_id: int) -> Areas:
    """All zones of a network, from memory when they have not changed; no zones before the first publication."""
    published = store.read_header(network_id)
    if published is None:
        return Areas(network_id=network_id, version=0, content_id=0, zones=())
    return _areas_of(published)


def judge(network_id: int, position: Position) -> Verdict:
    """What may happen at ``position``. In a network without geofence nothing may."""
    return judge_all(network_id, [position])[0]


def judge_all(network_id: int, positions: Sequence[Position]) -> list[Verdict]:
    """What may happen at each of ``positions``, all by the same version."""
    published = store.read_header(network_id)
    if published is None:
        return [NOWHERE] * len(positions)
    by = _judge_of(published)
    return [by.verdict(position) for position in positions]


def _areas_of(published: Geofence) -> Areas:
    known = _areas.get(published.network_id)
    if known is not None and known.content_id == published.content_id:
        return known
    zones = store.read_zones(published)
    if zones is None:  # replaced and expired between the two readings
        kernel_store.forget()
        return areas(published.network_id)
    fresh = Areas(
        network_id=published.network_id, version=published.version, content_id=published.content_id, zones=zones
    )
    return _areas.put(published.network_id, fresh)


def _judge_of(published: Geofence) -> "Judge":
    from kickstand.geo.geometry import Judge

    known = _judges.get(published.network_id)
    if known is not None and known[0] == published.content_id:
        return known[1]
    current = _areas_of(published)
    judge = Judge(current.version, published.parking, current.zones)
    _judges.put(published.network_id, (current.content_id, judge))
    return judge
