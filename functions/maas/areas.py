"""Areas: where rules differ from the rest of the city, and when."""

from collections.abc import Collection, Iterator, Sequence
from datetime import time
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Final, Self

from pydantic import Field, PlainSerializer, WithJsonSchema

from kickstand.geo import service as geo
from kickstand.geo.model import AreaType, Edition, MultiPolygon, Weekday, Zone
from kickstand.http.messages import Representation, Request, compress
from kickstand.kernel import clock
from kickstand.kernel.cache import Recent
from kickstand.kernel.place import Position
from maas._geojson import GeoJsonPosition
from maas._schemas import Number, Wire
from maas._surface import INVALID_REQUEST, Caller, maas

_MAX_AGE_S: Final = 60
_BODIES_KEPT: Final = 16


class AreaConfigurationType(StrEnum):
    """What is different in an area."""

    ILLEGAL_DOCKING = "illegal_docking"
    SPEED_LIMIT = "speed_limit"
    NO_ENTRY = "no_entry"


_WORDS: Final = {
    AreaType.NO_PARKING: AreaConfigurationType.ILLEGAL_DOCKING,
    AreaType.SLOW_ZONE: AreaConfigurationType.SPEED_LIMIT,
    AreaType.NO_GO_ZONE: AreaConfigurationType.NO_ENTRY,
}


class AreaConfiguration(Wire):
    """One thing that is different in an area."""

    type: AreaConfigurationType = Field(
        description="`illegal_docking`: trips cannot end here; `speed_limit`: vehicles limit their speed; `no_entry`:"
        " trips can neither start nor end here, and vehicles should not be ridden through."
    )
    max_speed_kmh: Number | None = Field(default=None, description="Of a speed limit.")

    @classmethod
    def all_of(cls, zone: Zone) -> list[Self]:
        """What a zone makes different."""
        limit = zone.rule.maximum_speed_kph
        found = [cls(type=_WORDS[zone.area_type])] if zone.area_type is not AreaType.SLOW_ZONE else []
        if limit is not None:
            found.append(cls(type=AreaConfigurationType.SPEED_LIMIT, max_speed_kmh=limit))
        return found


ClockTime = Annotated[
    time,
    PlainSerializer(lambda at: f"{at:%H:%M}", "str"),
    WithJsonSchema({"type": "string", "examples": ["22:00"]}),
]
"""What the clocks of the city show."""


class AreaSchedule(Wire):
    """Hours at which an area is in force."""

    days: list[Weekday] = Field(description="On which they begin.")
    start: ClockTime = Field(alias="from")
    end: ClockTime = Field(alias="to", description="On the next day where it is not after `from`.")
    timezone: str = Field(description="Of the city, as IANA calls it.")


class Area(Wire):
    """An area in which rules differ."""

    id: Number
    name: str
    system_id: Number
    geometry: MultiPolygon = Field(description="GeoJSON in WGS 84.")
    centroid: GeoJsonPosition | None = Field(
        default=None, description="The centre of its surface, which may lie outside of an area with a bay or a hole."
    )
    configurations: list[AreaConfiguration]
    schedules: list[AreaSchedule] = Field(description="When it is in force; always where there are none.")
    active: bool = Field(description="Whether it is in force now.")

    @classmethod
    def of(cls, zone: Zone, areas: geo.Areas, configurations: list[AreaConfiguration]) -> Self:
        """The wire form of a zone."""
        centroid = None
        if zone.centroid is not None:
            longitude, latitude = zone.centroid
            centroid = GeoJsonPosition.of(Position(longitude=longitude, latitude=latitude))
        schedules = [
            AreaSchedule(days=list(window.days), start=window.start, end=window.end, timezone=areas.timezone)
            for window in zone.schedule
        ]
        return cls(
            id=zone.id,
            name=zone.name,
            system_id=zone.network_id,
            geometry=zone.geometry,
            centroid=centroid,
            configurations=configurations,
            schedules=schedules,
            active=areas.edition.shows(zone),
        )


class AreaList(Wire):
    """Areas."""

    data: list[Area]


class AreasQuery(Wire):
    """Which areas."""

    types: list[AreaConfigurationType] | None = Field(
        default=None, alias="types[]", description="Only areas in which one of these is different."
    )


Wanted = tuple[tuple[int, ...], frozenset[AreaConfigurationType]]
"""Of which systems, and what is different; without the latter, everything."""

_bodies: Final[Recent[Wanted, tuple[str, bytes, bytes]]] = Recent(_BODIES_KEPT)


@maas.operation(
    "GET",
    "/areas",
    tag="Areas",
    access="AreaRequests",
    errors=(INVALID_REQUEST,),
    answers=AreaList,
    memory=1024,
)
def get_areas(caller: Caller, query: AreasQuery, request: Request) -> Representation:
    """List the areas of all systems, with their configurations and schedules.

    The answer may be kept for as long as it says: a minute at most, and only until an area comes into force or ceases
    to be. Asking with its entity tag costs next to nothing. Where trips may end at all is not told by areas.
    """
    systems = tuple(sorted(caller.client.network_ids))
    wanted = systems, frozenset(query.types or ())
    editions = geo.editions(systems)
    etag = _etag(wanted, editions)
    if request.has(etag):
        return Representation(etag, _max_age(editions))
    kept = _bodies.get(wanted)
    if kept is None or kept[0] != etag:
        found = [geo.areas(system) for system in systems]
        editions = [areas.edition for areas in found]
        body = _body(found, wanted[1])
        kept = _bodies.put(wanted, (_etag(wanted, editions), body, compress(body)))
    return Representation(kept[0], _max_age(editions), body=kept[1], packed=kept[2])


def _etag(wanted: Wanted, editions: Sequence[Edition]) -> str:
    words = " ".join([*sorted(wanted[1]), *(edition.tag for edition in editions)])
    return f'"{blake2b(words.encode(), digest_size=12).hexdigest()}"'


def _max_age(editions: Sequence[Edition]) -> int:
    now = clock.now()
    return min((edition.max_age(now, _MAX_AGE_S) for edition in editions), default=_MAX_AGE_S)


def _body(found: Sequence[geo.Areas], types: Collection[AreaConfigurationType]) -> bytes:
    data = [area for areas in found for area in _areas(areas, types)]
    return AreaList.model_construct(data=data).model_dump_json(by_alias=True, exclude_none=True).encode()


def _areas(areas: geo.Areas, types: Collection[AreaConfigurationType]) -> Iterator[Area]:
    for zone in areas.zones:
        if zone.area_type not in _WORDS:
            continue
        configurations = AreaConfiguration.all_of(zone)
        if not types or any(each.type in types for each in configurations):
            yield Area.of(zone, areas, configurations)
