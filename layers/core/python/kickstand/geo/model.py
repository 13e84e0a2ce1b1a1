"""Zones, their rules and what they mean for a position."""

from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kickstand.geo.errors import RuleWithoutAreaType


class AreaType(StrEnum):
    """What a zone is to a rider."""

    OPERATIONS = "operations"
    """Where the service exists; outside nothing may start or end."""
    NO_PARKING = "no-parking"
    """Riding through is fine, ending is not."""
    PARKING_SPOT = "parking-spot"
    """Where rides have to end when parking is mandatory."""
    SLOW_ZONE = "slow-zone"
    """The vehicle limits its own speed."""
    NO_GO_ZONE = "no-go-zone"
    """No starting, no ending, no riding through."""


class Parking(StrEnum):
    """How a network's vehicles are parked."""

    FREE_FLOATING = "free_floating"
    """Anywhere in the operations area but in no-parking areas."""
    MANDATORY = "mandatory"
    """In parking spots only."""


class ZoneRule(BaseModel):
    """What is allowed in a zone, in the terms of a GBFS 3 geofencing rule. Speeds in km/h."""

    model_config = ConfigDict(frozen=True)

    ride_start_allowed: bool
    ride_end_allowed: bool
    ride_through_allowed: bool
    maximum_speed_kph: Annotated[int, Field(ge=1, le=200)] | None = None
    station_parking: bool = False

    @classmethod
    def of(cls, area_type: AreaType, maximum_speed_kph: int | None = None) -> Self:
        """The usual rule of an area type. A slow zone is told its speed; 10 km/h where none is given."""
        rules: dict[AreaType, ZoneRule] = {
            AreaType.OPERATIONS: _ANYTHING,
            AreaType.NO_PARKING: _ANYTHING.model_copy(update={"ride_end_allowed": False}),
            AreaType.PARKING_SPOT: _ANYTHING.model_copy(update={"station_parking": True}),
            AreaType.SLOW_ZONE: _ANYTHING.model_copy(update={"maximum_speed_kph": _SLOW_KPH}),
            AreaType.NO_GO_ZONE: ZoneRule(ride_start_allowed=False, ride_end_allowed=False, ride_through_allowed=False),
        }
        rule = rules[area_type]
        speed = rule.maximum_speed_kph if maximum_speed_kph is None else maximum_speed_kph
        return cls.model_validate(rule.model_dump() | {"maximum_speed_kph": speed})

    @property
    def area_type(self) -> AreaType:
        """The area type that expresses this rule; the strictest word wins.

        Raises:
            RuleWithoutAreaType: where only the start is forbidden.
        """
        if not self.ride_through_allowed:
            return AreaType.NO_GO_ZONE
        if not self.ride_end_allowed:
            return AreaType.NO_PARKING
        if self.station_parking:
            return AreaType.PARKING_SPOT
        if self.maximum_speed_kph is not None:
            return AreaType.SLOW_ZONE
        if not self.ride_start_allowed:
            raise RuleWithoutAreaType
        return AreaType.OPERATIONS


_SLOW_KPH: Final = 10
_ANYTHING: Final = ZoneRule(ride_start_allowed=True, ride_end_allowed=True, ride_through_allowed=True)

Coordinates = tuple[float, float]
"""Longitude and latitude, in this order, in degrees."""

Ring = tuple[Coordinates, ...]


class MultiPolygon(BaseModel):
    """A GeoJSON MultiPolygon: polygons of rings, the first of each its border and the others its holes."""

    model_config = ConfigDict(frozen=True)

    type: Literal["MultiPolygon"] = "MultiPolygon"
    coordinates: tuple[tuple[Ring, ...], ...]


