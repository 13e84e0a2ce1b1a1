"""The pricing engine: pure, exact, without a float for money."""

from datetime import UTC, datetime, timedelta

from kickstand.kernel.money import vat_on
from kickstand.pricing.model import Fare, FareLine, LineKind, Tariff

_MINUTE = timedelta(minutes=1)


def duration(started_at: datetime, ended_at: datetime) -> timedelta:
    """The time that really passed, whatever a local clock did meanwhile; nothing for an end before the start."""
    # Python subtracts two times of one zone by the wall clock: an hour off where daylight saving time begins or ends.
    return max(timedelta(), ended_at.astimezone(UTC) - started_at.astimezone(UTC))


def billed_minutes(started_at: datetime, ended_at: datetime) -> int:
    """Minutes to pay: every minute begun counts in full."""
    return -(-duration(started_at, ended_at) // _MINUTE)


def is_short(tariff: Tariff, started_at: datetime, ended_at: datetime, distance_m: float) -> bool:
    """Tell whether the tariff lets a ride go free for being short in time or in distance."""
    in_time = duration(started_at, ended_at) < timedelta(seconds=tariff.free_under_s)
    return in_time or distance_m < tariff.free_under_m


def fare(
    tariff: Tariff,
    started_at: datetime,
    ended_at: datetime,
    distance_m: float,
    *,
    fine: int = 0,
    waived: bool = False,
) -> Fare:
    """The fare of a ride.

    Args:
        tariff: what was committed when the ride started.
        started_at: when the ride started.
        ended_at: when it ended, or when it stopped being charged.
        distance_m: metres ridden.
        fine: for leaving the vehicle unlocked, in minor units of the tariff's currency; outside the scope of VAT. It is
            owed for a free ride too.
        waived: whether the ride itself is free although it was not short.
    """
    minutes = billed_minutes(started_at, ended_at)
    lines = [_line(tariff, LineKind.START, 1, tariff.start_price)]
    if minutes:
        lines.append(_line(tariff, LineKind.MINUTES, minutes, tariff.price_per_minute))
    if is_short(tariff, started_at, ended_at, distance_m):
        lines.append(_taken_back(tariff, LineKind.SHORT_RIDE, lines))
    elif waived:
        lines.append(_taken_back(tariff, LineKind.WAIVER, lines))
    if fine:
        lines.append(FareLine(kind=LineKind.LEFT_UNLOCKED, unit_net=fine))
    return Fare(currency=tariff.currency, lines=tuple(lines))


def _line(tariff: Tariff, kind: LineKind, quantity: int, unit_net: int) -> FareLine:
    vat = vat_on(quantity * unit_net, tariff.vat_percent)
    return FareLine(kind=kind, quantity=quantity, unit_net=unit_net, vat_percent=tariff.vat_percent, vat=vat)


def _taken_back(tariff: Tariff, kind: LineKind, lines: list[FareLine]) -> FareLine:
    # The VAT that was rounded per line is taken back as it is: computed anew from the sum it could be off by a unit.
    net, vat = sum(line.net for line in lines), sum(line.vat for line in lines)
    return FareLine(kind=kind, unit_net=-net, vat_percent=tariff.vat_percent, vat=-vat)
