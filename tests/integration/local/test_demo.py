from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest

from kickstand.clients import service as clients
from kickstand.clients.store import ClientItem
from kickstand.fleet import listing
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Vehicle, VehicleState
from kickstand.fleet.store import VehicleItem
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType
from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.rental import service as rentals
from local import demo
from local.testing import running_platform
from tests.conftest import disconnect


@pytest.fixture(scope="module", autouse=True)
def _platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    disconnect()
    with running_platform(tmp_path_factory.mktemp("demo")):
        yield
    disconnect()


@pytest.fixture(autouse=True)
def _request() -> None:
    store.begin()


@pytest.fixture
def ids() -> dict[str, Any]:
    described: dict[str, Any] = demo.describe()["surfaces"]["voi"]["ids"]
    return described


def vehicles() -> list[Vehicle]:
    return [item.entity for item in VehicleItem.scan(VehicleItem.kind == VehicleItem.KIND)]


def test_two_cities_with_vehicles_at_places_where_rides_may_end() -> None:
    standing = vehicles()
    by_network = {network: [each for each in standing if each.network_id == network] for network in (1, 2)}
    assert {network: len(each) for network, each in by_network.items()} == {1: 350, 2: 60}
    assert len({each.code for each in standing}) == len(standing)
    assert all(len(each.code) == 4 for each in standing)
    assert all(each.verdict.ride_end_allowed for each in by_network[2])
    refused = [each for each in by_network[1] if not each.verdict.ride_end_allowed]
    assert 0 < len(refused) < 20  # some stations lie in no-parking areas
    states = {each.state for each in standing}
    assert states >= {VehicleState.AVAILABLE, VehicleState.UNAVAILABLE, VehicleState.LOST, VehicleState.IN_STOCK}


def test_the_listings_are_complete_at_once() -> None:
    for network in (1, 2):
        expected = {
            each.id
            for each in vehicles()
            if each.network_id == network and each.state is VehicleState.AVAILABLE and each.verdict.ride_start_allowed
        }
        store.begin()
        assert {entry.vehicle_id for entry in listing.read(network).entries()} == expected


def test_the_zones_are_those_of_the_data() -> None:
    oslo, paris = geo.areas(1), geo.areas(2)
    assert len(paris.zones) == 272
    assert {each.area_type for each in oslo.zones} == set(AreaType) - {AreaType.PARKING_SPOT}
    assert all(each.name.endswith("(demo)") for each in oslo.zones)


def test_everything_described_exists(ids: dict[str, Any]) -> None:
    client = clients.authenticate(demo.TOKEN)
    first = UUID(ids["id"])
    assert clients.find_product(client, UUID(ids["productId"])).name == "Demo app"
    assert identity.find(client, first).first_name == "Kari"
    vehicle = fleet.find(client, first)
    assert vehicle.code == ids["code"]
    assert vehicle.state is VehicleState.AVAILABLE
    assert vehicle.verdict.ride_end_allowed
    assert fleet.find_by_code(client, ids["code"]).id == vehicle.id
    rental = rentals.find(client, first)
    assert rental.receipt is not None
    assert rental.fare is not None
    assert rental.fare.total == 4500  # 8.00 and 14 minutes at 2.00, with 25 % VAT
    assert [each.id for each in fleet.networks(client)] == [1, 2]


def test_the_second_partner_sees_paris_only() -> None:
    client = clients.authenticate(demo.PARIS_TOKEN)
    assert [each.name for each in fleet.networks(client)] == ["Paris"]
    assert not client.may_see(demo.OSLO)


def test_tokens_last_three_years() -> None:
    (token,) = clients.authenticate(demo.TOKEN).tokens
    assert 3 * 365 - 1 <= (token.expires_at - clock.now()).days <= 3 * 365


def test_seeding_again_changes_nothing() -> None:
    store.change(VehicleItem.key(2), [VehicleItem.battery_percent.set(3)])
    before = geo.geofence(1)
    demo.seed()
    assert fleet.vehicle(2).battery_percent == 3
    assert geo.geofence(1) == before


def test_a_seeding_that_was_cut_short_begins_anew() -> None:
    before = lasting()
    ClientItem("CLIENT#1", "CLIENT").delete()
    demo.seed()
    assert lasting() == before
    assert clients.authenticate(demo.TOKEN).name == "Demo Mobility"


def lasting() -> set[tuple[Any, ...]]:
    return {(each.id, each.public_id, each.code, each.position, each.state) for each in vehicles()}


def test_the_simulator_learns_where_a_vehicle_stands() -> None:
    vehicle = fleet.vehicle(7)
    status = demo.locate(7)
    assert status is not None
    assert (status.longitude, status.battery_percent) == (vehicle.position.longitude, vehicle.battery_percent)
    assert demo.locate(999_999) is None
