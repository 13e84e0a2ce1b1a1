"""What clients are told because of what was committed: six kinds of events, each once."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from kickstand.clients.model import ApiClient
from kickstand.fleet.model import Unavailability, Vehicle, VehicleState
from kickstand.fleet.store import VehicleItem
from kickstand.kernel import clock, ids, store
from kickstand.kernel.consumers import Stuck
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PricingPlan
from kickstand.rental import lifecycle, reservations
from kickstand.rental import service as rentals
from kickstand.rental.model import EndReason, Rental
from kickstand.rental.rules import Timer
from kickstand.rental.service import Instruction, RiderAction, StartTerms
from kickstand.rental.store import RentalItem
from kickstand.webhooks import gateway
from kickstand.webhooks import service as webhooks
from kickstand.webhooks.model import EVERYTHING, Endpoint, SignatureScheme
from local.server import Tables
from maas import events
from tests.support.capacity import measured
from tests.support.city import BIKE, TIMINGS, City
from tests.support.world import Streams

FACTS: Final = json.loads((Path(__file__).parents[2] / "contract" / "facts" / "maas.json").read_text())
SCHEME: Final = SignatureScheme(signature_header="Urbansharing-Signature", id_header="uowid")
CONSUMERS: Final = {"RENTAL_TABLE": events.tell_of_riding, "FLEET_TABLE": events.tell_of_lost_vehicles}
_users = iter(range(1, 1_000))


@dataclass(frozen=True)
class Told:
    """Something that a client has been told."""

    path: str
    subject: str
    payload: Any


@dataclass
class Scene:
    """A city, a client with an endpoint, and what the tables' streams bring."""

    city: City
    monkeypatch: pytest.MonkeyPatch
    endpoint: Endpoint = field(init=False)

    def __post_init__(self) -> None:
        self.now = clock.now()
        self.monkeypatch.setattr(clock, "now", lambda: self.now)
        self.monkeypatch.setattr(gateway, "ask", lambda _: None)
        self.monkeypatch.setattr(gateway, "check", lambda _: None)
        self.client = self.city.partner("Wheels")[0]
        self.endpoint = self.listens(self.client)
        self.streams = Streams()
        self._known: set[tuple[str, str]] = set()

    def listens(self, client: ApiClient, *paths: str) -> Endpoint:
        """A new endpoint of a client, for some events or for all."""
        url = f"https://hooks.example/{ids.new_id()}"
        return webhooks.register(client.id, url, paths or (EVERYTHING,), SCHEME)

    def records(self) -> dict[str, list[dict[str, Any]]]:
        """What has been committed since the last time, by table."""
        return {variable: self.streams.new(variable) for variable in CONSUMERS}

    def tells(self) -> list[Told]:
        """Hand what was committed to the consumers, some of it twice; answers what is new at the endpoint."""
        for variable, records in self.records().items():
            if records:
                assert CONSUMERS[variable]({"Records": [*records, *records]}, None) == {"batchItemFailures": []}
        return self.got(self.endpoint)

    def got(self, endpoint: Endpoint) -> list[Told]:
        """What is new at an endpoint, oldest first."""
        store.begin()
        page = webhooks.deliveries(endpoint.client_id, endpoint.id, most=500)
        found = []
        for each in reversed(page.deliveries):
            delivery = each.delivery
            if (delivery.subject, delivery.event_id) not in self._known:
                self._known.add((delivery.subject, delivery.event_id))
                found.append(Told(delivery.path, delivery.subject, json.loads(delivery.body)))
        return found

    def does(self, call: Callable[[], Any]) -> Any:
        """Do something a second later, in a request of its own."""
        self.now += timedelta(seconds=1)
        store.begin()
        result = call()
        store.begin()
        return result

    def starts(self, terms: StartTerms = rentals.NO_TERMS, vehicle: Vehicle | None = None) -> Rental:
        """A user starts a trip."""
        chosen = vehicle or self.city.vehicle()
        user = f"User{next(_users)}"
        rental: Rental = self.does(lambda: rentals.start_for(self.client, user, chosen.id, terms))
        return rental

    def rides(self, terms: StartTerms = rentals.NO_TERMS) -> Rental:
        """A user starts a trip, and the vehicle unlocks."""
        rental = self.starts(terms)
        self.does(lambda: lifecycle.confirm_unlocked(rental.id))
        return rental

    def told(self, rental: Rental, action: RiderAction) -> None:
        """The client tells a trip what to do."""
        self.does(lambda: rentals.instruct(self.client, rental.id, Instruction(action)))

    def on_plan(self, **terms: Any) -> StartTerms:
        """A new product of the client."""
        values = {"id": ids.new_id(), "client_id": self.client.id, "name": "Day", "currency": "NOK", "vat_percent": 25}
        plan = PricingPlan.model_validate(values | {"trip_price": 2_000, "included_minutes": 30} | terms)
        pricing.put_plan(plan)
        return StartTerms(plan_id=plan.id)

    def goes_off(self, rental: Rental, timer: Timer) -> None:
        """Time passes until a timer of a rental goes off, and what it asks for happens."""
        store.begin()
        deadline = lifecycle.situation(rental.id).deadline
        assert deadline is not None
        assert deadline.timer is timer
        self.now = max(self.now, deadline.at)
        self.does(lambda: lifecycle.expire(rental.id, timer))


