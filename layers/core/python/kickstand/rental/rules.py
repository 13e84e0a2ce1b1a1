"""Decisions about rentals, without any store."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import Command, CommandState, RentTimings, Vehicle
from kickstand.geo.model import Verdict
from kickstand.identity.model import Rider
from kickstand.kernel import ids
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.pricing import rules as pricing
from kickstand.pricing.model import Fare
from kickstand.rental.errors import EndingRefused, ImplausiblePosition, RentalAlreadyEnded
from kickstand.rental.model import (
    RENTAL_STATES,
    EndReason,
    Rental,
    RentalState,
    RentalTrigger,
    Segment,
    SegmentKind,
    Track,
)

_FARTHEST_RIDER_M: Final = 50_000
_JITTER_M: Final = 10
_WALKING_KMH: Final = 2

# ── Timers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Timer(StrEnum):
    """What a rental's workflow waits for."""

    UNLOCK_TIMEOUT = "unlock_timeout"
    START_TIMEOUT = "start_timeout"
    TOO_LONG_NOTICE = "too_long_notice"
    AUTO_PAUSE = "auto_pause"
    PAUSE_EXPIRED = "pause_expired"
    TOO_LONG = "too_long"
    STOLEN = "stolen"
    LOCK_TIMEOUT = "lock_timeout"


@dataclass(frozen=True)
class Deadline:
    """When a timer goes off."""

    timer: Timer
    at: datetime


def next_deadline(rental: Rental, track: Track, timings: RentTimings, command: Command | None) -> Deadline | None:
    """The timer that goes off next, or ``None`` for a rental that is over.

    Args:
        rental: as it is.
        track: of the ride.
        timings: of the rental's network.
        command: the unlocking of a starting rental, or the locking of an ending one, once sent.
    """
    match rental.state:
        case RentalState.STARTING:
            deadlines = [_after(Timer.START_TIMEOUT, rental.started_at, timings.start_timeout_s)]
            if command is not None and command.state is CommandState.SENT:
                deadlines.append(_after(Timer.UNLOCK_TIMEOUT, command.sent_at, timings.command_timeout_s))
        case RentalState.IN_PROGRESS:
            resumed_at = rental.segments[-1].started_at
            deadlines = _limits(rental, timings)
            deadlines.append(_after(Timer.AUTO_PAUSE, max(track.moved_at, resumed_at), timings.auto_pause_after_s))
        case RentalState.ON_HOLD:
            deadlines = _limits(rental, timings)
            deadlines.append(_after(Timer.PAUSE_EXPIRED, rental.segments[-1].started_at, timings.max_pause_s))
        case RentalState.ENDING:
            sent_at = command.sent_at if command else rental.event.at
            deadlines = [_after(Timer.LOCK_TIMEOUT, sent_at, timings.command_timeout_s)]
        case _:
            return None
    return min((each for each in deadlines if each), key=lambda each: each.at, default=None)


def _limits(rental: Rental, timings: RentTimings) -> list[Deadline | None]:
    notice_s = timings.too_long_notice_s
    if notice_s and rental.notices:
        # Without a repetition the first notice is the only one.
        notice_s = notice_s + rental.notices * timings.too_long_repeat_s if timings.too_long_repeat_s else 0
    # The first of several at the same moment counts: nobody is reminded of a rental that ends right then.
    return [
        _after(Timer.STOLEN, rental.started_at, timings.stolen_after_s),
        _after(Timer.TOO_LONG, rental.started_at, timings.max_rental_s),
        _after(Timer.TOO_LONG_NOTICE, rental.started_at, notice_s),
    ]


def _after(timer: Timer, start: datetime, seconds: int) -> Deadline | None:
    return Deadline(timer, start + timedelta(seconds=seconds)) if seconds else None


# ── Transitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def check_open(rental: Rental) -> None:
    """Refuse what only a rental that is not over can do."""
    if not rental.is_open:
        raise RentalAlreadyEnded


