"""Decisions about rentals, without any store."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from kickstand.clients.model import ApiClient
from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import (
    Ability,
    Category,
    Cluster,
    ClusterKind,
    Command,
    CommandState,
    RentTimings,
    Spot,
    Vehicle,
    VehicleModel,
    VehicleState,
)
from kickstand.geo.model import Verdict
from kickstand.identity.errors import RiderInDebt
from kickstand.identity.model import Rider
from kickstand.kernel import ids
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.pricing import rules as pricing
from kickstand.pricing.model import Allowance, Fare, PlanUsage, PricingPlan
from kickstand.rental.errors import (
    AbilityMissing,
    EndingRefused,
    FarFromDock,
    ImplausiblePosition,
    RentalAlreadyEnded,
    RentalStateRefused,
    RiderMismatch,
    TooManyPenaltyPoints,
)
from kickstand.rental.model import (
    RENTAL_STATES,
    EndReason,
    Rental,
    RentalState,
    RentalTrigger,
    RiderPosition,
    Segment,
    SegmentKind,
    Track,
    Transition,
    TransitionReason,
)

_FARTHEST_RIDER_M: Final = 50_000
_BESIDE_M: Final = 1_000
_MOST_SEGMENTS: Final = 400  # about 40 KB; a workflow's history holds 25,000 events
_JITTER_M: Final = 10
_LEAP_M: Final = 500
_FASTEST_KMH: Final = 200
_WALKING_KMH: Final = 2

_UNABLE: Final = {
    Ability.PAUSE: "a ride cannot be paused",
    Ability.END_REMOTELY: "a ride ends by putting the vehicle into a dock",
    Ability.LIMIT_SPEED: "its speed cannot be limited",
}

_SAID: Final = {
    EndReason.OPERATOR: TransitionReason.CANCELLED_BY_OPERATOR,
    EndReason.LEFT_UNLOCKED: TransitionReason.NO_INTERACTION,
    EndReason.PAUSED_TOO_LONG: TransitionReason.TIME_LIMIT_EXCEEDED,
    EndReason.TOO_LONG: TransitionReason.TIME_LIMIT_EXCEEDED,
    EndReason.STOLEN: TransitionReason.TIME_LIMIT_EXCEEDED,
    EndReason.UNLOCK_REJECTED: TransitionReason.VEHICLE_UNREACHABLE,
    EndReason.UNLOCK_UNCONFIRMED: TransitionReason.VEHICLE_UNREACHABLE,
}
"""What partners are told where nobody has said more."""

# ── Timers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Timer(StrEnum):
    """What a rental's workflow waits for."""

    UNLOCK_TIMEOUT = "unlock_timeout"
    START_TIMEOUT = "start_timeout"
    TOO_LONG_NOTICE = "too_long_notice"
    PENALTY = "penalty"
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


def timings_for(model: VehicleModel, timings: RentTimings) -> RentTimings:
    """The timings of a network for rentals of a model: what cannot be paused is not paused for seeming to stand still.

    A vehicle that only its dock locks tells nothing of itself while it is ridden.
    """
    return timings if Ability.PAUSE in model.abilities else timings.model_copy(update={"auto_pause_after_s": 0})


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
        _penalty(rental),
    ]


def _penalty(rental: Rental) -> Deadline | None:
    plan = rental.plan
    if plan is None or not plan.penalty_after_s or (rental.penalties and not plan.penalty_repeat_s):
        return None
    return _after(Timer.PENALTY, rental.started_at, plan.penalty_after_s + rental.penalties * plan.penalty_repeat_s)


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


def check_beside(rider: RiderPosition | None, vehicle: Position) -> None:
    """Refuse a rider who, however wrong the position may be, is not with the vehicle."""
    if rider is not None and rider.position.distance_m(vehicle) - (rider.accuracy_m or 0) > _BESIDE_M:
        raise ImplausiblePosition


def check_rider(rental: Rental, user_id: str | None) -> None:
    """Refuse to touch somebody else's rental, where the caller says whose it should be."""
    if user_id is not None and user_id != rental.external_rider_id:
        raise RiderMismatch


def check_able(model: VehicleModel, ability: Ability) -> None:
    """Refuse what vehicles of the model cannot do."""
    if ability not in model.abilities:
        raise AbilityMissing(f"{model.name}: {_UNABLE[ability]}")


def check_plan(plan: PricingPlan | None, points: int, vehicle: Vehicle) -> None:
    """Refuse a plan that the rider or the vehicle's network must not use."""
    if plan is None:
        return
    if not plan.tolerates(points):
        raise TooManyPenaltyPoints
    pricing.check_currency(plan, vehicle.offer.currency)