@pytest.fixture
def scene(engine: Tables, monkeypatch: pytest.MonkeyPatch) -> Scene:
    # Nobody rides here, so standing still must not pause what is about to run for hours.
    return Scene(City(timings=TIMINGS.model_copy(update={"auto_pause_after_s": 0})), monkeypatch)


def states(told: list[Told]) -> list[str]:
    return [each.payload["state"] for each in told if each.path == events.TRIPS]


def only(told: list[Told], path: str) -> Any:
    (payload,) = [each.payload for each in told if each.path == path]
    return payload


# ── Trips ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_change_of_a_trip_is_told(scene: Scene) -> None:
    rental = scene.rides()
    for action in (RiderAction.PAUSE, RiderAction.RESUME, RiderAction.PAUSE, RiderAction.END):
        scene.told(rental, action)
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    told = scene.tells()
    assert {(each.path, each.subject) for each in told} == {("/trips/events", f"trip-{rental.id}")}
    assert states(told) == ["starting", "in_progress", "on_hold", "in_progress", "on_hold", "completed"]
    first, last = told[0].payload, told[-1].payload
    assert (first["type"], first["id"], first["userId"]) == (
        "MAAS_TRIP_STATE_UPDATE",
        rental.id,
        rental.external_rider_id,
    )
    assert first["clientId"] == str(scene.client.public_id)
    assert first["vehicle"]["id"] == rental.vehicle_id
    assert last["endedAtLocation"]["timestamp"]
    assert last["pricing"]["totalAmountIncludingVat"] == 0


def test_that_a_vehicle_is_told_to_lock_is_no_change(scene: Scene) -> None:
    rental = scene.rides()
    scene.told(rental, RiderAction.END)
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    assert states(scene.tells()) == ["starting", "in_progress", "completed"]


def test_a_trip_that_ends_on_hold_is_not_told_to_go_on(scene: Scene) -> None:
    rental = scene.rides()
    scene.told(rental, RiderAction.PAUSE)
    scene.told(rental, RiderAction.END)
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    assert states(scene.tells()) == ["starting", "in_progress", "on_hold", "completed"]


def test_a_trip_is_told_as_it_was(scene: Scene) -> None:
    rental = scene.rides()
    scene.told(rental, RiderAction.PAUSE)
    scene.now += timedelta(minutes=9)
    told = scene.tells()
    assert [each.payload["pricing"]["tripDurationMins"] for each in told] == [0, 1, 1]


def test_a_trip_that_never_began(scene: Scene) -> None:
    rental = scene.starts()
    scene.does(lambda: lifecycle.reject_unlock(rental.id))
    told = scene.tells()
    assert states(told) == ["starting", "cancelled"]
    last = told[1].payload
    assert (last["stateTransitionReason"], last["pricing"]["totalAmountIncludingVat"]) == (
        "vehicle_communication_timeout",
        0,
    )
    message = only(told, "/users/messages")
    assert message["messageType"] == "trip_cancelled"
    assert message["userId"] == rental.external_rider_id


def test_a_bike_that_is_put_into_a_dock(scene: Scene) -> None:
    group = scene.city.cluster()
    bike = scene.city.docked(group, 1, BIKE)
    rental = scene.starts(vehicle=bike)
    scene.does(lambda: lifecycle.confirm_unlocked(rental.id))
    spot = bike.spot.model_copy(update={"number": 4}) if bike.spot else None
    assert spot is not None
    scene.does(lambda: lifecycle.docked(rental.id, spot, group.position, scene.now))
    told = scene.tells()
    assert states(told) == ["starting", "in_progress", "completed"]
    assert told[0].payload["startedAtLocation"]["dock"]["dockNumber"] == 1
    assert told[2].payload["endedAtLocation"]["dock"]["dockNumber"] == 4


# ── What follows from trips ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_trip_on_a_product_is_invoiced_once_it_is_over(scene: Scene) -> None:
    rental = scene.rides(scene.on_plan())
    scene.told(rental, RiderAction.END)
    assert {each.path for each in scene.tells()} == {events.TRIPS}
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    told = scene.tells()
    assert rental.plan is not None
    assert only(told, "/users/invoices") == {
        "userId": rental.external_rider_id,
        "productId": rental.plan.id,
        "tripId": rental.id,
        "currency": "NOK",
        "orderLines": [{"cost": 2_500, "defaultDescription": "Trip", "type": "trip"}],
    }
    assert {each.subject for each in told} == {f"trip-{rental.id}", f"user-{rental.rider_id}"}


