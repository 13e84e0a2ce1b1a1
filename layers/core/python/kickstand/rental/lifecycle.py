"""What becomes of a rental by itself: what vehicles and docks report, what timers do, and what the workflow does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Action, Network, Spot, Telemetry, Unavailability, VehicleTrigger
from kickstand.geo.model import Verdict
from kickstand.identity import penalties
from kickstand.identity import service as identity
from kickstand.identity.model import Penalty, PenaltyType
from kickstand.kernel import clock, store
from kickstand.kernel.place import Position
from kickstand.rental import changes, gateway, rules
from kickstand.rental import service as rentals
from kickstand.rental.model import RENTAL_STATES, EndReason, Rental, RentalState, RentalTrigger, Track, Transition
from kickstand.rental.store import ParkedItem, RentalItem, TrackItem, WaitItem

_WAITS_KEPT: Final = timedelta(days=60)

# ── What vehicles report ─────────────────────────────────────────────────────────────────────────────────────────────


def follow(rental_id: int, telemetry: Telemetry, verdict: Verdict) -> None:
    """Keep the track of a ride, and let what the vehicle shows count: unlocked or moving, it has obeyed."""
    rental_item, track_item = store.load_all([RentalItem.key(rental_id), TrackItem.key(rental_id)])
    if rental_item is None or not rental_item.entity.is_open:
        return
    rental: Rental = rental_item.entity
    known: Track = track_item.entity if track_item else rules.first_track(rental)
    if telemetry.at <= known.reported_at:
        return
    track = rules.tracked(
        known, telemetry.position, verdict, telemetry.at, locked=telemetry.locked, speed_kmh=telemetry.speed_kmh
    )
    if rental.state is RentalState.STARTING and not telemetry.locked:
        confirm_unlocked(rental_id)
    elif rules.rides_on(rental, known, track):
        resume(rental_id, unlock=False)
    # Comes last, as this report is not looked at again once it is kept.
    unchanged = TrackItem.reported_at == known.reported_at if track_item else TrackItem.pk.does_not_exist()
    if not store.put(TrackItem.of(track), condition=unchanged):
        raise changes.Changed


def confirm_unlocked(rental_id: int) -> None:
    """The vehicle has unlocked: the ride goes on. News only for a rental that is starting."""
    changes.advance(rental_id, RentalTrigger.CONFIRM_UNLOCK, lambda rental, _: rules.unlocked(rental, clock.now()))


def reject_unlock(rental_id: int) -> None:
    """The vehicle refuses to unlock: the rental is cancelled, at no charge."""
    _cancel(rental_id, EndReason.UNLOCK_REJECTED, Unavailability.OUT_OF_SERVICE)


def confirm_locked(rental_id: int, command_id: str | None = None) -> None:
    """The vehicle has locked: an ending rental is complete and the vehicle is everybody's.

    Args:
        rental_id: the rental.
        command_id: what the vehicle has answered to, where it is an answer. One to an earlier command, such as that of
            a pause, says nothing about how the vehicle stands now.
    """
    _complete(rental_id, VehicleTrigger.RETURN, None, command_id)


def miss_lock(rental_id: int, reason: Unavailability, command_id: str | None = None) -> None:
    """The vehicle did not lock, or nobody knows: the rental is complete all the same, the vehicle is withdrawn.

    Args:
        rental_id: the rental.
        reason: why the vehicle is withdrawn.
        command_id: as for :func:`confirm_locked`.
    """
    _complete(rental_id, VehicleTrigger.WITHDRAW, reason, command_id)


def docked(rental_id: int, spot: Spot, place: Position, at: datetime) -> None:
    """A dock holds the vehicle of a rental: that ends it. News older than the rental, or about an ended one, are none.

    A rental that is starting in this very dock has not begun: it is cancelled.

    Args:
        rental_id: the rental.
        spot: the dock.
        place: where it is.
        at: when the dock closed.
    """

    def holds(rental: Rental) -> bool:
        return (rental.is_open or rental.state is RentalState.ENDING) and at >= rental.started_at

    def give_back(tx: store.Transaction, rental: Rental, after: Rental) -> None:
        fleet.give_back(tx, fleet.vehicle(rental.vehicle_id), rental.id)
        if rental.is_open:
            changes.use_of_plan(tx, rental, after)

    def end(rental: Rental, track: Track) -> Rental:
        if rental.state is RentalState.STARTING and rental.start_spot == spot:
            return rules.cancelled(rental, EndReason.CANCELLED, clock.now())
        return rules.docked(rental, track, spot, place, at, clock.now())

    changes.decide(rental_id, end, when=holds, also=give_back)


# ── What timers do ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Situation:
    """What a rental's workflow plans on.

    Attributes:
        rental: as it is.
        network: whose timings apply.
        deadline: the timer that goes off next, ``None`` for none.
    """

    rental: Rental
    network: Network
    deadline: rules.Deadline | None


def situation(rental_id: int) -> Situation:
    """Where a rental stands and what it waits for; two reads.

    Raises:
        RentalNotFound: there is none.
    """
    store.forget()
    rental, track = changes.load(rental_id)
    action = {RentalState.STARTING: Action.UNLOCK, RentalState.ENDING: Action.LOCK}.get(rental.state)
    if action:
        fleet.expect_command(rental.vehicle_id, rental.event.id, action)
    fleet.expect_model(rental.tariff.model_id)
    network = fleet.network(rental.network_id)
    timings = rules.timings_for(fleet.model(rental.tariff.model_id), network.timings)
    command = fleet.find_command(rental.vehicle_id, rental.event.id, action) if action else None
    return Situation(rental, network, rules.next_deadline(rental, track, timings, command))


def expire(rental_id: int, timer: rules.Timer) -> None:
    """Do what a timer that has gone off asks for; nothing where it is not due, because something else came first."""
    due = situation(rental_id)
    if due.deadline is None or due.deadline.timer is not timer or due.deadline.at > clock.now():
        return
    rental, at = due.rental, due.deadline.at
    match timer:
        case rules.Timer.UNLOCK_TIMEOUT:
            fleet.time_out_command(rental.vehicle_id, rental.event.id, Action.UNLOCK)
        case rules.Timer.START_TIMEOUT:
            _cancel(rental_id, EndReason.UNLOCK_UNCONFIRMED, Unavailability.UNLOCK_UNCONFIRMED)
        case rules.Timer.TOO_LONG_NOTICE | rules.Timer.PENALTY:
            _remind(rental, due.deadline)
        case rules.Timer.AUTO_PAUSE:
            _pause_for_standing(rental, at)
        case rules.Timer.PAUSE_EXPIRED:
            _end_after_pause(rental_id, due.network, at)
        case rules.Timer.TOO_LONG:
            end_internally(rental_id, EndReason.TOO_LONG, at)
        case rules.Timer.STOLEN:
            end_internally(rental_id, EndReason.STOLEN)
        case rules.Timer.LOCK_TIMEOUT:
            fleet.time_out_command(rental.vehicle_id, rental.event.id, Action.LOCK)
            miss_lock(rental_id, Unavailability.LOCK_UNCONFIRMED)


def _pause_for_standing(planned: Rental, at: datetime) -> None:
    """Put a ride on hold whose vehicle has not moved for long, as of when it was due."""
    changes.decide(
        planned.id,
        lambda rental, _: rules.paused(rental, at, automatic=True),
        when=_as_in(planned),
        also=changes.hold,
    )


def resume(rental_id: int, *, unlock: bool) -> None:
    """Let a ride go on after a pause; ``unlock`` says whether the vehicle still has to be told."""
    changes.advance(
        rental_id,
        RentalTrigger.RESUME,
        lambda rental, _: rules.resumed(rental, clock.now(), unlock=unlock),
        also=changes.go_on,
    )


def end_internally(
    rental_id: int, reason: EndReason, limit: datetime | None = None, transition: Transition | None = None
) -> None:
    """End a rental on the operator's behalf, wherever the vehicle stands.

    A vehicle that counts as stolen is charged for until it was last seen moving, any other until now.

    Args:
        rental_id: the rental.
        reason: why.
        limit: the moment at which it should have ended; nothing is charged beyond it.
        transition: what our staff says about it.
    """

    def decide(rental: Rental, track: Track) -> Rental:
        now = clock.now()
        stolen = reason is EndReason.STOLEN
        at = track.moved_at if stolen else limit or now
        place = rules.Place() if stolen else changes.place_of(rental, track)
        return rules.ended(rental, track, rules.Ending(reason, at, place=place, transition=transition), now)

    changes.advance(rental_id, RentalTrigger.END, decide, also=changes.use_of_plan)


def _remind(planned: Rental, deadline: rules.Deadline) -> None:
    """Remind or penalise the rider, as of when it was due; once, even if two do it at once."""
    if deadline.timer is rules.Timer.TOO_LONG_NOTICE:
        changes.decide(planned.id, lambda rental, _: rules.noticed(rental, deadline.at), when=_as_in(planned))
    else:
        changes.decide(
            planned.id, lambda rental, _: rules.penalised(rental, deadline.at), when=_as_in(planned), also=_penalise
        )


def _as_in(planned: Rental) -> Callable[[Rental], bool]:
    """Whether a rental is still what a timer was planned on; if not, the workflow plans anew."""
    return lambda rental: rental.version == planned.version


def _end_after_pause(rental_id: int, network: Network, limit: datetime) -> None:
    rental, _ = changes.load(rental_id)
    if rental.pause is None:
        return
    if not rental.pause.automatic:
        end_internally(rental_id, EndReason.PAUSED_TOO_LONG, limit)
        return
    rider = identity.find_by_id(rental.rider_id)
    fine = network.left_unlocked_fine if rider.left_unlocked else 0

    def decide(rental: Rental, track: Track) -> Rental:
        place = changes.place_of(rental, track)
        ending = rules.Ending(EndReason.LEFT_UNLOCKED, track.moved_at, fine, warned=not fine, place=place)
        return rules.ended(rental, track, ending, clock.now())

    def count(tx: store.Transaction, rental: Rental, after: Rental) -> None:
        identity.count_left_unlocked(tx, rider)
        changes.use_of_plan(tx, rental, after)

    changes.advance(rental_id, RentalTrigger.END, decide, also=count)


# ── The workflow ─────────────────────────────────────────────────────────────────────────────────────────────────────


def launch(rental: Rental) -> None:
    """Start the workflow of a new rental; once, however often it is asked for."""
    gateway.start_workflow(rental.id)


def wake(rental: Rental) -> None:
    """Tell the workflow that its rental has changed. One that is not waiting looks by itself before it waits."""
    item = store.load(WaitItem.key(rental.id))
    if item is not None and item.version < rental.version:
        gateway.wake_workflow(item.token)


def wait_for_change(rental_id: int, version: int, token: str) -> bool:
    """Leave a task token to be woken by; answers ``False`` when the rental is not at ``version`` any more."""
    key = WaitItem.key(rental_id)
    expires_at = int((clock.now() + _WAITS_KEPT).timestamp())
    item = WaitItem(key.pk, key.sk, kind=WaitItem.KIND, token=token, version=version, expires_at=expires_at)
    try:
        with store.Transaction() as tx:
            tx.put(item)
            tx.require(RentalItem.key(rental_id), RentalItem.version == version, otherwise=changes.Changed)
    except changes.Changed:
        return False
    return True


def park(rental_id: int, error: str) -> None:
    """Keep the name of the error for which a rental's workflow gave up, beside the rental."""
    key = ParkedItem.key(rental_id)
    with store.Transaction() as tx:
        tx.put(ParkedItem(key.pk, key.sk, kind=ParkedItem.KIND, error=error, at=clock.now()))


