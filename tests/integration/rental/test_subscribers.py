"""Rides and reservations at plans that are for subscribers only."""

from datetime import timedelta

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category
from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.pricing.model import PricingPlan
from kickstand.rental import reservations
from kickstand.rental import service as rentals
from kickstand.rental.service import StartTerms
from kickstand.sales.errors import SubscriptionRequired
from local.server import Tables
from tests.support.capacity import measured
from tests.support.city import City
from tests.support.subscriptions import activated

USER = "kari"


@pytest.fixture
def city(engine: Tables) -> City:
    return City()


@pytest.fixture
def rider(city: City) -> int:
    return identity.ensure_external(city.client, USER).rider_id


@pytest.fixture
def plan(city: City) -> PricingPlan:
    return city.plan(subscribers_only=True)


def refused(city: City, plan: PricingPlan, user: str = USER) -> None:
    """Nobody lets the user ride or reserve at the plan, and nothing is left of the attempt."""
    vehicle, cluster = city.vehicle(), city.cluster()
    city.docked(cluster, 1)
    terms = StartTerms(plan_id=plan.id)
    for attempt in (
        lambda: rentals.start_for(city.client, user, vehicle.id, terms),
        lambda: rentals.start_at_cluster(city.client, user, cluster.id, Category.BIKE, terms),
        lambda: reservations.reserve(city.client, user, vehicle.id, plan.id),
    ):
        store.begin()
        with pytest.raises(SubscriptionRequired):
            attempt()
    store.begin()
    assert rentals.start_for(city.client, user, vehicle.id).plan is None


def test_a_valid_subscription_opens_its_plan(city: City, rider: int, plan: PricingPlan) -> None:
    activated(city, rider, offer={"plan_id": plan.id})
    reserved = reservations.reserve(city.client, USER, city.vehicle().id, plan.id)
    store.begin()
    rental = rentals.start_for(city.client, USER, reserved.vehicle_id, StartTerms(plan_id=plan.id))
    assert rental.plan == plan


def test_a_valid_subscription_opens_its_plan_at_clusters(city: City, rider: int, plan: PricingPlan) -> None:
    activated(city, rider, offer={"plan_id": plan.id})
    cluster = city.cluster()
    bike = city.docked(cluster, 1)
    store.begin()
    rental = rentals.start_at_cluster(city.client, USER, cluster.id, Category.BIKE, StartTerms(plan_id=plan.id))
    assert (rental.plan, rental.vehicle_id) == (plan, bike.id)


def test_whoever_has_none_does_not_ride(city: City, rider: int, plan: PricingPlan) -> None:
    refused(city, plan)


def test_a_user_that_is_named_for_the_first_time_has_none(city: City, plan: PricingPlan) -> None:
    refused(city, plan, "somebody new")


def test_one_for_another_plan_opens_nothing(city: City, rider: int, plan: PricingPlan) -> None:
    activated(city, rider, offer={"plan_id": plan.id + 1})
    refused(city, plan)


def test_one_that_has_run_out_opens_nothing(city: City, rider: int, plan: PricingPlan) -> None:
    activated(city, rider, clock.now() - timedelta(days=40), offer={"plan_id": plan.id})
    refused(city, plan)


def test_a_ride_that_has_begun_goes_on_when_the_subscription_ends(
    city: City, rider: int, plan: PricingPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(city, rider, offer={"plan_id": plan.id})
    rental = rentals.start_for(city.client, USER, city.vehicle().id, StartTerms(plan_id=plan.id))
    monkeypatch.setattr(clock, "_offset", clock.offset() + timedelta(days=40))
    store.begin()
    assert rentals.find_by_id(city.client, rental.id).is_open


def test_it_takes_one_more_reading_and_only_there(city: City, rider: int, plan: PricingPlan) -> None:
    activated(city, rider, offer={"plan_id": plan.id})
    free = city.plan()
    fleet.known_network(1)
    for chosen, readings in ((plan, 2), (free, 1)):
        vehicle = city.vehicle()
        store.begin()
        with measured() as usage:
            reservations.reserve(city.client, USER, vehicle.id, chosen.id)
        assert usage.calls == ["BatchGetItem"] * readings + ["TransactWriteItems"]
        assert usage.read_units <= 3 + readings
        store.begin()
        (made,) = reservations.list_active(city.client, USER)
        store.begin()
        reservations.cancel(city.client, made.id)
        vehicle = city.vehicle()
        store.begin()
        with measured() as usage:
            rental = rentals.start_for(city.client, USER, vehicle.id, StartTerms(plan_id=chosen.id))
        assert usage.calls == ["BatchGetItem"] * readings + ["TransactWriteItems"]
        assert usage.read_units <= 4 + readings
        store.begin()
        rentals.instruct(city.client, rental.id, rentals.Instruction(rentals.RiderAction.CANCEL))
