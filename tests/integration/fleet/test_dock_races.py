"""Docks' events that arrive at the same moment, on the atomic engine."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from random import Random

import pytest

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Cluster, Vehicle
from kickstand.fleet.service import Standing
from kickstand.kernel import clock, store
from local.server import Tables
from tests.support.city import ALLOWED, BIKE, OSLO, City

WORKERS = 8
STANDING = Standing(OSLO, "8809993867fffff", ALLOWED)


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


def docks(vehicle: Vehicle, cluster: Cluster, number: int, at: datetime) -> None:
    """As the queue does: what fails comes again."""
    for _ in range(50):
        store.begin()
        try:
            clusters.dock(vehicle.id, cluster.id, number, at, STANDING)
        except store.Contention:
            continue
        return
    pytest.fail("the event never got through")


@pytest.mark.parametrize("seed", range(4))
def test_vehicles_and_docks_agree_whatever_happens_at_the_same_moment(city: City, seed: int) -> None:
    random = Random(seed)
    places = [city.cluster(docks=2) for _ in range(2)]
    vehicles = [city.vehicle(model=BIKE) for _ in range(4)]
    start = clock.now()
    events = [
        partial(
            docks, random.choice(vehicles), random.choice(places), random.randint(1, 2), start + timedelta(seconds=n)
        )
        for n in range(40)
    ]
    latest = {each.args[0].id: each.args for each in events}
    arriving = events + events[::2]
    random.shuffle(arriving)
    with ThreadPoolExecutor(WORKERS) as pool:
        for done in [pool.submit(event) for event in arriving]:
            done.result()
    store.begin()
    parked = {
        (place.id, int(dock)): holds for place in places for dock, holds in clusters.cluster(place.id).parked.items()
    }
    known = fleet.vehicles(each.id for each in vehicles)
    spots = {each.id: (each.spot.cluster_id, each.spot.number) for each in known.values() if each.spot}
    assert parked == {spot: vehicle_id for vehicle_id, spot in spots.items()}
    for vehicle_id, (_, place, number, at) in latest.items():
        later = [each.args for each in events if each.args[1:3] == (place, number) and each.args[3] > at]
        if not later:  # the last to come into its last dock
            assert spots[vehicle_id] == (place.id, number)
