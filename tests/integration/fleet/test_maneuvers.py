"""What vehicles show of the commands that they have not answered yet."""

from datetime import datetime, timedelta

import pytest
from botocore.session import Session

from kickstand.fleet import gateway
from kickstand.fleet import service as fleet
from kickstand.fleet.model import (
    Action,
    Command,
    CommandTrigger,
    Maneuver,
    Progress,
    Purpose,
    Telemetry,
    Vehicle,
)
from kickstand.fleet.service import Standing
from kickstand.kernel import store
from tests.support.city import ALLOWED, OSLO, City

_A, _P, _W = Action, Purpose, Progress


@pytest.fixture
def city(aws: Session) -> City:
    return City()


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    sent: list[Command] = []
    monkeypatch.setattr(gateway, "publish", sent.append)
    return sent


def tell(vehicle: Vehicle, cause: int, action: Action, purpose: Purpose | None, rental_id: int | None = None) -> str:
    store.begin()
    return fleet.send_command(cause, vehicle.id, action, purpose=purpose, rental_id=rental_id).id


def shown(vehicle: Vehicle) -> tuple[Purpose, Progress | None] | None:
    store.begin()
    maneuver = fleet.vehicle(vehicle.id).maneuver
    return (maneuver.purpose, maneuver.progress) if maneuver else None


def at(vehicle: Vehicle, seconds: float) -> datetime:
    return vehicle.reported_at + timedelta(seconds=seconds)


def reports(vehicle: Vehicle, *, locked: bool, seconds: float = 10) -> bool:
    store.begin()
    telemetry = Telemetry(
        vehicle_id=vehicle.id, at=at(vehicle, seconds), position=OSLO, battery_percent=50, locked=locked
    )
    return fleet.receive(telemetry, Standing(OSLO, "8809993867fffff", ALLOWED))


@pytest.mark.parametrize("purpose", Purpose)
def test_a_vehicle_shows_what_it_was_told_until_it_has_obeyed(city: City, purpose: Purpose) -> None:
    vehicle = city.vehicle()
    action = _A.UNLOCK if purpose in {_P.START, _P.RESUME} else _A.LOCK
    command_id = tell(vehicle, 7, action, purpose)
    assert shown(vehicle) == (purpose, None)
    assert fleet.settle_command(vehicle.id, command_id, CommandTrigger.ACKNOWLEDGE)
    assert shown(vehicle) is None
    tell(vehicle, 7, action, purpose)
    assert shown(vehicle) is None, "a repetition revives nothing"


def test_commands_without_purpose_show_nothing(city: City) -> None:
    vehicle = city.vehicle()
    command_id = tell(vehicle, 7, _A.RING, None)
    assert shown(vehicle) is None
    revision = fleet.vehicle(vehicle.id).revision
    assert fleet.settle_command(vehicle.id, command_id, CommandTrigger.ACKNOWLEDGE)
    store.begin()
    assert fleet.vehicle(vehicle.id).revision == revision


def test_progress_is_followed_in_the_order_in_which_it_was_made(city: City) -> None:
    vehicle = city.vehicle()
    command_id = tell(vehicle, 7, _A.UNLOCK, _P.START)
    assert fleet.note_progress(vehicle.id, command_id, _W.WAKING, at(vehicle, 1))
    assert fleet.note_progress(vehicle.id, command_id, _W.AWAITING_INTERACTION, at(vehicle, 3))
    assert not fleet.note_progress(vehicle.id, command_id, _W.AWAITING_CONFIRMATION, at(vehicle, 2))
    assert not fleet.note_progress(vehicle.id, command_id, _W.AWAITING_INTERACTION, at(vehicle, 3))
    assert not fleet.note_progress(vehicle.id, "8-unlock", _W.JAMMED, at(vehicle, 9))
    assert not fleet.note_progress(404, command_id, _W.JAMMED, at(vehicle, 9))
    assert shown(vehicle) == (_P.START, _W.AWAITING_INTERACTION)
    fleet.settle_command(vehicle.id, command_id, CommandTrigger.ACKNOWLEDGE)
    assert not fleet.note_progress(vehicle.id, command_id, _W.JAMMED, at(vehicle, 9))
    assert shown(vehicle) is None


