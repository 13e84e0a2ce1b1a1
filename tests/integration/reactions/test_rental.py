"""What follows from a rental's events when not everything is within reach."""

import pytest

from kickstand.fleet.model import Command
from kickstand.geo import service as geo
from kickstand.kernel import store
from kickstand.rental import gateway as workflows
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from kickstand.rental.store import WaitItem
from local.server import Tables
from tests.support import zones
from tests.support.city import OSLO
from tests.support.world import World


@pytest.fixture
def world(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(monkeypatch)
    store.begin()
    geo.put_zones(1, world.city.parking, [zones.zone(1)])
    world.settle()
    return world


def test_a_rental_has_its_deadlines_although_no_command_gets_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(_: Command) -> None:
        raise ConnectionError

    monkeypatch.setattr("kickstand.fleet.gateway.publish", unreachable)
    woken: list[str] = []
    monkeypatch.setattr(workflows, "wake_workflow", woken.append)
    store.begin()
    rental = rentals.start(world.city.client, world.city.rider().public_id, world.city.vehicle().public_id, OSLO)
    with pytest.raises(AssertionError, match="never consumed"):
        world.deliver()
    assert world.started == {rental.id}

    store.begin()
    assert lifecycle.wait_for_change(rental.id, rental.version, "token")
    assert store.load(WaitItem.key(rental.id)) is not None
    rentals.end(world.city.client, rental.public_id, OSLO)
    with pytest.raises(AssertionError, match="never consumed"):
        world.deliver()
    assert set(woken) == {"token"}
