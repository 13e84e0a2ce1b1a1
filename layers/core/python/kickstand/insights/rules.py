"""What counts, what figures are made of, and how a range of time is cut; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from kickstand.fleet.model import Category
from kickstand.insights.model import Figures, Ride, Statistics, Tally
from kickstand.kernel.money import Currency
from kickstand.pricing.model import Fare
from kickstand.pricing.rules import duration
from kickstand.rental.model import Rental, Reservation, SegmentKind

CAR_CO2_G_PER_KM: Final = 120
"""What a kilometre by passenger car emits; see ``docs/decisions/0057-figures-of-riders.md`` for the source."""

REPLACES_CAR: Final = frozenset({Category.SCOOTER, Category.BIKE, Category.E_BIKE, Category.E_BIKE_CHILD_SEAT})
"""Vehicles whose kilometres count as not driven by car."""

KCAL_PER_KM: Final = {Category.BIKE: 30, Category.E_BIKE: 20, Category.E_BIKE_CHILD_SEAT: 20}
"""What a kilometre takes of a rider; nothing on a vehicle that drives by itself. Sources as above."""

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


def ride(rental: Rental, category: Category) -> Ride:
    """What a completed rental adds: what was ridden until the moment to which it is charged."""
    rides = [each for each in rental.segments if each.kind is SegmentKind.RIDE and each.ended_at is not None]
    ends = [min(end for end in (each.ended_at, rental.ended_at) if end is not None) for each in rides]
    ridden = sum((duration(each.started_at, end) for each, end in zip(rides, ends, strict=True)), timedelta())
    fare = rental.fare or Fare(currency=rental.tariff.currency)
    return Ride(
        rental_id=rental.id,
        started_at=rental.started_at,
        category=category,
        distance_m=rental.distance_m or 0,
        riding_ms=ridden // timedelta(milliseconds=1),
        currency=fare.currency,
        spent=fare.total,
    )


def reservation(over: Reservation, fare: Fare, category: Category) -> Ride:
    """What a reservation adds that has cost something: money, and nothing else."""
    return Ride(
        rental_id=over.id,
        started_at=over.created_at,
        rides=0,
        category=category,
        distance_m=0,
        riding_ms=0,
        currency=fare.currency,
        spent=fare.total,
    )


def day_of(moment: datetime) -> date:
    """The day of UTC on which something counts."""
    return moment.astimezone(UTC).date()


@dataclass(frozen=True)
class Range:
    """A stretch of time as it is looked up.

    Attributes:
        since: its first moment.
        until: the first moment after it, ``None`` where it is open.
        first_day: the first day that lies in it as a whole.
        end_day: the first day after :attr:`first_day` that does not, ``None`` where it is open.
        cut_days: the days of which it has a part, at most two.
    """

    since: datetime
    until: datetime | None
    first_day: date
    end_day: date | None
    cut_days: tuple[date, ...]

    @property
    def has_whole_days(self) -> bool:
        """Whether any day lies in it as a whole."""
        return self.end_day is None or self.first_day < self.end_day

    def contains(self, moment: datetime) -> bool:
        """Whether a moment lies in it."""
        return self.since <= moment and (self.until is None or moment < self.until)


def cut(since: datetime, until: datetime | None) -> Range:
    """The range from ``since`` until right before ``until``, cut into whole days of UTC and what is left of others."""
    # Nothing was ridden beyond these, and times of other zones stay within what a datetime can say.
    since = min(max(since, _FIRST), _LAST).astimezone(UTC)
    until = None if until is None else min(max(until, _FIRST), _LAST).astimezone(UTC)
    edges = {moment.date() for moment in (since, until) if moment is not None and moment.time() != time()}
    return Range(
        since=since,
        until=until,
        first_day=since.date() if since.time() == time() else since.date() + _DAY,
        end_day=until.date() if until else None,
        cut_days=tuple(sorted(edges)),
    )


def statistics(whole: Sequence[Tally], single: Sequence[Ride]) -> Statistics:
    """What days and rides come to together; kilometres become grams and kilocalories once, on the sum."""
    metres: dict[Category, int] = {}
    spent: dict[Currency, int] = {}
    riding_ms = 0
    every: tuple[Figures, ...] = (*whole, *single)
    for each in every:
        metres[each.category] = metres.get(each.category, 0) + each.distance_m
        spent[each.currency] = spent.get(each.currency, 0) + each.spent
        riding_ms += each.riding_ms
    return Statistics(
        rides=sum(each.rides for each in whole) + sum(each.rides for each in single),
        distance_m=sum(metres.values()),
        riding_s=riding_ms // 1000,
        co2_saved_g=sum(metres.get(each, 0) for each in REPLACES_CAR) * CAR_CO2_G_PER_KM // 1000,
        burned_kcal=sum(metres.get(each, 0) * kcal for each, kcal in KCAL_PER_KM.items()) // 1000,
        spent=dict(sorted(spent.items())),
    )
