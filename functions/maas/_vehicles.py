"""Vehicles on the wire: what each state, maneuver and reason of ours is called by this API."""

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from pydantic import Field

from kickstand.fleet import listing
from kickstand.fleet.model import Category, Lock, Progress, Purpose, Unavailability, VehicleModel
from kickstand.fleet.model import Vehicle as DomainVehicle
from kickstand.fleet.model import VehicleState as DomainState
from maas._categories import CATEGORIES, VehicleCategory
from maas._geojson import Location
from maas._schemas import Number, Wire

if TYPE_CHECKING:
    from maas._trips import Trip


class VehicleStatus(StrEnum):
    """What can be done with a vehicle, roughly."""

    AVAILABLE = "available"
    UNAVAILABLE = "unavailable"
    ON_TRIP = "on_trip"
    WITH_OPERATOR = "with_operator"
    IN_OPERATION_LOCATION = "in_operation_location"
    LOST = "lost"
    NEVER_SEEN = "never_seen"
    UNKNOWN = "unknown"
    DECOMMISSIONED = "decommissioned"


class VehicleState(StrEnum):
    """What a vehicle does or waits for."""

    UNKNOWN = "unknown"
    AWAITING_WAKE_EVENT = "awaiting_wake_event"
    AWAITING_WAKE_EVENT_ON_RESUME = "awaiting_wake_event_on_resume"
    AWAITING_VEHICLE_UNLOCK = "awaiting_vehicle_unlock"
    AWAITING_INTERACTION_CONFIRMATION = "awaiting_interaction_confirmation"
    AWAITING_UNLOCK_INTERACTION = "awaiting_unlock_interaction"
    AWAITING_VEHICLE_UNLOCK_ON_RESUME = "awaiting_vehicle_unlock_on_resume"
    IN_PROGRESS = "in_progress"
    AWAITING_BOLT_LOCK_ARMED_TO_PAUSE = "awaiting_bolt_lock_armed_to_pause"
    AWAITING_BOLT_LOCK_TO_PAUSE = "awaiting_bolt_lock_to_pause"
    ON_HOLD = "on_hold"
    AWAITING_BOLT_LOCK_ARMED_TO_END = "awaiting_bolt_lock_armed_to_end"
    AWAITING_BOLT_LOCK_TO_END = "awaiting_bolt_lock_to_end"
    DOCKED = "docked"
    CANCELLING = "cancelling"
    IN_OPERATION_LOCATION = "in_operation_location"
    WITH_ADMINISTRATOR = "with_administrator"
    AWAITING_BOLT_LOCK_ARMED_TO_VIRTUAL_DOCK = "awaiting_bolt_lock_armed_to_virtual_dock"
    AWAITING_BOLT_LOCK_TO_VIRTUAL_DOCK = "awaiting_bolt_lock_to_virtual_dock"
    AWAITING_VEHICLE_UNLOCK_JAMMED = "awaiting_vehicle_unlock_jammed"
    AWAITING_VEHICLE_UNLOCK_ON_RESUME_JAMMED = "awaiting_vehicle_unlock_on_resume_jammed"
    AWAITING_BOLT_LOCK_TO_END_JAMMED = "awaiting_bolt_lock_to_end_jammed"
    AWAITING_BOLT_LOCK_TO_PAUSE_JAMMED = "awaiting_bolt_lock_to_pause_jammed"
    AWAITING_BOLT_LOCK_TO_END_CANCELLING = "awaiting_bolt_lock_to_end_cancelling"
    AWAITING_BOLT_LOCK_TO_PAUSE_CANCELLING = "awaiting_bolt_lock_to_pause_cancelling"
    DOCKING_JAMMED = "docking_jammed"
    DOCKING_JAMMED_ADMINISTRATOR = "docking_jammed_administrator"
    DOCKING_JAMMED_UNKNOWN = "docking_jammed_unknown"
    DOCKING_JAMMED_OPERATION_LOCATION = "docking_jammed_operation_location"
    REMOVED_JAMMED = "removed_jammed"
    AWAITING_LOCK_TO_END = "awaiting_lock_to_end"
    AWAITING_LOCK_TO_PAUSE = "awaiting_lock_to_pause"
    AWAITING_IOT_UNLOCK_INTERACTION = "awaiting_iot_unlock_interaction"
    LOST = "lost"
    DECOMMISSIONED = "decommissioned"
    AWAITING_GEOPOSITION = "awaiting_geoposition"
    AWAITING_GEOPOSITION_ADMINISTRATOR = "awaiting_geoposition_administrator"


