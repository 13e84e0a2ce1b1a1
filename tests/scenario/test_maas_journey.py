"""A client of the MaaS surface and its users: rides from dock to dock, reservations and penalties."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from kickstand.kernel.place import Position
from tests.support.town import OSLO, Place, Town, known, until

_FAR_M: Final = 200

DAY_PASS: Final = 1
"""A product that tolerates three points, and gives one after two hours and one for each further hour."""


# ── From dock to dock ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bike_is_taken_from_one_dock_and_put_into_another(town: Town) -> None:
    began = town.now
    group, _ = town.docked("bike")
    held, before = set(town.maas.vehicles_at(group)), availability(town, group)
    trip = town.maas.start_at("kari", group, "bike").document
    taken = known(trip["vehicle"]["id"])
    assert taken.number in held
    assert trip["startedAtLocation"]["dock"]["dockGroupId"] == group
    town.settle()
    assert town.maas.trip(trip["id"])["state"] == "in_progress"
    assert set(town.maas.vehicles_at(group)) == held - {taken.number}
    within_a_second(lambda: availability(town, group) == (before[0] - 1, before[1] + 1))

    town.passes(minutes=72)  # nobody takes it for standing still: it tells nothing of itself
    for update in ("pause", "end"):  # it has no lock of its own
        assert town.maas.update(trip["id"], update).refusal == (409, "not_supported")
    assert town.maas.update(trip["id"], "cancel").refusal == (409, "invalid_state")

    other, _ = town.docked("bike")
    dock = town.free_dock(other)
    town.docks(taken, dock)
    over = town.maas.trip(trip["id"])
    assert over["state"] == "completed"
    assert over["endedAtLocation"]["dock"] == town.maas.vehicle(taken.number)["location"]["dock"]
    assert over["endedAtLocation"]["dock"]["dockGroupId"] == other
    assert over["endedAtLocation"]["dock"]["dockNumber"] == dock["number"]
    assert over["pricing"]["tripDurationMins"] == 73
    assert over["pricing"]["totalAmountIncludingVat"] == 73 * 80 * 1.25
    assert taken.number in town.maas.vehicles_at(other)
    within_a_second(lambda: town.maas.vehicles()[taken.number]["status"] == "available")

    assert [each["id"] for each in town.maas.trips("kari", "completed")] == [trip["id"]]
    assert town.maas.trips("kari", "cancelled", "in_progress") == []
    figures = town.maas.statistics("kari", began - timedelta(minutes=1))
    assert (figures["totalTrips"], figures["totalSpentCents"], figures["currency"]) == (1, 7_300, "NOK")
    assert 72 * 60 <= figures["totalRidingTimeSec"] < 73 * 60


def test_an_e_bike_is_left_where_lines_are_painted_and_nowhere_else(town: Town) -> None:
    _, bike = town.docked("ebike")
    trip = town.maas.start("ola", bike.number).document["id"]
    town.settle()
    town.passes(minutes=10)
    town.moves(bike, far_from_docks(town))
    assert town.maas.update(trip, "end").refusal == (400, "invalid_location")
    (painted,) = [each for each in town.maas.dock_groups() if each["title"].startswith("Grønlands torg (")]
    town.passes(minutes=10)
    town.moves(bike, place_of(painted))
    assert town.maas.update(trip, "end").status == 200
    town.settle()
    over = town.maas.trip(trip)
    assert over["state"] == "completed"
    assert over["endedAtLocation"]["dock"]["dockGroupId"] == painted["id"]
    assert bike.number in town.maas.vehicles_at(painted["id"])


def test_a_dock_group_gives_what_it_has_and_no_more(town: Town) -> None:
    group, _ = town.docked("bike")
    stock = [each for each in town.maas.vehicles_at(group).values() if fits(each, "bike")]
    trips = [town.maas.start_at(f"crowd-{number}", group, "bike") for number in range(len(stock) + 1)]
    assert [each.status for each in trips] == [200] * len(stock) + [409]
    assert trips[-1].refusal == (409, "no_vehicle_available")
    assert {each.document["vehicle"]["id"] for each in trips[:-1]} == {each["id"] for each in stock}
    town.settle()
    for each in trips[:-1]:
        town.docks(known(each.document["vehicle"]["id"]), town.free_dock(group))
        assert town.maas.trip(each.document["id"])["state"] == "completed"


# ── Reservations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reservation_expires_by_itself(town: Town) -> None:
    group, bike = town.docked("bike")
    reservation = town.maas.reserve("late", bike.number).document
    assert reservation["dockGroupId"] == group
    assert datetime.fromisoformat(reservation["expiresAt"]) - town.now > timedelta(minutes=14)
    town.passes(minutes=14)
    assert [each["id"] for each in town.maas.reservations("late")] == [reservation["id"]]
    assert town.maas.reserve("late", town.vehicle().number).refusal == (409, "reservation_exists")
    town.passes(minutes=1, seconds=5)
    assert town.maas.reservations("late") == []
    assert town.maas.give_up(reservation["id"]).refusal == (409, "reservation_closed")
    within_a_second(lambda: town.maas.vehicles()[bike.number]["status"] == "available")
    assert town.maas.start("somebody", bike.number).status == 200


# ── Penalties ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_keeps_bikes_for_hours_cannot_use_a_product_any_more(town: Town) -> None:
    _, bike = town.docked("ebike")
    with town.timings(OSLO, auto_pause_after_s=0):
        trip = town.maas.start("keeper", bike.number, productId=DAY_PASS).document["id"]
        town.settle()
        town.passes(hours=1, minutes=59)
        assert town.maas.penalties("keeper") == []
        town.passes(minutes=2)
        (first,) = town.maas.penalties("keeper")
        assert (first["penaltyType"], first["penaltyPoints"], first["tripId"]) == ("trip_duration", 1, trip)
        town.passes(hours=3)
        assert len(town.maas.penalties("keeper")) == 4
        (station, _) = town.docked("bike")
        town.docks(bike, town.free_dock(station))
    blocked = town.maas.start("keeper", town.docked("bike")[1].number, productId=DAY_PASS)
    assert blocked.refusal == (403, "too_many_penalty_points")
    assert town.maas.reserve("keeper", town.docked("bike")[1].number, productId=DAY_PASS).status == 403
    resolved = town.maas.http.call("PATCH", f"/users/keeper/penalties/{first['penaltyId']}", {})
    assert resolved.document["state"] == "resolved"
    assert town.maas.start("keeper", town.docked("bike")[1].number, productId=DAY_PASS).status == 200


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def fits(vehicle: dict[str, Any], category: str) -> bool:
    """Whether a vehicle can be had by who asks for its category."""
    return bool(vehicle["vehicleCategory"] == category and vehicle["status"] == "available")


def availability(town: Town, dock_group: int) -> tuple[int, int]:
    """How many vehicles can be taken at a dock group, and how many left there."""
    shown = town.maas.dock_group(dock_group)["availabilityInfo"]
    return shown["availableVehicles"], shown["availableDocks"]


def far_from_docks(town: Town) -> Place:
    """A place where anything may be left that does not belong into a dock."""
    places = [Position(longitude=each[0], latitude=each[1]) for each in map(place_of, town.maas.dock_groups())]
    for place in places:
        beside = place.model_copy(update={"latitude": place.latitude + 0.002})
        found = beside.longitude, beside.latitude
        if town.may_end_at(found) and min(beside.distance_m(each) for each in places) > _FAR_M:
            return found
    raise AssertionError("there are docks everywhere")


def place_of(dock_group: dict[str, Any]) -> Place:
    """Where a dock group is."""
    longitude, latitude = dock_group["geometry"]["coordinates"]
    return longitude, latitude


def within_a_second(seen: Callable[[], bool]) -> None:
    """Ask until something is seen, for at most a second."""
    until(seen, seconds=1, what="the list shows it")
