"""What vehicles say: telemetry and answers to commands."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound
from kickstand.fleet.model import Action, CommandTrigger, Percent, Telemetry, Vehicle
from kickstand.fleet.service import Standing
from kickstand.geo import cells
from kickstand.geo import service as geo
from kickstand.geo.model import Verdict
from kickstand.kernel import clock
from kickstand.kernel.consumers import queue_consumer
from kickstand.kernel.place import Position
from kickstand.rental import lifecycle, rules
from kickstand.rental import service as rentals


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


class AcknowledgementMessage(BaseModel):
    """A vehicle's answer to a command."""

    type: Literal["acknowledgement"]
    vehicle_id: int
    command_id: str
    outcome: Literal["done", "rejected"]
    reason: str | None = None
    at: datetime


class VehicleMessage(RootModel[Annotated[TelemetryMessage | AcknowledgementMessage, Field(discriminator="type")]]):
    """Anything a vehicle says."""


@queue_consumer(VehicleMessage)
def receive_messages(message: VehicleMessage) -> None:
    """Keep what a vehicle says; judge where it stands, and let its ride know."""
    match message.root:
        case TelemetryMessage() as report:
            _receive_telemetry(report)
        case AcknowledgementMessage() as answer:
            trigger = CommandTrigger.ACKNOWLEDGE if answer.outcome == "done" else CommandTrigger.REJECT
            fleet.settle_command(answer.vehicle_id, answer.command_id, trigger, answer.reason)


def _receive_telemetry(report: TelemetryMessage) -> None:
    position = Position(longitude=report.longitude, latitude=report.latitude)
    try:
        known = fleet.vehicle(report.vehicle_id)
    except VehicleNotFound:
        return  # not ours: a retired vehicle's last words, or somebody else's
    standing = Standing(position, cells.cell_of(position), geo.judge(known.network_id, position))
    # A vehicle whose clock is ahead would not be heard again until then.
    at = min(report.at, clock.now())
    telemetry = Telemetry(
        vehicle_id=report.vehicle_id,
        at=at,
        position=position,
        battery_percent=report.battery_percent,
        locked=report.locked,
        speed_kmh=report.speed_kmh,
    )
    if at <= known.reported_at:
        return
    if known.rental_id is not None:
        lifecycle.follow(known.rental_id, telemetry, standing.verdict)
    # Whether ridden or carried: who rents it next is held to the limit of the place.
    _limit_speed(known, telemetry, standing.verdict)
    # Comes last: what was done before is done again should this not happen, and does no harm.
    fleet.receive(telemetry, standing)


def _limit_speed(vehicle: Vehicle, telemetry: Telemetry, verdict: Verdict) -> None:
    if verdict.max_speed_kmh == vehicle.verdict.max_speed_kmh:
        return
    rental = rentals.get(vehicle.rental_id) if vehicle.rental_id is not None else None
    limit = rules.speed_limit(rental, verdict)
    if limit != rules.speed_limit(rental, vehicle.verdict):
        cause = int(telemetry.at.timestamp() * 1000)
        parameters = {"max_speed_kmh": limit}
        fleet.send_command(cause, vehicle.id, Action.LIMIT_SPEED, rental_id=vehicle.rental_id, parameters=parameters)
