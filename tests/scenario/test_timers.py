"""The clock moved past every timer of a rental. Unless a story says otherwise, the demo's cities set the times."""

from datetime import datetime, timedelta
from typing import Final

import pytest

from kickstand.fleet.model import Unavailability, VehicleState
from tests.support.town import OSLO, PARIS, Ride, Town, Vehicle, condition

NOBODY_CAN_TAKE_IT: Final = (400, "VehicleNotFound")


# ── At the start ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lock_that_says_nothing_costs_nothing(town: Town) -> None:
    vehicle = town.vehicle()
    town.control(vehicle, unlock="silent")
    ride = town.ride(vehicle=vehicle)

    town.passes(seconds=16)  # nobody knows whether it has unlocked: that is not a failure yet
    assert ride.state == "RUNNING"
    town.passes(seconds=75)  # but nobody can ride it either
    assert (ride.state, total(ride)) == ("ENDED_WITH_NO_CHARGE", 0)
    assert condition(vehicle) == (VehicleState.UNAVAILABLE, {Unavailability.UNLOCK_UNCONFIRMED})
    assert town.demo.start(town.demo.register_user(a_product(town)), vehicle).refusal == NOBODY_CAN_TAKE_IT

    town.passes(hours=50)
    assert town.commands(vehicle) == ["unlock", "lock"]  # never unlocked again, locked to be sure
    is_over(town, ride, event="RentalCancelled")


def test_a_lock_that_refuses_costs_nothing(town: Town) -> None:
    vehicle = town.vehicle()
    town.control(vehicle, unlock="reject")
    ride = town.ride(vehicle=vehicle)
    assert (ride.state, total(ride)) == ("ENDED_WITH_NO_CHARGE", 0)
    assert condition(vehicle) == (VehicleState.UNAVAILABLE, {Unavailability.OUT_OF_SERVICE})
    assert vehicle.id not in town.demo.listed()
    town.ride(user=ride.user)  # the rider is free for another one at once
    is_over(town, ride, event="RentalCancelled")


def test_an_answer_that_comes_late_counts(town: Town) -> None:
    vehicle = town.vehicle()
    town.control(vehicle, unlock="silent")
    ride = town.ride(vehicle=vehicle)
    town.passes(seconds=40)
    acknowledges(town, vehicle)
    town.passes(minutes=3)
    assert ride.state == "RUNNING"
    assert condition(vehicle) == (VehicleState.IN_USE, set())
    ends(town, ride)
    assert ride.state == "ENDED"


def test_an_answer_that_comes_too_late_changes_nothing(town: Town) -> None:
    vehicle = town.vehicle()
    town.control(vehicle, unlock="silent")
    ride = town.ride(vehicle=vehicle)
    town.passes(seconds=16)
    town.passes(seconds=75)
    acknowledges(town, vehicle, number=0)
    town.passes(hours=1)
    assert ride.state == "ENDED_WITH_NO_CHARGE"
    assert condition(vehicle) == (VehicleState.UNAVAILABLE, {Unavailability.UNLOCK_UNCONFIRMED})
    assert town.commands(vehicle) == ["unlock", "lock"]
    is_over(town, ride, event="RentalCancelled")


# ── During the ride ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_ride_is_noticed_every_hour_and_ended_after_a_day(town: Town) -> None:
    ride = town.ride()
    town.keeps_moving(ride, hours=2.9)
    assert town.mails(ride.mail) == []
    town.keeps_moving(ride, hours=0.2)
    (first,) = town.mails(ride.mail)
    assert first["subject"] == f"Your ride on {ride.vehicle.code} is still running"
    assert "You have been renting" in first["text"]
    assert "for 3 hours" in first["text"]
    town.keeps_moving(ride, hours=0.8)
    assert len(town.mails(ride.mail)) == 1
    town.keeps_moving(ride, hours=0.2)
    assert "for 4 hours" in town.mails(ride.mail)[-1]["text"]

    town.keeps_moving(ride, hours=19.8)
    assert len(town.mails(ride.mail)) == 21  # after 3 hours, and each hour until the 23rd
    assert ride.state == "RUNNING"
    assert town.commands(ride.vehicle) == ["unlock"]

    town.passes(minutes=7)
    assert ride.state == "ENDED_INTERNALLY"
    assert town.commands(ride.vehicle) == ["unlock", "lock"]
    last = town.mails(ride.mail)[-1]
    assert last["subject"] == f"Your ride on {ride.vehicle.code} has ended"
    assert "it reached the longest time for which a vehicle can be rented" in last["text"]
    assert took(ride) - timedelta(hours=24) < timedelta(minutes=5)
    assert ride.vehicle.id in town.demo.listed()

    town.passes(hours=30)
    assert len(town.mails(ride.mail)) == 22
    is_over(town, ride)


