"""Schedules: rate, cron and one-time expressions, fired on virtual time."""

import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from local.bus import Delivery
from local.clock import Clock, Timer
from local.errors import PlatformError
from local.stacks import ACCOUNT, REGION
from local.template import Schedule
from local.types import Json

_EXPRESSION = re.compile(r"^(rate|cron|at)\((.+)\)$")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_CRON_FIELDS = 6
_SUNDAY_FIRST = re.compile(r"(?<![#\d])([1-7])(?!\d)")


class Schedules:
    """Fires every schedule when its time comes.

    When time jumps over several firings of one schedule, it fires once: each run works on what is due by then.
    """

    def __init__(self, schedules: Sequence[Schedule], delivery: Delivery, clock: Clock) -> None:
        """Check every expression.

        Raises:
            PlatformError: for an expression that cannot be understood.
        """
        self._schedules = schedules
        self._delivery = delivery
        self._clock = clock
        self._timers: dict[str, Timer] = {}
        for schedule in schedules:
            next(firings(schedule, clock.now()), None)

    def start(self) -> None:
        """Set the first timers."""
        for schedule in self._schedules:
            self._plan(schedule)

    def stop(self) -> None:
        """Fire no more."""
        for timer in self._timers.values():
            timer.cancel()

    def _plan(self, schedule: Schedule) -> None:
        moment = next(firings(schedule, self._clock.now()), None)
        if moment is not None:
            self._timers[schedule.name] = self._clock.at(moment, lambda: self._fire(schedule, moment))

    def _fire(self, schedule: Schedule, moment: datetime) -> None:
        event: dict[str, Json] = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler" if ":scheduler:" in schedule.arn else "aws.events",
            "account": ACCOUNT,
            "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": REGION,
            "resources": [schedule.arn],
            "detail": {},
        }
        for target in schedule.targets:
            self._delivery.deliver(target, event)
        self._plan(schedule)


def firings(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """The times in UTC at which a schedule fires after a time.

    Raises:
        PlatformError: for an expression that cannot be understood.
    """
    match = _EXPRESSION.match(schedule.expression)
    if match is None:
        raise PlatformError(f"the schedule {schedule.name} has no rate, cron or at: {schedule.expression}")
    kind, argument = match.groups()
    zone = ZoneInfo(schedule.timezone)
    if kind == "rate":
        count, unit = argument.split()
        period = timedelta(seconds=int(count) * _UNITS[unit.removesuffix("s")])
        while True:
            after += period
            yield after
    elif kind == "at":
        moment = datetime.fromisoformat(argument).replace(tzinfo=zone).astimezone(UTC)
        if moment > after:
            yield moment
    else:
        yield from _cron_firings(schedule, argument, after.astimezone(zone))


def _cron_firings(schedule: Schedule, expression: str, after: datetime) -> Iterator[datetime]:
    """AWS counts weekdays from Sunday as 1, writes ``?`` for any day and adds a year."""
    fields = expression.split()
    if len(fields) != _CRON_FIELDS:
        raise PlatformError(f"the schedule {schedule.name} needs six cron fields: {expression}")
    minute, hour, day, month, weekday, year = (field.replace("?", "*") for field in fields)
    weekday = _SUNDAY_FIRST.sub(lambda match: str(int(match.group(1)) - 1), weekday)
    try:
        moments = CronSim(f"{minute} {hour} {day} {month} {weekday}", after)
    except CronSimError as error:
        raise PlatformError(
            f"the schedule {schedule.name} has a cron expression that cannot be read: {error}"
        ) from error
    for moment in moments:
        if year == "*" or _in_year(year, moment.year):
            yield moment.astimezone(UTC)
        elif moment.year > max(int(number) for number in re.findall(r"\d{4}", year)):
            return


def _in_year(field: str, year: int) -> bool:
    for part in field.split(","):
        first, _, last = part.partition("-")
        if int(first) <= year <= int(last or first):
            return True
    return False
