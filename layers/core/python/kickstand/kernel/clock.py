"""The one clock of the system.

Times are aware ``datetime`` objects in UTC; local time exists only through a network's timezone.
"""

from datetime import UTC, datetime, timedelta

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