def test_a_refusal_shows_until_the_next_command(city: City) -> None:
    vehicle = city.vehicle()
    refused = tell(vehicle, 7, _A.LOCK, _P.END)
    fleet.settle_command(vehicle.id, refused, CommandTrigger.REJECT, "jammed")
    assert shown(vehicle) == (_P.END, _W.JAMMED)
    tell(vehicle, 8, _A.LOCK, _P.END)
    assert shown(vehicle) == (_P.END, None)
    assert not fleet.settle_command(vehicle.id, refused, CommandTrigger.ACKNOWLEDGE)
    assert shown(vehicle) == (_P.END, None), "an answer to an earlier command says nothing about this one"


def test_nothing_is_known_after_a_timeout_and_a_late_answer_counts(city: City) -> None:
    vehicle = city.vehicle()
    command_id = tell(vehicle, 7, _A.LOCK, _P.PAUSE)
    assert fleet.time_out_command(vehicle.id, 7, _A.LOCK)
    assert shown(vehicle) == (_P.PAUSE, None)
    assert fleet.settle_command(vehicle.id, command_id, CommandTrigger.ACKNOWLEDGE)
    assert shown(vehicle) is None


def test_a_report_that_shows_the_lock_as_it_was_wanted_is_an_answer(city: City) -> None:
    vehicle = city.vehicle()
    tell(vehicle, 7, _A.UNLOCK, _P.START)
    assert reports(vehicle, locked=True, seconds=10)
    assert shown(vehicle) == (_P.START, None)
    assert reports(vehicle, locked=False, seconds=20)
    assert shown(vehicle) is None
    refused = tell(vehicle, 8, _A.LOCK, _P.END)
    fleet.settle_command(vehicle.id, refused, CommandTrigger.REJECT)
    assert reports(vehicle, locked=True, seconds=30)
    assert shown(vehicle) is None


def test_a_report_that_meets_the_next_command_comes_again(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    tell(vehicle, 7, _A.UNLOCK, _P.START)
    change, commands = store.change, [8]

    def interrupted(*arguments: object, **options: object) -> bool:
        if commands:
            tell(vehicle, commands.pop(), _A.UNLOCK, _P.RESUME)
        return change(*arguments, **options)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(store, "change", interrupted)
    with pytest.raises(store.Contention):
        reports(vehicle, locked=False)
    assert shown(vehicle) == (_P.RESUME, None)
    assert reports(vehicle, locked=False)
    assert shown(vehicle) is None


def test_a_command_of_a_rental_that_has_no_vehicle_any_more_does_not_show(city: City) -> None:
    vehicle = city.vehicle()
    with store.Transaction() as tx:
        fleet.rent(tx, vehicle, 6, city.client.id)
    tell(vehicle, 7, _A.LOCK, _P.CANCEL, rental_id=5)
    assert shown(vehicle) is None
    tell(vehicle, 8, _A.UNLOCK, _P.START, rental_id=6)
    assert shown(vehicle) == (_P.START, None)


def test_a_crash_before_the_command_went_out_is_mended_by_repeating(
    city: City, monkeypatch: pytest.MonkeyPatch, published: list[Command]
) -> None:
    vehicle = city.vehicle()
    change, crashes = store.change, [ConnectionError()]

    def crashing(*arguments: object, **options: object) -> bool:
        if crashes:
            raise crashes.pop()
        return change(*arguments, **options)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(store, "change", crashing)
    with pytest.raises(ConnectionError):
        tell(vehicle, 7, _A.UNLOCK, _P.START)
    assert (shown(vehicle), published) == (None, [])
    tell(vehicle, 7, _A.UNLOCK, _P.START)
    assert shown(vehicle) == (_P.START, None)
    assert [each.id for each in published] == ["7-unlock"]


def test_a_crash_before_the_answer_is_kept_is_mended_by_repeating(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()
    command_id = tell(vehicle, 7, _A.UNLOCK, _P.START)
    change, calls = store.change, [0]

    def crashing(*arguments: object, **options: object) -> bool:
        calls[0] += 1
        if calls[0] == 2:
            raise ConnectionError
        return change(*arguments, **options)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(store, "change", crashing)
    with pytest.raises(ConnectionError):
        fleet.settle_command(vehicle.id, command_id, CommandTrigger.ACKNOWLEDGE)
    assert shown(vehicle) is None
    store.begin()
    assert fleet.settle_command(vehicle.id, command_id, CommandTrigger.ACKNOWLEDGE)


def test_which_lock_state_ends_a_maneuver() -> None:
    unlocking = {each for each in Purpose if not Maneuver(command_id="7", purpose=each).wants_lock}
    assert unlocking == {_P.START, _P.RESUME}
