"""What follows from a rental's events, and what a rental learns from its vehicle's answers."""

from typing import Final

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Action, Command, Lock, Purpose, Unavailability, Vehicle
from kickstand.fleet.store import CommandItem, VehicleItem
from kickstand.kernel.consumers import Change, chained, stream_consumer
from kickstand.kernel.events import Event
from kickstand.rental import lifecycle, reservations, rules
from kickstand.rental import service as rentals
from kickstand.rental.model import Rental, RentalState, Reservation
from kickstand.rental.store import RentalItem, ReservationItem
from reactions.fleet import follow_clusters

_UNLOCKED: Final = frozenset({RentalState.STARTING, RentalState.IN_PROGRESS})
_FOR_GOOD: Final = frozenset({Purpose.END, Purpose.CANCEL})
"""What a vehicle is locked for so that somebody else may take it; after a pause, it has been unlocked again since."""


@stream_consumer(RentalItem)
def follow_rentals(change: Change[Rental]) -> None:
    """Tell the vehicle what the rental wants of it, then let the rental's workflow know."""
    rental, event = change.new, change.event
    if rental is None or event is None:
        return
    try:
        _command(rental, event)
        _limit_speed(rental, event)
        _place(rental, event)
    finally:  # a rider is not left waiting for as long as no command gets out: the workflow has a deadline for that
        if event.name == "RentalStarted":
            lifecycle.launch(rental)
        else:
            lifecycle.wake(rental)


@stream_consumer(ReservationItem)
def follow_reservations(change: Change[Reservation]) -> None:
    """Let a new reservation's workflow wait for it to expire."""
    if change.new is not None and change.event is not None and change.event.name == "ReservationMade":
        reservations.launch(change.new)


follow_rental_table: Final = chained(follow_rentals, follow_reservations)
"""Whatever has to happen soon after a change in the rental table."""


@stream_consumer(VehicleItem)
def follow_holds(change: Change[Vehicle]) -> None:
    """Cancel a reservation whose vehicle was taken away from it; one that has ended by itself is over already."""
    old, new = change.old, change.new
    if old is None or old.hold is None:
        return
    if new is not None and new.hold is not None and new.hold.reservation_id == old.hold.reservation_id:
        return
    reservations.drop(old.hold.reservation_id)


def _command(rental: Rental, event: Event) -> None:
    purpose = _purpose(event)
    if purpose is None:
        return
    action = Action.UNLOCK if purpose in {Purpose.START, Purpose.RESUME} else Action.LOCK
    # News can be old: what the rental does not want any more must not reach the vehicle.
    wanted = (rentals.get(rental.id).state in _UNLOCKED) == (action is Action.UNLOCK)
    if wanted and (action is Action.UNLOCK or _can_lock(rental.vehicle_id)):
        fleet.send_command(event.id, rental.vehicle_id, action, purpose=purpose, rental_id=rental.id)


def _can_lock(vehicle_id: int) -> bool:
    """Whether a vehicle locks when it is told: what only docks lock does not where none holds it, whatever it says."""
    vehicle = fleet.vehicle(vehicle_id)
    return vehicle.is_held or fleet.model(vehicle.model_id).lock is not Lock.DOCK


def _limit_speed(rental: Rental, event: Event) -> None:
    """Hold the vehicle to what the partner wants for as long as the rental lasts."""
    if rental.max_speed_kmh is None or event.name not in {"RentalStarted", "RentalCompleted", "RentalCancelled"}:
        return
    vehicle = fleet.vehicle(rental.vehicle_id)
    over = event.name != "RentalStarted"
    if over and vehicle.rental_id is not None:
        return  # the next rental has come to its own terms
    limit = rules.speed_limit(None if over else rental, vehicle.verdict)
    fleet.send_command(
        event.id, vehicle.id, Action.LIMIT_SPEED, rental_id=rental.id, parameters={"max_speed_kmh": limit}
    )


def _place(rental: Rental, event: Event) -> None:
    """Let places without hardware have what was left there, and not what was taken; docks report by themselves."""
    if event.name == "RentalUnlocked" and rental.start_spot is not None and rental.start_spot.virtual:
        clusters.undock(rental.vehicle_id, event.at)
    elif event.name == "RentalCompleted" and rental.end_spot is not None and rental.end_spot.virtual:
        clusters.park(rental.vehicle_id, rental.end_spot, event.at, ride=rental.id)


def _purpose(event: Event) -> Purpose | None:
    match event.name:
        case "RentalStarted":
            return Purpose.START
        case "RentalResumed" if event.data["unlock"]:
            return Purpose.RESUME
        case "RentalPaused":
            return Purpose.PAUSE
        case "RentalEnding":
            return Purpose.END
        case "RentalCancelled":
            return Purpose.CANCEL
        case _:
            return None


@stream_consumer(CommandItem)
def follow_commands(change: Change[Command]) -> None:
    """Let a vehicle's answer move the rental that waits for it."""
    command, event = change.new, change.event
    if command is None or event is None or command.rental_id is None:
        return
    match command.action, event.name:
        case Action.UNLOCK, "CommandAcknowledged":
            lifecycle.confirm_unlocked(command.rental_id)
        case Action.UNLOCK, "CommandRejected":
            lifecycle.reject_unlock(command.rental_id)
        case Action.LOCK, "CommandAcknowledged" if _can_lock(command.vehicle_id):
            lifecycle.confirm_locked(command.rental_id, command.id)
            if command.purpose in _FOR_GOOD:
                fleet.clear(command.vehicle_id, Unavailability.LOCK_UNCONFIRMED)
        case Action.LOCK, "CommandRejected":
            lifecycle.miss_lock(command.rental_id, Unavailability.LOCK_REJECTED, command.id)


follow_fleet_table: Final = chained(follow_commands, follow_holds, follow_clusters)
"""Whatever has to happen soon after a change in the fleet table."""
