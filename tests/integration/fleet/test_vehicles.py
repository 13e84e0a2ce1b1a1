"""Use cases of vehicles and commands against the store."""

from datetime import timedelta, timezone
from typing import Any

import pytest
from botocore.session import Session

from kickstand.fleet import gateway
from kickstand.fleet import service as fleet
from kickstand.fleet.errors import CodeTaken, TransitionRefused, VehicleNotFound
from kickstand.fleet.model import (
    Action,
    Command,
    CommandState,
    CommandTrigger,
    Telemetry,
    Unavailability,
    Vehicle,
    VehicleState,
    VehicleTrigger,
)
from kickstand.fleet.service import Standing
from kickstand.geo import cells
from kickstand.kernel import store
from kickstand.kernel.place import Position
from tests.support import zones
from tests.support.city import ALLOWED, NO_PARKING, OSLO, City


@pytest.fixture
def city(aws: Session) -> City:
    return City()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    sent: list[Command] = []
    monkeypatch.setattr(gateway, "publish", sent.append)
    return sent


def standing(position: Position = OSLO) -> Standing:
    return Standing(position, cells.cell_of(position), ALLOWED)


def report(vehicle: Vehicle, seconds: float, position: Position = OSLO) -> Telemetry:
    at = vehicle.reported_at + timedelta(seconds=seconds)
    return Telemetry(vehicle_id=vehicle.id, at=at, position=position, battery_percent=50, locked=True)


def test_a_code_names_one_vehicle_whatever_its_case(city: City) -> None:
    vehicle = city.vehicle(code="AB12")
    assert fleet.find_by_code(city.client, "ab12") == vehicle
    with pytest.raises(CodeTaken):
        city.vehicle(code="aB12")


def test_vehicles_of_foreign_networks_do_not_exist(city: City) -> None:
    vehicle = city.vehicle(code="AB12")
    stranger, _ = city.partner("Stranger", (2,))
    with pytest.raises(VehicleNotFound):
        fleet.find(stranger, vehicle.public_id)
    with pytest.raises(VehicleNotFound):
        fleet.find_by_code(stranger, "AB12")


def test_vehicles_are_found_by_where_they_stand(city: City) -> None:
    places = [zones.at(0, 0), zones.at(150, 0), zones.at(9000, 0)]
    near = [fleet.new_vehicle(f"C{n}AA", city.tariff(), standing(place), 80) for n, place in enumerate(places)]
    for vehicle in near:
        fleet.add_vehicle(vehicle, cells.cell_of(vehicle.position))
    store.begin()
    found = fleet.in_cells(1, cells.cells_around(places[0], 300))
    assert {each.id for each in found} == {near[0].id, near[1].id}
    assert fleet.in_cells(2, cells.cells_around(places[0], 300)) == []


def test_late_reports_and_strangers_change_nothing(city: City) -> None:
    vehicle = city.vehicle()
    there = zones.at(500, 0)
    assert fleet.receive(report(vehicle, 10, there), standing(there))
    for late in (report(vehicle, 10), report(vehicle, 5), report(vehicle, -60)):
        store.begin()
        assert not fleet.receive(late, standing())
    stranger = report(vehicle, 99).model_copy(update={"vehicle_id": 404})
    assert not fleet.receive(stranger, standing())
    store.begin()
    assert fleet.vehicle(vehicle.id).position == there


def test_a_wavering_position_is_not_a_move(city: City) -> None:
    vehicle = city.vehicle()
    wavering = zones.at(3, 3)
    assert fleet.receive(report(vehicle, 10, wavering), standing(wavering))
    store.begin()
    known = fleet.vehicle(vehicle.id)
    assert (known.position, known.battery_percent, known.revision) == (vehicle.position, 50, vehicle.revision + 1)
    forbidden = Standing(wavering, cells.cell_of(wavering), NO_PARKING)
    assert fleet.receive(report(vehicle, 20, wavering), forbidden)
    store.begin()
    assert fleet.vehicle(vehicle.id).verdict == NO_PARKING


def test_a_newer_tariff_is_offered_and_an_older_one_is_not(city: City) -> None:
    vehicle = city.vehicle()
    newer = vehicle.offer.model_copy(update={"version": 3, "start_price": 1500})
    older = vehicle.offer.model_copy(update={"version": 2, "start_price": 1})
    assert [fleet.offer(each) for each in (newer, older, newer)] == [1, 0, 0]
    store.begin()
    assert fleet.vehicle(vehicle.id).offer == newer


def test_a_cause_sends_one_command(city: City, published: list[Command]) -> None:
    vehicle = city.vehicle()
    for _ in range(3):
        store.begin()
        fleet.send_command(7, vehicle.id, Action.UNLOCK)
    assert [each.id for each in published] == ["7-unlock"]
    fleet.send_command(7, vehicle.id, Action.LOCK)
    fleet.send_command(8, vehicle.id, Action.UNLOCK)
    assert len(published) == 3


