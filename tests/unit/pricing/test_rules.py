from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.pricing.model import Fare, FareLine, LineKind, Tariff
from kickstand.pricing.rules import billed_minutes, duration, fare

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
LONG_WAY_M = 5_000.0


def tariff(**changes: object) -> Tariff:
    terms = {"currency": "EUR", "start_price": 100, "price_per_minute": 15, "vat_percent": 19}
    identity = {"id": 1, "network_id": 2, "model_id": 3, "version": 1, "published_at": START}
    return Tariff.model_validate({**terms, **identity, **changes})


tariffs = st.builds(
    tariff,
    start_price=st.integers(0, 1_000_000),
    price_per_minute=st.integers(0, 100_000),
    vat_percent=st.integers(0, 100),
    free_under_s=st.integers(0, 600),
    free_under_m=st.integers(0, 1_000),
)
times = st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.timezones())  # noqa: DTZ001 - hypothesis adds the zone
distances = st.floats(0, 1e6, allow_nan=False)


def test_the_documented_ride_of_twelve_minutes_costs_its_net_price_plus_vat() -> None:
    ride = fare(tariff(), START, START + timedelta(minutes=11, seconds=15), LONG_WAY_M)
    assert (ride.net, ride.vat, ride.total) == (280, 53, 333)
    assert [(line.kind, line.quantity, line.net, line.vat, line.gross) for line in ride.lines] == [
        (LineKind.START, 1, 100, 19, 119),
        (LineKind.MINUTES, 12, 180, 34, 214),
    ]


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [(-3600, 0), (-0.000001, 0), (0, 0), (0.000001, 1), (59.999999, 1), (60, 1), (60.000001, 2), (120, 2), (3600, 60)],
)
def test_every_minute_begun_counts(seconds: float, minutes: int) -> None:
    assert billed_minutes(START, START + timedelta(seconds=seconds)) == minutes


@pytest.mark.parametrize(
    ("started_at", "ended_at", "minutes"),
    [
        # Clocks in Oslo jump from 02:00 to 03:00, and from 03:00 back to 02:00.
        ("2025-03-30T01:50", "2025-03-30T03:10", 20),
        ("2025-10-26T01:50", "2025-10-26T03:10", 140),
        ("2025-12-31T23:55", "2026-01-01T00:05", 10),
        ("2024-02-28T12:00", "2024-03-01T12:00", 2 * 24 * 60),
        ("2020-01-01T00:00", "2025-01-01T00:00", (5 * 365 + 2) * 24 * 60),
    ],
)
def test_local_clocks_do_not_change_what_is_paid(started_at: str, ended_at: str, minutes: int) -> None:
    oslo = ZoneInfo("Europe/Oslo")
    start, end = (datetime.fromisoformat(each).replace(tzinfo=oslo) for each in (started_at, ended_at))
    assert billed_minutes(start, end) == billed_minutes(start.astimezone(UTC), end.astimezone(UTC)) == minutes


@pytest.mark.parametrize(
    ("seconds", "metres", "free"),
    [
        (119.999999, LONG_WAY_M, True),
        (120, LONG_WAY_M, False),
        (600, 99.99, True),
        (600, 100, False),
        (120, 100, False),
        (0, 0, True),
        (-60, LONG_WAY_M, True),
    ],
)
def test_rides_under_two_minutes_or_a_hundred_metres_are_free(seconds: float, metres: float, free: bool) -> None:
    ride = fare(tariff(), START, START + timedelta(seconds=seconds), metres)
    assert (ride.total == 0) is free
    assert (ride.lines[-1].kind is LineKind.SHORT_RIDE) is free


def test_a_tariff_can_switch_the_short_ride_rule_off() -> None:
    ride = fare(tariff(free_under_s=0, free_under_m=0), START, START, 0)
    assert ride.total == 119


def test_a_fine_is_owed_for_a_free_ride_and_carries_no_vat() -> None:
    ride = fare(tariff(), START, START + timedelta(seconds=30), 0, fine=2_500)
    assert (ride.net, ride.vat, ride.total) == (2_500, 0, 2_500)
    assert ride.lines[-1] == FareLine(kind=LineKind.LEFT_UNLOCKED, unit_net=2_500, vat_percent=None, vat=0)


