"""Items of the insights table: a rider's days, each summed and ride by ride."""

from datetime import date
from typing import Final

from pynamodb.attributes import NumberSetAttribute

from kickstand.fleet.model import Category
from kickstand.insights.model import DayRides, Ride, Tally
from kickstand.kernel.errors import DomainError
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.kernel.store import Transaction

_AFTER_ALL_DAYS: Final = "~"


class InsightsItem(Item[Entity]):
    """Anything in the insights table."""

    Meta = table_meta("INSIGHTS_TABLE")


class TallyItem(InsightsItem[Tally]):
    """A day's rides, summed: ``RIDER#<rider id>`` / ``DAY#<day>#<currency>#<category>``.

    Currency and category stand in the key, so that counting is adding, whatever has been counted before.
    """

    KIND = "tally"
    KEYED_BY = ("rider_id", "day", "currency", "category")

    rider_id = Value(int)
    day = Value(date)
    currency = Value(str)
    category = Value(Category)
    rides = Value(int)
    distance_m = Value(int)
    riding_ms = Value(int)
    spent = Value(int)

    @staticmethod
    def key(rider_id: int, day: date, currency: str, category: str) -> Key["TallyItem"]:
        """Where a tally is kept."""
        return Key(TallyItem, f"RIDER#{rider_id}", f"DAY#{day}#{currency}#{category}")


class DayRidesItem(InsightsItem[DayRides]):
    """A day's rides, one by one: ``RIDER#<rider id>`` / ``RIDES#<day>``.

    Attributes:
        counted: the rentals that have been counted.
    """

    KIND = "day_rides"
    KEYED_BY = ("rider_id", "day")

    rider_id = Value(int)
    day = Value(date)
    rides = Value(tuple[Ride, ...])
    counted = NumberSetAttribute()

    @staticmethod
    def key(rider_id: int, day: date) -> Key["DayRidesItem"]:
        """Where a day's rides are kept."""
        return Key(DayRidesItem, f"RIDER#{rider_id}", f"RIDES#{day}")


def add(tx: Transaction, rider_id: int, day: date, ride: Ride, *, otherwise: type[DomainError]) -> None:
    """Count a ride of a rider's day; ``otherwise`` where it has been counted."""
    item = DayRidesItem
    tx.update(
        item.key(rider_id, day),
        [
            item.kind.set(item.KIND),
            item.rider_id.set(rider_id),
            item.day.set(day),
            item.rides.set((item.rides | {"L": []}).append({"L": item.rides.serialize((ride,))})),
            item.counted.add({ride.rental_id}),
        ],
        condition=~item.counted.contains(ride.rental_id),
        otherwise=otherwise,
    )
    tally = TallyItem
    tx.update(
        tally.key(rider_id, day, ride.currency, ride.category),
        [
            tally.kind.set(tally.KIND),
            tally.rider_id.set(rider_id),
            tally.day.set(day),
            tally.currency.set(ride.currency),
            tally.category.set(ride.category),
            tally.rides.add(ride.rides),
            tally.distance_m.add(ride.distance_m),
            tally.riding_ms.add(ride.riding_ms),
            tally.spent.add(ride.spent),
        ],
    )


def tallies(rider_id: int, first: date, end: date | None) -> list[Tally]:
    """A rider's tallies of the days from ``first`` until right before ``end``; one query, eventually consistent."""
    days = TallyItem.sk.between(f"DAY#{first}", f"DAY#{end or _AFTER_ALL_DAYS}")
    return [item.entity for item in TallyItem.query(f"RIDER#{rider_id}", days)]