@pytest.mark.parametrize(("zone", "fine", "warning"), [(OSLO, 29_000, "NOK 290.00"), (PARIS, 2_500, "EUR 25.00")])
def test_a_vehicle_left_unlocked_is_paused_and_ended_and_costs_a_fine_the_second_time(
    town: Town, zone: str, fine: int, warning: str
) -> None:
    ride = town.ride(vehicle=town.vehicle(zone))
    stopped_at = left_standing(town, ride, zone)
    assert town.subjects(ride.mail) == [
        f"Your ride on {ride.vehicle.code} is paused",
        f"You left {ride.vehicle.code} unlocked",
    ]
    assert warning in town.mails(ride.mail)[-1]["text"]
    assert ride.state == "ENDED_INTERNALLY"
    assert abs(datetime.fromisoformat(ride.attributes["endedAt"]) - stopped_at) < timedelta(seconds=10)
    assert town.commands(ride.vehicle) == ["unlock", "lock", "lock"]  # when it was paused, and when it was ended
    ridden = total(ride)

    again = town.ride(user=ride.user, vehicle=town.vehicle(zone))
    left_standing(town, again, zone)
    assert again.state == "ENDED_INTERNALLY"
    assert total(again) == ridden + fine
    assert town.subjects(ride.mail)[-1] == f"You left {again.vehicle.code} unlocked again"
    assert f"a fee of {warning} has been added" in town.mails(ride.mail)[-1]["text"]
    assert len(town.mails(ride.mail)) == 4  # each time, one when it was paused and one when it was ended
    is_over(town, ride)
    is_over(town, again)


def test_a_ride_that_goes_on_after_its_pause_is_not_ended(town: Town) -> None:
    ride = town.ride()
    town.passes(minutes=21)
    assert condition(ride.vehicle)[0] is VehicleState.ON_HOLD
    town.passes(minutes=20)
    town.says(ride.vehicle, type="telemetry", locked=False, battery_percent=70, speed_kmh=12, **near(ride.vehicle))
    assert condition(ride.vehicle)[0] is VehicleState.IN_USE
    town.passes(minutes=9)
    assert ride.state == "RUNNING"
    ends(town, ride)
    assert town.subjects(ride.mail) == [f"Your ride on {ride.vehicle.code} is paused"]
    is_over(town, ride)


def test_a_vehicle_that_never_comes_back_counts_as_stolen_and_is_lost(town: Town) -> None:
    with town.timings(PARIS, max_rental_s=0, auto_pause_after_s=0):
        vehicle = town.vehicle(PARIS)
        ride = town.ride(vehicle=vehicle)
        town.control(vehicle, lock="silent")
        town.passes(minutes=30)
        town.moves(vehicle, town.vehicle(PARIS).place)
        gone_at = town.now
        town.passes(hours=47)
        assert ride.state == "RUNNING"
        town.passes(hours=1)
        assert (ride.state, town.commands(vehicle)) == ("ENDED_INTERNALLY", ["unlock", "lock"])
        town.passes(seconds=16)
    assert condition(vehicle)[0] is VehicleState.LOST
    assert vehicle.id not in town.demo.listed(PARIS)
    assert abs(datetime.fromisoformat(ride.attributes["endedAt"]) - gone_at) < timedelta(seconds=10)
    assert "we have to treat it as stolen" in town.mails(ride.mail)[-1]["text"]
    is_over(town, ride)


# ── At the end ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ending_early_cancels_whatever_was_pending(town: Town) -> None:
    ride = town.ride()
    town.passes(minutes=5)
    ends(town, ride)
    before = ride.attributes | {"receipt": None}
    assert before["state"] == "ENDED"
    is_over(town, ride)
    for _ in range(5):
        town.passes(hours=20)
    assert ride.attributes | {"receipt": None} == before
    assert town.mails(ride.mail) == []
    assert town.commands(ride.vehicle) == ["unlock", "lock"]
    is_over(town, ride)


