from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.pricing import rules
from kickstand.pricing.errors import PlanNotValid
from kickstand.pricing.model import Allowance, Fare, FareLine, LineKind, PlanUsage, PlanUse, PricingPlan

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
TODAY, TOMORROW = date(2025, 6, 1), date(2025, 6, 2)
NOTHING_LEFT = Allowance()


def plan(**changes: Any) -> PricingPlan:
    """10 kroner for 30 minutes, then one for each, of which 15 a day are free; VAT of 25 % on everything."""
    values = {
        "id": 24,
        "client_id": 5,
        "name": "Day pass",
        "currency": "NOK",
        "vat_percent": 25,
        "trip_price": 1_000,
        "included_minutes": 30,
        "price_per_minute": 100,
        "free_minutes_per_day": 15,
        "free_floating_fee": 2_000,
        "registration_fee": 5_000,
        "reservation_price_per_minute": 50,
    }
    return PricingPlan.model_validate(values | changes)


def left(minutes: int, used: int = 0, **changes: Any) -> Allowance:
    return Allowance(day=TODAY, free_minutes_used=used, free_minutes_left=minutes, **changes)


def ridden(minutes: float, allowance: Allowance = NOTHING_LEFT, *, docked: bool = True, **changes: Any) -> Fare:
    return rules.plan_fare(plan(**changes), allowance, START, START + timedelta(minutes=minutes), docked=docked)


def lines(fare: Fare) -> list[tuple[LineKind, int, int, int]]:
    return [(line.kind, line.quantity, line.unit_net, line.gross) for line in fare.lines]


plans = st.builds(
    plan,
    vat_percent=st.integers(0, 100),
    trip_price=st.integers(0, 100_000),
    included_minutes=st.integers(0, 200),
    price_per_minute=st.integers(0, 10_000),
    free_minutes_per_day=st.integers(0, 1440),
    free_floating_fee=st.integers(0, 100_000),
    registration_fee=st.integers(0, 100_000),
    reservation_price_per_minute=st.integers(0, 10_000),
)
uses = st.none() | st.builds(
    PlanUse,
    plan_id=st.just(24),
    user=st.just("5#a"),
    day=st.none() | st.dates(date(2025, 5, 1), date(2025, 7, 1)),
    minutes=st.integers(0, 2_000),
)
allowances = st.builds(lambda plan, use: (plan, rules.allowance(plan, use, TODAY)), plans, uses)
times = st.timedeltas(timedelta(days=-1), timedelta(days=60))


@pytest.mark.parametrize(
    ("minutes", "beyond"), [(-5, 0), (0, 0), (0.1, 0), (30, 0), (30.01, 1), (31, 1), (90, 60), (24 * 60, 1_410)]
)
def test_the_price_of_the_ride_covers_its_minutes_and_those_beyond_are_paid_for(minutes: float, beyond: int) -> None:
    fare = ridden(minutes)
    assert lines(fare)[0] == (LineKind.TRIP, 1, 1_000, 1_250)
    assert lines(fare)[1:] == ([(LineKind.EXTENDED_RENTAL, beyond, 100, beyond * 125)] if beyond else [])


@pytest.mark.parametrize(("free_minutes", "used"), [(0, 0), (4, 4), (10, 10), (15, 10)])
def test_free_minutes_are_taken_back_from_those_beyond_and_no_others(free_minutes: int, used: int) -> None:
    fare = ridden(40, left(free_minutes))
    assert lines(fare)[2:] == ([(LineKind.FREE_MINUTES_PER_DAY, used, -100, -125 * used)] if used else [])
    assert fare.total == 1_250 + 125 * (10 - used)


def test_minutes_that_cost_nothing_use_up_none_that_are_free() -> None:
    fare = ridden(40, left(15), price_per_minute=0)
    assert lines(fare) == [(LineKind.TRIP, 1, 1_000, 1_250), (LineKind.EXTENDED_RENTAL, 10, 0, 0)]
    assert rules.usage(plan(), left(15), fare).free_minutes_left == 15


def test_a_vehicle_that_belongs_into_a_dock_costs_a_fee_elsewhere() -> None:
    assert lines(ridden(5, docked=False))[1:] == [(LineKind.FREE_FLOATING_DOCKING_FEE, 1, 2_000, 2_500)]
    assert lines(ridden(5, docked=False, free_floating_fee=0))[1:] == []


