import random
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from botocore.session import Session

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, VehicleModel
from kickstand.insights import rules, service
from kickstand.insights.model import Statistics
from kickstand.insights.store import DayRidesItem, TallyItem
from kickstand.kernel import store
from kickstand.kernel.events import Event
from kickstand.pricing.model import Fare, FareLine, LineKind
from kickstand.rental.model import Rental, RentalState, Reservation, ReservationState, Segment, SegmentKind
from kickstand.rental.store import RentalItem, ReservationItem
from reactions.insights import count_reservations, count_rides
from tests.support import samples
from tests.support.capacity import measured
from tests.support.city import City

BIKE, SCOOTER = 11, 12
START = datetime(2025, 6, 14, 12, tzinfo=UTC)
EVER = datetime(2020, 1, 1, tzinfo=UTC)
RIDER, STRANGER = samples.RIDER_ID, 43
_ids = count(samples.RENTAL_ID)


@pytest.fixture(autouse=True)
def models(aws: Session) -> None:
    store.begin()
    fleet.put_model(VehicleModel(id=BIKE, name="Bike", category=Category.BIKE, max_range_m=0))
    fleet.put_model(VehicleModel(id=SCOOTER, name="Scooter", category=Category.SCOOTER, max_range_m=40_000))


def completed(started_at: datetime = START, *, model_id: int = BIKE, **changes: Any) -> Rental:
    """A ride of ten minutes and, unless told otherwise, a kilometre."""
    ended_at = started_at + timedelta(minutes=10)
    terms = samples.tariff(model_id=model_id, currency=changes.pop("currency", "EUR"))
    values: dict[str, Any] = {
        "id": next(_ids),
        "state": RentalState.COMPLETED,
        "started_at": started_at,
        "ended_at": ended_at,
        "segments": (Segment(kind=SegmentKind.RIDE, started_at=started_at, ended_at=ended_at),),
        "event": Event.new("RentalCompleted", ended_at),
    }
    return samples.ended_rental(10, changes.pop("distance_m", 1_000), terms=terms, **(values | changes))


def statistics(since: datetime = EVER, until: datetime | None = None, rider_id: int = RIDER) -> Statistics:
    store.begin()
    return service.statistics(rider_id, since, until)


def stream(rental: Rental, before: Rental | None = None) -> dict[str, Any]:
    images = {
        "Keys": {"pk": {"S": f"RENTAL#{rental.id}"}, "sk": {"S": "RENTAL"}},
        "NewImage": RentalItem.of(rental).to_dynamodb_dict(),
        "SequenceNumber": "1",
    }
    if before is not None:
        images["OldImage"] = RentalItem.of(before).to_dynamodb_dict()
    return {"Records": [{"dynamodb": images}]}


def test_a_completed_ride_counts() -> None:
    assert service.count(completed())
    figures = statistics()
    assert (figures.rides, figures.distance_m, figures.co2_saved_g, figures.burned_kcal) == (1, 1_000, 120, 30)
    assert (figures.riding_s, figures.spent) == (600, {"EUR": 298})


def test_a_ride_that_comes_twice_counts_once() -> None:
    rental = completed()
    assert service.count(rental)
    assert not service.count(rental)
    assert not service.count(rental.model_copy(update={"receipt": "receipts/1"}))
    assert statistics().rides == 1


def test_riders_are_counted_apart() -> None:
    service.count(completed())
    service.count(completed(rider_id=STRANGER))
    service.count(completed(rider_id=STRANGER))
    assert (statistics().rides, statistics(rider_id=STRANGER).rides, statistics(rider_id=44).rides) == (1, 2, 0)


def test_categories_and_currencies_stay_apart_within_a_day() -> None:
    for model_id, currency in ((BIKE, "EUR"), (SCOOTER, "EUR"), (BIKE, "NOK"), (BIKE, "NOK")):
        service.count(completed(model_id=model_id, currency=currency))
    figures = statistics()
    assert (figures.rides, figures.distance_m, figures.burned_kcal) == (4, 4_000, 90)
    assert figures.spent == {"EUR": 596, "NOK": 596}


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_exact_in_whatever_order_and_however_often_rides_come(seed: int) -> None:
    chance = random.Random(seed)
    minutes = [chance.randrange(5 * 24 * 60) for _ in range(12)]
    starts = [*(START + timedelta(minutes=each) for each in minutes), datetime(2025, 6, 16, tzinfo=UTC)]
    rentals = [
        completed(at, model_id=chance.choice((BIKE, SCOOTER)), distance_m=chance.randrange(5_000)) for at in starts
    ]
    coming = rentals * 2
    chance.shuffle(coming)
    for rental in coming:
        store.begin()
        service.count(rental)

    category = {BIKE: Category.BIKE, SCOOTER: Category.SCOOTER}
    rides = [rules.ride(rental, category[rental.tariff.model_id]) for rental in rentals]
    for _ in range(10):
        since = START + timedelta(minutes=chance.randrange(-600, 5 * 24 * 60))
        until = since + timedelta(minutes=chance.randrange(4 * 24 * 60))
        for end in (until, None, datetime(2025, 6, 16, tzinfo=UTC)):
            wanted = [ride for ride in rides if since <= ride.started_at and (end is None or ride.started_at < end)]
            assert statistics(since, end) == rules.statistics([], wanted), (since, end)