class VehicleUnavailabilityReason(StrEnum):
    """Why a vehicle cannot be used."""

    DOCK_STATE = "dock_state"
    DOCK_BROKEN = "dock_broken"
    DOCK_GROUP_STATE = "dock_group_state"
    VEHICLE_CONTROLLER_STATE = "vehicle_controller_state"
    VEHICLE_CONTROLLER_CHARGE = "vehicle_controller_charge"
    VEHICLE_BATTERY_CHARGE = "vehicle_battery_charge"
    VEHICLE_BLOCKED = "vehicle_blocked"
    VEHICLE_BROKEN = "vehicle_broken"
    VEHICLE_STATE = "vehicle_state"


# ── What is said of a vehicle ────────────────────────────────────────────────────────────────────────────────────────


class Condition(NamedTuple):
    """What of a vehicle decides how its state is called.

    Attributes:
        rentable: whether anybody may rent it now where it stands.
        purpose: of the command that it has not answered yet.
        progress: how far it has come with that.
    """

    state: DomainState
    rentable: bool
    reasons: frozenset[Unavailability]
    purpose: Purpose | None
    progress: Progress | None
    lock: Lock

    @classmethod
    def of(cls, vehicle: DomainVehicle, model: VehicleModel) -> "Condition":
        """The condition of a vehicle."""
        maneuver = vehicle.maneuver
        return cls(
            vehicle.state,
            listing.is_rentable(vehicle),
            vehicle.unavailabilities,
            maneuver.purpose if maneuver else None,
            maneuver.progress if maneuver else None,
            model.lock,
        )


_D, _W, _U, _P, _G = DomainState, VehicleState, Unavailability, Purpose, Progress

_UNHEARD: Final = frozenset({_U.UNLOCK_UNCONFIRMED, _U.LOCK_UNCONFIRMED, _U.NEVER_SEEN})
"""Of a vehicle that is unavailable for one of these, nobody knows how it is."""

_STATUSES: Final = {
    _D.RESERVED: VehicleStatus.UNAVAILABLE,
    _D.IN_USE: VehicleStatus.ON_TRIP,
    _D.ON_HOLD: VehicleStatus.ON_TRIP,
    _D.WITH_OPERATOR: VehicleStatus.WITH_OPERATOR,
    _D.IN_STOCK: VehicleStatus.IN_OPERATION_LOCATION,
    _D.LOST: VehicleStatus.LOST,
    _D.DECOMMISSIONED: VehicleStatus.DECOMMISSIONED,
}


def status_of(condition: Condition) -> VehicleStatus:
    """What can be done with a vehicle."""
    match condition.state:
        case _D.AVAILABLE:
            return VehicleStatus.AVAILABLE if condition.rentable else VehicleStatus.UNAVAILABLE
        case _D.UNAVAILABLE if _U.NEVER_SEEN in condition.reasons:
            return VehicleStatus.NEVER_SEEN
        case _D.UNAVAILABLE:
            return VehicleStatus.UNKNOWN if condition.reasons & _UNHEARD else VehicleStatus.UNAVAILABLE
    return _STATUSES[condition.state]


_AT_REST: Final = {
    _D.AVAILABLE: _W.DOCKED,
    _D.RESERVED: _W.DOCKED,
    _D.UNAVAILABLE: _W.DOCKED,
    _D.IN_USE: _W.IN_PROGRESS,
    _D.ON_HOLD: _W.ON_HOLD,
    _D.WITH_OPERATOR: _W.WITH_ADMINISTRATOR,
    _D.IN_STOCK: _W.IN_OPERATION_LOCATION,
    _D.LOST: _W.LOST,
    _D.DECOMMISSIONED: _W.DECOMMISSIONED,
}
"""How a vehicle is that does nothing but what its state says."""

