"""City operations and their vehicles."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

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


class Category(StrEnum):
    """Kinds of vehicles."""

    SCOOTER = "scooter"
    BIKE = "bike"
    E_BIKE = "e_bike"
    E_BIKE_CHILD_SEAT = "e_bike_child_seat"
    MOPED = "moped"
    CAR = "car"


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
        reservation_s: a reservation expires after this time.
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
    reservation_s: Annotated[int, Field(ge=1)] = 15 * 60


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
        categories: of the vehicles that it offers.
        languages: that its riders are served in, as BCP 47 writes them.
        left_unlocked_fine: for leaving a vehicle unlocked again, in minor units of the network's currency.
        low_battery_percent: a vehicle with less charge than this cannot be rented; at 0, every vehicle can.
        hold: what is held on the card of a rider who pays us while a rental lasts, in minor units; 0 for nothing.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    currency: Currency
    timezone: str
    vat_percent: VatPercent
    parking: Parking
    categories: frozenset[Category] = frozenset()
    languages: tuple[str, ...] = ("en",)
    timings: RentTimings = RentTimings()
    left_unlocked_fine: Annotated[int, Field(ge=0)] = 2500
    low_battery_percent: Percent = 10
    hold: Annotated[int, Field(ge=0)] = 0
    issuer: Issuer


class Lock(StrEnum):
    """What keeps a vehicle where it is."""

    IOT = "iot"
    """Its own electronics block it; it locks when told."""
    BOLT = "bolt"
    """A bolt that is armed when told, and that the rider pushes home."""
    RING = "ring"
    """A lock around the rear wheel."""
    DOCK = "dock"
    """The dock holds it; it has no lock of its own."""


class Ability(StrEnum):
    """What not every model can do."""

    PAUSE = "pause"
    """Be locked during a ride and unlocked again."""
    END_REMOTELY = "end_remotely"
    """Be locked for good by a command; others end their ride in a dock."""
    LIMIT_SPEED = "limit_speed"
    """Ride no faster than it is told."""


class VehicleModel(BaseModel):
    """A make of vehicles that a network prices alike.

    Attributes:
        max_range_m: with a full battery; 0 for a vehicle without motor.
        docked: whether its rides end in docks; elsewhere they end at a fee or not at all.
        make: the manufacturer's name of the model.
        asset_type: what its electronics are catalogued as, where that is not its category.
        bridge: the system through which its lock is reached.
        lock_visual: which lock an app should draw.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    name: str
    category: Category
    max_range_m: Annotated[int, Field(ge=0)]
    lock: Lock = Lock.IOT
    abilities: frozenset[Ability] = frozenset(Ability)
    docked: bool = False
    manufacturer: str | None = None
    brand: str | None = None
    make: str | None = None
    asset_type: str | None = None
    bridge: str | None = None
    lock_visual: str | None = None


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class ClusterKind(StrEnum):
    """What a cluster is made of."""

    PHYSICAL = "physical"
    """Docks that hold vehicles."""
    VIRTUAL = "virtual"
    """A place without hardware; its docks are only numbers."""


