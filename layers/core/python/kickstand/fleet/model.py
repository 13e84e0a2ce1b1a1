"""City operations and their vehicles."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from kickstand.fleet.errors import CommandSettled, TransitionRefused
from kickstand.geo.model import Parking, Verdict
from kickstand.kernel.events import Event
from kickstand.kernel.money import Currency, VatPercent
from kickstand.kernel.place import Position
from kickstand.kernel.states import Machine
from kickstand.pricing.model import Tariff

Seconds = Annotated[int, Field(ge=0)]
Percent = Annotated[int, Field(ge=0, le=100)]
VehicleCode = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,8}$")]


# ── Networks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class RentTimings(BaseModel):
    """When a rental's timers go off, in seconds; 0 switches one off.

    Attributes:
        too_long_notice_s: after the start, the rider is asked to return the vehicle.
        too_long_repeat_s: between repetitions of that notice.
        stolen_after_s: after the start, a vehicle that has not been returned counts as stolen.
        auto_pause_after_s: standing still for so long puts the rental on hold.
        max_pause_s: a pause this long ends the rental.
        max_rental_s: after the start, the vehicle is locked and the rental ended.
        command_timeout_s: a command without answer is unconfirmed after this time.
        start_timeout_s: a rental whose vehicle never confirmed its unlocking is cancelled after this time.
    """

    model_config = ConfigDict(frozen=True)

    too_long_notice_s: Seconds = 3 * 3600
    too_long_repeat_s: Seconds = 3600
    stolen_after_s: Seconds = 48 * 3600
    auto_pause_after_s: Seconds = 20 * 60
    max_pause_s: Seconds = 30 * 60
    max_rental_s: Seconds = 24 * 3600
    command_timeout_s: Annotated[int, Field(ge=1)] = 15
    start_timeout_s: Annotated[int, Field(ge=1)] = 90


class Issuer(BaseModel):
    """The company in whose name a network's receipts are issued."""

    model_config = ConfigDict(frozen=True)

    name: str
    address: tuple[str, ...]
    vat_number: str
    email: str


class Network(BaseModel):
    """A city operation.

    Attributes:
        timezone: IANA name; the only source of local time.
        left_unlocked_fine: for leaving a vehicle unlocked again, in minor units of the network's currency.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    currency: Currency
    timezone: str
    vat_percent: VatPercent
    parking: Parking
    timings: RentTimings = RentTimings()
    left_unlocked_fine: Annotated[int, Field(ge=0)] = 2500
    issuer: Issuer


class Category(StrEnum):
    """Kinds of vehicles."""

    SCOOTER = "scooter"
    BIKE = "bike"
    E_BIKE = "e_bike"
    MOPED = "moped"
    CAR = "car"


class VehicleModel(BaseModel):
    """A make of vehicles that a network prices alike."""

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    category: Category
    max_range_m: Annotated[int, Field(ge=0)]


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class VehicleState(StrEnum):
    """What can be done with a vehicle."""

    AVAILABLE = "available"
    RESERVED = "reserved"
    IN_USE = "in_use"
    ON_HOLD = "on_hold"
    UNAVAILABLE = "unavailable"
    WITH_OPERATOR = "with_operator"
    IN_STOCK = "in_stock"
    LOST = "lost"
    DECOMMISSIONED = "decommissioned"


class VehicleTrigger(StrEnum):
    """What changes a vehicle's state."""

    RESERVE = "reserve"
    CANCEL_RESERVATION = "cancel_reservation"
    RENT = "rent"
    HOLD = "hold"
    RESUME = "resume"
    RETURN = "return"
    WITHDRAW = "withdraw"
    RESTORE = "restore"
    COLLECT = "collect"
    DEPLOY = "deploy"
    STOCK = "stock"
    LOSE = "lose"
    FIND = "find"
    DECOMMISSION = "decommission"


_S, _T = VehicleState, VehicleTrigger

