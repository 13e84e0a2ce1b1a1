from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient
from kickstand.kernel import store
from kickstand.kernel.errors import Contention
from kickstand.pricing import rules, service
from kickstand.pricing.errors import PlanClosed, PlanNotFound
from kickstand.pricing.model import Allowance, PlanState, PricingPlan
from kickstand.pricing.store import PlanUseItem
from tests.support.capacity import measured

pytestmark = pytest.mark.usefixtures("aws")

RIDER, OSLO = "5#f00d", "Europe/Oslo"
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
TODAY = date(2025, 6, 1)
NOBODY_USED_IT = Allowance(day=TODAY, free_minutes_left=15, registration_due=True)


@pytest.fixture(autouse=True)
def fresh_request() -> None:
    store.begin()


@pytest.fixture
def client() -> ApiClient:
    return clients.register_client("Travelizer", "t@partner.example", [1])


def put(client: ApiClient, plan_id: int = 24, **changes: Any) -> PricingPlan:
    values = {
        "id": plan_id,
        "client_id": client.id,
        "name": "Day pass",
        "currency": "NOK",
        "vat_percent": 25,
        "price_per_minute": 100,
        "free_minutes_per_day": 15,
        "registration_fee": 5_000,
    }
    plan = PricingPlan.model_validate(values | changes)
    service.put_plan(plan)
    store.begin()
    return plan


def start(plan: PricingPlan, at: datetime = NOON, user: str = RIDER, timezone: str = OSLO) -> Allowance:
    store.begin()
    allowance = service.allowance(plan, user, at, timezone)
    with store.Transaction() as tx:
        service.commit_allowance(tx, plan, user, allowance)
    return allowance


def end(plan: PricingPlan, allowance: Allowance, minutes: int, user: str = RIDER) -> None:
    fare = rules.plan_fare(plan, allowance, NOON, NOON + timedelta(minutes=minutes), docked=True)
    with store.Transaction() as tx:
        service.record_use(tx, plan, user, allowance, fare)


def test_what_is_put_is_found(client: ApiClient) -> None:
    plan = put(client, max_penalty_points=3)
    assert service.plan(client, plan.id) == plan
    changed = put(client, name="Evening pass")
    assert service.plan(client, plan.id) == changed


def test_another_partners_plan_does_not_exist(client: ApiClient) -> None:
    plan = put(client)
    other = clients.register_client("Other", "o@partner.example", [1])
    with pytest.raises(PlanNotFound):
        service.plan(other, plan.id)
    with pytest.raises(PlanNotFound):
        service.plan(client, plan.id + 1)


def test_nothing_begins_at_a_closed_plan(client: ApiClient) -> None:
    plan = put(client, state=PlanState.INACTIVE)
    with pytest.raises(PlanClosed):
        service.plan(client, plan.id)


def test_plan_and_allowance_come_with_the_first_batch(client: ApiClient) -> None:
    plan = put(client)
    with measured() as usage:
        service.expect_plan(client.id, plan.id, RIDER)
        service.allowance(service.plan(client, plan.id), RIDER, NOON, OSLO)
    assert usage.calls == ["BatchGetItem"]
    assert usage.read_units == 2


def test_rides_use_up_what_a_day_has(client: ApiClient) -> None:
    plan = put(client)
    first = start(plan)
    assert first == NOBODY_USED_IT
    end(plan, first, 10)
    second = start(plan)
    assert second == Allowance(day=TODAY, free_minutes_used=10, free_minutes_left=5)
    end(plan, second, 60)
    assert start(plan).free_minutes_left == 0
    assert start(plan, NOON + timedelta(days=1)) == Allowance(day=date(2025, 6, 2), free_minutes_left=15)


def test_riders_and_plans_are_counted_apart(client: ApiClient) -> None:
    plan, other_plan = put(client), put(client, 25)
    end(plan, start(plan), 10)
    assert start(other_plan) == NOBODY_USED_IT
    assert start(plan, user="5#beef") == NOBODY_USED_IT
    assert start(plan, user="6#f00d") == NOBODY_USED_IT