class ClusterState(StrEnum):
    """Whether a cluster is in service."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    """Planned, or out of season: hidden from the public."""
    CLOSED = "closed"
    """Shown, but nothing starts or ends there."""


class DockState(StrEnum):
    """Whether a dock is in service."""

    WORKING = "working"
    INACTIVE = "inactive"
    BROKEN = "broken"


class Spot(BaseModel):
    """The dock in which a vehicle stands.

    Attributes:
        virtual: whether it is only a number: nothing holds the vehicle there.
    """

    model_config = ConfigDict(frozen=True)

    cluster_id: int
    cluster_name: str
    number: Annotated[int, Field(ge=1)]
    virtual: bool = False


class Cluster(BaseModel):
    """A place where vehicles are taken and returned, with its docks.

    Attributes:
        name: short, as on the sign.
        title: what people call it.
        radius_m: how far from :attr:`position` a vehicle still stands there.
        docks: by number, as text.
        parked: which vehicle each occupied dock holds, by the dock's number.
        revision: counts the changes of this item.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    network_id: int
    type: ClusterKind
    state: ClusterState = ClusterState.ACTIVE
    name: str
    title: str
    subtitle: str | None = None
    address: str | None = None
    position: Position
    radius_m: Annotated[int, Field(ge=1, le=1_000)] = 50
    docks: dict[str, DockState]
    parked: dict[str, int] = Field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    revision: int = 1

    @property
    def free_docks(self) -> list[int]:
        """The numbers of the docks that work and hold nothing, lowest first."""
        free = (number for number, state in self.docks.items() if state is DockState.WORKING)
        return sorted(int(number) for number in free if number not in self.parked)

    def spot(self, number: int) -> Spot:
        """One of its docks, as a vehicle in it knows it."""
        virtual = self.type is ClusterKind.VIRTUAL
        return Spot(cluster_id=self.id, cluster_name=self.name, number=number, virtual=virtual)


# ── Alerts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class AlertType(StrEnum):
    """What an alert is about, in the words of GBFS."""

    SYSTEM_CLOSURE = "system_closure"
    STATION_CLOSURE = "station_closure"
    STATION_MOVE = "station_move"
    OTHER = "other"


class Period(BaseModel):
    """From a moment to another, exclusively; open-ended without the latter."""

    model_config = ConfigDict(frozen=True)

    start: AwareDatetime
    end: AwareDatetime | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("it ends before it starts")
        return self


Words = Annotated[dict[str, Annotated[str, Field(min_length=1, max_length=4_000)]], Field(min_length=1)]
"""A text in one language or more, as BCP 47 writes them."""