def check_near(rider: Position | None, vehicle: Position) -> None:
    """Refuse a rider's position that cannot be true; longitude and latitude exchanged are the usual reason."""
    if rider is None or rider.distance_m(vehicle) <= _FARTHEST_RIDER_M:
        return
    swappable = abs(rider.longitude) <= 90  # noqa: PLR2004 - the range of latitudes
    if swappable:
        swapped = Position(longitude=rider.latitude, latitude=rider.longitude)
        if swapped.distance_m(vehicle) <= _FARTHEST_RIDER_M:
            raise ImplausiblePosition(
                "The user's location is nowhere near the vehicle; longitude and latitude look swapped"
            )
    raise ImplausiblePosition


def check_may_end(verdict: Verdict) -> None:
    """Refuse to end a rental where the geofences forbid it."""
    if not verdict.ride_end_allowed:
        reason = verdict.end_refusal.replace("_", " ") if verdict.end_refusal else "not allowed"
        raise EndingRefused(f"{EndingRefused.detail}: {reason}")


@dataclass(frozen=True)
class Ending:
    """How a rental ends.

    Attributes:
        reason: who or what ends it.
        at: until when it is charged.
        fine: for leaving the vehicle unlocked, in minor units of the tariff's currency.
        warned: whether the rider is told that next time there will be a fine.
    """

    reason: EndReason
    at: datetime
    fine: int = 0
    warned: bool = False


def started(rental_id: int, rider: Rider, vehicle: Vehicle, now: datetime, rider_position: Position | None) -> Rental:
    """A new rental of a vehicle, at the tariff it is offered at.

    Raises:
        VehicleUnavailable: the geofences forbid to take it where it stands.
    """
    if not vehicle.verdict.ride_start_allowed:
        raise VehicleUnavailable
    return Rental(
        id=rental_id,
        public_id=ids.new_uuid(rental_id),
        rider_id=rider.id,
        client_id=rider.client_id,
        product_id=rider.product_id,
        network_id=vehicle.network_id,
        vehicle_id=vehicle.id,
        vehicle_public_id=vehicle.public_id,
        vehicle_code=vehicle.code,
        state=RentalState.STARTING,
        tariff=vehicle.offer,
        started_at=now,
        rider_start=rider_position,
        vehicle_start=vehicle.position,
        start_verdict=vehicle.verdict,
        segments=(Segment(kind=SegmentKind.RIDE, started_at=now),),
        event=Event.new("RentalStarted", now),
    )


def unlocked(rental: Rental, now: datetime) -> Rental:
    """The rental whose vehicle has confirmed its unlocking."""
    return _moved(rental, RentalTrigger.CONFIRM_UNLOCK, Event.new("RentalUnlocked", now))


def paused(rental: Rental, now: datetime, *, automatic: bool) -> Rental:
    """The rental on hold."""
    event = Event.new("RentalPaused", now, automatic=automatic)
    return _moved(
        rental, RentalTrigger.PAUSE, event, segments=_switched(rental, SegmentKind.PAUSE, now, automatic=automatic)
    )


def resumed(rental: Rental, now: datetime, *, unlock: bool) -> Rental:
    """The rental going on after a pause; ``unlock`` says whether the vehicle still has to be told."""
    segments = _switched(rental, SegmentKind.RIDE, now)
    return _moved(rental, RentalTrigger.RESUME, Event.new("RentalResumed", now, unlock=unlock), segments=segments)


def noticed(rental: Rental, now: datetime) -> Rental:
    """The rental whose rider is to be reminded of it once more."""
    event = Event.new("RentalTooLong", now, notice=rental.notices + 1)
    return rental.model_copy(update={"notices": rental.notices + 1, "version": rental.version + 1, "event": event})