_WORDS: Final[dict[tuple[Purpose, Lock | None, Progress | None], VehicleState]] = {
    (_P.START, None, None): _W.AWAITING_VEHICLE_UNLOCK,
    (_P.START, None, _G.WAKING): _W.AWAITING_WAKE_EVENT,
    (_P.START, None, _G.AWAITING_INTERACTION): _W.AWAITING_UNLOCK_INTERACTION,
    (_P.START, Lock.IOT, _G.AWAITING_INTERACTION): _W.AWAITING_IOT_UNLOCK_INTERACTION,
    (_P.START, None, _G.AWAITING_CONFIRMATION): _W.AWAITING_INTERACTION_CONFIRMATION,
    (_P.START, None, _G.JAMMED): _W.AWAITING_VEHICLE_UNLOCK_JAMMED,
    (_P.START, None, _G.LOCATING): _W.AWAITING_GEOPOSITION,
    (_P.RESUME, None, None): _W.AWAITING_VEHICLE_UNLOCK_ON_RESUME,
    (_P.RESUME, None, _G.WAKING): _W.AWAITING_WAKE_EVENT_ON_RESUME,
    (_P.RESUME, Lock.BOLT, _G.ARMED): _W.AWAITING_BOLT_LOCK_TO_PAUSE_CANCELLING,
    (_P.RESUME, None, _G.JAMMED): _W.AWAITING_VEHICLE_UNLOCK_ON_RESUME_JAMMED,
    (_P.RESUME, None, _G.LOCATING): _W.AWAITING_GEOPOSITION,
    (_P.PAUSE, None, None): _W.AWAITING_LOCK_TO_PAUSE,
    (_P.PAUSE, Lock.BOLT, None): _W.AWAITING_BOLT_LOCK_ARMED_TO_PAUSE,
    (_P.PAUSE, Lock.BOLT, _G.ARMED): _W.AWAITING_BOLT_LOCK_TO_PAUSE,
    (_P.PAUSE, Lock.BOLT, _G.JAMMED): _W.AWAITING_BOLT_LOCK_TO_PAUSE_JAMMED,
    (_P.PAUSE, None, _G.JAMMED): _W.DOCKING_JAMMED,
    (_P.PAUSE, None, _G.LOCATING): _W.AWAITING_GEOPOSITION,
    (_P.END, None, None): _W.AWAITING_LOCK_TO_END,
    (_P.END, Lock.BOLT, None): _W.AWAITING_BOLT_LOCK_ARMED_TO_END,
    (_P.END, Lock.BOLT, _G.ARMED): _W.AWAITING_BOLT_LOCK_TO_END,
    (_P.END, Lock.BOLT, _G.JAMMED): _W.AWAITING_BOLT_LOCK_TO_END_JAMMED,
    (_P.END, None, _G.JAMMED): _W.DOCKING_JAMMED,
    (_P.END, None, _G.LOCATING): _W.AWAITING_GEOPOSITION,
    (_P.CANCEL, None, None): _W.CANCELLING,
    (_P.CANCEL, Lock.BOLT, _G.ARMED): _W.AWAITING_BOLT_LOCK_TO_END_CANCELLING,
    (_P.CANCEL, None, _G.JAMMED): _W.REMOVED_JAMMED,
    (_P.CANCEL, None, _G.LOCATING): _W.AWAITING_GEOPOSITION,
    (_P.PARK, Lock.BOLT, None): _W.AWAITING_BOLT_LOCK_ARMED_TO_VIRTUAL_DOCK,
    (_P.PARK, Lock.BOLT, _G.ARMED): _W.AWAITING_BOLT_LOCK_TO_VIRTUAL_DOCK,
    (_P.PARK, None, _G.JAMMED): _W.DOCKING_JAMMED_ADMINISTRATOR,
    (_P.PARK, None, _G.LOCATING): _W.AWAITING_GEOPOSITION_ADMINISTRATOR,
}
"""What a vehicle waits for, by what it was told, by its lock and by how far it has come.

No lock stands for all that are not named, and no progress for all that is not named.
"""

RIDDEN: Final = frozenset({_D.IN_USE, _D.ON_HOLD})
_STAFFS: Final = frozenset({_D.WITH_OPERATOR, _D.IN_STOCK})
_OVER: Final = frozenset({_D.LOST, _D.DECOMMISSIONED})


