"""What riding adds up to, wherever it was ridden: rides of one surface are counted on another."""

from datetime import datetime, timedelta
from typing import Any

from tests.support.town import Ride, Town, given_back

USER = "K-7"


def test_rides_of_one_surface_count_on_the_other(town: Town) -> None:
    rider = town.demo.register_user(town.demo.register_product("Rides"), externalId=USER)
    before = town.now - timedelta(seconds=1)
    assert figures(town, since=before)["totalTrips"] == 0

    first = ridden(town, rider, minutes=10)
    between = town.now
    town.passes(hours=30)
    second = ridden(town, rider, minutes=5)

    costs = [ride.attributes["cost"]["total"]["amount"] for ride in (first, second)]
    both = figures(town, since=before)
    assert both["totalTrips"] == 2
    assert both["currency"] == "NOK"
    assert both["spentByCurrency"] == [{"currency": "NOK", "totalSpentCents": sum(costs)}]
    assert both["totalRidingTimeSec"] >= 15 * 60
    assert both["totalDistanceKm"] > 0.2
    assert both["caloriesBurned"] == 0, "nobody pedals on a scooter"
    parts = figures(town, since=before, until=between), figures(town, since=between)
    assert [each["totalTrips"] for each in parts] == [1, 1]
    assert [each["totalSpentCents"] for each in parts] == costs


def test_a_rental_that_never_began_does_not_count(town: Town) -> None:
    rider = town.demo.register_user(town.demo.register_product("Rides"), externalId="K-8")
    vehicle = town.vehicle()
    town.control(vehicle, unlock="reject")
    ride = town.ride(user=rider, vehicle=vehicle)
    town.passes(minutes=1)
    assert ride.state == "ENDED_WITH_NO_CHARGE"
    assert figures(town, "K-8", since=town.now - timedelta(days=1))["totalTrips"] == 0


def ridden(town: Town, rider: str, *, minutes: int) -> Ride:
    """A ride of some 120 metres that has come to its end."""
    ride = town.ride(user=rider)
    longitude, latitude = ride.vehicle.place
    town.passes(minutes=minutes)
    town.moves(ride.vehicle, (longitude + 0.002, latitude))
    town.moves(ride.vehicle, (longitude, latitude))
    assert town.demo.end(ride.id).status == 200
    given_back(ride.vehicle)
    town.settle()
    return ride


def figures(town: Town, user: str = USER, **limits: datetime) -> dict[str, Any]:
    return town.maas.statistics(user, **limits)
