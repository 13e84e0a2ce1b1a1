"""What vehicles' and stations' messages, and reading their listings, ask of DynamoDB, as the engine counts it."""

from datetime import timedelta
from typing import Any

import pytest

from kickstand.fleet import clusters, directory, gateway, listing
from kickstand.fleet import service as fleet
from kickstand.fleet.listing import RENTABLE
from kickstand.fleet.model import (
    Action,
    ClusterKind,
    CommandTrigger,
    Maneuver,
    Progress,
    Purpose,
    Telemetry,
    Unavailability,
    Vehicle,
    VehicleState,
)
from kickstand.fleet.service import Standing
from kickstand.geo.model import EndRefusal, Verdict
from kickstand.kernel import clock, store
from local.server import Tables
from tests.support import zones
from tests.support.capacity import Usage, measured
from tests.support.city import OSLO, City

VERDICT = Verdict(
    geofence_version=123_456,
    ride_start_allowed=True,
    end_refusal=EndRefusal.NO_PARKING,
    max_speed_kmh=6,
)


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(autouse=True)
def _no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "publish", lambda _: None)


def spent(usage: Usage) -> tuple[list[str], float, float]:
    return usage.calls, usage.read_units, usage.write_units


def with_everything(city: City) -> Vehicle:
    """A vehicle about which there is all that can be."""
    plain = city.vehicle(verdict=VERDICT)
    at = plain.located_at
    full = plain.model_copy(
        update={
            "offer": plain.offer.model_copy(update={"currency": "NOK", "start_price": 123_456, "version": 123_456}),
            "unavailabilities": frozenset({Unavailability.UNLOCK_UNCONFIRMED, Unavailability.LOW_CONTROLLER_BATTERY}),
            "rental_id": plain.id,
            "last_rental_id": plain.id,
            "last_client_id": plain.id,
            "taken_from": OSLO,
            "spot": city.cluster(type_=ClusterKind.VIRTUAL).spot(12).model_copy(update={"cluster_name": "n" * 30}),
            "spot_at": at,
            "maneuver": Maneuver(
                command_id=f"{plain.id}-unlock",
                purpose=Purpose.RESUME,
                progress=Progress.AWAITING_CONFIRMATION,
                progress_at=at,
            ),
        }
    )
    with store.Transaction() as tx:
        tx.put(fleet.vehicle_item(full, "8809993867fffff"))
    store.begin()
    return full


def test_a_report_costs_one_read_and_one_write_of_one_unit(city: City) -> None:
    vehicle = with_everything(city)
    at = vehicle.reported_at + timedelta(seconds=1)
    report = Telemetry(vehicle_id=vehicle.id, at=at, position=OSLO, battery_percent=50, locked=True)
    with measured() as usage:
        assert fleet.receive(report, Standing(OSLO, "8809993867fffff", VERDICT))
    assert spent(usage) == (["BatchGetItem", "UpdateItem"], 1, 1)


def test_showing_what_a_vehicle_was_told_costs_a_unit_and_another_when_it_has_answered(city: City) -> None:
    vehicle = city.vehicle()
    with measured() as usage:
        command = fleet.send_command(7, vehicle.id, Action.UNLOCK, purpose=Purpose.START)
    assert spent(usage) == (["PutItem", "UpdateItem", "UpdateItem"], 0, 3)
    store.begin()
    with measured() as usage:
        fleet.settle_command(vehicle.id, command.id, CommandTrigger.ACKNOWLEDGE)
    assert spent(usage) == (["BatchGetItem", "UpdateItem", "UpdateItem"], 1, 2)


def test_a_docking_costs_one_read_and_one_transaction_of_two_items(city: City) -> None:
    vehicle, cluster = city.vehicle(), city.cluster(docks=30)
    store.begin()
    standing = Standing(OSLO, "8809993867fffff", VERDICT)
    with measured() as usage:
        assert clusters.dock(vehicle.id, cluster.id, 1, clock.now(), standing)
    assert spent(usage) == (["BatchGetItem", "TransactWriteItems"], 2, 4)
    store.begin()
    with measured() as usage:
        assert clusters.undock(vehicle.id, clock.now())
    assert spent(usage) == (["BatchGetItem", "BatchGetItem", "TransactWriteItems"], 2, 4)


def test_an_unchanged_list_or_directory_costs_its_headers(city: City) -> None:
    cluster, vehicle = city.cluster(), city.vehicle()
    store.begin()
    listing.project([(None, vehicle)])
    directory.project([(None, cluster)])
    for expected, read in (
        (1, lambda: listing.read(1, view=RENTABLE)),
        (1, lambda: listing.read(1)),
        (2, directory_of),
    ):
        read()
        store.begin()
        with measured() as usage:
            read()
        assert spent(usage) == (["BatchGetItem"], expected, 0)


def test_a_change_costs_its_bucket_and_the_headers_of_the_views_that_show_it(city: City) -> None:
    vehicle = city.vehicle()
    listing.project([(None, vehicle)])
    started = {"state": VehicleState.IN_USE, "rental_id": 5, "taken_from": OSLO}
    steps: list[tuple[dict[str, Any], int]] = [
        ({"battery_percent": 79}, 6),  # all, and what can be rented
        ({"locked": False}, 0),
        (started, 6),
        ({"position": zones.at(900, 0), "located_at": clock.now()}, 0),  # nobody is followed
        ({"state": VehicleState.ON_HOLD}, 4),
    ]
    for differently, units in steps:
        before, vehicle = vehicle, vehicle.model_copy(update={"revision": vehicle.revision + 1, **differently})
        store.begin()
        with measured() as usage:
            listing.project([(before, vehicle)])
        assert spent(usage) == ((["BatchGetItem", "TransactWriteItems"], 4, units) if units else ([], 0, 0)), (
            differently
        )


def directory_of() -> directory.Directory:
    directory.expect(1)
    return directory.read(1)