class Alert(BaseModel):
    """What a network has to tell everybody.

    Attributes:
        times: when it applies; without any, until it is withdrawn.
        cluster_ids: the clusters it is about; without any, the whole network.
        summary: a line.
        description: all of it.
        url: where there is more.
        updated_at: when it was put up or changed last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    network_id: int
    type: AlertType
    times: tuple[Period, ...] = ()
    cluster_ids: tuple[int, ...] = ()
    summary: Words
    description: Words | None = None
    url: Annotated[str, Field(pattern=r"^https://\S+$", max_length=2_000)] | None = None
    updated_at: datetime

    def applies_at(self, at: datetime) -> bool:
        """Whether it is to be shown at a moment."""
        return not self.times or any(each.start <= at and (each.end is None or at < each.end) for each in self.times)


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
        (_S.RESERVED, _T.WITHDRAW): _S.UNAVAILABLE,
        (_S.IN_STOCK, _T.DECOMMISSION): _S.DECOMMISSIONED,
        (_S.WITH_OPERATOR, _T.DECOMMISSION): _S.DECOMMISSIONED,
        (_S.LOST, _T.DECOMMISSION): _S.DECOMMISSIONED,
    },
    refusal=TransitionRefused,
)


class Operation(StrEnum):
    """What our staff does with a vehicle that nobody rides."""

    COLLECT = "collect"
    """Take it away."""
    DEPLOY = "deploy"
    """Put it where riders find it."""
    STOCK = "stock"
    """Leave it in a depot."""
    DECOMMISSION = "decommission"
    BLOCK = "block"
    """Keep it from being rented; one that is ridden, from when it is given back."""
    UNBLOCK = "unblock"


class Unavailability(StrEnum):
    """Why a vehicle is unavailable."""

    UNLOCK_UNCONFIRMED = "unlock_unconfirmed"
    LOCK_UNCONFIRMED = "lock_unconfirmed"
    LOCK_REJECTED = "lock_rejected"
    LOW_BATTERY = "low_battery"
    LOW_CONTROLLER_BATTERY = "low_controller_battery"
    OUT_OF_SERVICE = "out_of_service"
    BROKEN = "broken"
    """Damage was reported and has not been repaired."""
    BLOCKED = "blocked"
    """Our staff keeps it from being rented."""
    DOCK_INACTIVE = "dock_inactive"
    DOCK_BROKEN = "dock_broken"
    CLUSTER_CLOSED = "cluster_closed"
    NEVER_SEEN = "never_seen"
    """It has not reported anything yet."""
    FOUND = "found"
    """It was lost and has turned up; nobody has looked at it yet."""


class Purpose(StrEnum):
    """Why a vehicle is told to lock or unlock."""

    START = "start"
    RESUME = "resume"
    PAUSE = "pause"
    END = "end"
    CANCEL = "cancel"
    PARK = "park"
    """Our staff leaves it somewhere."""


class Progress(StrEnum):
    """How far a vehicle has come with what it was told."""

    WAKING = "waking"
    """Its electronics were asleep."""
    AWAITING_INTERACTION = "awaiting_interaction"
    """Somebody has to press, pull or lift."""
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    ARMED = "armed"
    """The bolt is ready to be pushed home."""
    JAMMED = "jammed"
    LOCATING = "locating"
    """It has to know first where it is."""


class Maneuver(BaseModel):
    """A locking or unlocking that is going on.

    Attributes:
        command_id: of the command that a vehicle has not answered for good yet.
        progress: what the vehicle has said about it so far.
        progress_at: when it said so.
    """

    model_config = ConfigDict(frozen=True)

    command_id: str
    purpose: Purpose
    progress: Progress | None = None
    progress_at: datetime | None = None

    @property
    def wants_lock(self) -> bool:
        """Whether the vehicle is locked when it is over."""
        return self.purpose not in {Purpose.START, Purpose.RESUME}


class Hold(BaseModel):
    """A reservation's claim on a vehicle.

    Attributes:
        until: when the reservation expires.
    """

    model_config = ConfigDict(frozen=True)

    reservation_id: int
    rider_id: int
    until: datetime


class Vehicle(BaseModel):
    """One vehicle.

    Attributes:
        code: printed on it; up to eight letters and digits, in capitals, and mostly four.
        reported_at: when it sent its latest telemetry.
        located_at: when it was last seen to have moved.
        spot: the dock it stands in.
        spot_at: when a dock last took it or let it go.
        rental_id: the rental that holds it; nothing while nobody rides.
        taken_from: where it stood when its latest ride began.
        hold: the reservation that holds it.
        maneuver: the locking or unlocking that is going on.
        last_rental_id, last_client_id: its latest rental, which may be going on, and whose it is.
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
    located_at: datetime
    locked: bool = True
    spot: Spot | None = None
    spot_at: datetime | None = None
    rental_id: int | None = None
    taken_from: Position | None = None
    hold: Hold | None = None
    maneuver: Maneuver | None = None
    last_rental_id: int | None = None
    last_client_id: int | None = None
    offer: Tariff
    verdict: Verdict
    revision: int = 1

    @property
    def is_held(self) -> bool:
        """Whether a dock holds it where it stands."""
        return self.spot is not None and not self.spot.virtual


class Telemetry(BaseModel):
    """What a vehicle reports about itself.

    Attributes:
        at: the vehicle's own time of measuring.
        battery_percent: of what drives it.
        speed_kmh: over ground.
        controller_battery_percent: of what its electronics live on, where they have a battery of their own.
    """

    model_config = ConfigDict(frozen=True)

    vehicle_id: int
    at: datetime
    position: Position
    battery_percent: Percent
    locked: bool
    speed_kmh: Annotated[float, Field(ge=0)] = 0
    controller_battery_percent: Percent | None = None


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
        purpose: what a locking or unlocking is for.
        reason: the vehicle's own words for a rejection.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    vehicle_id: int
    action: Action
    purpose: Purpose | None = None
    state: CommandState = CommandState.SENT
    published: bool = False
    sent_at: datetime
    rental_id: int | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    reason: str | None = None
    event: Event