def test_a_waived_ride_is_free_and_says_why() -> None:
    ride = fare(tariff(), START, START + timedelta(minutes=20), LONG_WAY_M, waived=True)
    assert ride.total == ride.net == ride.vat == 0
    assert [line.kind for line in ride.lines] == [LineKind.START, LineKind.MINUTES, LineKind.WAIVER]


def test_a_price_taken_back_takes_the_rounded_vat_back() -> None:
    # 8 % of 10 is 0.8 twice, rounded up twice; of 20 it is 1.6, rounded up once.
    ride = fare(tariff(start_price=10, price_per_minute=10, vat_percent=8), START, START + timedelta(seconds=30), 0)
    assert [line.vat for line in ride.lines] == [1, 1, -2]
    assert ride.total == 0


def test_vat_is_rounded_half_up() -> None:
    ride = fare(
        tariff(start_price=50, price_per_minute=0, vat_percent=25), START, START + timedelta(minutes=3), LONG_WAY_M
    )
    assert ride.vat == 13


@given(tariffs, times, times, distances, st.integers(0, 1_000_000), st.booleans())
def test_a_fare_is_the_sum_of_its_lines(
    terms: Tariff, start: datetime, end: datetime, distance_m: float, fine: int, waived: bool
) -> None:
    ride = fare(terms, start, end, distance_m, fine=fine, waived=waived)
    assert ride.total == sum(line.gross for line in ride.lines) == ride.net + ride.vat
    assert ride.total >= fine
    assert all(type(amount) is int for line in ride.lines for amount in (line.net, line.vat, line.gross, line.quantity))
    assert Fare.model_validate(ride.model_dump(mode="json")) == ride
    if ride.lines[-1].kind in {LineKind.SHORT_RIDE, LineKind.WAIVER}:
        assert ride.total == 0


@given(times, times)
def test_minutes_cover_the_ride_and_no_more_than_a_minute_beyond(start: datetime, end: datetime) -> None:
    paid, ridden = timedelta(minutes=billed_minutes(start, end)), duration(start, end)
    assert ridden <= paid < ridden + timedelta(minutes=1)


@given(tariffs, times, st.timedeltas(timedelta(), timedelta(days=900)), st.timedeltas(timedelta(), timedelta(days=900)))
def test_a_longer_ride_never_costs_less(terms: Tariff, start: datetime, one: timedelta, more: timedelta) -> None:
    begun = start.astimezone(UTC)
    shorter, longer = (fare(terms, begun, begun + each, LONG_WAY_M) for each in (one, one + more))
    assert shorter.total <= longer.total


@given(tariffs, times, st.timedeltas(timedelta(), timedelta(days=900)), st.timezones(), st.timezones())
def test_zones_do_not_change_the_fare(
    terms: Tariff, start: datetime, ridden: timedelta, one: ZoneInfo, two: ZoneInfo
) -> None:
    begun = start.astimezone(UTC)
    ended = begun + ridden
    assert fare(terms, begun, ended, LONG_WAY_M) == fare(
        terms, begun.astimezone(one), ended.astimezone(two), LONG_WAY_M
    )


def test_a_fare_is_no_credit() -> None:
    with pytest.raises(ValidationError, match="not a credit"):
        Fare(currency="EUR", lines=(FareLine(kind=LineKind.WAIVER, unit_net=-1),))


def test_vat_needs_a_rate() -> None:
    with pytest.raises(ValidationError, match="needs a rate"):
        FareLine(kind=LineKind.START, unit_net=100, vat=19)


@pytest.mark.parametrize(
    ("wrong", "value"),
    [
        ("start_price", -1),
        ("price_per_minute", -1),
        ("vat_percent", 101),
        ("currency", "eur"),
        ("version", 0),
        ("start_price", 1.5),
    ],
)
def test_a_tariff_refuses_impossible_terms(wrong: str, value: object) -> None:
    with pytest.raises(ValidationError):
        tariff(**{wrong: value})