@pytest.mark.parametrize(
    ("at", "timezone", "day"),
    [
        ("2025-06-01T21:59:59", OSLO, date(2025, 6, 1)),
        ("2025-06-01T22:00:00", OSLO, date(2025, 6, 2)),
        # The days on which the clocks change have 23 and 25 hours.
        ("2025-03-29T23:00:00", OSLO, date(2025, 3, 30)),
        ("2025-03-30T21:59:59", OSLO, date(2025, 3, 30)),
        ("2025-03-30T22:00:00", OSLO, date(2025, 3, 31)),
        ("2025-10-25T22:00:00", OSLO, date(2025, 10, 26)),
        ("2025-10-26T22:59:59", OSLO, date(2025, 10, 26)),
        ("2025-10-26T23:00:00", OSLO, date(2025, 10, 27)),
        ("2025-06-01T10:00:00", "Pacific/Kiritimati", date(2025, 6, 2)),
    ],
)
def test_a_day_is_the_local_day_of_the_start(client: ApiClient, at: str, timezone: str, day: date) -> None:
    plan = put(client)
    assert start(plan, datetime.fromisoformat(at).replace(tzinfo=UTC), timezone=timezone).day == day


def test_a_ride_over_midnight_uses_the_day_of_its_start(client: ApiClient) -> None:
    plan = put(client)
    late = datetime(2025, 6, 1, 21, 55, tzinfo=UTC)
    end(plan, start(plan, late), 15)
    assert start(plan, late).free_minutes_left == 0
    assert start(plan, late + timedelta(minutes=5)).free_minutes_left == 15


def test_a_day_does_not_open_again_when_the_clock_is_set_back(client: ApiClient) -> None:
    plan = put(client)
    end(plan, start(plan, NOON + timedelta(days=1)), 15)
    assert start(plan).free_minutes_left == 0


def test_of_two_rides_with_the_same_allowance_only_one_starts(client: ApiClient) -> None:
    plan = put(client)
    first = start(plan)
    end(plan, first, 10)
    second = start(plan)
    end(plan, second, 1)
    for stale in (first, second):
        with pytest.raises(Contention), store.Transaction() as tx:
            service.commit_allowance(tx, plan, RIDER, stale)


@pytest.mark.parametrize("minutes_before", [0, 4])
def test_an_allowance_of_a_new_day_is_committed(client: ApiClient, minutes_before: int) -> None:
    plan = put(client)
    end(plan, start(plan), minutes_before)
    allowance = start(plan, NOON + timedelta(days=1))
    assert allowance.free_minutes_left == 15
    end(plan, allowance, 5)
    with pytest.raises(Contention), store.Transaction() as tx:
        service.commit_allowance(tx, plan, RIDER, allowance)


def test_a_plan_that_gets_free_minutes_later_gives_them_to_riders_it_knows(client: ApiClient) -> None:
    plan = put(client, free_minutes_per_day=0)
    first = start(plan)
    assert first == Allowance(registration_due=True)
    end(plan, first, 10)
    assert start(plan) == Allowance()
    assert start(put(client)) == Allowance(day=TODAY, free_minutes_left=15)


def test_a_ride_that_uses_nothing_writes_nothing_but_the_first(client: ApiClient) -> None:
    plan = put(client, included_minutes=30)
    with measured() as usage:
        end(plan, NOBODY_USED_IT, 5)
    assert usage.calls == ["TransactWriteItems"]
    registered = start(plan)
    with measured() as usage:
        end(plan, registered, 5)
    assert usage.calls == []


def test_ending_is_not_kept_back_by_the_books(client: ApiClient) -> None:
    plan = put(client)
    allowance = start(plan)
    for _ in range(2):
        end(plan, allowance, 10)
    item = PlanUseItem.get(f"USE#{RIDER}", "PLAN#0000000000000024")
    assert (item.entity.day, item.entity.minutes) == (TODAY, 10)