def test_the_first_ride_registers_the_rider() -> None:
    assert lines(ridden(5, left(15, registration_due=True)))[1:] == [(LineKind.REGISTRATION_FEE, 1, 5_000, 6_250)]
    assert lines(ridden(5, left(15, registration_due=True), registration_fee=0))[1:] == []


def test_a_fine_carries_no_vat() -> None:
    fare = rules.plan_fare(plan(), NOTHING_LEFT, START, START, docked=True, fine=2_500)
    assert fare.lines[-1] == FareLine(kind=LineKind.LEFT_UNLOCKED, unit_net=2_500)


def test_everything_at_once_in_the_order_of_a_receipt() -> None:
    fare = rules.plan_fare(
        plan(), left(15, registration_due=True), START, START + timedelta(hours=1), docked=False, fine=1
    )
    assert [line.kind for line in fare.lines] == [
        LineKind.TRIP,
        LineKind.EXTENDED_RENTAL,
        LineKind.FREE_MINUTES_PER_DAY,
        LineKind.FREE_FLOATING_DOCKING_FEE,
        LineKind.REGISTRATION_FEE,
        LineKind.LEFT_UNLOCKED,
    ]
    assert fare.total == 1_250 + 15 * 125 + 2_500 + 6_250 + 1


@pytest.mark.parametrize(("seconds", "minutes"), [(-1, 0), (0, 0), (1, 1), (60, 1), (61, 2), (900, 15)])
def test_a_reservation_costs_every_minute_begun(seconds: int, minutes: int) -> None:
    fare = rules.reservation_fare(plan(), START, START + timedelta(seconds=seconds))
    assert [(line.kind, line.quantity, line.net) for line in fare.lines] == (
        [(LineKind.RESERVATION, minutes, 50 * minutes)] if minutes else []
    )
    assert fare.currency == "NOK"


def test_a_free_reservation_has_no_lines() -> None:
    fare = rules.reservation_fare(plan(reservation_price_per_minute=0), START, START + timedelta(hours=1))
    assert fare == Fare(currency="NOK")


# ── allowances ────────────────────────────────────────────────────────────────────────────────────────────────────────


def use(day: date | None, minutes: int) -> PlanUse:
    return PlanUse(plan_id=24, user="5#a", day=day, minutes=minutes)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (None, Allowance(day=TODAY, free_minutes_left=15, registration_due=True)),
        (use(None, 0), left(15)),
        (use(TODAY - timedelta(days=1), 15), left(15)),
        (use(TODAY, 4), left(11, used=4)),
        (use(TODAY, 15), left(0, used=15)),
        # The plan has fewer minutes than it had this morning.
        (use(TODAY, 40), left(0, used=40)),
        # The clock was set back, or the last ride began further east.
        (use(TOMORROW, 4), Allowance(day=TOMORROW, free_minutes_used=4, free_minutes_left=11)),
    ],
)
def test_what_is_left_of_a_day(before: PlanUse | None, expected: Allowance) -> None:
    assert rules.allowance(plan(), before, TODAY) == expected


def test_a_plan_without_free_minutes_has_no_days() -> None:
    assert rules.allowance(plan(free_minutes_per_day=0), use(TODAY, 4), TODAY) == Allowance()
    assert rules.allowance(plan(free_minutes_per_day=0), None, TODAY) == Allowance(registration_due=True)


def test_what_a_ride_has_used() -> None:
    allowance = left(11, used=4)
    fare = ridden(36, allowance)
    assert rules.usage(plan(), allowance, fare) == PlanUsage(
        included_minutes=30, free_minutes_used=6, free_minutes_left=5
    )
    assert rules.use_after(plan(), "5#a", allowance, fare) == use(TODAY, 10)


def test_a_ride_that_uses_nothing_is_kept_only_as_the_first() -> None:
    assert rules.use_after(plan(), "5#a", left(15), ridden(5, left(15))) is None
    first = left(15, registration_due=True)
    assert rules.use_after(plan(), "5#a", first, ridden(5, first)) == use(TODAY, 0)


