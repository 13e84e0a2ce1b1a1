"""Systems: city operations, and what they have to tell everybody."""

import re
from collections.abc import Mapping
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, WithJsonSchema

from kickstand.fleet import alerts
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import NetworkNotFound
from kickstand.fleet.model import Alert, AlertType, Network, RentTimings
from kickstand.geo import service as geo
from kickstand.geo.model import Box, Geofence, Parking
from kickstand.kernel.money import Currency
from kickstand.kernel.place import Position
from maas._categories import VehicleCategory, shown
from maas._geojson import GeoJsonPosition
from maas._schemas import Number, Time, Wire
from maas._surface import INVALID_REQUEST, SYSTEM_NOT_FOUND, Caller, maas

_POSITION: Final = re.compile(r"(-?\d{1,2}(?:\.\d{1,15})?),(-?\d{1,3}(?:\.\d{1,15})?)", re.ASCII)


BoundingBox = Annotated[
    tuple[float, float, float, float],
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}),
]


class SystemSettings(Wire):
    """When timers of trips go off, in seconds; 0 switches one off."""

    too_long_notice: Number = Field(description="After the start, the user is asked to return the vehicle.")
    too_long_repeat: Number = Field(description="Between repetitions of that.")
    stolen_after: Number = Field(description="After the start, the vehicle counts as stolen.")
    auto_pause_after: Number = Field(description="Of standing still, the trip is paused.")
    max_pause: Number = Field(description="Of a pause, the trip ends.")
    max_trip: Number = Field(description="After the start, the vehicle is locked and the trip ends.")
    command_timeout: Number = Field(description="After which an unanswered command is given up.")
    start_timeout: Number = Field(description="After which a trip is cancelled whose vehicle has not unlocked.")
    left_unlocked_fine: Number = Field(description="For leaving a vehicle unlocked again, in minor units.")

    @classmethod
    def of(cls, network: Network) -> Self:
        """The settings of a network."""
        timings: RentTimings = network.timings
        return cls(
            too_long_notice=timings.too_long_notice_s,
            too_long_repeat=timings.too_long_repeat_s,
            stolen_after=timings.stolen_after_s,
            auto_pause_after=timings.auto_pause_after_s,
            max_pause=timings.max_pause_s,
            max_trip=timings.max_rental_s,
            command_timeout=timings.command_timeout_s,
            start_timeout=timings.start_timeout_s,
            left_unlocked_fine=network.left_unlocked_fine,
        )


class System(Wire):
    """A city operation."""

    id: Number
    name: str
    timezone: str = Field(description="As IANA calls it.")
    currency: Currency
    vat_percent: Number
    languages: list[str] = Field(description="That users are served in: language tags.")
    vehicle_categories: list[VehicleCategory]
    parking: Parking = Field(
        description="`free_floating`: trips end anywhere but where that is illegal; `mandatory`: in parking spots only."
    )
    reservation_seconds: Number = Field(description="After which a reservation expires.")
    center: GeoJsonPosition | None = Field(default=None, description="The middle of `boundingBox`.")
    bounding_box: BoundingBox | None = Field(
        default=None,
        description="Of the places where trips may start and end: west, south, east, north, in degrees, as in GeoJSON.",
    )
    operator: str
    support_email: str
    settings: SystemSettings | None = Field(default=None, description="With `superpowers` only.")

    @classmethod
    def of(cls, network: Network, geofence: Geofence | None, *, superpowers: bool = False) -> Self:
        """The wire form of a network and of where it operates."""
        box = geofence.bounds if geofence else None
        return cls(
            id=network.id,
            name=network.name,
            timezone=network.timezone,
            currency=network.currency,
            vat_percent=network.vat_percent,
            languages=list(network.languages),
            vehicle_categories=shown(network.categories),
            parking=network.parking,
            reservation_seconds=network.timings.reservation_s,
            center=_middle(box) if box else None,
            bounding_box=box,
            operator=network.issuer.name,
            support_email=network.issuer.email,
            settings=SystemSettings.of(network) if superpowers else None,
        )


def _middle(box: Box) -> GeoJsonPosition:
    west, south, east, north = box
    return GeoJsonPosition.of(Position(longitude=(west + east) / 2, latitude=(south + north) / 2))


