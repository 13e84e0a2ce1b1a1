"""One fleet behind two surfaces: whatever happens on one of them has happened on the other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import UUID

from kickstand.kernel import ids
from tests.support.http import Answer
from tests.support.maas import MaasClient
from tests.support.town import Town, Vehicle, given_back, until

TAKEN: Final = (409, "vehicle_not_available")
NOT_THERE: Final = (400, "VehicleNotFound")


# ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reserved_vehicle_is_nobody_elses_anywhere(town: Town) -> None:
    vehicle, client = town.vehicle(), town.client("Reserver")
    assert client.reserve("ada", vehicle.number).document["vehicleId"] == vehicle.number

    soon(lambda: vehicle.id not in town.demo.listed(), "it is gone from the other surface's list")
    soon(lambda: client.vehicles()[vehicle.number]["isReserved"], "it shows as reserved in its own")
    assert town.demo.start(a_rider(town), vehicle).refusal == NOT_THERE
    assert town.maas.start("somebody", vehicle.number).refusal == TAKEN
    assert client.start("bob", vehicle.number).refusal == TAKEN

    trip = client.start("ada", vehicle.number).document
    until(lambda: client.trip(trip["id"])["state"] == "in_progress", what="the vehicle has unlocked")
    assert town.demo.start(a_rider(town), vehicle).refusal == NOT_THERE
    assert client.update(trip["id"], "end").status == 200
    available_everywhere(town, vehicle)


def test_a_vehicle_that_is_given_up_is_everybodys_again(town: Town) -> None:
    vehicle, client = town.vehicle(), town.client("Hesitant")
    reservation = client.reserve("ada", vehicle.number).document["id"]
    town.settle()
    assert client.give_up(reservation).status == 200
    available_everywhere(town, vehicle)
    assert town.demo.start(a_rider(town), vehicle).status == 200


# ── Rides ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_vehicle_ridden_on_one_surface_is_on_trip_on_the_other(town: Town) -> None:
    client = town.client("Onlooker")
    ride = town.ride()
    number = ride.vehicle.number
    soon(lambda: client.vehicles()[number]["status"] == "on_trip", "the list shows it on a trip")
    assert client.vehicle(number)["status"] == "on_trip"
    assert client.start("ada", number).refusal == TAKEN
    assert client.reserve("ada", number).refusal == TAKEN
    assert client.http.get(f"/trips/{ride.number}").refusal == (404, "trip_not_found")

    before = client.vehicle(number)["location"]["geoPosition"]
    town.moves(ride.vehicle, town.vehicle().place)
    shown = client.vehicle(number)
    assert shown["location"]["geoPosition"] == before  # nobody can follow a rider
    assert "trip" not in shown

    assert ride.partner.end(ride.id).status == 200
    town.settle()
    available_everywhere(town, ride.vehicle, client)
    assert client.vehicle(number)["location"]["geoPosition"] != before


def test_of_those_who_want_one_vehicle_on_both_surfaces_one_gets_it(town: Town) -> None:
    vehicle, each = town.vehicle(), 8
    riders = [a_rider(town) for _ in range(each)]
    town.maas.http.get("/systems")  # the token is there before the race

    def through_voi(number: int) -> Answer:
        return town.demo.start(riders[number], vehicle)

    def through_maas(number: int) -> Answer:
        return town.maas.start(f"racer-{number}", vehicle.number)

    with ThreadPoolExecutor(2 * each) as pool:
        asked = [pool.submit(start, number) for number in range(each) for start in (through_voi, through_maas)]
    answers = [each.result() for each in asked]
    assert sorted(answer.status for answer in answers).count(200) == 1
    assert {answer.refusal for answer in answers if answer.status != 200} <= {TAKEN, NOT_THERE}


def test_whoever_rides_on_one_surface_does_not_start_on_the_other(town: Town) -> None:
    user = a_rider(town, externalId="both-1")
    ride = town.ride(user=user)
    second = town.vehicle()
    assert town.maas.start("both-1", second.number).refusal == (409, "trip_in_progress")
    assert town.maas.update(ride.number, "end").status == 200
    town.settle()
    trip = town.maas.start("both-1", second.number).document["id"]
    assert town.demo.start(user, town.vehicle()).refusal == (400, "RentalAlreadyExists")
    assert town.maas.update(trip, "end").status == 200


# ── One rental seen from both surfaces ───────────────────────────────────────────────────────────────────────────────


def test_a_ride_that_began_on_one_surface_ends_on_the_other_at_the_same_price(town: Town) -> None:
    user = a_rider(town, externalId="both-2")
    ride = town.ride(user=user)
    trip = town.maas.trip(ride.number)
    assert (trip["userId"], trip["state"]) == ("both-2", "in_progress")
    assert trip["vehicle"]["id"] == ride.vehicle.number

    town.passes(minutes=7, seconds=30)
    assert ride.attributes["cost"]["total"]["amount"] == amount_of(town.maas.trip(ride.number)) == 3_000
    town.moves(ride.vehicle, town.vehicle().place)
    assert town.maas.update(ride.number, "pause").status == 200
    town.settle()
    assert town.maas.trip(ride.number)["state"] == "on_hold"
    assert ride.state == "RUNNING"
    assert town.maas.update(ride.number, "end").status == 200
    town.settle()
    seen_as_ended_from_both(town, ride.id, user, 3_000)


def test_a_trip_ends_on_the_other_surface_at_the_same_price(town: Town) -> None:
    user, vehicle = a_rider(town, externalId="both-3"), town.vehicle()
    trip = town.maas.start("both-3", vehicle.number).document["id"]
    town.settle()
    (active,) = town.demo.http.get(f"/v1/rental/user/{user}/active").data
    assert ids.id_of(UUID(active["id"])) == trip
    assert active["attributes"]["vehicle"]["vehicleId"] == vehicle.id
    town.passes(minutes=7, seconds=30)
    town.moves(vehicle, town.vehicle().place)
    assert town.demo.end(active["id"]).status == 200
    town.settle()
    seen_as_ended_from_both(town, active["id"], user, 3_000)


def seen_as_ended_from_both(town: Town, rental: str, user: str, amount: int) -> None:
    """Both surfaces tell the same end of one rental."""
    shown, trip = town.demo.rental(rental), town.maas.trip(ids.id_of(UUID(rental)))
    assert (shown["state"], trip["state"]) == ("ENDED", "completed")
    assert shown["cost"]["total"]["amount"] == amount_of(trip) == amount
    assert trip["pricing"]["tripDurationMins"] == shown["rentalDurationMin"] == 8
    assert trip["endedAtLocation"]["geoPosition"]["position"]["coordinates"] == [
        shown["vehicleEndLocation"]["longitude"],
        shown["vehicleEndLocation"]["latitude"],
    ]
    assert town.demo.receipt(rental).content.startswith(b"%PDF")
    assert [each["id"] for each in town.demo.http.get(f"/v1/rental/user/{user}").data] == [rental]
    assert [each["id"] for each in town.maas.trips(trip["userId"])] == [trip["id"]]


# ── Docks ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bike_in_a_dock_is_there_on_both_surfaces(town: Town) -> None:
    group, bike = town.docked("bike")
    assert bike.id in town.demo.listed()
    trip = town.maas.start("docker", bike.number).document["id"]
    town.settle()
    assert bike.id not in town.demo.listed()
    town.docks(bike, town.free_dock(group))
    assert town.maas.trip(trip)["state"] == "completed"
    available_everywhere(town, bike)


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_rider(town: Town, **more: str) -> str:
    """A new user of the demo's partner on the Voi surface."""
    return town.demo.register_user(town.demo.register_product("Rides"), **more)


def amount_of(trip: dict[str, Any]) -> int:
    """What a trip costs, VAT included, in minor units."""
    return int(trip["pricing"]["totalAmountIncludingVat"])


def available_everywhere(town: Town, vehicle: Vehicle, client: MaasClient | None = None) -> None:
    """Within a second of its having been given back, both lists offer the vehicle."""
    client = client or town.maas
    given_back(vehicle)
    soon(lambda: vehicle.id in town.demo.listed(), "one surface offers it")
    soon(lambda: client.vehicles()[vehicle.number]["status"] == "available", "the other one offers it")
    assert not client.vehicle(vehicle.number)["isReserved"]


def soon(seen: Callable[[], bool], what: str) -> None:
    """Ask until something is seen: a moment on a machine of its own, a little longer on one that many share."""
    until(seen, seconds=5, what=what)
