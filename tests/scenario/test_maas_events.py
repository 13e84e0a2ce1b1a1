"""What a client's server is told while its users ride: signed, in order, each thing once."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

import pytest

from kickstand.fleet import clusters
from kickstand.fleet import service as fleet
from kickstand.kernel import ids, store
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan
from kickstand.webhooks import service as webhooks
from kickstand.webhooks.model import EVERYTHING, SignatureScheme
from tests.support.maas import MaasClient
from tests.support.receivers import Receiver, is_genuine, running_receiver
from tests.support.town import OSLO, Town, Vehicle, until

SCHEME: Final = SignatureScheme(signature_header="Urbansharing-Signature", id_header="uowid")
SECRET: Final = "a-secret-that-a-client-has-chosen-itself"
PATHS: Final = {
    "/trips/events",
    "/reservations",
    "/users/invoices",
    "/users/penalties",
    "/users/messages",
    "/vehicles/lost",
}


@pytest.fixture(scope="module")
def wheels(town: Town) -> MaasClient:
    """A client that nobody else is."""
    return town.client("Wheels")


@pytest.fixture
def server(wheels: MaasClient) -> Iterator[Receiver]:
    """The client's server, while it listens to everything."""
    client_id = ids.id_of(UUID(wheels.client_id))
    with running_receiver() as receiver:
        store.begin()
        endpoint = webhooks.register(client_id, receiver.url, {EVERYTHING}, SCHEME, SECRET)
        yield receiver
        store.begin()
        webhooks.remove(client_id, endpoint.id)


def product(wheels: MaasClient, **terms: Any) -> int:
    """A product of the client: thirty minutes for twenty kroner, two more for each minute beyond."""
    values = {"client_id": ids.id_of(UUID(wheels.client_id)), "name": "Day", "currency": "NOK", "vat_percent": 25}
    prices = {"trip_price": 2_000, "included_minutes": 30, "price_per_minute": 200}
    plan = PricingPlan.model_validate({"id": ids.new_id(), **values, **prices, **terms})
    store.begin()
    pricing.put_plan(plan)
    return plan.id


def told(town: Town, server: Receiver, path: str, many: int) -> list[Any]:
    """So many events of a kind, in their order; everything that has come is genuine and has come once."""
    town.settle()
    until(lambda: len(server.documents(path)) >= many, what=f"{many} of {path}")
    now_ms = int(town.now.timestamp() * 1000)
    for each in server.got:
        assert is_genuine(SECRET, each.headers["urbansharing-signature"], each.body, now_ms=now_ms, max_age_ms=0)
    names = [each.headers["uowid"] for each in server.got]
    assert len(set(names)) == len(names)
    assert {each.path for each in server.got} <= PATHS
    documents = server.documents(path)
    assert len(documents) == many
    return documents


def test_a_ride_from_dock_to_dock_on_a_product(town: Town, wheels: MaasClient, server: Receiver) -> None:
    group = int(town.described_maas["ids"]["dockGroupId"])
    plan = product(wheels, registration_fee=1_000)
    with town.timings(OSLO, auto_pause_after_s=0):
        trip = wheels.start_at("kari", group, "bike", productId=plan).document
        town.settle()
        town.passes(minutes=42)
    store.begin()
    found = fleet.vehicle(trip["vehicle"]["id"])
    bike = Vehicle(str(found.public_id), found.code, (found.position.longitude, found.position.latitude))
    free = clusters.cluster(group).free_docks[0]
    town.control(bike, dock={"cluster_id": group, "number": free})
    events = told(town, server, "/trips/events", 3)
    assert [each["state"] for each in events] == ["starting", "in_progress", "completed"]
    assert {each["id"] for each in events} == {trip["id"]}
    assert events[2]["endedAtLocation"]["dock"]["dockNumber"] == free
    shown = wheels.trip(trip["id"])
    assert {**events[2], "vehicle": None} == {**shown, "vehicle": None}
    (invoice,) = told(town, server, "/users/invoices", 1)
    assert (invoice["userId"], invoice["productId"], invoice["tripId"]) == ("kari", plan, trip["id"])
    assert [(each["type"], each["cost"]) for each in invoice["orderLines"]] == [
        ("trip", 2_500),
        ("extended_rental", 3_250),
        ("registration_fee", 1_250),
    ]
    assert sum(each["cost"] for each in invoice["orderLines"]) == shown["pricing"]["totalAmountIncludingVat"]