def test_a_command_that_was_not_published_is_published_later(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    vehicle = city.vehicle()

    def unreachable(_: Command) -> None:
        raise ConnectionError

    monkeypatch.setattr(gateway, "publish", unreachable)
    with pytest.raises(ConnectionError):
        fleet.send_command(7, vehicle.id, Action.UNLOCK)
    sent: list[Command] = []
    monkeypatch.setattr(gateway, "publish", sent.append)
    store.begin()
    fleet.send_command(7, vehicle.id, Action.UNLOCK)
    assert [each.id for each in sent] == ["7-unlock"]


def test_an_unanswered_command_is_not_sent_again_and_a_late_answer_counts(city: City, published: list[Command]) -> None:
    vehicle = city.vehicle()
    fleet.send_command(7, vehicle.id, Action.UNLOCK)
    assert fleet.time_out_command(vehicle.id, 7, Action.UNLOCK)
    fleet.send_command(7, vehicle.id, Action.UNLOCK)
    assert len(published) == 1
    assert fleet.settle_command(vehicle.id, "7-unlock", CommandTrigger.ACKNOWLEDGE)
    assert not fleet.settle_command(vehicle.id, "7-unlock", CommandTrigger.REJECT, "too late")
    settled = fleet.find_command(vehicle.id, 7, Action.UNLOCK)
    assert settled is not None
    assert (settled.state, settled.event.name) == (CommandState.ACKNOWLEDGED, "CommandAcknowledged")


def test_an_answer_to_nothing_changes_nothing(city: City) -> None:
    assert not fleet.settle_command(city.vehicle().id, "404-lock", CommandTrigger.ACKNOWLEDGE)


def test_a_withdrawn_vehicle_comes_back_when_its_last_reason_is_gone(city: City) -> None:
    vehicle = city.vehicle()
    with store.Transaction() as tx:
        fleet.rent(tx, vehicle, 5, 1)
    with store.Transaction() as tx:
        fleet.give_back(tx, fleet.vehicle(vehicle.id), 5, VehicleTrigger.WITHDRAW, Unavailability.LOCK_UNCONFIRMED)
    assert fleet.vehicle(vehicle.id).unavailabilities == {Unavailability.LOCK_UNCONFIRMED}
    assert not fleet.clear(vehicle.id, Unavailability.LOW_BATTERY)
    assert fleet.clear(vehicle.id, Unavailability.LOCK_UNCONFIRMED)
    assert fleet.vehicle(vehicle.id).state is VehicleState.AVAILABLE
    assert not fleet.clear(vehicle.id, Unavailability.LOCK_UNCONFIRMED)


def test_a_report_that_comes_between_does_not_keep_a_vehicle_withdrawn(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle()
    with store.Transaction() as tx:
        fleet.rent(tx, vehicle, 5, 1)
    with store.Transaction() as tx:
        fleet.give_back(tx, fleet.vehicle(vehicle.id), 5, VehicleTrigger.WITHDRAW, Unavailability.LOCK_UNCONFIRMED)
    change, reports = store.change, [report(vehicle, 10)]

    def interrupted(*arguments: Any, **options: Any) -> bool:
        if reports:
            assert fleet.receive(reports.pop(), standing())
        return change(*arguments, **options)

    monkeypatch.setattr(store, "change", interrupted)
    assert fleet.clear(vehicle.id, Unavailability.LOCK_UNCONFIRMED)
    assert fleet.vehicle(vehicle.id).state is VehicleState.AVAILABLE


def test_an_answer_that_meets_the_timeout_half_way_counts(
    city: City, published: list[Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = city.vehicle()
    fleet.send_command(7, vehicle.id, Action.LOCK)
    change, timeouts = store.change, [7]

    def interrupted(*arguments: Any, **options: Any) -> bool:
        if timeouts:
            assert fleet.time_out_command(vehicle.id, timeouts.pop(), Action.LOCK)
        return change(*arguments, **options)

    monkeypatch.setattr(store, "change", interrupted)
    assert fleet.settle_command(vehicle.id, "7-lock", CommandTrigger.ACKNOWLEDGE)
    settled = fleet.find_command(vehicle.id, 7, Action.LOCK)
    assert settled is not None
    assert settled.state is CommandState.ACKNOWLEDGED
    assert len(published) == 1


def test_times_of_all_zones_and_precisions_are_in_one_order(city: City) -> None:
    vehicle = city.vehicle()
    noon = (vehicle.reported_at + timedelta(hours=1)).replace(microsecond=0)
    east = noon.astimezone(timezone(timedelta(hours=9)))
    for at, news in ((east, True), (noon + timedelta(milliseconds=500), True), (east, False)):
        store.begin()
        assert fleet.receive(report(vehicle, 0).model_copy(update={"at": at}), standing()) is news


def test_only_the_rental_that_holds_a_vehicle_gives_it_back(city: City) -> None:
    vehicle = city.vehicle()
    with store.Transaction() as tx:
        fleet.rent(tx, vehicle, 5, 1)
    held = fleet.vehicle(vehicle.id)
    with pytest.raises(TransitionRefused), store.Transaction() as tx:
        fleet.give_back(tx, held, 4)
    assert fleet.vehicle(vehicle.id) == held