def check_debt(client: ApiClient, *, in_debt: bool) -> None:
    """Refuse a rider who owes us money, where riders pay us."""
    if client.charges_riders and in_debt:
        raise RiderInDebt


def check_holder(vehicle: Vehicle, rider_id: int, now: datetime) -> None:
    """Refuse a vehicle that is reserved for somebody else, or whose reservation has run out."""
    if vehicle.hold is not None and (vehicle.hold.rider_id != rider_id or vehicle.hold.until <= now):
        raise VehicleUnavailable


def check_may_end(verdict: Verdict) -> None:
    """Refuse to end a rental where the geofences forbid it."""
    if not verdict.ride_end_allowed:
        reason = verdict.end_refusal.replace("_", " ") if verdict.end_refusal else "not allowed"
        raise EndingRefused(f"{EndingRefused.detail}: {reason}")


@dataclass(frozen=True)
class Place:
    """Where a vehicle is left.

    Attributes:
        spot: its place at a cluster without hardware, where it gets one.
        docked: whether vehicles of its kind belong there; leaving one elsewhere may cost a fee.
    """

    spot: Spot | None = None
    docked: bool = True


def place_of(model: VehicleModel, cluster: Cluster | None) -> Place:
    """Where a vehicle is left by ending its rental.

    Args:
        model: of the vehicle.
        cluster: the one within whose radius it stands, if there is one.
    """
    if not model.docked:
        return Place()
    if cluster is None:
        return Place(docked=False)
    free = cluster.free_docks
    if cluster.type is not ClusterKind.VIRTUAL or not free:
        return Place()  # it stands beside the docks
    return Place(cluster.spot(free[0]))


def check_may_be_left(place: Place, model: VehicleModel, rental: Rental) -> None:
    """Refuse to end a rental by command where its vehicle must not be left, or cannot be locked.

    A plan may let a vehicle that belongs into docks be left elsewhere, at a fee.
    """
    if not place.docked and (rental.plan is None or not rental.plan.free_floating_fee):
        raise FarFromDock
    check_able(model, Ability.END_REMOTELY)


def fits(vehicle: Vehicle, model: VehicleModel, category: Category, rider_id: int, now: datetime) -> bool:
    """Whether a vehicle can be claimed for a rider who has asked for its category only."""
    free = vehicle.state is VehicleState.AVAILABLE
    mine = vehicle.hold is not None and vehicle.hold.rider_id == rider_id and vehicle.hold.until > now
    return (free or mine) and model.category is category and vehicle.verdict.ride_start_allowed


@dataclass(frozen=True)
class Ending:
    """How a rental ends.

    Attributes:
        reason: who or what ends it.
        at: until when it is charged.
        fine: for leaving the vehicle unlocked, in minor units of the tariff's currency.
        warned: whether the rider is told that next time there will be a fine.
        place: where the vehicle is left.
        transition: what was said about it; without a word, what the reason means is said.
    """

    reason: EndReason
    at: datetime
    fine: int = 0
    warned: bool = False
    place: Place = Place()
    transition: Transition | None = None


@dataclass(frozen=True)
class Renter:
    """Who rents, and on what terms.

    Attributes:
        plan, allowance: the pricing plan and what the rider's use of it leaves for this ride.
        max_speed_kmh: what the partner limits the vehicle to.
        pays: whether the rider pays us, and not the partner.
    """

    rider_id: int
    client_id: int
    client_public_id: UUID
    product_id: int | None = None
    external_id: str | None = None
    position: Position | None = None
    plan: PricingPlan | None = None
    allowance: Allowance | None = None
    max_speed_kmh: int | None = None
    pays: bool = False

    @classmethod
    def of(cls, rider: Rider, client: ApiClient, position: Position | None = None) -> "Renter":
        """A rider of a partner, at the vehicle's own tariff."""
        return cls(
            rider_id=rider.id,
            client_id=client.id,
            client_public_id=client.public_id,
            product_id=rider.product_id,
            external_id=rider.external_id,
            position=position,
            pays=client.charges_riders,
        )


def started(rental_id: int, renter: Renter, vehicle: Vehicle, now: datetime) -> Rental:
    """A new rental of a vehicle, at the tariff it is offered at or at the renter's plan.

    Raises:
        VehicleUnavailable: the geofences forbid to take it where it stands.
    """
    if not vehicle.verdict.ride_start_allowed:
        raise VehicleUnavailable
    return Rental(
        id=rental_id,
        public_id=ids.new_uuid(rental_id),
        rider_id=renter.rider_id,
        client_id=renter.client_id,
        client_public_id=renter.client_public_id,
        product_id=renter.product_id,
        external_rider_id=renter.external_id,
        network_id=vehicle.network_id,
        vehicle_id=vehicle.id,
        vehicle_public_id=vehicle.public_id,
        vehicle_code=vehicle.code,
        state=RentalState.STARTING,
        tariff=vehicle.offer,
        plan=renter.plan,
        allowance=renter.allowance,
        max_speed_kmh=renter.max_speed_kmh,
        rider_pays=renter.pays,
        reservation_id=vehicle.hold.reservation_id if vehicle.hold else None,
        started_at=now,
        rider_start=renter.position,
        vehicle_start=vehicle.position,
        start_spot=vehicle.spot,
        start_verdict=vehicle.verdict,
        segments=(Segment(kind=SegmentKind.RIDE, started_at=now),),
        event=Event.new("RentalStarted", now),
    )