VEHICLE_STATES: Final = Machine[VehicleState, VehicleTrigger](
    {
        (_S.AVAILABLE, _T.RESERVE): _S.RESERVED,
        (_S.RESERVED, _T.CANCEL_RESERVATION): _S.AVAILABLE,
        (_S.AVAILABLE, _T.RENT): _S.IN_USE,
        (_S.RESERVED, _T.RENT): _S.IN_USE,
        (_S.IN_USE, _T.HOLD): _S.ON_HOLD,
        (_S.ON_HOLD, _T.RESUME): _S.IN_USE,
        (_S.IN_USE, _T.RETURN): _S.AVAILABLE,
        (_S.ON_HOLD, _T.RETURN): _S.AVAILABLE,
        (_S.AVAILABLE, _T.WITHDRAW): _S.UNAVAILABLE,
        (_S.IN_USE, _T.WITHDRAW): _S.UNAVAILABLE,
        (_S.ON_HOLD, _T.WITHDRAW): _S.UNAVAILABLE,
        (_S.UNAVAILABLE, _T.WITHDRAW): _S.UNAVAILABLE,
        (_S.UNAVAILABLE, _T.RESTORE): _S.AVAILABLE,
        (_S.AVAILABLE, _T.COLLECT): _S.WITH_OPERATOR,
        (_S.UNAVAILABLE, _T.COLLECT): _S.WITH_OPERATOR,
        (_S.IN_STOCK, _T.COLLECT): _S.WITH_OPERATOR,
        (_S.LOST, _T.COLLECT): _S.WITH_OPERATOR,
        (_S.WITH_OPERATOR, _T.DEPLOY): _S.AVAILABLE,
        (_S.WITH_OPERATOR, _T.STOCK): _S.IN_STOCK,
        (_S.IN_USE, _T.LOSE): _S.LOST,
        (_S.ON_HOLD, _T.LOSE): _S.LOST,
        (_S.AVAILABLE, _T.LOSE): _S.LOST,
        (_S.UNAVAILABLE, _T.LOSE): _S.LOST,
        (_S.LOST, _T.FIND): _S.UNAVAILABLE,
        (_S.IN_STOCK, _T.DECOMMISSION): _S.DECOMMISSIONED,
        (_S.WITH_OPERATOR, _T.DECOMMISSION): _S.DECOMMISSIONED,
        (_S.LOST, _T.DECOMMISSION): _S.DECOMMISSIONED,
    },
    refusal=TransitionRefused,
)


class Unavailability(StrEnum):
    """Why a vehicle is unavailable."""

    UNLOCK_UNCONFIRMED = "unlock_unconfirmed"
    LOCK_UNCONFIRMED = "lock_unconfirmed"
    LOCK_REJECTED = "lock_rejected"
    LOW_BATTERY = "low_battery"
    OUT_OF_SERVICE = "out_of_service"


class Vehicle(BaseModel):
    """One vehicle.

    Attributes:
        code: printed on it; up to eight letters and digits, in capitals, and mostly four.
        reported_at: when it sent its latest telemetry.
        rental_id: the rental that holds it; nothing while nobody rides.
        offer: the tariff at which it can be rented now.
        verdict: what the geofences say about where it stands.
        revision: counts the changes of this item, so that projections can tell older from newer.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    public_id: UUID
    code: VehicleCode
    network_id: int
    model_id: int
    state: VehicleState
    unavailabilities: frozenset[Unavailability] = frozenset()
    battery_percent: Percent
    position: Position
    reported_at: datetime
    locked: bool = True
    rental_id: int | None = None
    offer: Tariff
    verdict: Verdict
    revision: int = 1


class Telemetry(BaseModel):
    """What a vehicle reports about itself.

    Attributes:
        at: the vehicle's own time of measuring.
        speed_kmh: over ground.
    """

    model_config = ConfigDict(frozen=True)

    vehicle_id: int
    at: datetime
    position: Position
    battery_percent: Percent
    locked: bool
    speed_kmh: Annotated[float, Field(ge=0)] = 0


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Action(StrEnum):
    """What a vehicle can be told."""

    UNLOCK = "unlock"
    LOCK = "lock"
    RING = "ring"
    LIMIT_SPEED = "limit_speed"


class CommandState(StrEnum):
    """What is known about a command."""

    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REJECTED = "rejected"
    UNCONFIRMED = "unconfirmed"


class CommandTrigger(StrEnum):
    """What can be learnt about a command."""

    ACKNOWLEDGE = "acknowledge"
    REJECT = "reject"
    TIME_OUT = "time_out"


COMMAND_STATES: Final = Machine[CommandState, CommandTrigger](
    {
        (CommandState.SENT, CommandTrigger.ACKNOWLEDGE): CommandState.ACKNOWLEDGED,
        (CommandState.SENT, CommandTrigger.REJECT): CommandState.REJECTED,
        (CommandState.SENT, CommandTrigger.TIME_OUT): CommandState.UNCONFIRMED,
        # An answer that comes late is still the truth.
        (CommandState.UNCONFIRMED, CommandTrigger.ACKNOWLEDGE): CommandState.ACKNOWLEDGED,
        (CommandState.UNCONFIRMED, CommandTrigger.REJECT): CommandState.REJECTED,
    },
    refusal=CommandSettled,
)


class Command(BaseModel):
    """One instruction to one vehicle, identified so that the vehicle obeys it once and its answer finds it again.

    Attributes:
        id: unique; derived from what caused it, so that the same cause never sends a second one.
        published: whether it has been handed to the channel.
        rental_id: the rental it serves, if any.
        parameters: of the action, such as ``{"max_speed_kmh": 10}``.
        reason: the vehicle's own words for a rejection.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    vehicle_id: int
    action: Action
    state: CommandState = CommandState.SENT
    published: bool = False
    sent_at: datetime
    rental_id: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    reason: str | None = None
    event: Event