def state_of(condition: Condition) -> VehicleState:
    """What a vehicle does or waits for."""
    state, purpose, progress = condition.state, condition.purpose, condition.progress
    at_rest = _AT_REST[state]
    if purpose is None or state in _OVER:
        heard = state is not _D.UNAVAILABLE or not condition.reasons & _UNHEARD
        return at_rest if heard else _W.UNKNOWN
    if state is _D.IN_STOCK:
        return _W.DOCKING_JAMMED_OPERATION_LOCATION if progress is _G.JAMMED else at_rest
    if state in RIDDEN or purpose in {_P.PARK, _P.CANCEL}:
        return _word(purpose, condition.lock, progress) or at_rest
    if state in _STAFFS:
        return _W.DOCKING_JAMMED_ADMINISTRATOR if progress is _G.JAMMED else at_rest
    # Nobody rides it, and what it was told last is older than that.
    if progress is _G.JAMMED:
        return _W.DOCKING_JAMMED_UNKNOWN
    return _W.UNKNOWN if condition.reasons & _UNHEARD else at_rest


def _word(purpose: Purpose, lock: Lock, progress: Progress | None) -> VehicleState | None:
    places = ((purpose, lock, progress), (purpose, None, progress), (purpose, lock, None), (purpose, None, None))
    return next((_WORDS[place] for place in places if place in _WORDS), None)


REASONS: Final = {
    _U.DOCK_INACTIVE: VehicleUnavailabilityReason.DOCK_STATE,
    _U.DOCK_BROKEN: VehicleUnavailabilityReason.DOCK_BROKEN,
    _U.CLUSTER_CLOSED: VehicleUnavailabilityReason.DOCK_GROUP_STATE,
    _U.UNLOCK_UNCONFIRMED: VehicleUnavailabilityReason.VEHICLE_CONTROLLER_STATE,
    _U.LOCK_UNCONFIRMED: VehicleUnavailabilityReason.VEHICLE_CONTROLLER_STATE,
    _U.LOCK_REJECTED: VehicleUnavailabilityReason.VEHICLE_CONTROLLER_STATE,
    _U.NEVER_SEEN: VehicleUnavailabilityReason.VEHICLE_CONTROLLER_STATE,
    _U.LOW_CONTROLLER_BATTERY: VehicleUnavailabilityReason.VEHICLE_CONTROLLER_CHARGE,
    _U.LOW_BATTERY: VehicleUnavailabilityReason.VEHICLE_BATTERY_CHARGE,
    _U.BLOCKED: VehicleUnavailabilityReason.VEHICLE_BLOCKED,
    _U.BROKEN: VehicleUnavailabilityReason.VEHICLE_BROKEN,
    _U.OUT_OF_SERVICE: VehicleUnavailabilityReason.VEHICLE_BROKEN,
    _U.FOUND: VehicleUnavailabilityReason.VEHICLE_STATE,
}
"""What each reason of ours is called."""


def reasons_of(condition: Condition) -> list[VehicleUnavailabilityReason]:
    """Why a vehicle cannot be used; nothing where it can. Where we have no reason, it is its state."""
    if condition.rentable:
        return []
    told = {REASONS[reason] for reason in condition.reasons}
    if not told or condition.state is not _D.UNAVAILABLE:
        told.add(VehicleUnavailabilityReason.VEHICLE_STATE)
    return in_order(told)


def in_order(reasons: Collection[VehicleUnavailabilityReason]) -> list[VehicleUnavailabilityReason]:
    """Reasons in the order of the reference."""
    return [reason for reason in VehicleUnavailabilityReason if reason in reasons]


# ── Models and vehicles ──────────────────────────────────────────────────────────────────────────────────────────────


class AssetType(StrEnum):
    """What a vehicle is catalogued as."""

    BIKE = "bike"
    EBIKE = "ebike"
    SCOOTER = "scooter"
    BIKE_CONTROLLER = "bike_controller"
    SCOOTER_CONTROLLER = "scooter_controller"


class HardwareBridge(StrEnum):
    """The system through which a vehicle's lock is reached."""

    OMNI_LOCK = "omni_lock"
    SEGWAY_API = "segway_api"
    AXA = "axa"
    PASHLEY = "pashley"
    LINKA = "linka"
    SHAREBIKE = "sharebike"


class LockVisual(StrEnum):
    """Which lock an app should draw."""

    RING_LOCK = "ring_lock"
    SEGWAY_BIKE = "segway_bike"