def unlocked(rental: Rental, now: datetime) -> Rental:
    """The rental whose vehicle has confirmed its unlocking."""
    return _moved(rental, RentalTrigger.CONFIRM_UNLOCK, Event.new("RentalUnlocked", now))


def paused(rental: Rental, now: datetime, *, automatic: bool, transition: Transition | None = None) -> Rental:
    """The rental on hold."""
    if not automatic and len(rental.segments) >= _MOST_SEGMENTS:
        raise RentalStateRefused("The rental has been paused too often")
    event = Event.new("RentalPaused", now, automatic=automatic)
    if automatic:
        transition = Transition(reason=TransitionReason.NO_INTERACTION)
    segments = _switched(rental, SegmentKind.PAUSE, now, automatic=automatic)
    return _moved(rental, RentalTrigger.PAUSE, event, segments=segments, transition=transition)


def resumed(rental: Rental, now: datetime, *, unlock: bool, transition: Transition | None = None) -> Rental:
    """The rental going on after a pause; ``unlock`` says whether the vehicle still has to be told."""
    segments = _switched(rental, SegmentKind.RIDE, now)
    event = Event.new("RentalResumed", now, unlock=unlock)
    return _moved(rental, RentalTrigger.RESUME, event, segments=segments, transition=transition)


def noticed(rental: Rental, now: datetime) -> Rental:
    """The rental whose rider is to be reminded of it once more."""
    event = Event.new("RentalTooLong", now, notice=rental.notices + 1)
    return rental.model_copy(update={"notices": rental.notices + 1, "version": rental.version + 1, "event": event})


def penalised(rental: Rental, now: datetime) -> Rental:
    """The rental whose rider gets penalty points for its length once more."""
    points = rental.plan.penalty_points if rental.plan else 0
    event = Event.new("RentalPenalised", now, points=points)
    return rental.model_copy(update={"penalties": rental.penalties + 1, "version": rental.version + 1, "event": event})


def ended(rental: Rental, track: Track, ending: Ending, now: datetime, rider_end: Position | None = None) -> Rental:
    """The rental with its fare, waiting for the vehicle to confirm its locking.

    Raises:
        RentalAlreadyEnded: it is not open any more.
    """
    check_open(rental)
    # Of a rental that is starting, nobody knows whether the rider ever got the vehicle.
    unlocked = rental.state is not RentalState.STARTING
    event = Event.new("RentalEnding", now, reason=ending.reason, fine=ending.fine, warned=ending.warned)
    return _moved(
        rental,
        RentalTrigger.END,
        event,
        end_reason=ending.reason,
        ended_at=ending.at,
        transition=ending.transition or _said_about(rental, ending.reason),
        rider_end=rider_end,
        vehicle_end=track.position,
        end_spot=ending.place.spot,
        distance_m=track.distance_m,
        fare=_fare(rental, track, ending) if unlocked else Fare(currency=rental.tariff.currency),
        # What happened, not what is charged for: a pause may have begun after the moment that counts.
        segments=(*rental.segments[:-1], rental.segments[-1].model_copy(update={"ended_at": now})),
    )


def _fare(rental: Rental, track: Track, ending: Ending) -> Fare:
    if rental.plan is None:
        return pricing.fare(rental.tariff, rental.started_at, ending.at, track.distance_m, fine=ending.fine)
    allowance = rental.allowance or Allowance()
    return pricing.plan_fare(
        rental.plan, allowance, rental.started_at, ending.at, docked=ending.place.docked, fine=ending.fine
    )


def _said_about(rental: Rental, reason: EndReason) -> Transition | None:
    said = _SAID.get(reason)
    if said is TransitionReason.VEHICLE_UNREACHABLE and rental.start_spot is not None:
        said = TransitionReason.STATION_UNREACHABLE  # it is the station that lets go of a docked vehicle
    return Transition(reason=said) if said else None


