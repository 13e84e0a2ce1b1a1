"""Use cases of zones: publish a geofence, show its areas, judge positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from kickstand.geo import rules, store
from kickstand.geo.errors import (
    GeofenceChanged,
    GeofenceTooLarge,
    InvalidZone,
    NoOperationsArea,
    WrongParking,
    ZoneFlaw,
)
from kickstand.geo.model import NOWHERE, AreaType, Box, Edition, Geofence, Parking, Schedule, Verdict, Zone
from kickstand.kernel import clock, ids
from kickstand.kernel import store as kernel_store
from kickstand.kernel.cache import Recent
from kickstand.kernel.place import Position

if TYPE_CHECKING:
    from kickstand.geo.geometry import Judge

MAX_ZONES: Final = 5_000
MAX_ZONE_BYTES: Final = store.PART_BYTES
MAX_GEOFENCE_BYTES: Final = 8_000_000
MAX_SCHEDULES: Final = 50

_NETWORKS: Final = 32  # geofences kept per process


@dataclass(frozen=True)
class Areas:
    """The zones of a network as published.

    Attributes:
        version: the geofence's version; 0 where the network has none yet.
        timezone: whose clocks their schedules mean.
        edition: which of them are in force.
    """

    network_id: int
    version: int
    timezone: str
    edition: Edition
    zones: tuple[Zone, ...]

    @property
    def in_force(self) -> list[Zone]:
        """The zones that are in force now."""
        return [zone for zone in self.zones if self.edition.shows(zone)]


_zones: Final[Recent[int, tuple[int, tuple[Zone, ...]]]] = Recent(_NETWORKS)
_editions: Final[Recent[int, tuple[int, Edition]]] = Recent(_NETWORKS)
_judges: "Final[Recent[int, tuple[int, Judge]]]" = Recent(_NETWORKS)


def put_zones(
    network_id: int,
    parking: Parking,
    zones: Sequence[Zone],
    *,
    near: Position | None = None,
    timezone: str = "UTC",
    expected_version: int | None = None,
) -> Geofence:
    """Publish ``zones`` as the whole geofence of a network.

    Readers see the old geofence until the new one is complete; a crash on the way leaves the old one in force.

    Args:
        network_id: the network all zones belong to.
        parking: how its vehicles are parked.
        zones: all its zones; ids are the caller's and stay with a zone through its versions.
        near: a place in the city, which tells exchanged coordinates even when all zones have them.
        timezone: IANA name; whose clocks the schedules of the zones mean.
        expected_version: the version that the caller has seen, 0 for none; without it the one published at this moment.

    Returns:
        The published geofence.

    Raises:
        InvalidZone: a geometry, a rule or an id is wrong, or there is no such time zone.
        WrongParking: parking spots in a free-floating network, or no-parking areas where parking is mandatory.
        NoOperationsArea: nothing would be inside, at some hours at least.
        GeofenceTooLarge: more than 5,000 zones, 8 MB of GeoJSON or 50 different schedules.
        GeofenceChanged: someone else published in the meantime.
    """
    from kickstand.geo import geometry

    _check_composition(network_id, parking, zones)
    schedules = _schedules(zones, timezone)
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
        timezone=timezone,
        schedules=schedules,
        bounds=geometry.bounds(normal),
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
    if not any(zone.area_type is AreaType.OPERATIONS and not zone.schedule for zone in zones):
        raise NoOperationsArea


_FORBIDDEN: Final = {Parking.FREE_FLOATING: AreaType.PARKING_SPOT, Parking.MANDATORY: AreaType.NO_PARKING}


def _schedules(zones: Sequence[Zone], timezone: str) -> tuple[Schedule, ...]:
    if not rules.is_timezone(timezone):
        raise InvalidZone(ZoneFlaw.UNKNOWN_TIMEZONE, f"There is no time zone {timezone!r}")
    different = tuple(dict.fromkeys(zone.schedule for zone in zones if zone.schedule))
    if len(different) > MAX_SCHEDULES:
        raise GeofenceTooLarge(f"{len(different)} different schedules; {MAX_SCHEDULES} is the most")
    return different


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


def geofences(network_ids: Sequence[int]) -> list[Geofence | None]:
    """:func:`geofence` of several networks in their order, in one reading."""
    return store.read_headers(network_ids)


def edition(network_id: int) -> Edition:
    """Which zones of a network are in force; none before the first publication. One read of a header."""
    return _edition(network_id, store.read_header(network_id))


def editions(network_ids: Sequence[int]) -> list[Edition]:
    """:func:`edition` of several networks in their order, in one reading."""
    headers = geofences(network_ids)
    return [_edition(network_id, published) for network_id, published in zip(network_ids, headers, strict=True)]


def areas(network_id: int) -> Areas:
    """All zones of a network, from memory when they have not changed; no zones before the first publication."""
    published = store.read_header(network_id)
    if published is None:
        return Areas(network_id, 0, "UTC", _edition(network_id, None), ())
    published, zones = _with_zones(published)
    return Areas(network_id, published.version, published.timezone, _edition(network_id, published), zones)


def operating_at(network_ids: Sequence[int], position: Position) -> list[int]:
    """Those of the networks whose operations areas cover a position, whatever the time of day."""
    headers = [each for each in geofences(network_ids) if each is not None]
    near = [each for each in headers if each.bounds is None or _inside(each.bounds, position)]
    return [
        published.network_id
        for published in near
        if any(zone.area_type is AreaType.OPERATIONS for zone in _with_judge(published)[1].covering(position))
    ]


def _inside(bounds: Box, position: Position) -> bool:
    west, south, east, north = bounds
    return west <= position.longitude <= east and south <= position.latitude <= north


def judge(network_id: int, position: Position) -> Verdict:
    """What may happen at ``position``. In a network without geofence nothing may."""
    return judge_all(network_id, [position])[0]


def judge_all(network_id: int, positions: Sequence[Position]) -> list[Verdict]:
    """What may happen at each of ``positions``, all by the same version and at the same time."""
    published = store.read_header(network_id)
    if published is None:
        return [NOWHERE] * len(positions)
    published, by = _with_judge(published)
    now = _edition(network_id, published)
    return [by.verdict(position, now) for position in positions]


@dataclass(frozen=True)
class Round:
    """What somebody who goes round to the parked vehicles has to look at in a network.

    Attributes:
        tag: of the edition that they are to know.
        again: whether they have been judged by it before.
    """

    network_id: int
    tag: str
    again: bool


def rounds() -> list[Round]:
    """The networks whose parked vehicles may not know which zones are in force; one query and one reading.

    A network comes until :func:`finish` was told twice that its vehicles were judged by the edition that is in force,
    the second time with nothing to change: a dock may have closed on a vehicle with the verdict of a moment before.
    """
    known = store.judged()
    now = editions([each.network_id for each in known])
    return [
        Round(each.network_id, edition.tag, each.tag == edition.tag)
        for each, edition in zip(known, now, strict=True)
        if not (each.settled and each.tag == edition.tag)
    ]


def finish(round_: Round, *, changed: bool) -> None:
    """All parked vehicles of a network were judged; ``changed`` says whether any of them did not know."""
    settled = round_.again and not changed
    store.keep_judged(store.Judged(network_id=round_.network_id, tag=round_.tag, settled=settled))


def _edition(network_id: int, published: Geofence | None) -> Edition:
    if published is None:
        return Edition(f"{network_id}-0", frozenset(), datetime.min.replace(tzinfo=UTC), None)
    now = clock.now()
    known = _editions.get(network_id)
    if known is not None and known[0] == published.content_id and known[1].holds_at(now):
        return known[1]
    return _editions.put(network_id, (published.content_id, rules.edition(published, now)))[1]


def _with_zones(published: Geofence) -> tuple[Geofence, tuple[Zone, ...]]:
    known = _zones.get(published.network_id)
    if known is not None and known[0] == published.content_id:
        return published, known[1]
    zones = store.read_zones(published)
    if zones is None:  # replaced and expired between the two readings
        kernel_store.forget()
        return _with_zones(store.read_header(published.network_id) or published)
    return published, _zones.put(published.network_id, (published.content_id, zones))[1]


def _with_judge(published: Geofence) -> "tuple[Geofence, Judge]":
    from kickstand.geo.geometry import Judge

    known = _judges.get(published.network_id)
    if known is not None and known[0] == published.content_id:
        return published, known[1]
    published, zones = _with_zones(published)
    judge = Judge(published.version, published.parking, zones)
    return published, _judges.put(published.network_id, (published.content_id, judge))[1]
