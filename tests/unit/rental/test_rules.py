"""Decisions about rentals: timers, endings, tracks. No store, no clock but the one given."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kickstand.fleet.errors import VehicleUnavailable
from kickstand.fleet.model import Ability, Action, Category, Command, CommandState, RentTimings, VehicleModel
from kickstand.geo.model import EndRefusal, Verdict
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.rental import rules
from kickstand.rental.errors import EndingRefused, ImplausiblePosition, RentalAlreadyEnded
from kickstand.rental.model import EndReason, Rental, RentalState, SegmentKind, Track
from kickstand.rental.rules import Deadline, Timer
from tests.support.vehicles import vehicle

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
OSLO = Position(longitude=10.75, latitude=59.91)
TIMINGS = RentTimings(
    too_long_notice_s=3600,
    too_long_repeat_s=900,
    stolen_after_s=43200,
    auto_pause_after_s=600,
    max_pause_s=1200,
    max_rental_s=21600,
    command_timeout_s=15,
    start_timeout_s=90,
)
NEVER = RentTimings(
    too_long_notice_s=0, too_long_repeat_s=0, stolen_after_s=0, auto_pause_after_s=0, max_pause_s=0, max_rental_s=0
)
RENTER = rules.Renter(rider_id=7, client_id=1, client_public_id=UUID(int=1), product_id=2)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def started() -> Rental:
    return rules.started(99, RENTER, vehicle(5), NOON)


def riding() -> Rental:
    return rules.unlocked(started(), after(1))


def track(**differently: Any) -> Track:
    return rules.first_track(started()).model_copy(update=differently)


def command(state: CommandState = CommandState.SENT) -> Command:
    return Command(
        id="c",
        vehicle_id=5,
        action=Action.UNLOCK,
        state=state,
        sent_at=after(2),
        event=Event.new("CommandSent", after(2)),
    )


def test_a_start_commits_the_offer_and_the_place() -> None:
    rental = started()
    assert rental.tariff == vehicle(5).offer
    assert (rental.state, rental.version, rental.event.name) == (RentalState.STARTING, 1, "RentalStarted")
    assert [each.kind for each in rental.segments] == [SegmentKind.RIDE]


def test_a_vehicle_in_a_forbidden_place_is_not_taken() -> None:
    forbidden = Verdict(geofence_version=1, ride_start_allowed=False, end_refusal=EndRefusal.NO_GO)
    with pytest.raises(VehicleUnavailable):
        rules.started(99, RENTER, vehicle(5, verdict=forbidden), NOON)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (None, Deadline(Timer.START_TIMEOUT, after(90))),
        (command(), Deadline(Timer.UNLOCK_TIMEOUT, after(17))),
        (command(CommandState.UNCONFIRMED), Deadline(Timer.START_TIMEOUT, after(90))),
    ],
)
def test_a_starting_rental_waits_for_its_vehicle(sent: Command | None, expected: Deadline) -> None:
    assert rules.next_deadline(started(), track(), TIMINGS, sent) == expected


def test_standing_still_puts_a_ride_on_hold() -> None:
    assert rules.next_deadline(riding(), track(), TIMINGS, None) == Deadline(Timer.AUTO_PAUSE, after(600))
    moving = track(moved_at=after(1000))
    assert rules.next_deadline(riding(), moving, TIMINGS, None) == Deadline(Timer.AUTO_PAUSE, after(1600))


def test_what_cannot_be_paused_is_not_paused_for_standing_still() -> None:
    bike = VehicleModel(id=2, name="City", category=Category.BIKE, max_range_m=0, abilities=frozenset())
    timings = rules.timings_for(bike, TIMINGS)
    assert timings == TIMINGS.model_copy(update={"auto_pause_after_s": 0})
    scooter = bike.model_copy(update={"abilities": frozenset({Ability.PAUSE})})
    assert rules.timings_for(scooter, TIMINGS) == TIMINGS


def test_standing_still_counts_from_the_end_of_a_pause() -> None:
    rental = rules.resumed(rules.paused(riding(), after(700), automatic=True), after(1000), unlock=False)
    assert rules.next_deadline(rental, track(), TIMINGS, None) == Deadline(Timer.AUTO_PAUSE, after(1600))


def test_a_pause_runs_out() -> None:
    rental = rules.paused(riding(), after(700), automatic=True)
    assert rules.next_deadline(rental, track(), TIMINGS, None) == Deadline(Timer.PAUSE_EXPIRED, after(1900))


def test_a_long_ride_is_noticed_again_and_again_then_ended() -> None:
    moving = track(moved_at=after(30000))
    rental = riding()
    for number in range(3):
        expected = Deadline(Timer.TOO_LONG_NOTICE, after(3600 + number * 900))
        assert rules.next_deadline(rental, moving, TIMINGS, None) == expected
        rental = rules.noticed(rental, expected.at)
        assert rental.event.data == {"notice": number + 1}
    late = rental.model_copy(update={"notices": 1000})
    assert rules.next_deadline(late, moving, TIMINGS, None) == Deadline(Timer.TOO_LONG, after(21600))


def test_nobody_is_reminded_of_a_ride_that_ends_right_then() -> None:
    timings = NEVER.model_copy(update={"too_long_notice_s": 3600, "too_long_repeat_s": 3600, "max_rental_s": 7200})
    rental = rules.noticed(riding(), after(3600))
    assert rules.next_deadline(rental, track(), timings, None) == Deadline(Timer.TOO_LONG, after(7200))


def test_without_repetition_there_is_one_notice() -> None:
    once = TIMINGS.model_copy(update={"too_long_repeat_s": 0})
    moving = track(moved_at=after(30000))
    rental = rules.noticed(riding(), after(3600))
    assert rules.next_deadline(rental, moving, once, None) == Deadline(Timer.TOO_LONG, after(21600))


def test_a_vehicle_counts_as_stolen_in_the_end() -> None:
    only = NEVER.model_copy(update={"stolen_after_s": 43200})
    assert rules.next_deadline(riding(), track(), only, None) == Deadline(Timer.STOLEN, after(43200))


def test_timers_can_be_switched_off() -> None:
    assert rules.next_deadline(riding(), track(), NEVER, None) is None
    assert rules.next_deadline(rules.paused(riding(), after(9), automatic=False), track(), NEVER, None) is None


def test_an_ending_rental_waits_for_the_lock_and_then_for_nothing() -> None:
    ended = rules.ended(riding(), track(), rules.Ending(EndReason.RIDER, after(60)), after(60))
    assert rules.next_deadline(ended, track(), TIMINGS, None) == Deadline(Timer.LOCK_TIMEOUT, after(75))
    assert rules.next_deadline(rules.completed(ended, after(61)), track(), TIMINGS, None) is None


def test_an_ending_decides_fare_distance_and_place() -> None:
    there = Position(longitude=10.76, latitude=59.92)
    ride = track(distance_m=1300, position=there)
    ended = rules.ended(riding(), ride, rules.Ending(EndReason.RIDER, after(601)), after(601), OSLO)
    assert ended.fare is not None
    assert ended.fare.net == 1000 + 11 * 250
    assert ended.fare.total == sum(line.gross for line in ended.fare.lines)
    assert (ended.vehicle_end, ended.rider_end, ended.distance_m) == (there, OSLO, 1300)
    assert ended.segments[-1].ended_at == ended.ended_at == after(601)
    with pytest.raises(RentalAlreadyEnded):
        rules.ended(ended, ride, rules.Ending(EndReason.RIDER, after(700)), after(700))


def test_a_vehicle_left_unlocked_is_charged_until_it_stopped_and_fined() -> None:
    ride = track(distance_m=1300, moved_at=after(300))
    ending = rules.Ending(EndReason.LEFT_UNLOCKED, ride.moved_at, fine=29000)
    ended = rules.ended(rules.paused(riding(), after(900), automatic=True), ride, ending, after(2100))
    assert ended.ended_at == after(300)
    assert ended.fare is not None
    assert ended.fare.total == (1000 + 5 * 250) * 125 // 100 + 29000 + 1  # 2812.5 øre are rounded per line
    assert ended.event.data == {"reason": "left_unlocked", "fine": 29000, "warned": False}


def test_segments_tell_what_happened_whatever_is_charged_for() -> None:
    paused = rules.paused(riding(), after(700), automatic=True)
    ending = rules.Ending(EndReason.LEFT_UNLOCKED, after(100))
    ended = rules.ended(paused, track(moved_at=after(100)), ending, after(1900))
    assert ended.ended_at == after(100)
    assert [(each.started_at, each.ended_at) for each in ended.segments] == [
        (NOON, after(700)),
        (after(700), after(1900)),
    ]


def test_a_cancelled_rental_costs_nothing() -> None:
    cancelled = rules.cancelled(started(), EndReason.UNLOCK_REJECTED, after(5))
    assert cancelled.fare is not None
    assert (cancelled.fare.total, cancelled.state) == (0, RentalState.CANCELLED)


def test_positions_far_away_are_refused_with_the_likely_reason() -> None:
    rules.check_near(None, OSLO)
    rules.check_near(Position(longitude=10.9, latitude=59.8), OSLO)
    with pytest.raises(ImplausiblePosition, match="swapped"):
        rules.check_near(Position(longitude=59.91, latitude=10.75), OSLO)
    with pytest.raises(ImplausiblePosition, match=r"vehicle$"):
        rules.check_near(Position(longitude=-170, latitude=0), OSLO)


@pytest.mark.parametrize("refusal", EndRefusal)
def test_a_forbidden_place_says_why(refusal: EndRefusal) -> None:
    with pytest.raises(EndingRefused, match=refusal.replace("_", " ")):
        rules.check_may_end(Verdict(geofence_version=1, ride_start_allowed=True, end_refusal=refusal))


def test_jitter_is_not_ridden_but_adds_up() -> None:
    verdict = Verdict(geofence_version=1, ride_start_allowed=True)
    known = track()
    near = Position(longitude=known.position.longitude + 0.00008, latitude=known.position.latitude)  # 4 to 5 m
    known = rules.tracked(known, near, verdict, after(10), locked=False, speed_kmh=0)
    assert (known.distance_m, known.moved_at) == (0, NOON)
    farther = Position(longitude=near.longitude + 0.00016, latitude=near.latitude)
    known = rules.tracked(known, farther, verdict, after(20), locked=False, speed_kmh=0)
    assert 12 <= known.distance_m <= 15
    assert known.moved_at == after(20)


NOWHERE = Position(longitude=0, latitude=0)


def reported(known: Track, *reports: tuple[float, Position]) -> Track:
    for seconds, position in reports:
        known = rules.tracked(known, position, known.verdict, after(seconds), locked=False, speed_kmh=0)
    return known


def east(metres: float) -> Position:
    return Position(longitude=OSLO.longitude + metres / 55_762, latitude=OSLO.latitude)


def test_a_position_that_nothing_reaches_is_not_ridden_to() -> None:
    strayed = reported(track(position=OSLO), (10, NOWHERE))
    assert (strayed.position, strayed.distance_m, strayed.moved_at) == (OSLO, 0, NOON)
    assert (strayed.aside, strayed.reported_at) == (NOWHERE, after(10))
    back = reported(strayed, (20, east(100)))
    assert (back.distance_m, back.position, back.aside) == (100, east(100), None)


def test_a_position_that_is_reported_again_is_where_the_vehicle_is() -> None:
    # It was taken elsewhere before it was rented, or the first position was the wrong one.
    found = reported(track(position=NOWHERE), (10, OSLO), (20, east(5)))
    assert (found.position, found.distance_m, found.aside) == (OSLO, 0, None)
    assert reported(found, (30, east(100))).distance_m == 100
    assert reported(track(position=NOWHERE), (10, OSLO), (20, east(100))).distance_m == 100


def test_one_wrong_position_does_not_confirm_another() -> None:
    lost = reported(track(position=OSLO), (10, NOWHERE), (20, Position(longitude=90, latitude=45)))
    assert (lost.position, lost.distance_m) == (OSLO, 0)


@pytest.mark.parametrize(
    ("seconds", "metres", "ridden"),
    [
        (1, 499, 499),
        (1, 502, 0),
        (8, 502, 0),
        (10, 554, 554),
        (60, 3_300, 3_299),
        (60, 3_400, 0),
        (7_200, 9_999, 9_997),
    ],
)
def test_how_far_something_comes_in_a_time(seconds: float, metres: int, ridden: int) -> None:
    assert reported(track(position=OSLO), (seconds, east(metres))).distance_m == ridden


@given(
    st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=600),
            st.builds(Position, longitude=st.floats(-180, 180), latitude=st.floats(-90, 90))
            | st.builds(east, st.floats(-20_000, 20_000)),
        ),
        max_size=20,
    )
)
def test_nothing_is_ridden_faster_than_anything_rides(steps: list[tuple[int, Position]]) -> None:
    known = track(position=OSLO)
    possible, now = 0.0, 0
    for seconds, position in steps:
        now += seconds
        possible += max(500, 200 / 3.6 * seconds) + 0.5  # metres are rounded
        known = reported(known, (now, position))
    assert known.distance_m <= possible


def test_speed_alone_shows_movement() -> None:
    known = track()
    verdict = known.verdict
    assert rules.tracked(known, known.position, verdict, after(5), locked=False, speed_kmh=8).moved_at == after(5)
