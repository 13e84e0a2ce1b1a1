from concurrent.futures import ThreadPoolExecutor

import pytest

from kickstand.geo import service
from kickstand.geo.errors import GeofenceChanged
from kickstand.geo.model import AreaType, Parking
from kickstand.kernel import store
from tests.support.zones import NETWORK, square, zone

WRITERS = 8


def publish(number: int) -> int | None:
    """The version that got published, if it did."""
    store.begin()
    own = zone(number, AreaType.SLOW_ZONE, ring=square(100 + number))
    try:
        return service.put_zones(NETWORK, Parking.FREE_FLOATING, [zone(1), own]).version
    except GeofenceChanged:
        return None


@pytest.mark.usefixtures("engine")
def test_versions_follow_each_other_however_many_publish() -> None:
    with ThreadPoolExecutor(WRITERS) as pool:
        published = [version for version in pool.map(publish, range(2, 42)) if version is not None]
    assert sorted(published) == list(range(1, len(published) + 1))
    store.begin()
    areas = service.areas(NETWORK)
    assert areas.version == len(published)
    assert len(areas.zones) == 2
