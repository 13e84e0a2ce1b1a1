import json
from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from kickstand.billing import invoices
from kickstand.clients import access
from kickstand.clients import service as clients
from kickstand.clients.store import ClientItem
from kickstand.fleet import alerts, directory, listing
from kickstand.fleet import service as fleet
from kickstand.fleet.clusters import find_cluster, vehicles_at
from kickstand.fleet.model import (
    Category,
    Cluster,
    ClusterKind,
    ClusterState,
    DockState,
    Unavailability,
    Vehicle,
    VehicleState,
)
from kickstand.fleet.store import ClusterItem, VehicleItem
from kickstand.geo import service as geo
from kickstand.geo.model import AreaType
from kickstand.identity import penalties
from kickstand.identity import service as identity
from kickstand.identity.model import PenaltyState
from kickstand.insights import service as insights
from kickstand.kernel import clock, store
from kickstand.ledger import service as ledger
from kickstand.ledger.model import Account, AccountKind
from kickstand.onboarding import service as onboarding
from kickstand.pricing import service as pricing
from kickstand.rental import reservations
from kickstand.rental import service as rentals
from kickstand.rental.model import RentalState, ReservationState
from kickstand.sales import offers, orders, subscriptions
from kickstand.sales.model import OfferKind, OrderState, PaymentMethod
from kickstand.support import crm
from kickstand.support import service as support
from kickstand.support.model import MaintenanceState, Platform
from kickstand.webhooks import service as webhooks
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


def clusters() -> list[Cluster]:
    return [item.entity for item in ClusterItem.scan(ClusterItem.kind == ClusterItem.KIND)]


def vehicles() -> list[Vehicle]:
    return [item.entity for item in VehicleItem.scan(VehicleItem.kind == VehicleItem.KIND)]


def test_two_cities_with_vehicles_at_places_where_rides_may_end() -> None:
    standing = vehicles()
    by_network = {network: [each for each in standing if each.network_id == network] for network in (1, 2)}
    assert {network: len(each) for network, each in by_network.items()} == {1: 716, 2: 60}
    assert len({each.code for each in standing}) == len(standing)
    assert all(len(each.code) == 4 for each in standing)
    assert all(each.verdict.ride_end_allowed for each in by_network[2])
    refused = [each for each in by_network[1] if not each.verdict.ride_end_allowed]
    assert 0 < len(refused) < 20  # some stations lie in no-parking areas
    ridden = {VehicleState.IN_USE, VehicleState.ON_HOLD}
    assert {each.state for each in standing} == set(VehicleState) - ridden
    assert len({reason for each in standing for reason in each.unavailabilities}) == 5


def test_the_stations_are_those_of_the_data_and_hold_a_quarter_of_their_bikes() -> None:
    feed = json.loads((Path(demo.__file__).parents[1] / "data" / "oslo_stations.json").read_text())["stations"]
    kept = {each.id: each for each in clusters() if each.type is ClusterKind.PHYSICAL}
    assert kept.keys() == {each["id"] for each in feed}
    for station in feed:
        cluster = kept[station["id"]]
        assert (cluster.title, len(cluster.docks)) == (station["name"], station["capacity"])
        known = {"bikes": 0, "docks": station["capacity"]} | station
        working = sum(state is DockState.WORKING for state in cluster.docks.values())
        assert working == min(station["capacity"], known["bikes"] + known["docks"])
        assert len(cluster.parked) <= ceil(known["bikes"] / 4)
        assert all(cluster.docks[number] is DockState.WORKING for number in cluster.parked)
    assert 380 <= sum(len(each.parked) for each in kept.values()) <= 400
    assert {each.state for each in kept.values()} == set(ClusterState)


def test_docks_and_vehicles_agree_on_where_they_are() -> None:
    held = {(each.id, int(number)): vehicle for each in clusters() for number, vehicle in each.parked.items()}
    spots = {(each.spot.cluster_id, each.spot.number): each.id for each in vehicles() if each.spot}
    assert held == spots
    position = {each.id: each.position for each in clusters()}
    assert all(each.position == position[each.spot.cluster_id] for each in vehicles() if each.spot)