class Weekday(StrEnum):
    """A day of the week, in the words of GBFS."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEK: Final = tuple(Weekday)
"""Monday first, as ``datetime.weekday`` counts."""


def _in_order(days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
    return tuple(day for day in WEEK if day in days)


def _whole_minute(clock_time: time) -> time:
    if clock_time.tzinfo is not None or clock_time.second or clock_time.microsecond:
        raise ValueError("hours and minutes by the clocks of the city")
    return clock_time


Minute = Annotated[time, AfterValidator(_whole_minute)]
"""What a clock on a wall of the city shows."""


class Window(BaseModel):
    """Hours on some days of the week.

    Attributes:
        days: on which it begins.
        start: from then on.
        end: until then, exclusively; on the next day where it is not after ``start``, so two alike make a whole day.
    """

    model_config = ConfigDict(frozen=True)

    days: Annotated[tuple[Weekday, ...], Field(min_length=1), AfterValidator(_in_order)]
    start: Minute
    end: Minute


Schedule = Annotated[tuple[Window, ...], Field(max_length=21)]
"""When a zone is in force: in any of these windows, or always where there is none."""


class Zone(BaseModel):
    """An area of a network and its rule.

    Attributes:
        schedule: when it is in force.
        centroid: the centre of its area, which need not lie inside; known once it has been published.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    network_id: int
    name: Annotated[str, Field(min_length=1, max_length=200)]
    area_type: AreaType
    rule: ZoneRule
    geometry: MultiPolygon
    schedule: Schedule = ()
    centroid: Coordinates | None = None


Box = tuple[float, float, float, float]
"""West, south, east, north, in degrees."""


class Geofence(BaseModel):
    """All zones of a network, published as one.

    Attributes:
        version: 1 for the first; every publication is the next.
        content_id: which set of parts holds the zones; unique among all attempts to publish.
        parts: how many parts there are.
        zone_count: how many zones there are.
        timezone: IANA name; whose clocks the schedules of zones mean.
        schedules: the different ones of its zones, each once.
        bounds: of its operations areas; unknown of geofences that were published before bounds were kept.
    """

    model_config = ConfigDict(frozen=True)

    network_id: int
    version: int
    content_id: int
    parts: int
    zone_count: int
    parking: Parking
    published_at: datetime
    timezone: str = "UTC"
    schedules: tuple[Schedule, ...] = ()
    bounds: Box | None = None


class Edition(NamedTuple):
    """Which zones of a geofence are in force for a while.

    Attributes:
        tag: changes exactly when the zones in force do, across restored backups too; good for entity tags.
        in_force: the schedules in force.
        since: from then on.
        until: when that may be different, exclusively; ``None`` for never.
    """

    tag: str
    in_force: frozenset[tuple[Window, ...]]
    since: datetime
    until: datetime | None

    def shows(self, zone: Zone) -> bool:
        """Whether a zone of the geofence is in force."""
        return not zone.schedule or zone.schedule in self.in_force

    def holds_at(self, at: datetime) -> bool:
        """Whether this is still, and already, the edition."""
        return self.since <= at and (self.until is None or at < self.until)

    def max_age(self, at: datetime, longest: int) -> int:
        """For how many whole seconds from ``at`` on it may be shown, ``longest`` at most."""
        left = longest if self.until is None else int((self.until - at).total_seconds())
        return max(0, min(longest, left))


class EndRefusal(StrEnum):
    """Why a ride must not end where the vehicle stands."""

    NO_GO = "no_go"
    OUTSIDE_OPERATIONS = "outside_operations"
    NO_PARKING = "no_parking"
    NOT_IN_PARKING_SPOT = "not_in_parking_spot"


class Verdict(BaseModel):
    """What a geofence says about a position.

    Attributes:
        geofence_version: which version judged; 0 where the network has no geofence yet.
        ride_start_allowed: whether a ride may start here.
        end_refusal: why a ride may not end here, ``None`` where it may.
        max_speed_kmh: the speed limit here in km/h, ``None`` for the vehicle's own.
    """

    model_config = ConfigDict(frozen=True)

    geofence_version: int
    ride_start_allowed: bool
    end_refusal: EndRefusal | None = None
    max_speed_kmh: int | None = None

    @property
    def ride_end_allowed(self) -> bool:
        """Whether a ride may end here."""
        return self.end_refusal is None


NOWHERE: Final = Verdict(geofence_version=0, ride_start_allowed=False, end_refusal=EndRefusal.OUTSIDE_OPERATIONS)
"""The verdict on any position of a network without geofence."""
