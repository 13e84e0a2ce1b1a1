"""What vehicles say of themselves and their commands, and what stations say of their docks."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import ClusterNotFound, VehicleNotFound
from kickstand.fleet.model import Action, CommandTrigger, Percent, Progress, Telemetry, Vehicle
from kickstand.fleet.service import Standing
from kickstand.geo import cells
from kickstand.geo import service as geo
from kickstand.geo.model import Verdict
from kickstand.kernel import ids
from kickstand.kernel.consumers import dated_queue_consumer
from kickstand.kernel.place import Position
from kickstand.rental import lifecycle, rules
from kickstand.rental import service as rentals

_OUT_OF_DOCK_M: Final = 150  # further than positioning errs


class TelemetryMessage(BaseModel):
    """A vehicle's report about itself."""

    type: Literal["telemetry"]
    vehicle_id: int
    at: AwareDatetime
    longitude: float
    latitude: float
    battery_percent: Percent
    locked: bool
    speed_kmh: Annotated[float, Field(ge=0)] = 0
    controller_battery_percent: Percent | None = None


class AcknowledgementMessage(BaseModel):
    """A vehicle's answer to a command."""

    type: Literal["acknowledgement"]
    vehicle_id: int
    command_id: str
    outcome: Literal["done", "rejected"]
    reason: str | None = None
    at: datetime


class ProgressMessage(BaseModel):
    """How far a vehicle has come with a command that it has not answered yet."""

    type: Literal["progress"]
    vehicle_id: int
    command_id: str
    progress: Progress
    at: AwareDatetime


class DockMessage(BaseModel):
    """A dock has closed on a vehicle, or opened."""

    type: Literal["docking", "undocking"]
    cluster_id: int
    number: Annotated[int, Field(ge=1)]
    vehicle_id: int
    at: AwareDatetime


class Message(
    RootModel[
        Annotated[
            TelemetryMessage | AcknowledgementMessage | ProgressMessage | DockMessage, Field(discriminator="type")
        ]
    ]
):
    """Anything that vehicles and stations say."""


@dated_queue_consumer(Message)
def receive_messages(message: Message, sent_at: datetime) -> None:
    """Keep what vehicles and stations say; judge where a vehicle stands, and let its ride know."""
    match message.root:
        case TelemetryMessage() as report:
            _receive_telemetry(report, _at(report.at, sent_at))
        case AcknowledgementMessage() as answer:
            trigger = CommandTrigger.ACKNOWLEDGE if answer.outcome == "done" else CommandTrigger.REJECT
            fleet.settle_command(answer.vehicle_id, answer.command_id, trigger, answer.reason)
        case ProgressMessage() as progress:
            at = _at(progress.at, sent_at)
            fleet.note_progress(progress.vehicle_id, progress.command_id, progress.progress, at)
        case DockMessage() as event:
            _receive_dock_event(event, _at(event.at, sent_at))


def _at(told: datetime, sent_at: datetime) -> datetime:
    """When something was, as told by a clock that may be ahead: it would not be heard again until then.

    Not what it is now counts, but when it was sent: what is delivered once more must not have become news.
    """
    return min(told, sent_at)


def _receive_telemetry(report: TelemetryMessage, at: datetime) -> None:
    position = Position(longitude=report.longitude, latitude=report.latitude)
    try:
        known = fleet.vehicle(report.vehicle_id)
    except VehicleNotFound:
        return  # not ours: a retired vehicle's last words, or somebody else's
    if known.is_held:
        away = known.rental_id is not None and known.position.distance_m(position) > _OUT_OF_DOCK_M
        if away and clusters.undock(known.id, at):  # its dock has not told
            known = fleet.vehicle(known.id)
        else:
            position = known.position
    standing = _standing(known.network_id, position)
    telemetry = Telemetry(
        vehicle_id=report.vehicle_id,
        at=at,
        position=position,
        battery_percent=report.battery_percent,
        locked=report.locked,
        speed_kmh=report.speed_kmh,
        controller_battery_percent=report.controller_battery_percent,
    )
    if at <= known.reported_at:
        return
    if known.rental_id is not None:
        lifecycle.follow(known.rental_id, telemetry, standing.verdict)
    # Whether ridden or carried: who rents it next is held to the limit of the place.
    _limit_speed(known, telemetry, standing.verdict)
    clusters.stray(known, position, at)
    # Comes last: what was done before is done again should this not happen, and does no harm.
    fleet.receive(telemetry, standing)


def _standing(network_id: int, position: Position) -> Standing:
    return Standing(position, cells.cell_of(position), geo.judge(network_id, position))


def _receive_dock_event(event: DockMessage, at: datetime) -> None:
    clusters.expect_cluster(event.cluster_id)
    try:
        vehicle, cluster = fleet.vehicle(event.vehicle_id), clusters.cluster(event.cluster_id)
    except (VehicleNotFound, ClusterNotFound):
        return  # not ours
    if vehicle.network_id != cluster.network_id or str(event.number) not in cluster.docks:
        return
    if event.type == "docking":
        if vehicle.rental_id is not None:
            lifecycle.docked(vehicle.rental_id, cluster.spot(event.number), cluster.position, at)
        # Comes last: should this not happen, the ride has ended all the same, and the event comes again.
        clusters.dock(vehicle.id, cluster.id, event.number, at, _standing(cluster.network_id, cluster.position))
    else:
        if vehicle.rental_id is not None and at >= ids.created_at(vehicle.rental_id):
            lifecycle.confirm_unlocked(vehicle.rental_id)
        clusters.undock(vehicle.id, at)


def _limit_speed(vehicle: Vehicle, telemetry: Telemetry, verdict: Verdict) -> None:
    if verdict.max_speed_kmh == vehicle.verdict.max_speed_kmh:
        return
    rental = rentals.get(vehicle.rental_id) if vehicle.rental_id is not None else None
    limit = rules.speed_limit(rental, verdict)
    if limit != rules.speed_limit(rental, vehicle.verdict):
        cause = int(telemetry.at.timestamp() * 1000)
        parameters = {"max_speed_kmh": limit}
        fleet.send_command(cause, vehicle.id, Action.LIMIT_SPEED, rental_id=vehicle.rental_id, parameters=parameters)