def test_a_lock_that_says_nothing_at_the_end_keeps_the_vehicle_back_until_it_answers(town: Town) -> None:
    ride = town.ride()
    town.control(ride.vehicle, lock="silent")
    ends(town, ride)
    assert ride.state == "ENDED"  # for the rider it is over
    assert condition(ride.vehicle)[0] is VehicleState.IN_USE
    town.passes(seconds=16)
    assert condition(ride.vehicle) == (VehicleState.UNAVAILABLE, {Unavailability.LOCK_UNCONFIRMED})
    is_over(town, ride)
    acknowledges(town, ride.vehicle)
    assert ride.vehicle.id in town.demo.listed()
    is_over(town, ride)


def test_a_lock_that_refuses_at_the_end_keeps_the_vehicle_back(town: Town) -> None:
    ride = town.ride()
    town.control(ride.vehicle, lock="reject")
    ends(town, ride)
    assert condition(ride.vehicle) == (VehicleState.UNAVAILABLE, {Unavailability.LOCK_REJECTED})
    assert total(ride) > 0
    assert ride.vehicle.id not in town.demo.listed()
    is_over(town, ride)


def test_an_answer_to_an_earlier_command_does_not_count_for_the_last_one(town: Town) -> None:
    ride = town.ride()
    town.control(ride.vehicle, lock="silent")
    town.passes(minutes=21)  # paused, and told to lock
    town.says(ride.vehicle, type="telemetry", locked=False, battery_percent=70, speed_kmh=12, **near(ride.vehicle))
    ends(town, ride)
    assert town.commands(ride.vehicle) == ["unlock", "lock", "lock"]
    acknowledges(town, ride.vehicle, number=1)
    assert condition(ride.vehicle)[0] is VehicleState.IN_USE
    acknowledges(town, ride.vehicle, number=2)
    assert condition(ride.vehicle)[0] is VehicleState.AVAILABLE
    is_over(town, ride)


# ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def a_product(town: Town) -> str:
    return town.demo.register_product("Rides")


def total(ride: Ride) -> int:
    """What a ride costs in minor units."""
    return int(ride.attributes["cost"]["total"]["amount"])


def took(ride: Ride) -> timedelta:
    """How long a ride lasted."""
    shown = ride.attributes
    return datetime.fromisoformat(shown["endedAt"]) - datetime.fromisoformat(shown["startedAt"])


def near(vehicle: Vehicle) -> dict[str, float]:
    """A place a few hundred metres from where a vehicle stood first."""
    return {"longitude": vehicle.place[0] + 0.004, "latitude": vehicle.place[1]}


def acknowledges(town: Town, vehicle: Vehicle, number: int = -1) -> None:
    """A vehicle says that it has done what it was told last, or the time of that ``number``."""
    told = [each for each in town.told if each["vehicle_id"] == vehicle.number]
    town.says(vehicle, type="acknowledgement", command_id=told[number]["command_id"], outcome="done")


def ends(town: Town, ride: Ride) -> None:
    """A rider rides for ten minutes, to where another vehicle stands, and ends the ride."""
    town.passes(minutes=10)
    town.moves(ride.vehicle, town.vehicle().place)
    assert ride.partner.end(ride.id).status == 200
    town.settle()


def left_standing(town: Town, ride: Ride, zone: str) -> datetime:
    """A rider rides for ten minutes and walks away from the vehicle; answers when, after the pause has run out."""
    town.passes(minutes=9, seconds=30)
    town.moves(ride.vehicle, town.vehicle(zone).place)
    stopped_at = town.now
    town.passes(minutes=20)
    assert ride.state == "RUNNING"
    town.passes(minutes=29)
    assert ride.state == "RUNNING"
    town.passes(minutes=2)
    return stopped_at


def is_over(town: Town, ride: Ride, event: str = "RentalCompleted") -> None:
    """Nothing of a ride is pending: the workflow is done, and other systems have been told, once."""
    town.settle()
    assert town.executions(ride) == ["SUCCEEDED"]
    assert town.events(ride) == [event]