def test_a_long_ride(town: Town, wheels: MaasClient, server: Receiver) -> None:
    plan = product(wheels, penalty_after_s=5_400, penalty_points=2)
    with town.timings(OSLO, auto_pause_after_s=0, too_long_notice_s=3_600, max_rental_s=7_200):
        trip = wheels.start("4711", town.vehicle().number, productId=plan).document["id"]
        town.settle()
        town.passes(hours=1, seconds=5)
        (warning,) = told(town, server, "/users/messages", 1)
        assert (warning["userId"], warning["messageType"]) == (4711, "trip_time_warning")
        town.passes(minutes=30)
        (penalty,) = told(town, server, "/users/penalties", 1)
        assert (penalty["userId"], penalty["penaltyType"], penalty["penaltyPoints"]) == ("4711", "trip_duration", 2)
        assert [each["penaltyId"] for each in wheels.penalties("4711")] == [penalty["penaltyId"]]
        town.passes(minutes=30)
    _, ended = told(town, server, "/users/messages", 2)
    assert ended["messageType"] == "trip_cancelled"
    assert {"key": "reason", "value": "time_limit_exceeded"} in ended["parameters"]
    last = told(town, server, "/trips/events", 3)[-1]
    assert (last["id"], last["state"], last["stateTransitionReason"]) == (trip, "completed", "time_limit_exceeded")


def test_a_reservation_that_nobody_uses(town: Town, wheels: MaasClient, server: Receiver) -> None:
    reservation = wheels.reserve("late", town.vehicle().number, productId=product(wheels)).document
    town.passes(minutes=15, seconds=5)
    made, expired = told(town, server, "/reservations", 2)
    assert made == reservation
    assert expired["cancelledAt"] == expired["expiresAt"] == reservation["expiresAt"]
    (message,) = told(town, server, "/users/messages", 1)
    assert (message["userId"], message["messageType"]) == ("late", "reservation_cancelled")


def test_a_scooter_that_does_not_come_back(town: Town, wheels: MaasClient, server: Receiver) -> None:
    scooter = town.vehicle()
    with town.timings(OSLO, auto_pause_after_s=0, too_long_notice_s=0, max_rental_s=0, stolen_after_s=3_600):
        wheels.start("thief", scooter.number)
        town.settle()
        town.control(scooter, lock="silent")
        town.passes(hours=1, seconds=5)
        town.passes(minutes=5)
    (lost,) = told(town, server, "/vehicles/lost", 1)
    assert lost == {"clientId": wheels.client_id, "vehicleId": scooter.number, "lost": True}


def test_a_server_that_was_down_gets_everything_in_order(town: Town, wheels: MaasClient, server: Receiver) -> None:
    takes, server.conduct = server.conduct, lambda _received, _connection: 503
    scooter = town.vehicle()
    trip = wheels.start("patient", scooter.number).document["id"]
    town.settle()
    wheels.update(trip, "pause")
    wheels.update(trip, "resume")
    wheels.update(trip, "end")
    town.settle()
    until(lambda: server.got, what="somebody tries")
    server.got.clear()
    server.conduct = takes
    for _ in range(4):
        town.passes(minutes=10)
    events = told(town, server, "/trips/events", 5)
    assert [each["state"] for each in events] == ["starting", "in_progress", "on_hold", "in_progress", "completed"]