def attach_receipt(rental_id: int, document: str) -> None:
    """Remember where the rental's receipt is kept."""
    store.change(RentalItem.key(rental_id), [RentalItem.receipt.set(document)], condition=RentalItem.pk.exists())


def announce(rental_id: int) -> None:
    """Tell other systems that a rental is over, on the event bus. Receivers deduplicate by the event's id."""
    gateway.publish(rentals.get(rental_id))


# ── Plumbing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cancel(rental_id: int, reason: EndReason, withdrawn: Unavailability) -> None:
    changes.advance(
        rental_id,
        RentalTrigger.CANCEL,
        lambda rental, _: rules.cancelled(rental, reason, clock.now()),
        also=changes.withdrawing(withdrawn),
    )


def _complete(
    rental_id: int, trigger: VehicleTrigger, withdrawn: Unavailability | None, command_id: str | None
) -> None:
    def waits_for_it(rental: Rental) -> bool:
        wanted = command_id is None or command_id == fleet.command_id_of(rental.event.id, Action.LOCK)
        return wanted and RENTAL_STATES.allows(rental.state, RentalTrigger.COMPLETE)

    def give_back(tx: store.Transaction, rental: Rental, _: Rental) -> None:
        stolen = rental.end_reason is EndReason.STOLEN and trigger is VehicleTrigger.WITHDRAW
        outcome = VehicleTrigger.LOSE if stolen else trigger
        fleet.give_back(tx, fleet.vehicle(rental.vehicle_id), rental.id, outcome, withdrawn)

    changes.decide(rental_id, lambda rental, _: rules.completed(rental, clock.now()), when=waits_for_it, also=give_back)


def _penalise(tx: store.Transaction, rental: Rental, after: Rental) -> None:
    if rental.plan is None or rental.external_rider_id is None:
        return
    penalty = Penalty(
        id=after.event.id,
        client_id=rental.client_id,
        external_id=rental.external_rider_id,
        type=PenaltyType.TRIP_DURATION,
        points=rental.plan.penalty_points,
        rental_id=rental.id,
        created_at=after.event.at,
    )
    penalties.add_penalty(tx, penalty)