def test_a_long_trip_is_warned_of_penalised_and_ended(scene: Scene) -> None:
    rental = scene.rides(scene.on_plan(penalty_after_s=5_000, penalty_points=3))
    scene.tells()
    scene.goes_off(rental, Timer.TOO_LONG_NOTICE)
    warning = only(scene.tells(), "/users/messages")
    scene.goes_off(rental, Timer.PENALTY)
    penalty = only(scene.tells(), "/users/penalties")
    assert warning["messageType"] == "trip_time_warning"
    assert {"key": "minutes", "value": "60"} in warning["parameters"]
    assert (penalty["penaltyType"], penalty["penaltyPoints"]) == ("trip_duration", 3)
    scene.does(lambda: lifecycle.end_internally(rental.id, EndReason.TOO_LONG))
    assert only(scene.tells(), "/users/messages")["messageType"] == "trip_cancelled"


def test_a_vehicle_that_is_left_standing(scene: Scene) -> None:
    rental = scene.rides()
    scene.told(rental, RiderAction.PAUSE)
    scene.tells()
    scene.goes_off(rental, Timer.PAUSE_EXPIRED)
    told = scene.tells()
    assert only(told, "/users/messages")["messageType"] == "vehicle_incorrectly_parked"
    assert states(told) == []
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    over = only(scene.tells(), events.TRIPS)
    assert (over["state"], over["stateTransitionReason"]) == ("completed", "time_limit_exceeded")


# ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reservation_from_beginning_to_end(scene: Scene) -> None:
    vehicle, terms = scene.city.vehicle(), scene.on_plan(reservation_price_per_minute=40)
    made = scene.does(lambda: reservations.reserve(scene.client, "472", vehicle.id, terms.plan_id))
    scene.now += timedelta(minutes=3)
    rental = scene.does(lambda: rentals.start_for(scene.client, "472", vehicle.id))
    told = scene.tells()
    about = [each.payload for each in told if each.path == "/reservations"]
    assert [each["id"] for each in about] == [made.id, made.id]
    assert "completedAt" not in about[0]
    assert about[1]["completedAt"]
    invoice = only(told, "/users/invoices")
    assert (invoice["reservationId"], invoice["tripId"]) == (made.id, rental.id)
    assert invoice["orderLines"] == [{"cost": 200, "defaultDescription": "Reservation, 4 min", "type": "reservation"}]
    assert {each.subject for each in told} == {
        f"reservation-{made.id}",
        f"trip-{rental.id}",
        f"user-{rental.rider_id}",
    }


def test_a_reservation_that_expires_or_is_dropped_is_told_to_its_user(scene: Scene) -> None:
    expired = scene.does(lambda: reservations.reserve(scene.client, "473", scene.city.vehicle().id))
    scene.now = expired.expires_at
    scene.does(lambda: reservations.expire(expired.id))
    dropped = scene.does(lambda: reservations.reserve(scene.client, "474", scene.city.vehicle().id))
    scene.does(lambda: reservations.drop(dropped.id))
    messages = [each.payload for each in scene.tells() if each.path == "/users/messages"]
    assert [(each["userId"], each["messageType"]) for each in messages] == [
        (473, "reservation_cancelled"),
        (474, "reservation_cancelled"),
    ]


def test_a_reservation_that_its_client_cancels_is_no_message(scene: Scene) -> None:
    made = scene.does(lambda: reservations.reserve(scene.client, "475", scene.city.vehicle().id))
    scene.does(lambda: reservations.cancel(scene.client, made.id))
    told = scene.tells()
    assert [each.path for each in told] == ["/reservations", "/reservations"]
    assert told[1].payload["cancelledAt"]


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _becomes(scene: Scene, vehicle_id: int, state: VehicleState) -> None:
    actions = [VehicleItem.state.set(state), VehicleItem.revision.add(1)]
    scene.does(lambda: store.change(VehicleItem.key(vehicle_id), actions))


def test_a_vehicle_that_is_lost_and_found(scene: Scene) -> None:
    rental = scene.rides()
    scene.does(lambda: lifecycle.end_internally(rental.id, EndReason.STOLEN))
    scene.tells()
    scene.does(lambda: lifecycle.miss_lock(rental.id, Unavailability.LOCK_UNCONFIRMED))
    about = {"clientId": str(scene.client.public_id), "vehicleId": rental.vehicle_id}
    assert only(scene.tells(), "/vehicles/lost") == {**about, "lost": True}
    _becomes(scene, rental.vehicle_id, VehicleState.LOST)
    assert scene.tells() == []
    _becomes(scene, rental.vehicle_id, VehicleState.UNAVAILABLE)
    assert only(scene.tells(), "/vehicles/lost") == {**about, "lost": False}
    _becomes(scene, rental.vehicle_id, VehicleState.LOST)
    assert only(scene.tells(), "/vehicles/lost") == {**about, "lost": True}


