"""Riders, vehicles and timers doing anything in any order: what must always hold, holds."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from kickstand.fleet import service as fleet
from kickstand.fleet.model import VehicleState
from kickstand.geo import service as geo
from kickstand.identity.model import Rider
from kickstand.kernel import store
from kickstand.kernel.errors import DomainError
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.model import EndReason, Rental, RentalState
from local.server import Tables
from tests.support import zones
from tests.support.city import pause
from tests.support.world import World

STEPS = [30, 1300, 1900, 4000]


class Rides(RuleBasedStateMachine):
    """Anything that can happen to the rentals of three riders and three vehicles."""

    riders: Bundle[Rider] = Bundle("riders")

    @initialize(target=riders)
    def people(self) -> Any:
        self.patch = pytest.MonkeyPatch()
        store.begin()
        self.world = World(self.patch)
        if geo.geofence(1) is None:
            geo.put_zones(1, self.world.city.parking, [zones.zone(1)])
        self.known: list[Rental] = []
        self.parked = [self.world.city.vehicle() for _ in range(3)]
        return multiple(*[self.world.city.rider() for _ in range(3)])

    @rule(rider=riders, number=st.integers(0, 2))
    def start(self, rider: Rider, number: int) -> None:
        try:
            rental = rentals.start(self.world.city.client, rider.public_id, self.parked[number].public_id)
        except DomainError:
            return
        self.known.append(rental)

    @rule(rider=riders, number=st.integers(0, 2), east=st.integers(200, 900))
    def ride(self, rider: Rider, number: int, east: int) -> None:
        self.world.settle()
        self.start(rider, number)
        self.world.settle()
        self.world.advance(200)
        self.report(number, east, locked=False)

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 3))
    def end(self, number: int) -> None:
        self._one(number, lambda rental: rentals.end(self.world.city.client, rental.public_id))

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 3))
    def pause(self, number: int) -> None:
        self._one(number, lambda rental: pause(rental.id))

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 3))
    def resume(self, number: int) -> None:
        self._one(number, lambda rental: lifecycle.resume(rental.id, unlock=True))

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 3), reason=st.sampled_from([EndReason.OPERATOR, EndReason.TOO_LONG]))
    def stop(self, number: int, reason: EndReason) -> None:
        self._one(number, lambda rental: lifecycle.end_internally(rental.id, reason))

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 3))
    def reject(self, number: int) -> None:
        self._one(number, lambda rental: lifecycle.reject_unlock(rental.id))

    @precondition(lambda self: self.known)
    @rule(number=st.integers(0, 2), east=st.integers(-900, 900), locked=st.booleans())
    def report(self, number: int, east: int, locked: bool) -> None:
        self.world.ride(self.parked[number], zones.at(east, 0), locked=locked)

    @precondition(lambda self: self.known)
    @rule(answers=st.booleans())
    def react(self, answers: bool) -> None:
        self.world.settle(answers=answers)

    @precondition(lambda self: self.known)
    @rule(seconds=st.sampled_from(STEPS))
    def wait(self, seconds: int) -> None:
        self.world.advance(seconds)
        self.world.go_off()

    def _one(self, number: int, act: Any) -> None:
        store.begin()
        try:
            act(self.known[-1 - number % len(self.known)])
        except DomainError:
            return

    @invariant()
    def vehicles_and_riders_have_one_rental_at_most(self) -> None:
        if not hasattr(self, "world"):
            return
        store.begin()
        now = [rentals.get(each.id) for each in self.known]
        opened = [each for each in now if each.is_open]
        assert len({each.rider_id for each in opened}) == len(opened)
        holding = [each for each in now if each.is_open or each.state is RentalState.ENDING]
        assert len({each.vehicle_id for each in holding}) == len(holding)
        held = {each.vehicle_id: each for each in holding}
        for parked in self.parked:
            vehicle = fleet.vehicle(parked.id)
            rental = held.get(parked.id)
            assert vehicle.rental_id == (rental.id if rental else None)
            assert (vehicle.state in {VehicleState.IN_USE, VehicleState.ON_HOLD}) == (rental is not None)
        for rental in now:
            assert (rental.fare is None) == rental.is_open
            if rental.fare:
                assert rental.fare.total == sum(line.net + line.vat for line in rental.fare.lines)
                assert rental.ended_at is not None
                assert rental.started_at <= rental.ended_at

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for _ in range(6):
            self.world.settle()
            self.world.advance(24 * 3600)
            self.world.go_off()
        self.world.settle()
        store.begin()
        for each in self.known:
            rental = rentals.get(each.id)
            assert rental.state in {RentalState.COMPLETED, RentalState.CANCELLED}
            self.world.finish(rental)
        self.patch.undo()


@pytest.mark.parametrize("examples", [10, pytest.param(400, marks=pytest.mark.long)])
def test_rides(engine: Tables, examples: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=examples < 100,
    )
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(Rides, settings=chosen)
