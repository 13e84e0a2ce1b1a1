from datetime import UTC, datetime
from typing import Any

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.service import Standing
from kickstand.geo.model import Verdict
from kickstand.kernel import store
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.pricing.model import Tariff
from kickstand.pricing.store import TariffItem
from reactions.pricing import offer_tariffs
from tests.support import samples

pytestmark = pytest.mark.usefixtures("aws")

STANDING = Standing(
    position=Position(longitude=10.75, latitude=59.91),
    cell="891f1d48177ffff",
    verdict=Verdict(geofence_version=1, ride_start_allowed=True),
)


def vehicle(code: str, offer: Tariff) -> int:
    added = fleet.new_vehicle(code, offer, STANDING, 80)
    fleet.add_vehicle(added, STANDING.cell)
    return added.id


def version_offered(vehicle_id: int) -> int:
    store.begin()
    return fleet.vehicle(vehicle_id).offer.version


def record(tariff: Tariff) -> dict[str, Any]:
    image = TariffItem.of(
        tariff, event=Event.new("TariffPublished", datetime(2025, 6, 1, tzinfo=UTC))
    ).to_dynamodb_dict()
    keys = {name: image[name] for name in ("pk", "sk")}
    return {"dynamodb": {"Keys": keys, "SequenceNumber": str(tariff.version), "NewImage": image}}


def test_vehicles_of_the_network_and_model_are_offered_at_the_newest_tariff_whatever_the_order() -> None:
    store.begin()
    ours = [vehicle("AAAA", samples.tariff()), vehicle("BBBB", samples.tariff())]
    other_model = vehicle("CCCC", samples.tariff(model_id=99))
    other_network = vehicle("DDDD", samples.tariff(network_id=99))
    second, third = record(samples.tariff(version=2)), record(samples.tariff(version=3))
    answer = offer_tariffs({"Records": [third, second, third]}, None)
    assert answer == {"batchItemFailures": []}
    assert [version_offered(each) for each in ours] == [3, 3]
    assert version_offered(other_model) == version_offered(other_network) == 1
