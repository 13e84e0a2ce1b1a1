"""When zones are in force: decided by what the clocks of their city show.

On the night when clocks are put forward, hours that no clock shows do not come; when they are put back, hours that
clocks show twice come twice.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kickstand.geo.model import WEEK, Edition, Geofence, Window

_HORIZON = timedelta(days=7)
_SECOND = timedelta(seconds=1)


def is_timezone(name: str) -> bool:
    """Whether there is a time zone of this IANA name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def in_force(schedule: Sequence[Window], local: datetime) -> bool:
    """Whether a schedule is in force when the clocks of its city show ``local``."""
    return not schedule or any(_covers(window, local) for window in schedule)


def _covers(window: Window, local: datetime) -> bool:
    shown = local.time()
    today, yesterday = WEEK[local.weekday()] in window.days, WEEK[local.weekday() - 1] in window.days
    if window.start < window.end:
        return today and window.start <= shown < window.end
    return (today and window.start <= shown) or (yesterday and shown < window.end)


def edition(geofence: Geofence, at: datetime) -> Edition:
    """Which zones of a geofence are in force at a moment, and for how long; a week at most is looked ahead."""
    tag = f"{geofence.network_id}-{geofence.content_id}"
    if not geofence.schedules:
        return Edition(tag, frozenset(), geofence.published_at, None)
    zone = ZoneInfo(geofence.timezone)
    states = _states(geofence, at, zone)
    mask = sum(1 << place for place, state in enumerate(states) if state)
    now = frozenset(schedule for schedule, state in zip(geofence.schedules, states, strict=True) if state)
    until = next(
        (moment for moment in _moments(geofence, at, zone) if _states(geofence, moment, zone) != states), at + _HORIZON
    )
    return Edition(f"{tag}-{mask:x}", now, at, until)


def _states(geofence: Geofence, at: datetime, zone: ZoneInfo) -> list[bool]:
    local = at.astimezone(zone)
    return [in_force(schedule, local) for schedule in geofence.schedules]


def _moments(geofence: Geofence, at: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Whenever, after ``at``, a window may begin or end: at its own times, or when clocks are put forward or back."""
    times = {each for schedule in geofence.schedules for window in schedule for each in (window.start, window.end)}
    today = at.astimezone(zone).date()
    for day in (today + timedelta(days=number) for number in range(_HORIZON.days + 1)):
        moments = {_instant(day, each, zone, fold) for each in times for fold in (0, 1)}
        moments.update(_adjustments(day, zone))
        yield from sorted(moment for moment in moments if moment > at)


def _adjustments(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """When, if ever, clocks are put forward or back on a local day."""
    begin, end = (_instant(each, time(), zone) for each in (day, day + timedelta(days=1)))
    before = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == before:
        return
    while end - begin > _SECOND:
        middle = begin + (end - begin) // 2
        if middle.astimezone(zone).utcoffset() == before:
            begin = middle
        else:
            end = middle
    yield end.replace(microsecond=0)


def _instant(day: date, clock_time: time, zone: ZoneInfo, fold: int = 0) -> datetime:
    return datetime.combine(day, clock_time.replace(fold=fold), zone).astimezone(UTC)
