"""The pricing engine: pure, exact, without a float for money."""

from datetime import UTC, date, datetime, timedelta

from kickstand.kernel.money import Currency, vat_on
from kickstand.pricing.errors import PlanNotValid
from kickstand.pricing.model import (
    Allowance,
    Fare,
    FareLine,
    LineKind,
    PlanUsage,
    PlanUse,
    PricingPlan,
    Tariff,
    Terms,
)

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


# ── Plans ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_currency(plan: PricingPlan, currency: Currency) -> None:
    """Refuse a plan that is charged in another currency than the one of the vehicle's network."""
    if plan.currency != currency:
        raise PlanNotValid


def allowance(plan: PricingPlan, use: PlanUse | None, today: date) -> Allowance:
    """What a rider's use of a plan leaves for a ride that starts today.

    Args:
        plan: the plan.
        use: how the rider has used it; ``None`` for not at all.
        today: the local day.
    """
    if not plan.free_minutes_per_day:
        return Allowance(registration_due=use is None)
    last = use.day if use else None
    # A clock that was set back, or a system further west, opens no day a second time.
    day = max(today, last) if last else today
    used = use.minutes if use and last == day else 0
    return Allowance(
        day=day,
        free_minutes_used=used,
        free_minutes_left=max(0, plan.free_minutes_per_day - used),
        registration_due=use is None,
    )


def plan_fare(
    plan: PricingPlan,
    allowance: Allowance,
    started_at: datetime,
    ended_at: datetime,
    *,
    docked: bool,
    fine: int = 0,
) -> Fare:
    """The fare of a ride at a plan.

    Args:
        plan: what was committed when the ride started.
        allowance: likewise.
        started_at: when the ride started.
        ended_at: when it ended, or when it stopped being charged.
        docked: whether the vehicle stands in a dock now, or is of a model that needs none.
        fine: for leaving the vehicle unlocked, in minor units of the plan's currency; outside the scope of VAT.
    """
    beyond = max(0, billed_minutes(started_at, ended_at) - plan.included_minutes)
    # Minutes that cost nothing use up none that are free.
    free = min(beyond, allowance.free_minutes_left) if plan.price_per_minute else 0
    lines = [_line(plan, LineKind.TRIP, 1, plan.trip_price)]
    if beyond:
        lines.append(_line(plan, LineKind.EXTENDED_RENTAL, beyond, plan.price_per_minute))
    if free:
        lines.append(_line(plan, LineKind.FREE_MINUTES_PER_DAY, free, -plan.price_per_minute))
    if plan.free_floating_fee and not docked:
        lines.append(_line(plan, LineKind.FREE_FLOATING_DOCKING_FEE, 1, plan.free_floating_fee))
    if plan.registration_fee and allowance.registration_due:
        lines.append(_line(plan, LineKind.REGISTRATION_FEE, 1, plan.registration_fee))
    if fine:
        lines.append(FareLine(kind=LineKind.LEFT_UNLOCKED, unit_net=fine))
    return Fare(currency=plan.currency, lines=tuple(lines))


def reservation_fare(plan: PricingPlan, made_at: datetime, ended_at: datetime) -> Fare:
    """The fare of a reservation at a plan; one without lines where reserving is free."""
    minutes = billed_minutes(made_at, ended_at)
    if not minutes or not plan.reservation_price_per_minute:
        return Fare(currency=plan.currency)
    line = _line(plan, LineKind.RESERVATION, minutes, plan.reservation_price_per_minute)
    return Fare(currency=plan.currency, lines=(line,))


def usage(plan: PricingPlan, allowance: Allowance, fare: Fare) -> PlanUsage:
    """What the ride with this fare has used of its plan."""
    used = sum(line.quantity for line in fare.lines if line.kind is LineKind.FREE_MINUTES_PER_DAY)
    return PlanUsage(
        included_minutes=plan.included_minutes,
        free_minutes_used=used,
        free_minutes_left=allowance.free_minutes_left - used,
    )


def use_after(plan: PricingPlan, user: str, allowance: Allowance, fare: Fare) -> PlanUse | None:
    """How the rider has used the plan after the ride with this fare; ``None`` where that changes nothing."""
    used = usage(plan, allowance, fare).free_minutes_used
    if not used and not allowance.registration_due:
        return None
    return PlanUse(plan_id=plan.id, user=user, day=allowance.day, minutes=allowance.free_minutes_used + used)


# ── Lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _line(terms: Terms | PricingPlan, kind: LineKind, quantity: int, unit_net: int) -> FareLine:
    vat = vat_on(quantity * unit_net, terms.vat_percent)
    return FareLine(kind=kind, quantity=quantity, unit_net=unit_net, vat_percent=terms.vat_percent, vat=vat)


def _taken_back(tariff: Tariff, kind: LineKind, lines: list[FareLine]) -> FareLine:
    # The VAT that was rounded per line is taken back as it is: computed anew from the sum it could be off by a unit.
    net, vat = sum(line.net for line in lines), sum(line.vat for line in lines)
    return FareLine(kind=kind, unit_net=-net, vat_percent=tariff.vat_percent, vat=-vat)