def ended(rental: Rental, track: Track, ending: Ending, now: datetime, rider_end: Position | None = None) -> Rental:
    """The rental with its fare, waiting for the vehicle to confirm its locking.

    Raises:
        RentalAlreadyEnded: it is not open any more.
    """
    check_open(rental)
    event = Event.new("RentalEnding", now, reason=ending.reason, fine=ending.fine, warned=ending.warned)
    return _moved(
        rental,
        RentalTrigger.END,
        event,
        end_reason=ending.reason,
        ended_at=ending.at,
        rider_end=rider_end,
        vehicle_end=track.position,
        distance_m=track.distance_m,
        fare=pricing.fare(rental.tariff, rental.started_at, ending.at, track.distance_m, fine=ending.fine),
        # What happened, not what is charged for: a pause may have begun after the moment that counts.
        segments=(*rental.segments[:-1], rental.segments[-1].model_copy(update={"ended_at": now})),
    )


def cancelled(rental: Rental, reason: EndReason, now: datetime) -> Rental:
    """The rental that never was: its vehicle did not unlock, so it costs nothing."""
    return _moved(
        rental,
        RentalTrigger.CANCEL,
        Event.new("RentalCancelled", now, reason=reason),
        end_reason=reason,
        ended_at=now,
        vehicle_end=rental.vehicle_start,
        distance_m=0,
        fare=Fare(currency=rental.tariff.currency),
        segments=(rental.segments[0].model_copy(update={"ended_at": now}),),
    )


def completed(rental: Rental, now: datetime) -> Rental:
    """The ended rental whose vehicle is accounted for."""
    return _moved(rental, RentalTrigger.COMPLETE, Event.new("RentalCompleted", now))


def _moved(rental: Rental, trigger: RentalTrigger, event: Event, **changes: object) -> Rental:
    state = RENTAL_STATES.next(rental.state, trigger)
    return rental.model_copy(update={"state": state, "version": rental.version + 1, "event": event, **changes})


def _switched(rental: Rental, kind: SegmentKind, now: datetime, *, automatic: bool = False) -> tuple[Segment, ...]:
    *before, last = rental.segments
    return (*before, last.model_copy(update={"ended_at": now}), Segment(kind=kind, started_at=now, automatic=automatic))


@dataclass(frozen=True)
class Account:
    """What a rental comes to.

    Attributes:
        minutes: begun so far, or in all.
        fare: final once the rental has ended; before that, what its time would cost if it ended now.
    """

    minutes: int
    fare: Fare


def account(rental: Rental, now: datetime) -> Account:
    """What a rental comes to at this moment."""
    minutes = pricing.billed_minutes(rental.started_at, rental.ended_at or now)
    # How far a running ride has gone is not asked: only its time is shown.
    fare = rental.fare or pricing.fare(rental.tariff, rental.started_at, now, rental.tariff.free_under_m)
    return Account(minutes, fare)


# ── Tracks ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def first_track(rental: Rental) -> Track:
    """The track of a ride before the vehicle has reported anything."""
    return Track(
        rental_id=rental.id,
        position=rental.vehicle_start,
        verdict=rental.start_verdict,
        distance_m=0,
        moved_at=rental.started_at,
        reported_at=rental.started_at,
        locked=True,
    )


def tracked(
    track: Track, position: Position, verdict: Verdict, at: datetime, *, locked: bool, speed_kmh: float
) -> Track:
    """The track after one more report. Steps within the jitter of positioning are not ridden until they add up."""
    step = track.position.distance_m(position)
    moved = step >= _JITTER_M
    return Track(
        rental_id=track.rental_id,
        position=position if moved else track.position,
        verdict=verdict,
        distance_m=track.distance_m + round(step) if moved else track.distance_m,
        moved_at=at if moved or speed_kmh > _WALKING_KMH else track.moved_at,
        reported_at=at,
        locked=locked,
    )


def rides_on(rental: Rental, before: Track, after: Track) -> bool:
    """Whether a report shows that the rider goes on after a pause: since it began, the vehicle has moved unlocked."""
    pause = rental.pause
    return (
        pause is not None
        and after.reported_at > pause.started_at
        and after.moved_at > before.moved_at
        and not after.locked
    )
