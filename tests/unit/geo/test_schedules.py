import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kickstand.geo import rules
from kickstand.geo.geometry import Judge, checked
from kickstand.geo.model import (
    WEEK,
    AreaType,
    Edition,
    EndRefusal,
    Geofence,
    MultiPolygon,
    Parking,
    Weekday,
    Window,
    Zone,
)
from tests.support.zones import OSLO, at, square, zone

MONDAY = datetime(2026, 6, 1, tzinfo=ZoneInfo("Europe/Oslo"))
WORKDAYS = WEEK[:5]


def window(start: str, end: str, *days: Weekday) -> Window:
    return Window(days=days or WEEK, start=time.fromisoformat(start), end=time.fromisoformat(end))


def geofence(*schedules: tuple[Window, ...], timezone: str = "Europe/Oslo") -> Geofence:
    return Geofence(
        network_id=1,
        version=1,
        content_id=5,
        parts=1,
        zone_count=1,
        parking=Parking.FREE_FLOATING,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        timezone=timezone,
        schedules=schedules,
    )


def local(text: str, timezone: str = "Europe/Oslo", fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone), fold=fold)


# ── Windows ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("schedule", "shown", "expected"),
    [
        ((), "2026-06-01T03:00", True),
        ((window("08:00", "16:00"),), "2026-06-01T07:59", False),
        ((window("08:00", "16:00"),), "2026-06-01T08:00", True),
        ((window("08:00", "16:00"),), "2026-06-01T15:59:59", True),
        ((window("08:00", "16:00"),), "2026-06-01T16:00", False),
        ((window("08:00", "16:00", *WORKDAYS),), "2026-06-06T12:00", False),  # a Saturday
        ((window("22:00", "05:00", Weekday.FRI),), "2026-06-05T21:59", False),
        ((window("22:00", "05:00", Weekday.FRI),), "2026-06-05T23:00", True),
        ((window("22:00", "05:00", Weekday.FRI),), "2026-06-06T04:59", True),
        ((window("22:00", "05:00", Weekday.FRI),), "2026-06-06T05:00", False),
        ((window("22:00", "05:00", Weekday.FRI),), "2026-06-05T03:00", False),
        ((window("22:00", "05:00", Weekday.SUN),), "2026-06-01T03:00", True),  # begun on the Sunday before
        ((window("22:00", "00:00", Weekday.SUN),), "2026-06-01T00:00", False),
        ((window("00:00", "00:00", Weekday.MON),), "2026-06-01T23:59", True),
        ((window("00:00", "00:00", Weekday.MON),), "2026-06-02T00:00", False),
        ((window("06:00", "06:00", Weekday.MON),), "2026-06-02T05:59", True),
        ((window("08:00", "09:00"), window("15:00", "16:00")), "2026-06-01T15:30", True),
        ((window("08:00", "09:00"), window("15:00", "16:00")), "2026-06-01T12:00", False),
    ],
)
def test_a_zone_is_in_force_when_the_citys_clocks_say_so(
    schedule: tuple[Window, ...], shown: str, expected: bool
) -> None:
    assert rules.in_force(schedule, datetime.fromisoformat(shown)) is expected


