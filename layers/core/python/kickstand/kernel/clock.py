"""The one clock of the system.

Times are aware ``datetime`` objects in UTC; local time exists only through a network's timezone.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

_offset = timedelta()


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC) + _offset


def advance(seconds: float) -> datetime:
    """Move the clock of this process forward by ``seconds`` and answer the new time.

    Raises:
        ValueError: for a negative number; time runs in one direction.
    """
    global _offset  # noqa: PLW0603 - the clock is the one piece of process-wide state
    if seconds < 0:
        msg = "the clock only moves forward"
        raise ValueError(msg)
    _offset += timedelta(seconds=seconds)
    return now()


def offset() -> timedelta:
    """How far this process's clock is ahead of the machine's; zero in production."""
    return _offset


def milliseconds(at: datetime) -> int:
    """A time as milliseconds since 1970, cut off."""
    return (at - _EPOCH) // _MILLISECOND


def at_milliseconds(number: int) -> datetime:
    """The time so many milliseconds after the beginning of 1970."""
    return _EPOCH + number * _MILLISECOND