def cancelled(rental: Rental, reason: EndReason, now: datetime, transition: Transition | None = None) -> Rental:
    """The rental that never was: its vehicle did not unlock, or nobody waited for it, so it costs nothing."""
    return _moved(
        rental,
        RentalTrigger.CANCEL,
        Event.new("RentalCancelled", now, reason=reason),
        end_reason=reason,
        ended_at=now,
        transition=transition or _said_about(rental, reason),
        vehicle_end=rental.vehicle_start,
        end_spot=rental.start_spot,
        distance_m=0,
        fare=Fare(currency=rental.tariff.currency),
        segments=(rental.segments[0].model_copy(update={"ended_at": now}),),
    )


def completed(rental: Rental, now: datetime) -> Rental:
    """The ended rental whose vehicle is accounted for."""
    return _moved(rental, RentalTrigger.COMPLETE, Event.new("RentalCompleted", now), transition=rental.transition)


def docked(rental: Rental, track: Track, spot: Spot, place: Position, at: datetime, now: datetime) -> Rental:
    """The rental whose vehicle has been put into a dock: over and complete at once, for the dock holds the vehicle.

    What the vehicle has not told of its way to ``place``, where the dock is, counts as the straight line.
    """
    if rental.is_open:
        at = min(max(at, rental.started_at), now)
        track = tracked(track, place, track.verdict, at, locked=True, speed_kmh=0)
        track = track.model_copy(update={"position": place})  # where a dock is, is known
        rental = ended(rental, track, Ending(EndReason.RIDER, at, place=Place(spot)), now)
    return completed(rental, now).model_copy(update={"end_spot": spot})


def _moved(
    rental: Rental, trigger: RentalTrigger, event: Event, *, transition: Transition | None = None, **changes: object
) -> Rental:
    state = RENTAL_STATES.next(rental.state, trigger)
    moved = {"state": state, "version": rental.version + 1, "event": event, "transition": transition}
    return rental.model_copy(update={**moved, **changes})


def _switched(rental: Rental, kind: SegmentKind, now: datetime, *, automatic: bool = False) -> tuple[Segment, ...]:
    *before, last = rental.segments
    return (*before, last.model_copy(update={"ended_at": now}), Segment(kind=kind, started_at=now, automatic=automatic))


@dataclass(frozen=True)
class Account:
    """What a rental comes to.

    Attributes:
        minutes: begun so far, or in all.
        fare: final once the rental has ended; before that, what its time would cost if it ended now.
        usage: what that uses of the rental's pricing plan, where it has one.
    """

    minutes: int
    fare: Fare
    usage: PlanUsage | None = None


def account(rental: Rental, now: datetime) -> Account:
    """What a rental comes to at this moment."""
    minutes = pricing.billed_minutes(rental.started_at, rental.ended_at or now)
    # How far a running ride has gone is not asked: only its time is shown.
    track = first_track(rental).model_copy(update={"distance_m": rental.tariff.free_under_m})
    fare = rental.fare or _fare(rental, track, Ending(EndReason.RIDER, now))
    usage = pricing.usage(rental.plan, rental.allowance or Allowance(), fare) if rental.plan else None
    return Account(minutes, fare, usage)


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
    """The track after one more report. Steps within the jitter of positioning are not ridden until they add up.

    A step that nothing rides in the time since the last report is not taken: the position is kept aside. When the next
    report agrees with it rather than with the track, the track goes on from there, and the leap itself is not ridden.
    """
    seconds = (at - track.reported_at).total_seconds()
    reach_m = max(_LEAP_M, _FASTEST_KMH * 1000 / 3600 * seconds)
    origins = [each for each in (track.position, track.aside) if each and each.distance_m(position) <= reach_m]
    if not origins:
        return track.model_copy(update={"aside": position, "reported_at": at, "locked": locked})
    step = origins[0].distance_m(position)
    moved = step >= _JITTER_M
    return Track(
        rental_id=track.rental_id,
        position=position if moved else origins[0],
        verdict=verdict,
        distance_m=track.distance_m + round(step) if moved else track.distance_m,
        moved_at=at if moved or speed_kmh > _WALKING_KMH else track.moved_at,
        reported_at=at,
        locked=locked,
    )


def speed_limit(rental: Rental | None, verdict: Verdict) -> int | None:
    """How fast a vehicle may go where it is, in km/h; ``None`` for as fast as it can.

    Args:
        rental: the rental that holds it, if one does.
        verdict: what the geofences say where it is.
    """
    limits = [verdict.max_speed_kmh, rental.max_speed_kmh if rental and rental.is_open else None]
    return min((limit for limit in limits if limit is not None), default=None)


def rides_on(rental: Rental, before: Track, after: Track) -> bool:
    """Whether a report shows that the rider goes on after a pause: since it began, the vehicle has moved unlocked."""
    pause = rental.pause
    return (
        pause is not None
        and after.reported_at > pause.started_at
        and after.moved_at > before.moved_at
        and not after.locked
    )
