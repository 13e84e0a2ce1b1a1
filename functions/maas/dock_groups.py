"""Dock groups: places where vehicles stand, with what is there to take and to leave."""

import json
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final

from pydantic import Field

from kickstand.clients import access
from kickstand.fleet import clusters, directory
from kickstand.fleet import service as fleet
from kickstand.fleet.directory import ClusterEntry, Stock
from kickstand.fleet.errors import ClusterNotFound
from kickstand.fleet.model import ClusterKind, ClusterState, VehicleModel
from kickstand.http.messages import Representation, Request, compress
from kickstand.http.surface import Loads
from kickstand.kernel import clock
from kickstand.kernel.cache import Recent
from kickstand.kernel.place import Position
from maas._categories import CATEGORIES, VehicleCategory
from maas._geojson import GeoJsonPosition
from maas._schemas import Number, PathId, Time, Wire
from maas._surface import DOCK_GROUP_NOT_FOUND, INVALID_REQUEST, Caller, Invalid, maas
from maas._vehicles import is_shown, vehicle_of
from maas.vehicles import VehicleList

_MAX_AGE_S: Final = 1
_BODIES_KEPT: Final = 16


class DockGroupType(StrEnum):
    """What a dock group is made of."""

    PHYSICAL = "physical"
    VIRTUAL = "virtual"


