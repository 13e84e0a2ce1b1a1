from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from kickstand.fleet import listing
from kickstand.fleet.listing import RENTABLE
from kickstand.fleet.model import VehicleState
from kickstand.kernel import store
from kickstand.kernel.errors import Contention
from tests.support.vehicles import Pair, vehicle

WRITERS = 6


def project_stubbornly(batch: list[Pair]) -> None:
    """As a stream does: what fails comes again."""
    for _ in range(50):
        store.begin()
        try:
            listing.project(batch)
        except Contention:
            continue
        return
    pytest.fail("the batch never got through")


@pytest.mark.usefixtures("engine")
def test_writers_of_the_same_buckets_lose_nothing() -> None:
    random = Random(3)
    batches: list[list[Pair]] = [[] for _ in range(WRITERS)]
    expected: dict[int, int] = {}
    for vehicle_id in range(1, 61):
        writer = batches[vehicle_id % WRITERS]
        here = vehicle(vehicle_id * 16)  # four buckets for all
        gone = vehicle(here.id, revision=2, state=VehicleState.IN_USE)
        back = vehicle(here.id, revision=3, battery_percent=random.randint(1, 79))
        whole: list[Pair] = [(None, here), (here, gone), (gone, back)]
        life = whole[: random.randint(1, 3)]
        last = life[-1][1]
        writer.extend(life)
        if last is not None and last.state is VehicleState.AVAILABLE:
            expected[last.id] = last.battery_percent
    rounds = [batch[start : start + 10] for start in range(0, 30, 10) for batch in batches]
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(project_stubbornly, rounds))
    store.begin()
    found = listing.read(1, view=RENTABLE)
    assert {entry.id: entry.battery for entry in found.entries()} == expected
    assert listing.etag(1, view=RENTABLE) == found.etag
