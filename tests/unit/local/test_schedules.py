from datetime import UTC, datetime
from itertools import islice

import pytest

from local.errors import PlatformError
from local.schedules import firings
from local.template import Schedule

AFTER = datetime(2026, 3, 28, 11, 30, tzinfo=UTC)  # a Saturday; summer time begins in Oslo the next night


def times(expression: str, timezone: str = "UTC", count: int = 2) -> list[str]:
    schedule = Schedule("s", "arn:aws:scheduler:x", expression, timezone, [])
    return [moment.strftime("%Y-%m-%d %H:%M") for moment in islice(firings(schedule, AFTER), count)]


@pytest.mark.parametrize(
    ("expression", "timezone", "expected"),
    [
        ("rate(5 minutes)", "UTC", ["2026-03-28 11:35", "2026-03-28 11:40"]),
        ("rate(1 day)", "UTC", ["2026-03-29 11:30", "2026-03-30 11:30"]),
        ("cron(0 12 * * ? *)", "UTC", ["2026-03-28 12:00", "2026-03-29 12:00"]),
        ("cron(0 3 * * ? *)", "Europe/Oslo", ["2026-03-29 01:00", "2026-03-30 01:00"]),
        ("cron(0 8 ? * 2 *)", "UTC", ["2026-03-30 08:00", "2026-04-06 08:00"]),
        ("cron(0 8 ? * MON-FRI *)", "UTC", ["2026-03-30 08:00", "2026-03-31 08:00"]),
        ("cron(0 8 ? * 1#1 *)", "UTC", ["2026-04-05 08:00", "2026-05-03 08:00"]),
        ("cron(0/20 11 28 3 ? *)", "UTC", ["2026-03-28 11:40", "2027-03-28 11:00"]),
        ("cron(0 8 1 1 ? 2028)", "UTC", ["2028-01-01 08:00"]),
        ("at(2026-03-29T12:00:00)", "Europe/Oslo", ["2026-03-29 10:00"]),
        ("at(2026-03-01T12:00:00)", "UTC", []),
    ],
)
def test_schedules_fire_as_on_aws(expression: str, timezone: str, expected: list[str]) -> None:
    assert times(expression, timezone) == expected


@pytest.mark.parametrize("expression", ["sometimes", "cron(0 12 * *)", "cron(61 12 * * ? *)"])
def test_an_expression_that_cannot_be_read_is_said(expression: str) -> None:
    with pytest.raises(PlatformError):
        times(expression)