@given(plans, st.lists(st.tuples(st.integers(0, 3), times), max_size=12))
def test_free_minutes_never_exceed_a_days(plan: PricingPlan, rides: list[tuple[int, timedelta]]) -> None:
    """Rides on days in any order; each is charged with what the ones before it have left."""
    so_far, given_away = None, dict[date, int]()
    for day, length in rides:
        allowance = rules.allowance(plan, so_far, TODAY + timedelta(days=day))
        fare = rules.plan_fare(plan, allowance, START, START + length, docked=True)
        usage = rules.usage(plan, allowance, fare)
        assert usage.free_minutes_left >= 0
        if allowance.day is not None:
            given_away[allowance.day] = given_away.get(allowance.day, 0) + usage.free_minutes_used
        so_far = rules.use_after(plan, "5#a", allowance, fare) or so_far
    assert all(minutes <= plan.free_minutes_per_day for minutes in given_away.values())


@given(plans, st.lists(times, min_size=1, max_size=6))
def test_a_rider_registers_once(plan: PricingPlan, rides: list[timedelta]) -> None:
    so_far, registered = None, 0
    for length in rides:
        allowance = rules.allowance(plan, so_far, TODAY)
        fare = rules.plan_fare(plan, allowance, START, START + length, docked=True)
        registered += sum(line.kind is LineKind.REGISTRATION_FEE for line in fare.lines)
        so_far = rules.use_after(plan, "5#a", allowance, fare) or so_far
    assert registered == bool(plan.registration_fee)


# ── fares at a plan ───────────────────────────────────────────────────────────────────────────────────────────────────


@given(allowances, times, st.booleans(), st.integers(0, 100_000))
def test_a_fare_is_the_sum_of_its_lines_and_never_negative(
    given: tuple[PricingPlan, Allowance], length: timedelta, docked: bool, fine: int
) -> None:
    plan, allowance = given
    fare = rules.plan_fare(plan, allowance, START, START + length, docked=docked, fine=fine)
    assert fare.total == sum(line.gross for line in fare.lines) >= fine
    assert fare.net >= 0
    assert fare.vat >= 0
    assert all(type(amount) is int for line in fare.lines for amount in (line.net, line.vat, line.quantity))
    assert Fare.model_validate(fare.model_dump(mode="json")) == fare


@given(allowances, times, st.timedeltas(timedelta(), timedelta(days=2)), st.booleans())
def test_more_minutes_are_never_cheaper(
    given: tuple[PricingPlan, Allowance], length: timedelta, more: timedelta, docked: bool
) -> None:
    plan, allowance = given
    shorter, longer = (
        rules.plan_fare(plan, allowance, START, START + each, docked=docked) for each in (length, length + more)
    )
    assert shorter.total <= longer.total


@given(allowances, times, st.timezones(), st.timezones())
def test_zones_do_not_change_a_fare(
    given: tuple[PricingPlan, Allowance], length: timedelta, one: Any, two: Any
) -> None:
    plan, allowance = given
    here, there = (
        rules.plan_fare(plan, allowance, START.astimezone(zone), (START + length).astimezone(other), docked=True)
        for zone, other in ((one, two), (two, one))
    )
    assert here == there


@given(plans, times)
def test_a_reservation_is_never_negative(plan: PricingPlan, length: timedelta) -> None:
    fare = rules.reservation_fare(plan, START, START + length)
    assert fare.total == sum(line.gross for line in fare.lines) >= 0


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_is_for_networks_with_its_currency() -> None:
    rules.check_currency(plan(), "NOK")
    with pytest.raises(PlanNotValid):
        rules.check_currency(plan(), "EUR")


@pytest.mark.parametrize(
    ("most", "points", "tolerated"), [(None, 999, True), (3, 3, True), (3, 4, False), (0, 1, False)]
)
def test_a_plan_tolerates_penalty_points_up_to_its_limit(most: int | None, points: int, tolerated: bool) -> None:
    assert plan(max_penalty_points=most).tolerates(points) is tolerated


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("name", ""),
        ("name", "x" * 256),
        ("currency", "kr"),
        ("vat_percent", 101),
        ("trip_price", -1),
        ("trip_price", 1.5),
        ("included_minutes", -1),
        ("price_per_minute", -1),
        ("free_minutes_per_day", 1_441),
        ("free_floating_fee", -1),
        ("registration_fee", -1),
        ("reservation_price_per_minute", -1),
        ("penalty_after_s", -1),
        ("penalty_points", 0),
        ("penalty_points", 101),
        ("max_penalty_points", -1),
        ("state", "closed"),
        ("penalty_repeat_s", 60),
    ],
)
def test_a_plan_refuses_impossible_terms(wrong: str, value: object) -> None:
    with pytest.raises(ValidationError):
        plan(**{wrong: value})