def test_a_dock_group_has_a_bike_of_every_kind() -> None:
    client = clients.authenticate(demo.TOKEN)
    cluster = find_cluster(client, int(demo.describe()["surfaces"]["maas"]["ids"]["dockGroupId"]))
    categories = {fleet.model(each.model_id).category for each in vehicles_at(cluster)}
    assert categories == {Category.BIKE, Category.E_BIKE, Category.E_BIKE_CHILD_SEAT}
    assert cluster.free_docks
    everywhere = [fleet.model(each.model_id).category for each in vehicles()]
    assert everywhere.count(Category.E_BIKE_CHILD_SEAT) == 1


def test_the_listings_are_complete_at_once() -> None:
    for network in (1, 2):
        expected = {
            each.id
            for each in vehicles()
            if each.network_id == network and each.state is VehicleState.AVAILABLE and each.verdict.ride_start_allowed
        }
        store.begin()
        assert {entry.id for entry in listing.read(network, view=listing.RENTABLE).entries()} == expected


def test_the_directory_knows_at_once_what_stands_where() -> None:
    known = {entry.id: stock for entry, stock in directory.read(1).clusters()}
    assert {number: stock.parked for number, stock in known.items()} == {
        each.id: {int(dock): vehicle for dock, vehicle in each.parked.items()} for each in clusters()
    }


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


def test_a_client_can_prove_itself() -> None:
    described = demo.describe()["surfaces"]["maas"]
    token = described["headers"]["Authorization"].removeprefix("Bearer ")
    assert access.authenticate(token).name == "Demo Mobility"
    given = access.exchange(described["client"]["id"], described["client"]["secret"])
    assert access.authenticate(given.token).id == 1
    (other,) = described["others"]
    assert access.authenticate(other["headers"]["Authorization"].removeprefix("Bearer ")).name == "Paris Mobility"


def test_the_shop_is_open() -> None:
    client = clients.authenticate(demo.TOKEN)
    known = demo.describe()["surfaces"]["maas"]["ids"]
    kinds = [each.kind for each in offers.list_offers(client.id)]
    assert kinds == [OfferKind.SUBSCRIPTION, OfferKind.SUBSCRIPTION, OfferKind.GIFT_CODE]
    plans = {each.plan_id for each in offers.list_offers(client.id)} - {None}
    assert [pricing.plan(client, plan_id or 0).subscribers_only for plan_id in plans] == [True]
    order = orders.by_token(identity.external(client, known["userId"]).rider_id, known["token"])
    assert (str(order.id), order.state) == (known["orderId"], OrderState.PENDING)
    store.begin()
    assert orders.apply_discount(client, known["userId"], order.id, "welcome10").total == 9_000
    store.begin()
    assert orders.remove_discount(client, known["userId"], order.id).total == order.total


def test_a_user_has_bought_a_pass_and_can_pay_the_order_from_the_wallet() -> None:
    client = clients.authenticate(demo.TOKEN)
    subscription = subscriptions.find(client, demo.USER)
    assert subscription.is_valid(clock.now())
    newest, bought = orders.list_orders(subscription.rider_id).orders
    assert (bought.state, bought.subscription_id) == (OrderState.COMPLETED, subscription.id)
    assert bought.invoice_id is not None
    assert invoices.find(subscription.rider_id, bought.invoice_id).due == 0
    assert orders.methods(newest) == (PaymentMethod.CARD, PaymentMethod.WALLET)
    wallet = Account(kind=AccountKind.WALLET, holder_id=subscription.rider_id, currency="NOK")
    assert ledger.balance(wallet) == 40_000 - bought.total
    assert ledger.verify(wallet) == []