# ── the stream ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_stream_brings_completed_rentals() -> None:
    rental = completed()
    ending = samples.ended_rental(event=Event(id=5, name="RentalEnding", at=START))
    for batch in (stream(ending), stream(rental, ending), stream(rental, ending)):
        assert count_rides(batch, None) == {"batchItemFailures": []}
    assert statistics().rides == 1


def test_what_happens_to_a_rental_afterwards_does_not_count() -> None:
    rental = completed()
    with measured() as usage:
        count_rides(stream(rental.model_copy(update={"receipt": "receipts/1"}), rental), None)
    assert usage.calls == []


def test_cancelled_rentals_count_nothing() -> None:
    cancelled = completed(state=RentalState.CANCELLED, event=Event.new("RentalCancelled", START))
    count_rides(stream(cancelled), None)
    assert statistics().rides == 0


def test_a_ride_that_cannot_be_counted_comes_again() -> None:
    unknown = completed(model_id=99)
    assert count_rides(stream(unknown), None)["batchItemFailures"] == [{"itemIdentifier": "1"}]
    assert statistics().rides == 0


# ── items and cost ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_items_are_complete_although_they_come_about_by_adding() -> None:
    rental = completed()
    service.count(rental)
    tally = TallyItem.get(f"RIDER#{RIDER}", "DAY#2025-06-14#EUR#bike").entity
    day = DayRidesItem.get(f"RIDER#{RIDER}", "RIDES#2025-06-14").entity
    assert (tally.rider_id, tally.day, tally.rides, tally.distance_m) == (RIDER, date(2025, 6, 14), 1, 1_000)
    assert (day.rider_id, day.day) == (RIDER, date(2025, 6, 14))
    assert day.rides == (rules.ride(rental, Category.BIKE),)


def test_counting_takes_one_transaction() -> None:
    with measured() as usage:
        service.count(completed())
    assert usage.calls == ["TransactWriteItems"]


@pytest.mark.parametrize(
    ("since", "until", "calls"),
    [
        (datetime(2025, 6, 1, tzinfo=UTC), None, ["Query"]),
        (datetime(2025, 6, 1, tzinfo=UTC), datetime(2025, 7, 1, tzinfo=UTC), ["Query"]),
        (START, None, ["Query", "BatchGetItem"]),
        (START, START + timedelta(days=9, hours=1), ["Query", "BatchGetItem"]),
        (START, START + timedelta(hours=1), ["BatchGetItem"]),
    ],
)
def test_asking_takes_two_round_trips_at_most(since: datetime, until: datetime | None, calls: list[str]) -> None:
    store.begin()
    with measured() as usage:
        service.statistics(RIDER, since, until)
    assert usage.calls == calls


def test_asking_costs_the_same_for_one_ride_a_day_and_for_many() -> None:
    for day in range(3):
        service.count(completed(START + timedelta(days=day)))
    with measured() as once:
        statistics(datetime(2025, 6, 1, tzinfo=UTC))
    for minute in range(30):
        service.count(completed(START + timedelta(minutes=minute)))
    with measured() as often:
        assert statistics(datetime(2025, 6, 1, tzinfo=UTC)).rides == 33
    assert (often.calls, often.read_units) == (once.calls, once.read_units)


def reservation(**changes: Any) -> Reservation:
    """Four minutes of somebody's claim on a vehicle, at 3 EUR a minute."""
    vehicle = City().vehicle()
    line = FareLine(kind=LineKind.RESERVATION, quantity=4, unit_net=300, vat_percent=25, vat=300)
    values = {
        "id": next(_ids),
        "client_id": 5,
        "client_public_id": UUID(int=5),
        "holder_id": RIDER,
        "external_rider_id": "kari",
        "network_id": vehicle.network_id,
        "vehicle_id": vehicle.id,
        "state": ReservationState.EXPIRED,
        "created_at": START,
        "updated_at": START,
        "expires_at": START,
        "fare": Fare(currency="EUR", lines=(line,)),
        "event": Event.new("ReservationExpired", START),
    }
    return Reservation.model_validate(values | changes)


def test_the_stream_brings_reservations_which_are_no_rides() -> None:
    over = reservation()
    made = {"state": ReservationState.ACTIVE, "fare": None, "event": Event.new("ReservationMade")}
    for each in (over.model_copy(update=made), reservation(fare=None), over, over):
        images = {
            "Keys": {"pk": {"S": "R"}, "sk": {"S": "R"}},
            "NewImage": ReservationItem.of(each).to_dynamodb_dict(),
            "SequenceNumber": "1",
        }
        assert count_reservations({"Records": [{"dynamodb": images}]}, None) == {"batchItemFailures": []}
    service.count(completed())
    whole_day, cut = statistics(), statistics(START - timedelta(hours=1), START + timedelta(hours=1))
    assert whole_day == cut
    assert (whole_day.rides, whole_day.distance_m, whole_day.spent) == (1, 1_000, {"EUR": 1_500 + 298})
