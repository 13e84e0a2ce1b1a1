"""Use cases about figures."""

from datetime import datetime

from kickstand.fleet import service as fleet
from kickstand.insights import rules
from kickstand.insights.model import Ride, Statistics
from kickstand.insights.store import DayRidesItem, add, tallies
from kickstand.kernel import store
from kickstand.rental.model import Rental, Reservation


class _Counted(store.Contention):
    """The ride has been counted before."""


def count(rental: Rental) -> bool:
    """Let a completed rental count; once, however often this is called. Answers whether it was new."""
    return _count(rental.rider_id, rules.ride(rental, fleet.model(rental.tariff.model_id).category))


def count_reservation(reservation: Reservation) -> bool:
    """Let what a reservation has cost count, in the same way; one that was free counts nothing."""
    if reservation.fare is None or not reservation.fare.total:
        return False
    category = fleet.model(fleet.vehicle(reservation.vehicle_id).model_id).category
    return _count(reservation.holder_id, rules.reservation(reservation, reservation.fare, category))


def _count(rider_id: int, ride: Ride) -> bool:
    try:
        with store.Transaction() as tx:
            add(tx, rider_id, rules.day_of(ride.started_at), ride, otherwise=_Counted)
    except _Counted:
        return False
    return True


def statistics(rider_id: int, since: datetime, until: datetime | None = None) -> Statistics:
    """What the rides come to that a rider began at ``since`` or later, and before ``until`` where that is given.

    Whole days are read as sums, the days that the range cuts ride by ride: one query and at most one read, whatever
    the number of rides.
    """
    span = rules.cut(since, until)
    whole = tallies(rider_id, span.first_day, span.end_day) if span.has_whole_days else []
    days = store.load_all([DayRidesItem.key(rider_id, day) for day in span.cut_days])
    rides = [ride for item in days if item is not None for ride in item.entity.rides if span.contains(ride.started_at)]
    return rules.statistics(whole, rides)