def test_days_are_kept_in_the_order_of_the_week_and_once() -> None:
    assert window("08:00", "09:00", Weekday.SUN, Weekday.MON, Weekday.SUN).days == (Weekday.MON, Weekday.SUN)


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": [], "start": "08:00", "end": "09:00"},
        {"days": ["monday"], "start": "08:00", "end": "09:00"},
        {"days": ["mon"], "start": "24:00", "end": "09:00"},
        {"days": ["mon"], "start": "08:00:30", "end": "09:00"},
        {"days": ["mon"], "start": "08:00+02:00", "end": "09:00"},
    ],
)
def test_a_window_is_whole_minutes_on_some_days(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate(wrong)


def test_time_zones_are_known_by_their_names() -> None:
    assert rules.is_timezone("America/Argentina/Buenos_Aires")
    for wrong in ("Europe/Bergen", "", "../etc/passwd", "/etc/localtime", "Europe", "x\0y"):
        assert not rules.is_timezone(wrong)


# ── Editions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def changes(of: Geofence, begin: datetime, end: datetime) -> Iterator[tuple[str, bool]]:
    """When something comes into force or goes out of it, as the clocks of the city show it."""
    edition = rules.edition(of, begin)
    while edition.until is not None and edition.until < end:
        following = rules.edition(of, edition.until)
        if following.tag != edition.tag:
            yield f"{edition.until.astimezone(ZoneInfo(of.timezone)):%m-%d %H:%M}", bool(following.in_force)
        edition = following


def test_an_edition_without_schedules_lasts_for_ever() -> None:
    edition = rules.edition(geofence(), MONDAY)
    assert (edition.tag, edition.until) == ("1-5", None)
    assert edition.shows(zone(1))
    assert edition.max_age(MONDAY, 3600) == 3600


def test_an_edition_lasts_until_something_comes_into_force_or_goes() -> None:
    school, nights = (window("07:30", "16:00", *WORKDAYS),), (window("23:00", "05:00"),)
    of = geofence(school, nights)
    monday = rules.edition(of, MONDAY + timedelta(hours=12))
    assert monday.in_force == {school}
    assert monday.until == local("2026-06-01T16:00")
    evening = rules.edition(of, MONDAY + timedelta(hours=17))
    assert evening.in_force == frozenset()
    assert evening.until == local("2026-06-01T23:00")
    assert len({monday.tag, evening.tag, rules.edition(of, MONDAY).tag}) == 3
    assert rules.edition(of, MONDAY + timedelta(days=1, hours=12)).tag == monday.tag


def test_what_begins_when_another_ends_is_no_change_where_nothing_changes() -> None:
    of = geofence((window("08:00", "12:00"), window("12:00", "16:00")))
    assert rules.edition(of, MONDAY + timedelta(hours=9)).until == local("2026-06-01T16:00")


def test_an_edition_is_looked_at_again_after_a_week() -> None:
    always = rules.edition(geofence((window("00:00", "00:00"),)), MONDAY)
    assert always.until == MONDAY + timedelta(days=7)
    assert always.in_force


def test_the_age_of_an_answer_ends_with_its_edition() -> None:
    edition = rules.edition(geofence((window("08:00", "12:00"),)), MONDAY + timedelta(hours=9))
    assert edition.max_age(MONDAY + timedelta(hours=9), 6 * 3600) == 3 * 3600
    assert edition.max_age(MONDAY + timedelta(hours=9), 60) == 60
    assert edition.max_age(MONDAY + timedelta(hours=11, minutes=59, seconds=59, milliseconds=500), 60) == 0
    assert edition.holds_at(MONDAY + timedelta(hours=11))
    assert not edition.holds_at(MONDAY + timedelta(hours=12))
    assert not edition.holds_at(MONDAY + timedelta(hours=8))


# ── Nights on which clocks change ────────────────────────────────────────────────────────────────────────────────────

SPRING = (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC))
AUTUMN = (datetime(2026, 10, 24, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("hours", "night", "expected"),
    [
        # In spring clocks jump from 02:00 to 03:00.
        (("02:15", "02:45"), SPRING, []),
        (("01:00", "02:30"), SPRING, [("03-29 01:00", True), ("03-29 03:00", False)]),
        (("02:30", "04:00"), SPRING, [("03-29 03:00", True), ("03-29 04:00", False)]),
        (("23:00", "05:00"), SPRING, [("03-28 23:00", True), ("03-29 05:00", False)]),
        # In autumn they show everything from 02:00 to 03:00 twice.
        (
            ("02:15", "02:45"),
            AUTUMN,
            [("10-25 02:15", True), ("10-25 02:45", False), ("10-25 02:15", True), ("10-25 02:45", False)],
        ),
        (
            ("01:00", "02:30"),
            AUTUMN,
            [("10-25 01:00", True), ("10-25 02:30", False), ("10-25 02:00", True), ("10-25 02:30", False)],
        ),
        (("01:00", "04:00"), AUTUMN, [("10-25 01:00", True), ("10-25 04:00", False)]),
    ],
)
def test_on_such_a_night_the_clocks_on_the_wall_count(
    hours: tuple[str, str], night: tuple[datetime, datetime], expected: list[tuple[str, bool]]
) -> None:
    assert list(changes(geofence((window(*hours),)), *night)) == expected


def test_a_city_whose_clocks_jump_at_midnight() -> None:
    of = geofence((window("00:30", "02:00"),), timezone="Africa/Cairo")  # 2026-04-24 00:00 becomes 01:00
    begin = datetime(2026, 4, 23, 18, tzinfo=UTC)
    assert list(changes(of, begin, begin + timedelta(hours=12))) == [("04-24 01:00", True), ("04-24 02:00", False)]


times = st.times().map(lambda each: each.replace(second=0, microsecond=0))
windows = st.builds(Window, days=st.sets(st.sampled_from(WEEK), min_size=1).map(tuple), start=times, end=times)
seasons = st.sampled_from(
    [datetime(2026, 3, 25, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 10, 21, tzinfo=UTC)]
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(windows, min_size=1, max_size=3),
    seasons,
    st.integers(0, 7 * 24 * 60),
    st.sampled_from(["Europe/Oslo", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_nothing_changes_within_an_edition(
    schedule: list[Window], season: datetime, minutes: int, timezone: str
) -> None:
    of = geofence(tuple(schedule), timezone=timezone)
    begin = season + timedelta(minutes=minutes, seconds=7)
    edition = rules.edition(of, begin)
    assert edition.until is not None
    moment = begin
    while moment < edition.until:
        assert rules.edition(of, moment).tag == edition.tag
        moment += timedelta(minutes=1 + (edition.until - begin) // timedelta(hours=3))
    last = edition.until - timedelta(seconds=1)
    assert rules.edition(of, max(begin, last)).tag == edition.tag
    if edition.until < begin + timedelta(days=7):
        assert rules.edition(of, edition.until).tag != edition.tag


# ── Judging ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_zone_that_is_not_in_force_means_nothing() -> None:
    closed = zone(2, AreaType.NO_PARKING, ring=square(500)).model_copy(update={"schedule": (window("08:00", "16:00"),)})
    judge = Judge(1, Parking.FREE_FLOATING, checked([zone(1), closed]))
    of = geofence(closed.schedule)
    day, night = (rules.edition(of, MONDAY + timedelta(hours=hour)) for hour in (12, 20))
    assert judge.verdict(OSLO, day).end_refusal is EndRefusal.NO_PARKING
    assert judge.verdict(OSLO, night).end_refusal is None
    assert judge.verdict(OSLO).end_refusal is EndRefusal.NO_PARKING


def test_of_zones_with_different_hours_those_in_force_count() -> None:
    nights, days = (window("22:00", "06:00"),), (window("06:00", "22:00"),)
    slow = zone(2, AreaType.SLOW_ZONE, ring=square(500), speed=6).model_copy(update={"schedule": nights})
    slower = zone(3, AreaType.SLOW_ZONE, ring=square(500), speed=12).model_copy(update={"schedule": days})
    judge = Judge(1, Parking.FREE_FLOATING, checked([zone(1), slow, slower]))
    of = geofence(nights, days)
    limits = {
        hour: judge.verdict(OSLO, rules.edition(of, MONDAY + timedelta(hours=hour))).max_speed_kmh
        for hour in (5, 6, 21, 22)
    }
    assert limits == {5: 6, 6: 12, 21: 12, 22: 6}


def test_editions_show_what_has_no_schedule() -> None:
    nothing = Edition("1-5-0", frozenset(), MONDAY, None)
    assert nothing.shows(zone(1))
    assert not nothing.shows(zone(1).model_copy(update={"schedule": (window("08:00", "16:00"),)}))


# ── Centroids and bounds ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_centroid_of_a_square_is_its_middle() -> None:
    (normal,) = checked([zone(1)])
    assert normal.centroid == pytest.approx((OSLO.longitude, OSLO.latitude), abs=2e-7)


def test_a_hole_moves_the_centroid_away() -> None:
    (normal,) = checked([zone(1, holes=[square(1000, at(2500, 0))])])
    assert normal.centroid is not None
    assert normal.centroid[0] < OSLO.longitude


def test_the_centroid_of_a_horseshoe_lies_outside_of_it() -> None:
    ring = [at(*point) for point in ((0, 0), (900, 0), (900, 100), (100, 100), (100, 800), (900, 800), (900, 900))]
    corners = [(each.longitude, each.latitude) for each in [*ring, at(0, 900), ring[0]]]
    (_, horseshoe) = checked([zone(1), zone(2, AreaType.SLOW_ZONE, ring=corners)])
    assert horseshoe.centroid is not None
    judge = Judge(1, Parking.FREE_FLOATING, [horseshoe])
    longitude, latitude = horseshoe.centroid
    assert judge.covering(OSLO.model_copy(update={"longitude": longitude, "latitude": latitude})) == []


def test_zones_of_earlier_versions_have_neither_schedule_nor_centroid() -> None:
    kept = zone(1).model_dump(mode="json", exclude_none=True)
    del kept["schedule"]
    old = Zone.model_validate_json(json.dumps(kept))
    assert (old.schedule, old.centroid) == ((), None)
    assert isinstance(old.geometry, MultiPolygon)