class SystemResponse(Wire):
    """One system."""

    data: System


class SystemList(Wire):
    """Systems."""

    data: list[System]


class Translation(Wire):
    """A text in one language."""

    language: str
    text: str

    @classmethod
    def all_of(cls, words: Mapping[str, str]) -> list[Self]:
        """A text in all languages that it is known in."""
        return [cls(language=language, text=text) for language, text in words.items()]


class AlertTime(Wire):
    """From when to when; open-ended without an end."""

    start: Time
    end: Time | None = None


class SystemAlert(Wire):
    """What a system has to tell everybody."""

    id: Number
    system_id: Number
    type: AlertType
    times: list[AlertTime] = Field(description="When it applies; without any, until it is withdrawn.")
    dock_group_ids: list[Number] = Field(description="What it is about; without any, the whole system.")
    summary: list[Translation] = Field(description="A line.")
    description: list[Translation] | None = Field(default=None, description="All of it.")
    url: str | None = Field(default=None, description="Where there is more.")
    last_updated: Time

    @classmethod
    def of(cls, alert: Alert) -> Self:
        """The wire form of an alert."""
        return cls(
            id=alert.id,
            system_id=alert.network_id,
            type=alert.type,
            times=[AlertTime(start=each.start, end=each.end) for each in alert.times],
            dock_group_ids=list(alert.cluster_ids),
            summary=Translation.all_of(alert.summary),
            description=Translation.all_of(alert.description) if alert.description else None,
            url=alert.url,
            last_updated=alert.updated_at,
        )


class SystemAlertList(Wire):
    """Alerts."""

    data: list[SystemAlert]


class SystemQuery(Wire):
    """How much of it."""

    superpowers: bool = Field(
        default=False, description="Also the operator's settings; for clients that show them to staff."
    )


def _on_earth(text: str) -> str:
    _ = _position(text)
    return text


def _position(text: str) -> Position:
    written = _POSITION.fullmatch(text)
    if written is None:
        raise ValueError("not latitude and longitude in degrees, such as 59.9139,10.7522")
    latitude, longitude = written.groups()
    return Position(longitude=float(longitude), latitude=float(latitude))


class SystemsQuery(Wire):
    """Which systems."""

    position: Annotated[str, AfterValidator(_on_earth)] | None = Field(
        default=None,
        description="Latitude and longitude in degrees, with a comma between: only systems that operate there.",
    )


@maas.operation("GET", "/system", tag="System", access="SystemRequests", errors=(INVALID_REQUEST, SYSTEM_NOT_FOUND))
def get_system(caller: Caller, query: SystemQuery) -> SystemResponse:
    """Get the system of the client.

    Of a client with several, the one with the lowest id; see all of them with `GET /systems`.
    """
    for system in caller.client.network_ids:
        geo.expect(system)
    network = next(iter(fleet.networks(caller.client)), None)
    if network is None:
        raise NetworkNotFound
    return SystemResponse(data=System.of(network, geo.geofence(network.id), superpowers=query.superpowers))


@maas.operation(
    "GET", "/systems", tag="System", access="SystemRequests", errors=(INVALID_REQUEST,), layers=("geo",), memory=1024
)
def get_systems(caller: Caller, query: SystemsQuery) -> SystemList:
    """List the systems that the client may use, by id.

    With a position, those whose operations area contains it.
    """
    systems = sorted(caller.client.network_ids)
    for system in systems:
        geo.expect(system)
    networks = fleet.networks(caller.client)
    if query.position is not None:
        operating = set(geo.operating_at(systems, _position(query.position)))
        networks = [network for network in networks if network.id in operating]
    geofences = geo.geofences([network.id for network in networks])
    return SystemList(data=[System.of(*each) for each in zip(networks, geofences, strict=True)])


@maas.operation("GET", "/system/alerts", tag="System", access="SystemRequests")
def get_system_alerts(caller: Caller) -> SystemAlertList:
    """List what systems have to tell everybody now.

    Of all systems that the client may use; `systemId` says whose alert it is.
    """
    return SystemAlertList(data=[SystemAlert.of(each) for each in alerts.current_alerts(caller.client)])
