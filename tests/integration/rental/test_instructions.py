"""What partners tell rentals to do: pause, resume, cancel and end; and what docks say."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from kickstand.fleet import directory
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Ability, Category, ClusterKind, Lock, Spot, VehicleModel, VehicleState
from kickstand.geo import service as geo
from kickstand.identity import penalties
from kickstand.kernel import clock, store
from kickstand.kernel.errors import DomainError
from kickstand.kernel.place import Position
from kickstand.pricing.model import LineKind, PricingPlan
from kickstand.rental import changes, lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.errors import (
    AbilityMissing,
    EndingRefused,
    FarFromDock,
    ImplausiblePosition,
    RentalAlreadyEnded,
    RentalNotFound,
    RentalStateRefused,
    RiderMismatch,
)
from kickstand.rental.model import (
    EndReason,
    Rental,
    RentalState,
    RiderPosition,
    SegmentKind,
    Transition,
    TransitionReason,
)
from kickstand.rental.service import Instruction, RiderAction, StartTerms
from local.server import Tables
from tests.support import zones
from tests.support.city import BIKE, E_BIKE, NO_PARKING, OSLO, TIMINGS, City
from tests.support.world import World

PAUSE, RESUME, CANCEL, END = RiderAction
FAR = zones.at(3_000, 2_000)


@pytest.fixture
def world(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    there = World(monkeypatch)
    geo.put_zones(1, there.city.parking, [zones.zone(1)])
    yield there
    store.begin()


@pytest.fixture
def city(world: World) -> City:
    return world.city


def begun(world: World, model: VehicleModel | None = None, plan: PricingPlan | None = None) -> Rental:
    """A ride that is going on."""
    vehicle = world.city.vehicle(model=model) if model else world.city.vehicle()
    terms = StartTerms(plan_id=plan.id if plan else None)
    rental = rentals.start_for(world.city.client, f"U{vehicle.id}", vehicle.id, terms)
    world.settle()
    store.begin()
    return rentals.get(rental.id)


def ride(world: World, rental: Rental, to: Position) -> None:
    world.advance(600)
    store.begin()
    world.ride(fleet.vehicle(rental.vehicle_id), to)
    store.begin()


def tell(world: World, rental: Rental, action: RiderAction, **more: Any) -> Rental:
    store.begin()
    told = rentals.instruct(world.city.client, rental.id, Instruction(action, **more))
    store.begin()
    return told


def refused(error: type[DomainError], call: Callable[[], object]) -> None:
    store.begin()
    with pytest.raises(error):
        call()
    store.begin()


def test_a_ride_with_a_break(world: World) -> None:
    rental = begun(world)
    assert rental.state is RentalState.IN_PROGRESS
    assert tell(world, rental, PAUSE).state is RentalState.ON_HOLD
    world.settle()
    assert fleet.vehicle(rental.vehicle_id).state is VehicleState.ON_HOLD
    assert tell(world, rental, RESUME).state is RentalState.IN_PROGRESS
    world.settle()
    assert tell(world, rental, END).state is RentalState.ENDING
    world.settle()
    store.begin()
    over = rentals.get(rental.id)
    assert (over.state, over.end_reason, over.transition) == (RentalState.COMPLETED, EndReason.RIDER, None)
    assert [each.kind for each in over.segments] == [SegmentKind.RIDE, SegmentKind.PAUSE, SegmentKind.RIDE]
    assert fleet.vehicle(rental.vehicle_id).state is VehicleState.AVAILABLE


def test_what_is_so_already_changes_nothing(world: World) -> None:
    rental = begun(world)
    assert tell(world, rental, RESUME) == rental
    paused = tell(world, rental, PAUSE)
    assert tell(world, rental, PAUSE) == paused
    ending = tell(world, rental, END)
    assert tell(world, rental, END) == ending
    world.settle()
    refused(RentalAlreadyEnded, lambda: tell(world, rental, END))
    refused(RentalAlreadyEnded, lambda: tell(world, rental, PAUSE))


def test_only_what_has_not_begun_can_be_cancelled(world: World) -> None:
    vehicle = world.city.vehicle()
    rental = rentals.start_for(world.city.client, "Hasty", vehicle.id)
    over = tell(world, rental, CANCEL)
    assert (over.state, over.end_reason) == (RentalState.CANCELLED, EndReason.CANCELLED)
    assert over.fare is not None
    assert over.fare.total == 0
    assert tell(world, rental, CANCEL) == over
    world.settle()
    store.begin()
    assert fleet.vehicle(vehicle.id).state is VehicleState.AVAILABLE
    assert world.published[-1].action == "lock"
    refused(RentalStateRefused, lambda: tell(world, begun(world), CANCEL))


def test_others_cannot_touch_it(world: World) -> None:
    other, _ = world.city.partner("Elsewhere")
    rental = begun(world)
    refused(RentalNotFound, lambda: rentals.instruct(other, rental.id, Instruction(END)))
    refused(RiderMismatch, lambda: tell(world, rental, END, user_id="Somebody"))
    assert tell(world, rental, END, user_id=rental.external_rider_id).state is RentalState.ENDING


def test_a_rider_who_is_elsewhere_ends_nothing(world: World) -> None:
    rental = begun(world)
    refused(ImplausiblePosition, lambda: tell(world, rental, END, position=RiderPosition(position=FAR)))
    vague = RiderPosition(position=FAR, accuracy_m=3_000)
    assert tell(world, rental, END, position=vague).rider_end == FAR


def test_what_a_partner_says_about_it_is_kept(world: World) -> None:
    rental = begun(world)
    said = Transition(reason=TransitionReason.ILLEGAL_PARKING, comment="on the tram tracks")
    over = tell(world, rental, END, transition=said)
    assert (over.transition, over.end_reason) == (said, EndReason.OPERATOR)
    world.settle()
    store.begin()
    assert rentals.get(rental.id).transition == said


def test_where_rides_must_not_end(world: World) -> None:
    vehicle = world.city.vehicle(verdict=NO_PARKING)
    rental = rentals.start_for(world.city.client, "Parker", vehicle.id)
    world.settle()
    refused(EndingRefused, lambda: tell(world, rental, END))


def test_what_a_kind_of_vehicle_cannot_do(world: World) -> None:
    cluster = world.city.cluster()
    world.city.docked(cluster, 1)
    world.settle()
    store.begin()
    rental = rentals.start_at_cluster(world.city.client, "Biker", cluster.id, Category.BIKE)
    world.settle()
    directory.rebuild(world.city.network_id)
    refused(AbilityMissing, lambda: tell(world, rental, PAUSE))
    refused(AbilityMissing, lambda: tell(world, rental, END))


def test_a_docked_kind_far_from_any_dock(world: World) -> None:
    rental = begun(world, E_BIKE)
    ride(world, rental, FAR)
    refused(FarFromDock, lambda: tell(world, rental, END))
    assert rentals.get(rental.id).is_open


def test_who_ends_it_and_where_makes_no_difference(world: World) -> None:
    bike, e_bike = begun(world, BIKE), begun(world, E_BIKE)
    for rental, refusal in ((bike, FarFromDock), (e_bike, FarFromDock)):
        ride(world, rental, FAR)
        refused(refusal, lambda: tell(world, rental, END))  # noqa: B023
        refused(refusal, lambda: rentals.end(world.city.client, rental.public_id))  # noqa: B023
    beside = world.city.cluster(position=zones.at(-3_000, -2_000)).position
    directory.rebuild(world.city.network_id)
    ride(world, bike, beside)
    refused(AbilityMissing, lambda: rentals.end(world.city.client, bike.public_id))
    ride(world, e_bike, beside)
    assert rentals.end(world.city.client, e_bike.public_id).state is RentalState.ENDING


def test_what_is_still_in_its_dock_is_called_off(world: World) -> None:
    cluster = world.city.cluster(position=zones.at(-3_500, 0))
    for number, end in enumerate((True, False), 1):
        bike = world.city.docked(cluster, number)
        rental = rentals.start_for(world.city.client, f"Docked {number}", bike.id)
        store.begin()
        over = rentals.end(world.city.client, rental.public_id) if end else tell(world, rental, END)
        store.begin()
        assert (over.state, over.end_reason) == (RentalState.CANCELLED, EndReason.CANCELLED)
        assert fleet.vehicle(bike.id).state is VehicleState.AVAILABLE


def test_what_unlocks_while_it_is_called_off_is_ended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    call_off = changes.decide

    def late(rental_id: int, *decision: Any, **more: Any) -> Rental:
        monkeypatch.setattr(changes, "decide", call_off)
        lifecycle.confirm_unlocked(rental_id)
        return call_off(rental_id, *decision, **more)

    rental = rentals.start_for(world.city.client, "Twice", world.city.vehicle().id)
    store.begin()
    monkeypatch.setattr(changes, "decide", late)
    assert tell(world, rental, END).state is RentalState.ENDING


def test_an_end_that_asks_nobody_costs_the_fee_too(world: World) -> None:
    plan = world.city.plan(free_floating_fee=5000)
    for reason, fee in ((EndReason.TOO_LONG, 6250), (EndReason.STOLEN, 0)):
        rental = begun(world, E_BIKE, plan)
        ride(world, rental, FAR)
        lifecycle.end_internally(rental.id, reason)
        store.begin()
        over = rentals.get(rental.id)
        assert over.fare is not None
        assert over.fare.total == fee


def test_timers_that_come_late_count_as_of_when_they_were_due(world: World) -> None:
    rental = begun(world)
    world.advance(6 * 3600)
    world.go_off()
    store.begin()
    over = rentals.get(rental.id)
    assert [each.kind for each in over.segments] == [SegmentKind.RIDE, SegmentKind.PAUSE]
    assert over.segments[1].started_at - rental.started_at == timedelta(seconds=TIMINGS.auto_pause_after_s)
    assert over.notices == 0


def test_a_plan_may_let_it_be_left_there_at_a_fee(world: World) -> None:
    plan = world.city.plan(trip_price=1000, free_floating_fee=5000, registration_fee=200)
    rental = begun(world, E_BIKE, plan)
    ride(world, rental, FAR)
    over = tell(world, rental, END)
    assert over.fare is not None
    assert over.fare.total == 6200 * 125 // 100
    assert {line.kind for line in over.fare.lines} >= {LineKind.FREE_FLOATING_DOCKING_FEE, LineKind.REGISTRATION_FEE}
    world.settle()
    store.begin()
    again = rentals.start_for(
        world.city.client, f"U{rental.vehicle_id}", rental.vehicle_id, StartTerms(plan_id=plan.id)
    )
    assert again.allowance is not None
    assert not again.allowance.registration_due


def test_a_virtual_dock_is_given_a_number(world: World) -> None:
    place = zones.at(-3_000, 2_000)
    cluster = world.city.cluster(docks=2, position=place, type_=ClusterKind.VIRTUAL)
    directory.rebuild(world.city.network_id)
    rental = begun(world, E_BIKE)
    ride(world, rental, place)
    spot = cluster.spot(1)
    assert tell(world, rental, END).end_spot == spot
    world.settle()
    store.begin()
    assert fleet.vehicle(rental.vehicle_id).spot == spot


# ── Docks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dock_ends_a_ride_at_once(world: World) -> None:
    rental = begun(world, BIKE)
    world.advance(700)
    spot = Spot(cluster_id=7, cluster_name="58", number=3)
    for _ in range(2):
        lifecycle.docked(rental.id, spot, FAR, clock.now())
        store.begin()
    over = rentals.get(rental.id)
    assert (over.state, over.end_spot, over.end_reason) == (RentalState.COMPLETED, spot, EndReason.RIDER)
    assert (over.vehicle_end, over.distance_m) == (FAR, round(OSLO.distance_m(FAR)))  # it told nothing of its way
    assert over.fare is not None
    assert over.event.name == "RentalCompleted"
    assert fleet.vehicle(rental.vehicle_id).state is VehicleState.AVAILABLE


def test_a_docks_old_news_end_nothing(world: World) -> None:
    before = clock.now()
    world.advance(60)
    rental = begun(world, BIKE)
    lifecycle.docked(rental.id, Spot(cluster_id=7, cluster_name="58", number=3), OSLO, before)
    store.begin()
    assert rentals.get(rental.id).is_open


def test_a_dock_completes_what_was_ending(world: World) -> None:
    rental = begun(world)
    ending = tell(world, rental, END)
    world.advance(5)
    lifecycle.docked(rental.id, Spot(cluster_id=7, cluster_name="58", number=3), OSLO, clock.now())
    store.begin()
    over = rentals.get(rental.id)
    assert (over.state, over.ended_at, over.fare) == (RentalState.COMPLETED, ending.ended_at, ending.fare)


# ── Speed and penalties ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_partners_speed_limit_lasts_as_long_as_the_rental(world: World) -> None:
    vehicle = world.city.vehicle()
    rental = rentals.start_for(world.city.client, "Slow", vehicle.id, StartTerms(max_speed_kmh=12))
    world.settle()
    tell(world, rental, END)
    world.settle()
    limits = [each.parameters["max_speed_kmh"] for each in world.published if each.action == "limit_speed"]
    assert limits == [12, None]


def test_a_long_ride_at_a_plan_is_penalised_again_and_again(world: World) -> None:
    plan = world.city.plan(penalty_after_s=2400, penalty_repeat_s=600, penalty_points=3, max_penalty_points=5)
    strong = VehicleModel(
        id=4, name="Ox", category=Category.BIKE, max_range_m=0, lock=Lock.RING, abilities=frozenset(Ability)
    )
    fleet.put_model(strong)
    rental = begun(world, strong, plan)
    world.ride(fleet.vehicle(rental.vehicle_id), OSLO)
    for minutes, expected in ((30, 0), (11, 1), (5, 1), (6, 2)):
        world.advance(minutes * 60)
        world.ride(fleet.vehicle(rental.vehicle_id), OSLO)
        world.go_off()
        store.begin()
        assert rentals.get(rental.id).penalties == expected
    found = penalties.list_penalties(world.city.client, str(rental.external_rider_id))
    assert [each.points for each in found] == [3, 3]
    assert {each.rental_id for each in found} == {rental.id}
