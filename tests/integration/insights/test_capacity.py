"""What figures cost, and that they hold when many count at once; on the atomic engine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, VehicleModel
from kickstand.insights import service
from kickstand.kernel import store
from kickstand.rental.model import Rental
from local.server import Tables
from tests.support import samples
from tests.support.capacity import measured

MIDNIGHT = datetime(2025, 6, 14, tzinfo=UTC)


@pytest.fixture(scope="module", autouse=True)
def bike(engine: Tables) -> Iterator[None]:
    store.begin()
    fleet.put_model(VehicleModel(id=samples.MODEL_ID, name="Bike", category=Category.BIKE, max_range_m=0))
    yield
    store.begin()


def ride(number: int, rider_id: int, started_at: datetime = MIDNIGHT, **changes: Any) -> Rental:
    return samples.ended_rental(id=number, rider_id=rider_id, started_at=started_at, **changes)


def test_counting_writes_two_items() -> None:
    with measured() as usage:
        assert service.count(ride(1, rider_id=1))
    assert usage.calls == ["TransactWriteItems"]
    assert usage.write_units <= 4
    with measured() as usage:
        assert service.count(ride(2, rider_id=1))
    assert usage.write_units <= 4


def test_a_year_of_figures_costs_what_its_days_cost() -> None:
    for day in range(40):
        store.begin()
        service.count(ride(100 + day, rider_id=2, started_at=MIDNIGHT + timedelta(days=day)))
    store.begin()
    with measured() as usage:
        figures = service.statistics(2, MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(days=39, hours=1))
    assert figures.rides == 39
    assert usage.calls == ["Query", "BatchGetItem"]
    assert usage.read_units <= 4


def test_rides_that_are_counted_at_once_all_count_once() -> None:
    def count(number: int) -> bool:
        store.begin()
        while True:
            try:
                return service.count(ride(1_000 + number % 12, rider_id=3))
            except store.Contention:  # the stream would bring the record again
                continue

    with ThreadPoolExecutor(12) as pool:
        counted = list(pool.map(count, range(36)))
    assert sum(counted) == 12
    store.begin()
    figures = service.statistics(3, MIDNIGHT)
    assert (figures.rides, figures.distance_m) == (12, 12 * 2_840)