_WORD_OF: Final = {category: word for word, category in CATEGORIES.items()}
_TYPES: Final = {
    Category.BIKE: AssetType.BIKE,
    Category.E_BIKE: AssetType.EBIKE,
    Category.E_BIKE_CHILD_SEAT: AssetType.EBIKE,
    Category.SCOOTER: AssetType.SCOOTER,
}


class AssetModel(Wire):
    """What vehicles of a kind have in common."""

    id: Number
    name: str
    type: AssetType
    manufacturer: str | None = None
    brand: str | None = None
    model: str | None = Field(default=None, description="What the manufacturer calls it.")
    category: VehicleCategory
    hardware_bridge: HardwareBridge | None = None
    lock_visual: LockVisual | None = None

    @classmethod
    def of(cls, model: VehicleModel) -> "AssetModel":
        """The wire form of a vehicle model, of a category that this API has a word for."""
        return cls(
            id=model.id,
            name=model.name,
            type=next((each for each in AssetType if each == model.asset_type), _TYPES[model.category]),
            manufacturer=model.manufacturer,
            brand=model.brand,
            model=model.make,
            category=_WORD_OF[model.category],
            hardware_bridge=next((each for each in HardwareBridge if each == model.bridge), None),
            lock_visual=next((each for each in LockVisual if each == model.lock_visual), None),
        )


class Vehicle(Wire):
    """A vehicle."""

    id: Number
    name: str
    number: str
    vehicle_category: VehicleCategory
    model: AssetModel
    status: VehicleStatus = Field(description="What can be done with it; only what is `available` can be used.")
    state: VehicleState = Field(description="What it does or waits for.")
    unavailability_reasons: list[VehicleUnavailabilityReason] = Field(
        description="Why it is not `available`; empty when it is."
    )
    battery_charge: Number | None = Field(default=None, description="In percent; missing where there is no motor.")
    battery_range: Number | None = Field(default=None, description="In metres.")
    location: Location = Field(
        description="While it is on a trip, `statePosition` is where that began, and so is `geoPosition`, unless the "
        "trip is the client's own: then that is where the vehicle is now; not in lists."
    )
    qr_code: str
    is_reserved: bool
    trip: "Trip | None" = Field(
        default=None, description="The trip that it is on, if that is the client's own; not in lists."
    )
    last_trip_id: Number | None = Field(
        default=None, description="Its latest trip, if that is the client's own; not in lists."
    )


def vehicle_of(
    vehicle: DomainVehicle, model: VehicleModel, *, trip: "Trip | None" = None, client_id: int | None = None
) -> Vehicle:
    """The wire form of a vehicle.

    Args:
        vehicle: of a category that this API has a word for.
        model: the vehicle's model.
        trip: the trip that it is on, where the caller may know that.
        client_id: the caller, who gets to know its own latest trip, and where that goes.
    """
    condition = Condition.of(vehicle, model)
    is_own = client_id is not None and vehicle.last_client_id == client_id
    taken_from, since = listing.whereabouts(vehicle)
    position = taken_from
    if is_own:
        position, since = listing.to_centimetres(vehicle.position), vehicle.located_at
    charge = vehicle.battery_percent if model.max_range_m else None
    return Vehicle(
        id=vehicle.id,
        name=f"{model.name} {vehicle.code}",
        number=vehicle.code,
        vehicle_category=_WORD_OF[model.category],
        model=AssetModel.of(model),
        status=status_of(condition),
        state=state_of(condition),
        unavailability_reasons=reasons_of(condition),
        battery_charge=charge,
        battery_range=None if charge is None else range_of(charge, model),
        location=Location.of(
            position, since, state_position=taken_from if vehicle.state in RIDDEN else None, spot=vehicle.spot
        ),
        qr_code=vehicle.code,
        is_reserved=vehicle.hold is not None,
        trip=trip,
        last_trip_id=vehicle.last_rental_id if is_own else None,
    )


def range_of(charge: int, model: VehicleModel) -> int:
    """How far a vehicle gets with its charge, in metres."""
    return model.max_range_m * charge // 100


def is_shown(model: VehicleModel) -> bool:
    """Whether vehicles of a model exist for this API."""
    return model.category in _WORD_OF