class DockGroupState(StrEnum):
    """Whether a dock group is in service."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    CLOSED = "closed"


class DockState(StrEnum):
    """Whether a dock is in service."""

    WORKING = "working"
    INACTIVE = "inactive"
    BROKEN = "broken"


class CategoryAvailability(Wire):
    """How many vehicles of a category can be taken."""

    category: VehicleCategory
    available: Number


class Dock(Wire):
    """A dock."""

    number: Number
    state: DockState
    vehicle_id: Number | None = Field(default=None, description="The vehicle that stands there, if one does.")


class AvailabilityInfo(Wire):
    """What can be taken and left at a dock group."""

    available_vehicles: Number
    available_docks: Number = Field(description="Docks that work and are free.")
    total_vehicles: Number = Field(description="Everything that stands there.")
    total_docks: Number
    vehicle_categories: list[CategoryAvailability] = Field(description="Those of which there are any to take.")
    docks: list[Dock] | None = Field(default=None, description="For users with superpowers.")

    @classmethod
    def of(
        cls, group: ClusterEntry, stock: Stock, models: Mapping[int, VehicleModel], *, docks: bool
    ) -> "AvailabilityInfo":
        """What can be taken and left at a cluster."""
        serves = group.state is ClusterState.ACTIVE
        available = _available(stock, models) if serves else {}
        return cls(
            available_vehicles=sum(available.values()),
            available_docks=stock.free_docks(group) if serves else 0,
            total_vehicles=len(stock.parked),
            total_docks=len(group.docks),
            vehicle_categories=[
                CategoryAvailability(category=category, available=number) for category, number in available.items()
            ],
            docks=[
                Dock(number=number, state=DockState(state), vehicle_id=stock.parked.get(number))
                for number, state in group.docks
            ]
            if docks
            else None,
        )


_CATEGORIES: Final = list(VehicleCategory)
_WORDS: Final = {category: word for word, category in CATEGORIES.items()}


def _available(stock: Stock, models: Mapping[int, VehicleModel]) -> dict[VehicleCategory, int]:
    found: dict[VehicleCategory, int] = {}
    for model_id, number in stock.rentable.items():
        model = models.get(model_id) or fleet.model(model_id)  # it may be newer than the models that were read
        if is_shown(model):
            word = _WORDS[model.category]
            found[word] = found.get(word, 0) + number
    return dict(sorted(found.items(), key=_place)) if len(found) > 1 else found


def _place(found: tuple[VehicleCategory, int]) -> int:
    return _CATEGORIES.index(found[0])


class DockGroup(Wire):
    """A place where vehicles stand."""

    id: Number
    created_at: Time
    updated_at: Time = Field(description="When it was changed last; not when vehicles came or went.")
    type: DockGroupType = Field(description="`virtual` where nothing holds the vehicles.")
    state: DockGroupState = Field(description="`inactive` ones are for users with superpowers.")
    name: str
    title: str
    subtitle: str | None = None
    address: str | None = None
    availability_info: AvailabilityInfo
    geometry: GeoJsonPosition

    @classmethod
    def of(
        cls, group: ClusterEntry, stock: Stock, models: Mapping[int, VehicleModel], *, superpowers: bool
    ) -> "DockGroup":
        """The wire form of a cluster."""
        return cls(
            id=group.id,
            created_at=clock.at_milliseconds(group.created_at),
            updated_at=clock.at_milliseconds(group.updated_at),
            type=_TYPES[group.type],
            state=_STATES[group.state],
            name=group.name,
            title=group.title,
            subtitle=group.subtitle,
            address=group.address,
            availability_info=AvailabilityInfo.of(group, stock, models, docks=superpowers),
            geometry=GeoJsonPosition.of(Position(longitude=group.longitude, latitude=group.latitude)),
        )


_TYPES: Final = {ClusterKind.PHYSICAL: DockGroupType.PHYSICAL, ClusterKind.VIRTUAL: DockGroupType.VIRTUAL}
_STATES: Final = {
    ClusterState.ACTIVE: DockGroupState.ACTIVE,
    ClusterState.INACTIVE: DockGroupState.INACTIVE,
    ClusterState.CLOSED: DockGroupState.CLOSED,
}


class DockGroupList(Wire):
    """Dock groups."""

    data: list[DockGroup]


class SuperpowersQuery(Wire):
    """For whom."""

    superpowers: bool = Field(
        default=False, description="For a user who may see more: groups that are not in service yet, and every dock."
    )


class DockGroupPath(Wire):
    """Which dock group."""

    dock_group_id: Annotated[PathId, Invalid(DOCK_GROUP_NOT_FOUND)]


class StandingPath(Wire):
    """In which dock group."""

    dock_group_id: Annotated[PathId, Invalid(DOCK_GROUP_NOT_FOUND), Loads(clusters.expect_cluster)]


# ── All dock groups ──────────────────────────────────────────────────────────────────────────────────────────────────

_bodies: Final[Recent[tuple[tuple[int, ...], bool], tuple[str, bytes, bytes]]] = Recent(_BODIES_KEPT)


def _expect_list(client_id: int) -> None:
    directory.expect(*access.known_networks(client_id))


@maas.operation(
    "GET",
    "/dockgroups",
    tag="Dock groups",
    access="DirectoryRequests",
    errors=(INVALID_REQUEST,),
    answers=DockGroupList,
    memory=1024,
    expects=_expect_list,
)
def get_dock_groups(caller: Caller, query: SuperpowersQuery, request: Request) -> Representation:
    """List the dock groups of all systems, with what is there to take and to leave.

    At most about a second old. Ask every few seconds, with the entity tag of the last answer and
    ``Accept-Encoding: gzip``.
    """
    systems = tuple(sorted(caller.client.network_ids))
    wanted = systems, query.superpowers
    models = fleet.models(directory.models(*systems))
    etag = directory.tag(directory.etag(*systems), query.superpowers, _stamp(models))
    if request.has(etag):
        return Representation(etag, _MAX_AGE_S)
    kept = _bodies.get(wanted)
    if kept is None or kept[0] != etag:
        found = directory.read(*systems)
        models = fleet.models(found.models)
        groups = sorted(found.clusters(), key=lambda each: each[0].id)
        shown = [_entry(*each, models, superpowers=query.superpowers) for each in groups if _is_shown(each[0], query)]
        body = b"".join((b'{"data":[', b",".join(shown), b"]}"))
        etag = directory.tag(found.etag, query.superpowers, _stamp(models))
        kept = _bodies.put(wanted, (etag, body, compress(body)))
    return Representation(kept[0], _MAX_AGE_S, body=kept[1], packed=kept[2])


def _is_shown(group: ClusterEntry, query: SuperpowersQuery) -> bool:
    return query.superpowers or group.state is not ClusterState.INACTIVE


def _stamp(models: Mapping[int, VehicleModel]) -> str:
    """What of the models dock groups are shown with."""
    return directory.tag(*sorted((each.id, each.category) for each in models.values()))


def _entry(group: ClusterEntry, stock: Stock, models: Mapping[int, VehicleModel], *, superpowers: bool) -> bytes:
    # A city has a thousand of these: written by hand, they take a fraction of the time of a thousand models.
    serves = group.state is ClusterState.ACTIVE
    available = _available(stock, models) if serves else {}
    categories = ",".join(f'{{"category":"{word}","available":{number}}}' for word, number in available.items())
    docks = ""
    if superpowers:
        docks = f',"docks":[{",".join(_dock(number, state, stock) for number, state in group.docks)}]'
    before, after = _around(group)
    return (
        f'{before}"availableVehicles":{sum(available.values())},'
        f'"availableDocks":{stock.free_docks(group) if serves else 0},'
        f'"totalVehicles":{len(stock.parked)},"totalDocks":{len(group.docks)},"vehicleCategories":[{categories}]{docks}'
        f"{after}"
    ).encode()


@lru_cache(maxsize=8192)
def _around(group: ClusterEntry) -> tuple[str, str]:
    """What is written of a cluster before and after what stands there."""
    texts = (("name", group.name), ("title", group.title), ("subtitle", group.subtitle), ("address", group.address))
    words = "".join(f'"{key}":{json.dumps(text, ensure_ascii=False)},' for key, text in texts if text is not None)
    before = (
        f'{{"id":{group.id},"createdAt":"{_time(group.created_at)}","updatedAt":"{_time(group.updated_at)}",'
        f'"type":"{_TYPES[group.type]}","state":"{_STATES[group.state]}",{words}"availabilityInfo":{{'
    )
    return before, f'}},"geometry":{{"type":"Point","coordinates":[{group.longitude},{group.latitude}]}}}}'


def _dock(number: int, state: str, stock: Stock) -> str:
    vehicle_id = stock.parked.get(number)
    holds = f',"vehicleId":{vehicle_id}' if vehicle_id is not None else ""
    return f'{{"number":{number},"state":"{state}"{holds}}}'


def _time(number: int) -> str:
    return f"{clock.at_milliseconds(number):%Y-%m-%dT%H:%M:%S}.{number % 1000:03d}Z"


# ── One dock group ───────────────────────────────────────────────────────────────────────────────────────────────────


@maas.operation(
    "GET",
    "/dockgroups/{dockGroupId}",
    tag="Dock groups",
    access="DirectoryRequests",
    errors=(INVALID_REQUEST, DOCK_GROUP_NOT_FOUND),
    answers=DockGroup,
    expects=_expect_list,
)
def get_dock_group(caller: Caller, path: DockGroupPath, query: SuperpowersQuery) -> Representation:
    """Get a dock group, with what is there to take and to leave.

    At most about a second old, as the list is. The entity tag of the last answer costs less than the answer.
    """
    found = directory.read(*sorted(caller.client.network_ids))
    group = found.cluster(path.dock_group_id)
    if group is None or not _is_shown(group[0], query):
        raise ClusterNotFound
    shown = DockGroup.of(*group, fleet.models(group[1].rentable), superpowers=query.superpowers)
    body = shown.model_dump_json(by_alias=True, exclude_none=True).encode()
    return Representation(directory.tag(body), _MAX_AGE_S, body=body)


@maas.operation(
    "GET",
    "/dockgroups/{dockGroupId}/vehicles",
    tag="Dock groups",
    access="DirectoryRequests",
    errors=(DOCK_GROUP_NOT_FOUND,),
)
def get_vehicles_by_dock_group(caller: Caller, path: StandingPath) -> VehicleList:
    """List the vehicles in a dock group, whatever their state, as they are at this moment."""
    cluster = clusters.find_cluster(caller.client, path.dock_group_id)
    if not _is_shown(directory.entry_of(cluster), SuperpowersQuery()):
        raise ClusterNotFound
    vehicles = clusters.vehicles_at(cluster)
    models = fleet.models({each.model_id for each in vehicles})
    shown = [vehicle_of(each, models[each.model_id]) for each in vehicles if is_shown(models[each.model_id])]
    return VehicleList(data=shown)
