from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kickstand.fleet.model import Category
from kickstand.insights import rules
from kickstand.insights.model import Ride, Statistics, Tally
from kickstand.pricing.model import Fare
from kickstand.rental.model import EndReason, Segment, SegmentKind
from tests.support import samples

NOON = datetime(2025, 6, 14, 12, tzinfo=UTC)
MIDNIGHT = datetime(2025, 6, 14, tzinfo=UTC)
DAY = timedelta(days=1)


def ride(
    started_at: datetime = NOON, *, category: Category = Category.BIKE, distance_m: int = 0, currency: str = "NOK"
) -> Ride:
    return Ride(
        rental_id=1,
        started_at=started_at,
        category=category,
        distance_m=distance_m,
        riding_ms=90_500,
        currency=currency,
        spent=100,
    )


# ── rides ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ride_is_what_its_rental_came_to() -> None:
    rental = samples.ended_rental(distance_m=2_840)
    counted = rules.ride(rental, Category.SCOOTER)
    assert (counted.rental_id, counted.started_at) == (rental.id, rental.started_at)
    assert (counted.category, counted.distance_m) == (Category.SCOOTER, 2_840)
    assert (counted.currency, counted.spent) == ("EUR", 333)


def segment(kind: SegmentKind, start: float, end: float) -> Segment:
    started_at, ended_at = (samples.START + timedelta(seconds=each) for each in (start, end))
    return Segment(kind=kind, started_at=started_at, ended_at=ended_at)


def test_pauses_are_not_ridden() -> None:
    segments = (
        segment(SegmentKind.RIDE, 0, 60.25),
        segment(SegmentKind.PAUSE, 60.25, 600),
        segment(SegmentKind.RIDE, 600, 700.5),
        # The clock was set back.
        segment(SegmentKind.RIDE, 700.5, 700),
    )
    assert rules.ride(samples.ended_rental(12, segments=segments), Category.BIKE).riding_ms == 160_750


@pytest.mark.parametrize(
    ("charged_minutes", "riding_ms"), [(5, 60_000), (15, 360_000), (0.5, 30_000), (60, 3_060_000), (600, 3_060_000)]
)
def test_what_is_not_charged_is_not_ridden(charged_minutes: float, riding_ms: int) -> None:
    # It was ended for having been left, long after the moment to which it is charged.
    segments = (
        segment(SegmentKind.RIDE, 0, 60),
        segment(SegmentKind.PAUSE, 60, 600),
        segment(SegmentKind.RIDE, 600, 3_600),
    )
    rental = samples.ended_rental(charged_minutes, segments=segments, end_reason=EndReason.STOLEN)
    assert rules.ride(rental, Category.BIKE).riding_ms == riding_ms


def test_a_ride_is_paid_in_the_currency_of_its_fare() -> None:
    rental = samples.ended_rental(fare=Fare(currency="NOK"))
    assert (rules.ride(rental, Category.BIKE).currency, rules.ride(rental, Category.BIKE).spent) == ("NOK", 0)


def test_a_day_is_one_of_utc() -> None:
    oslo = timezone(timedelta(hours=2))
    assert rules.day_of(datetime(2025, 6, 15, 1, 59, tzinfo=oslo)) == date(2025, 6, 14)
    assert rules.day_of(datetime(2025, 6, 15, 2, tzinfo=oslo)) == date(2025, 6, 15)


# ── figures ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_documented_way_saves_and_burns_what_is_documented() -> None:
    figures = rules.statistics([], [ride(distance_m=123_450)])
    assert (figures.co2_saved_g, figures.burned_kcal) == (14_814, 3_703)


@pytest.mark.parametrize(
    ("category", "grams", "kcal"),
    [
        (Category.BIKE, 120, 30),
        (Category.E_BIKE, 120, 20),
        (Category.E_BIKE_CHILD_SEAT, 120, 20),
        (Category.SCOOTER, 120, 0),
        (Category.MOPED, 0, 0),
        (Category.CAR, 0, 0),
    ],
)
def test_a_kilometre_on_each_kind_of_vehicle(category: Category, grams: int, kcal: int) -> None:
    figures = rules.statistics([], [ride(category=category, distance_m=1_000)])
    assert (figures.distance_m, figures.co2_saved_g, figures.burned_kcal) == (1_000, grams, kcal)


