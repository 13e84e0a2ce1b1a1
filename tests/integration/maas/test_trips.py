"""Trips over the MaaS surface: starting them, telling them what to do, looking at them."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.model import Category, VehicleModel
from kickstand.identity import penalties
from kickstand.identity import service as identity
from kickstand.kernel import clock, store
from kickstand.pricing.model import PlanState
from kickstand.rental import lifecycle
from kickstand.rental import service as rentals
from local.server import Tables
from tests.support.api import Client, Reply, access_token, maas
from tests.support.capacity import measured
from tests.support.city import BIKE, E_BIKE, NO_PARKING, OSLO, City

POINT = {"type": "Point", "coordinates": [OSLO.longitude, OSLO.latitude]}
HERE = {"position": POINT, "accuracyRadiusMeters": 12.5}
BERGEN = {"position": {"type": "Point", "coordinates": [5.3221, 60.3913]}}
NOTHING = 4_711
CAR = VehicleModel(id=9, name="Small", category=Category.CAR, max_range_m=400_000)


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(scope="module")
def api(city: City) -> Client:
    return maas(access_token(city.client.id))


_users = iter(range(1, 1_000))


def user() -> str:
    """A user that nobody has heard of."""
    return f"User{next(_users)}"


def started(city: City, api: Client, **more: Any) -> dict[str, Any]:
    """A trip that has just been started."""
    vehicle = city.vehicle()
    reply = api.call("start_vehicle_trip", path={"vehicleId": str(vehicle.id)}, body={"userId": user(), **more})
    assert reply.status == 200, reply.json
    return dict(reply.json)


def riding(city: City, api: Client, **more: Any) -> dict[str, Any]:
    """A trip whose vehicle has unlocked."""
    trip = started(city, api, **more)
    store.begin()
    lifecycle.confirm_unlocked(trip["id"])
    return trip


def tell(api: Client, trip: Mapping[str, Any], update: str, **more: Any) -> Reply:
    return api.call("update_trip", path={"tripId": str(trip["id"])}, body={"update": update, **more})


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["code"]


# ── Starting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trip_starts_with_a_vehicle(city: City, api: Client) -> None:
    vehicle, name = city.vehicle(), user()
    contact = {"userName": "Jane Doe", "userEmail": "jane.doe@example.com"}
    body = {"userId": name, "userPosition": HERE, "maxSpeedKmh": 19.9, **contact}
    trip = api.call("start_vehicle_trip", path={"vehicleId": str(vehicle.id)}, body=body).json
    assert trip["type"] == "MAAS_TRIP_STATE_UPDATE"
    assert (trip["clientId"], trip["userId"]) == (str(city.client.public_id), name)
    assert trip["state"] == "starting"
    assert trip["vehicle"]["id"] == vehicle.id
    assert "trip" not in trip["vehicle"]
    assert trip["startedAtLocation"]["geoPosition"] == {"position": POINT}
    assert not trip.keys() & {"stateTransitionReason", "stateTransitionComment", "endedAtLocation", "totalDistance"}
    assert trip["pricing"]["totalAmountIncludingVat"] == 0
    assert trip["pricing"]["currency"] == "NOK"
    store.begin()
    rental = rentals.get(trip["id"])
    assert rental.max_speed_kmh == 19
    assert rental.rider_start == OSLO
    rider = identity.find_by_id(rental.rider_id)
    assert (rider.display_name, rider.email) == ("Jane Doe", "jane.doe@example.com")


def test_a_trip_starts_with_any_fitting_vehicle_of_a_dock_group(city: City, api: Client) -> None:
    group = city.cluster()
    city.docked(group, 1, BIKE)
    e_bike = city.docked(group, 2, E_BIKE)
    path, body = {"dockGroupId": str(group.id)}, {"userId": user(), "vehicleCategory": "ebike"}
    trip = api.call("start_dock_group_trip", path=path, body=body).json
    assert trip["vehicle"]["id"] == e_bike.id
    dock = {"dockGroupId": group.id, "dockGroupName": group.name, "dockNumber": 2}
    assert trip["startedAtLocation"]["dock"] == dock
    again = api.call("start_dock_group_trip", path=path, body=body | {"userId": user()})
    assert refusal(again) == (409, "no_vehicle_available")


def test_a_product_prices_a_trip(city: City, api: Client) -> None:
    product = city.plan(trip_price=2_000, included_minutes=30, free_minutes_per_day=5)
    pricing_ = started(city, api, productId=product.id)["pricing"]
    assert pricing_["orderLines"] == [{"type": "trip", "quantity": 1, "amount": 2_000, "vatRate": 25}]
    assert pricing_["totalAmountIncludingVat"] == 2_500
    assert pricing_["freeMinutesFromPriceMatrix"] == 30
    assert (pricing_["freeMinutesPerDayUsed"], pricing_["freeMinutesPerDayRemaining"]) == (0, 5)


def test_products_that_cannot_be_used(city: City, api: Client) -> None:
    closed = city.plan(state=PlanState.INACTIVE)
    kroner = city.plan(currency="SEK")
    path = {"vehicleId": str(city.vehicle().id)}
    for product_id in (NOTHING, closed.id, kroner.id):
        reply = api.call("start_vehicle_trip", path=path, body={"userId": user(), "productId": product_id})
        assert refusal(reply) == (400, "invalid_product")


def test_penalty_points_bar_from_a_product(city: City, api: Client) -> None:
    strict, name = city.plan(max_penalty_points=2), user()
    store.begin()
    identity.ensure_external(city.client, name)
    path = {"vehicleId": str(city.vehicle().id)}
    penalties.add(city.client, name, 3)
    body = {"userId": name, "productId": strict.id}
    assert refusal(api.call("start_vehicle_trip", path=path, body=body)) == (403, "too_many_penalty_points")
    assert api.call("start_vehicle_trip", path=path, body={"userId": name}).status == 200


def test_who_owes_us_money_starts_nothing(city: City, api: Client) -> None:
    direct, _ = city.partner("Direct", charges_riders=True)
    name, group = user(), city.cluster()
    city.docked(group, 1, E_BIKE)
    for client in (direct, city.client):
        city.owe(client, name)
    theirs = maas(access_token(direct.id))
    at_group = {"userId": name, "vehicleCategory": "ebike"}
    path = {"vehicleId": str(city.vehicle().id)}
    barred = theirs.call("start_vehicle_trip", path=path, body={"userId": name})
    assert refusal(barred) == (402, "payment_required")
    barred = theirs.call("start_dock_group_trip", path={"dockGroupId": str(group.id)}, body=at_group)
    assert refusal(barred) == (402, "payment_required")
    assert api.call("start_vehicle_trip", path=path, body={"userId": name}).status == 200  # it settles that itself
    city.owe(direct, name, in_debt=False)
    path = {"vehicleId": str(city.vehicle().id)}
    assert theirs.call("start_vehicle_trip", path=path, body={"userId": name}).status == 200


def test_a_vehicle_is_taken_once_and_a_user_takes_one(city: City, api: Client) -> None:
    trip = started(city, api)
    vehicle = {"vehicleId": str(trip["vehicle"]["id"])}
    taken = api.call("start_vehicle_trip", path=vehicle, body={"userId": user()})
    assert refusal(taken) == (409, "vehicle_not_available")
    other = {"vehicleId": str(city.vehicle().id)}
    second = api.call("start_vehicle_trip", path=other, body={"userId": trip["userId"]})
    assert refusal(second) == (409, "trip_in_progress")


def test_what_cannot_be_found_or_done(city: City, api: Client) -> None:
    body = {"userId": user()}
    fleet.put_model(CAR)
    unknown = api.call("start_vehicle_trip", path={"vehicleId": str(NOTHING)}, body=body)
    assert refusal(unknown) == (404, "vehicle_not_found")
    for expected, reply in {
        (404, "vehicle_not_found"): api.call(
            "start_vehicle_trip", path={"vehicleId": str(city.vehicle(model=CAR).id)}, body=body
        ),
        (404, "dock_group_not_found"): api.call(
            "start_dock_group_trip", path={"dockGroupId": str(NOTHING)}, body=body | {"vehicleCategory": "bike"}
        ),
        (404, "trip_not_found"): api.call("get_trip", path={"tripId": str(NOTHING)}),
        (404, "user_not_found"): api.call("get_user_trips", path={"userId": user()}, query=SINCE),
        (400, "invalid_location"): api.call(
            "start_vehicle_trip", path={"vehicleId": str(city.vehicle().id)}, body=body | {"userPosition": BERGEN}
        ),
        (409, "not_supported"): api.call(
            "start_vehicle_trip",
            path={"vehicleId": str(city.vehicle(model=BIKE).id)},
            body=body | {"maxSpeedKmh": 15},
        ),
    }.items():
        assert refusal(reply) == expected


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"userId": ""},
        {"userId": 7},
        {"userId": "x" * 256},
        {"userId": "a\nb"},
        {"userId": "U", "productId": "1"},
        {"userId": "U", "productId": 1.5},
        {"userId": "U", "maxSpeedKmh": 0},
        {"userId": "U", "maxSpeedKmh": 0.4},
        {"userId": "U", "maxSpeedKmh": -5},
        {"userId": "U", "maxSpeedKmh": 1e300},
        {"userId": "U", "maxSpeedKmh": "20"},
        {"userId": "U", "userEmail": "jane"},
        {"userId": "U", "userEmail": "Jane <jane@example.com>"},
        {"userId": "U", "userName": "x" * 256},
        {"userId": "U", "userPosition": POINT},
        {"userId": "U", "userPosition": {"position": {"coordinates": [10.7, 59.9]}}},
        {"userId": "U", "userPosition": {"position": {"type": "Polygon", "coordinates": [10.7, 59.9]}}},
        {"userId": "U", "userPosition": {"position": {"type": "Point", "coordinates": [10.7]}}},
        {"userId": "U", "userPosition": {"position": {"type": "Point", "coordinates": [10.7, 59.9, 4]}}},
        {"userId": "U", "userPosition": {"position": {"type": "Point", "coordinates": [10.7, 99.9]}}},
        {"userId": "U", "userPosition": {"position": POINT, "accuracyRadiusMeters": -1}},
        {"userId": "U", "userPosition": {"position": POINT, "accuracyRadiusMeters": 1e12}},
    ],
)
def test_what_a_start_cannot_say(city: City, api: Client, body: dict[str, Any]) -> None:
    path = {"vehicleId": str(city.vehicle().id)}
    assert refusal(api.call("start_vehicle_trip", path=path, body=body)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("coordinates", "message"),
    [
        ([], "not a longitude and a latitude"),
        ([10.7, 59.9, 4], "not a longitude and a latitude"),
        ([10.7, 99.9], "not from -180 to 180 and from -90 to 90"),
        ([-180.1, 59.9], "not from -180 to 180 and from -90 to 90"),
    ],
)
def test_coordinates_that_are_none(city: City, api: Client, coordinates: list[float], message: str) -> None:
    position = {"position": {"type": "Point", "coordinates": coordinates}}
    path = {"vehicleId": str(city.vehicle().id)}
    refused = api.call("start_vehicle_trip", path=path, body={"userId": "U", "userPosition": position})
    said = f"The request is not valid: userPosition.position.coordinates: {message}"
    assert (refused.status, refused.json) == (400, {"code": "invalid_request", "message": said})


@pytest.mark.parametrize("category", ["moped", "car", "e_bike", None])
def test_there_are_four_categories(city: City, api: Client, category: str | None) -> None:
    path, body = {"dockGroupId": str(NOTHING)}, {"userId": "U", "vehicleCategory": category}
    assert refusal(api.call("start_dock_group_trip", path=path, body=body)) == (400, "invalid_request")


# ── Updates ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trip_is_paused_resumed_and_ended(city: City, api: Client) -> None:
    trip = riding(city, api)
    assert tell(api, trip, "pause").json["state"] == "on_hold"
    assert tell(api, trip, "pause").json["state"] == "on_hold"
    assert tell(api, trip, "resume").json["state"] == "in_progress"
    over = tell(api, trip, "end", userPosition=HERE, userId=trip["userId"]).json
    assert over["state"] == "in_progress"
    assert over["endedAtLocation"]["geoPosition"] == {"position": POINT}
    assert over["totalDistance"] == 0
    store.begin()
    lifecycle.confirm_locked(trip["id"])
    assert api.call("get_trip", path={"tripId": str(trip["id"])}).json["state"] == "completed"
    assert refusal(tell(api, trip, "end")) == (409, "trip_ended")
    assert refusal(tell(api, trip, "pause")) == (409, "trip_ended")


def test_a_trip_that_ends_on_hold_is_so_until_its_vehicle_has_locked(city: City, api: Client) -> None:
    trip = riding(city, api)
    tell(api, trip, "pause")
    assert tell(api, trip, "end").json["state"] == "on_hold"
    path = {"userId": trip["userId"]}
    for state, found in (("on_hold", ["on_hold"]), ("in_progress", [])):
        listed = api.call("get_user_trips", path=path, query={**SINCE, "states[]": [state]}).json["data"]
        assert [each["state"] for each in listed] == found


def test_a_trip_is_cancelled_until_its_vehicle_has_unlocked(city: City, api: Client) -> None:
    trip = started(city, api)
    over = tell(api, trip, "cancel").json
    assert (over["state"], over["pricing"]["totalAmountIncludingVat"]) == ("cancelled", 0)
    assert over["pricing"]["orderLines"] == []
    assert refusal(tell(api, riding(city, api), "cancel")) == (409, "invalid_state")


def test_the_client_can_say_why(city: City, api: Client) -> None:
    said = {"stateTransitionReason": "illegal_parking", "stateTransitionComment": "On a tram stop\nin the snow"}
    over = tell(api, riding(city, api), "end", **said).json
    assert {name: over[name] for name in said} == said


def test_a_trip_is_told_what_to_do_for_its_user_only(city: City, api: Client) -> None:
    mine, other = riding(city, api), riding(city, api)
    assert refusal(tell(api, mine, "pause", userId=other["userId"])) == (403, "user_mismatch")
    other_caller = api.with_headers(on_behalf_of=other["userId"])
    assert refusal(tell(other_caller, mine, "pause", userId=mine["userId"])) == (403, "user_mismatch")
    assert refusal(tell(other_caller, mine, "pause")) == (403, "user_mismatch")
    assert tell(other_caller, other, "pause").status == 200
    device = api.with_headers(on_behalf_of="a device that is no user")
    assert tell(device, mine, "pause", userId=mine["userId"]).status == 200


def test_what_the_place_or_the_vehicle_does_not_allow(city: City, api: Client) -> None:
    path = {"vehicleId": str(city.vehicle(verdict=NO_PARKING).id)}
    trip = api.call("start_vehicle_trip", path=path, body={"userId": user()}).json
    store.begin()
    lifecycle.confirm_unlocked(trip["id"])
    refused = tell(api, trip, "end")
    assert refusal(refused) == (400, "invalid_location")
    assert "no parking" in refused.json["message"]
    assert refusal(tell(api, trip, "end", userPosition=BERGEN)) == (400, "invalid_location")
    group = city.cluster()
    city.docked(group, 1, BIKE)
    path = {"dockGroupId": str(group.id)}
    bike = api.call("start_dock_group_trip", path=path, body={"userId": user(), "vehicleCategory": "bike"}).json
    store.begin()
    lifecycle.confirm_unlocked(bike["id"])
    assert refusal(tell(api, bike, "pause")) == (409, "not_supported")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"update": "stop"},
        {"update": None},
        {"update": "end", "stateTransitionReason": "rain"},
        {"update": "end", "stateTransitionComment": "x" * 1_001},
        {"update": "end", "stateTransitionComment": "a\u0000b"},
        {"update": "end", "userId": ""},
    ],
)
def test_what_an_update_cannot_say(city: City, api: Client, body: dict[str, Any]) -> None:
    reply = api.call("update_trip", path={"tripId": str(NOTHING)}, body=body)
    assert refusal(reply) == (400, "invalid_request")


@pytest.mark.parametrize("trip_id", ["0", "-1", "x", str(2**53), "1.5", "1.0", "+1", "01", "1 ", "1_0", "1e3"])
def test_ids_that_are_none(api: Client, trip_id: str) -> None:
    assert refusal(api.call("get_trip", path={"tripId": trip_id})) == (400, "invalid_request")


# ── Other clients ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_trips_of_others_do_not_exist(city: City, api: Client) -> None:
    trip = riding(city, api)
    stranger = maas(access_token(city.partner("Stranger")[0].id))
    path = {"tripId": str(trip["id"])}
    assert refusal(stranger.call("get_trip", path=path)) == (404, "trip_not_found")
    assert refusal(tell(stranger, trip, "end", userId=trip["userId"])) == (404, "trip_not_found")
    by_user = stranger.call("get_user_trips", path={"userId": trip["userId"]}, query=SINCE)
    assert refusal(by_user) == (404, "user_not_found")
    rider = city.rider()
    store.begin()
    unnamed = rentals.start(city.client, rider.public_id, city.vehicle().public_id)
    assert refusal(api.call("get_trip", path={"tripId": str(unnamed.id)})) == (404, "trip_not_found")


# ── Lists ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SINCE = {"from": "2025-01-01T00:00:00Z"}


def test_the_trips_of_a_user(city: City, api: Client) -> None:
    first = started(city, api)
    path = {"userId": first["userId"]}
    tell(api, first, "cancel")
    second = api.call("start_vehicle_trip", path={"vehicleId": str(city.vehicle().id)}, body=path).json
    store.begin()
    lifecycle.confirm_unlocked(second["id"])

    def listed(**query: Any) -> list[tuple[int, str]]:
        reply = api.call("get_user_trips", path=path, query={**SINCE, **query})
        assert reply.status == 200, reply.json
        return [(each["id"], each["state"]) for each in reply.json["data"]]

    both = [(second["id"], "in_progress"), (first["id"], "cancelled")]
    assert listed() == both
    assert listed(**{"states[]": ["in_progress", "cancelled"]}) == both
    assert listed(**{"states[]": ["cancelled"]}) == both[1:]
    assert listed(**{"states[]": "completed"}) == []
    now = clock.now()
    assert listed(**{"from": (now + timedelta(minutes=1)).isoformat()}) == []
    assert listed(to=(now - timedelta(minutes=1)).isoformat()) == []
    tell(api, second, "end")
    assert listed(**{"states[]": ["in_progress"]}) == both[:1]
    (trip,) = api.call("get_user_trips", path=path, query={**SINCE, "states[]": "cancelled"}).json["data"]
    assert trip["vehicle"]["id"] == first["vehicle"]["id"]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"from": ""},
        {"from": "yesterday"},
        {"from": "0"},
        {"from": "-62135596801"},
        {"from": "2025-01-01T00:00:00Z", "to": "1e9"},
        {"from": "2025-01-01"},
        {"from": "2025-01-01 00:00:00Z"},
        {"from": "2025-01-01T00:00:00"},
        {"from": "2025-01-02T00:00:00Z", "to": "2025-01-01T00:00:00Z"},
        {"from": "2025-01-01T00:00:00Z", "states[]": "ending"},
        {"from": "2025-01-01T00:00:00Z", "states": "cancelled"},
        {"from": "2025-01-01T00:00:00Z", "states[0]": "cancelled"},
        {"from": "2025-01-01T00:00:00Z", "states[]": ["completed", ""]},
    ],
)
def test_what_a_list_cannot_be_asked_for(api: Client, query: dict[str, Any]) -> None:
    assert refusal(api.call("get_user_trips", path={"userId": "U"}, query=query)) == (400, "invalid_request")


def test_a_list_is_for_the_user_that_is_acted_for(city: City, api: Client) -> None:
    mine, other = started(city, api), started(city, api)
    caller = api.with_headers(on_behalf_of=other["userId"])
    reply = caller.call("get_user_trips", path={"userId": mine["userId"]}, query=SINCE)
    assert refusal(reply) == (403, "user_mismatch")


# ── Capacity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _calls(call: Callable[[], Reply]) -> tuple[list[str], float, float]:
    with measured() as usage:
        assert call().status == 200
    return usage.calls, usage.read_units, usage.write_units


READ, WRITE = "BatchGetItem", "TransactWriteItems"


def test_a_trip_takes_two_round_trips(city: City, api: Client) -> None:
    trip = riding(city, api)
    calls, read, _ = _calls(lambda: api.call("get_trip", path={"tripId": str(trip["id"])}))
    assert calls == [READ, READ]
    assert read <= 5


@pytest.mark.parametrize("on_a_product", [False, True])
def test_a_start_takes_two(city: City, api: Client, on_a_product: bool) -> None:
    known, vehicle = user(), city.vehicle()
    store.begin()
    identity.ensure_external(city.client, known)
    product = {"productId": city.plan(free_minutes_per_day=5).id} if on_a_product else {}
    body, path = {"userId": known, "userPosition": HERE, **product}, {"vehicleId": str(vehicle.id)}
    calls, read, write = _calls(lambda: api.call("start_vehicle_trip", path=path, body=body))
    assert calls == [READ, WRITE]
    assert read <= 5
    assert write <= 11


def test_an_update_takes_the_two_of_every_update_and_one_to_look_at_the_vehicle(city: City, api: Client) -> None:
    trip = riding(city, api)
    calls, read, write = _calls(lambda: tell(api, trip, "end", userPosition=HERE, userId=trip["userId"]))
    assert calls == [READ, WRITE, READ]
    assert read <= 6
    assert write <= 11


def test_a_list_takes_four_however_long_it_is(city: City, api: Client) -> None:
    name = user()
    for _ in range(5):
        trip = api.call("start_vehicle_trip", path={"vehicleId": str(city.vehicle().id)}, body={"userId": name}).json
        tell(api, trip, "cancel")
    calls, _, _ = _calls(lambda: api.call("get_user_trips", path={"userId": name}, query=SINCE))
    assert calls == [READ, "Query", READ, READ]