def test_a_user_has_ridden_from_dock_to_dock_at_a_plan() -> None:
    client = clients.authenticate(demo.TOKEN)
    trip = rentals.find_by_id(client, int(demo.describe()["surfaces"]["maas"]["ids"]["tripId"]))
    assert trip.external_rider_id == demo.USER
    assert identity.external(client, demo.USER).rider_id == trip.rider_id
    assert trip.state is RentalState.COMPLETED
    assert trip.start_spot is not None
    assert trip.end_spot is not None
    assert fleet.vehicle(trip.vehicle_id).spot == trip.end_spot
    assert trip.fare is not None
    assert trip.fare.total == 4_000  # 24.00 and the first ride's 8.00, with 25 % VAT; 8 minutes beyond 15 are free
    assert trip.receipt is not None


def test_a_friend_has_reserved_a_bike_and_the_user_had() -> None:
    client = clients.authenticate(demo.TOKEN)
    described = demo.describe()["surfaces"]["maas"]["ids"]
    going_on = reservations.find(client, int(described["reservationId"]))
    assert reservations.list_active(client, demo.FRIEND) == [going_on]
    held = fleet.vehicle(going_on.vehicle_id)
    assert (held.state, held.hold and held.hold.reservation_id) == (VehicleState.RESERVED, going_on.id)
    trip = rentals.find_by_id(client, int(described["tripId"]))
    taken = reservations.find(client, trip.reservation_id or 0)
    assert (taken.state, taken.rental_id) == (ReservationState.COMPLETED, trip.id)
    assert reservations.list_active(client, demo.USER) == []


def test_a_broken_vehicle_is_being_looked_after() -> None:
    (broken,) = [each for each in vehicles() if Unavailability.BROKEN in each.unavailabilities]
    maintenance_id = support.maintenance_of(broken.id)
    assert maintenance_id is not None
    assert support.maintenance(maintenance_id).state is MaintenanceState.OPEN
    assert support.waiting_for(maintenance_id)


def test_everybody_hears_of_the_closed_station_and_gets_help() -> None:
    (alert,) = alerts.current_alerts(clients.authenticate(demo.TOKEN))
    (closed,) = [each for each in clusters() if each.state is ClusterState.CLOSED]
    assert alert.cluster_ids == (closed.id,)
    assert crm.access(demo.OSLO, demo.USER, Platform.WEB).provider == "intercom"


def test_a_partners_server_is_told() -> None:
    endpoint = webhooks.find(1, int(demo.describe()["surfaces"]["maas"]["ids"]["webhookId"]))
    assert endpoint.wants("/trips/events")
    assert endpoint.secret == demo.describe()["surfaces"]["maas"]["client"]["webhookSecret"]


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


def test_the_simulator_learns_which_dock_holds_a_vehicle() -> None:
    station = next(each for each in clusters() if each.parked and each.type is ClusterKind.PHYSICAL)
    painted = next(each for each in clusters() if each.parked and each.type is ClusterKind.VIRTUAL)
    number, held = next(iter(station.parked.items()))
    status = demo.locate(held)
    assert status is not None
    assert status.dock == (station.id, int(number))
    free = demo.locate(next(iter(painted.parked.values())))
    assert free is not None
    assert free.dock is None
    assert demo.locate_station(station.id) == (station.position.longitude, station.position.latitude)
    assert demo.locate_station(painted.id) is None
    assert demo.locate_station(999_999) is None


def test_the_user_has_a_penalty_and_figures() -> None:
    client, described = clients.authenticate(demo.TOKEN), demo.describe()["surfaces"]["maas"]["ids"]
    user = identity.external(client, described["userId"])
    (penalty,) = penalties.list_penalties(client, described["userId"], PenaltyState.ACTIVE)
    assert (str(penalty.id), penalty.points) == (described["penaltyId"], user.penalty_points)
    assert insights.statistics(user.rider_id, clock.now() - timedelta(days=2)).rides == 1


def test_the_user_has_begun_to_tell_more() -> None:
    client, described = clients.authenticate(demo.TOKEN), demo.describe()["surfaces"]["maas"]["ids"]
    user = onboarding.find(client, described["userId"])
    pending = [each.step for each in onboarding.steps(client, user) if each.required and not each.completed]
    assert pending == ["phone_number", "terms_and_conditions"]
    (acceptance,) = onboarding.acceptances(client, described["userId"])
    assert acceptance == user.onboarding.privacy_policy