def test_what_is_rounded_is_the_sum() -> None:
    figures = rules.statistics([], [ride(distance_m=33) for _ in range(10)])
    # A single ride of 33 metres would save 3 grams and burn nothing.
    assert (figures.co2_saved_g, figures.burned_kcal, figures.riding_s) == (39, 9, 905)


def test_currencies_are_summed_apart() -> None:
    figures = rules.statistics([], [ride(), ride(currency="EUR"), ride()])
    assert figures.spent == {"EUR": 100, "NOK": 200}


def test_nothing_ridden_is_nothing() -> None:
    nothing = Statistics(rides=0, distance_m=0, riding_s=0, co2_saved_g=0, burned_kcal=0, spent={})
    assert rules.statistics([], []) == nothing


# ── ranges ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("since", "until", "whole", "cut"),
    [
        (MIDNIGHT, None, (date(2025, 6, 14), None), ()),
        (NOON, None, (date(2025, 6, 15), None), (date(2025, 6, 14),)),
        (MIDNIGHT, MIDNIGHT + DAY, (date(2025, 6, 14), date(2025, 6, 15)), ()),
        (MIDNIGHT, NOON, None, (date(2025, 6, 14),)),
        (NOON, NOON + timedelta(hours=1), None, (date(2025, 6, 14),)),
        (NOON, MIDNIGHT + DAY, None, (date(2025, 6, 14),)),
        (NOON, NOON + DAY, None, (date(2025, 6, 14), date(2025, 6, 15))),
        (NOON, NOON + 2 * DAY, (date(2025, 6, 15), date(2025, 6, 16)), (date(2025, 6, 14), date(2025, 6, 16))),
        (MIDNIGHT, MIDNIGHT, None, ()),
        (NOON, NOON, None, (date(2025, 6, 14),)),
    ],
)
def test_a_range_is_whole_days_and_what_it_cuts(
    since: datetime, until: datetime | None, whole: tuple[date, date | None] | None, cut: tuple[date, ...]
) -> None:
    span = rules.cut(since, until)
    assert ((span.first_day, span.end_day) if span.has_whole_days else None) == whole
    assert span.cut_days == cut


moments = st.datetimes(
    datetime(2025, 6, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2025, 6, 9),  # noqa: DTZ001
    timezones=st.timezones(),
)
midnights = st.dates(date(2025, 6, 1), date(2025, 6, 9)).map(lambda day: datetime.combine(day, time(), UTC))


@given(
    st.lists(st.tuples(moments | midnights, st.sampled_from(Category), st.integers(0, 9_999)), max_size=20),
    moments | midnights,
    st.none() | moments | midnights,
)
def test_days_and_cut_days_together_are_exactly_the_rides_of_the_range(
    ridden: list[tuple[datetime, Category, int]], since: datetime, until: datetime | None
) -> None:
    rides = [ride(at, category=category, distance_m=metres) for at, category, metres in ridden]
    expected = rules.statistics(
        [], [each for each in rides if each.started_at >= since and (until is None or each.started_at < until)]
    )
    span = rules.cut(since, until)

    whole = [
        Tally(rider_id=1, day=rules.day_of(each.started_at), rides=1, **each.model_dump(include=_SUMMED))
        for each in rides
        if span.has_whole_days
        and span.first_day <= rules.day_of(each.started_at)
        and (span.end_day is None or rules.day_of(each.started_at) < span.end_day)
    ]
    single = [
        each for each in rides if rules.day_of(each.started_at) in span.cut_days and span.contains(each.started_at)
    ]
    assert rules.statistics(whole, single) == expected


_SUMMED = {"currency", "category", "distance_m", "riding_ms", "spent"}


@given(st.datetimes(timezones=st.timezones()), st.none() | st.datetimes(timezones=st.timezones()))
@example(datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), None)
@example(datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), datetime.max.replace(tzinfo=UTC))
@example(datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=timezone(timedelta(hours=14))))
def test_every_moment_that_can_be_said_can_be_asked_for(since: datetime, until: datetime | None) -> None:
    assert len(rules.cut(since, until).cut_days) <= 2