def test_nobody_is_told_of_a_lost_vehicle_that_nobody_rode(scene: Scene) -> None:
    vehicle = scene.city.vehicle()
    _becomes(scene, vehicle.id, VehicleState.LOST)
    with measured() as usage:
        assert scene.tells() == []
    assert "TransactWriteItems" not in usage.calls


# ── Everything ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_documented_event_is_told() -> None:
    ours = (
        events.TRIPS,
        events.RESERVATIONS,
        events.INVOICES,
        events.PENALTIES,
        events.MESSAGES,
        events.LOST_VEHICLES,
    )
    assert sorted(ours) == sorted(each["post"]["x-webhook-path"] for each in FACTS["webhooks"].values())


def test_a_client_is_told_of_its_own_users_and_of_what_it_wants(scene: Scene) -> None:
    other = scene.city.partner("Others")[0]
    stranger, picky = scene.listens(other), scene.listens(scene.client, events.INVOICES)
    rental = scene.rides(scene.on_plan())
    scene.told(rental, RiderAction.END)
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    assert {each.path for each in scene.tells()} == {events.TRIPS, events.INVOICES}
    assert scene.got(stranger) == []
    store.begin()
    page = webhooks.deliveries(scene.client.id, picky.id)
    assert [each.delivery.path for each in page.deliveries] == [events.INVOICES]


def _records_of(scene: Scene, call: Callable[[], Any]) -> list[dict[str, Any]]:
    scene.records()
    call()
    return scene.records()["RENTAL_TABLE"]


def test_whoever_has_no_endpoint_costs_one_read(scene: Scene) -> None:
    scene.client = scene.city.partner("Silent")[0]
    records = _records_of(scene, scene.starts)
    with measured() as usage:
        events.tell_of_riding({"Records": records}, None)
    assert usage.calls == ["BatchGetItem"]


def test_riders_without_an_id_of_a_client_cost_none(scene: Scene) -> None:
    city = scene.city
    rider, vehicle = city.rider(), city.vehicle()
    records = _records_of(scene, lambda: rentals.start(city.client, rider.public_id, vehicle.public_id))
    assert records
    with measured() as usage:
        events.tell_of_riding({"Records": records}, None)
    assert usage.calls == []


def test_a_death_between_two_events_loses_none_and_repeats_none(scene: Scene) -> None:
    rental = scene.starts()
    scene.tells()
    records = _records_of(scene, lambda: scene.does(lambda: lifecycle.reject_unlock(rental.id)))
    publish, deaths = webhooks.publish, iter([True])

    def dies(client_id: int, path: str, *rest: Any) -> None:
        if path == events.MESSAGES and next(deaths, False):
            raise ConnectionError
        publish(client_id, path, *rest)

    scene.monkeypatch.setattr(webhooks, "publish", dies)
    answers = []
    for _ in range(2):
        try:
            answers.append(events.tell_of_riding({"Records": records}, None)["batchItemFailures"])
        except Stuck:
            answers.append(["stuck"])
    assert answers[0]
    assert answers[1] == []
    assert sorted(each.path for each in scene.got(scene.endpoint)) == [events.TRIPS, events.MESSAGES]


def test_an_operator_can_have_an_event_told_that_was_given_up(scene: Scene) -> None:
    rental = scene.rides()
    scene.records()
    stamp = {"S": "2026-11-20T10:00:00Z"}
    client: Any = RentalItem._get_connection().connection.client
    key = RentalItem.key(rental.id)
    client.update_item(
        TableName=key.table,
        Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
        UpdateExpression="SET replayed_at = :at",
        ExpressionAttributeValues={":at": stamp},
    )
    assert states(scene.tells()) == ["in_progress"]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_order_in_which_records_come(scene: Scene, seed: int) -> None:
    rental = scene.rides(scene.on_plan())
    scene.told(rental, RiderAction.PAUSE)
    scene.told(rental, RiderAction.END)
    scene.does(lambda: lifecycle.confirm_locked(rental.id))
    records = scene.records()["RENTAL_TABLE"] * 2
    random.Random(seed).shuffle(records)
    assert events.tell_of_riding({"Records": records}, None) == {"batchItemFailures": []}
    told = scene.got(scene.endpoint)
    assert sorted(states(told)) == sorted(["starting", "in_progress", "on_hold", "completed"])
    assert only(told, events.INVOICES)["tripId"] == rental.id
