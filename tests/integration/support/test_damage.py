"""Reports of damage, maintenance and repair, against the store."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound
from kickstand.fleet.model import Unavailability, Vehicle, VehicleState
from kickstand.fleet.store import VehicleItem
from kickstand.identity import service as identity
from kickstand.kernel import store
from kickstand.kernel.errors import DomainError
from kickstand.rental import lifecycle, reservations
from kickstand.rental import service as rentals
from kickstand.support import service as support
from kickstand.support.errors import InvalidDamageReport, MaintenanceNotFound
from kickstand.support.model import DamageReport, Maintenance, MaintenanceState, Severity
from kickstand.support.store import MaintenanceItem, reports_of
from local.server import Tables
from reactions.rental import follow_holds
from tests.support.capacity import measured
from tests.support.city import BIKE, City
from tests.support.vehicles import records
from tests.support.world import Crash, Dying

BRAKES, TYRE, LIGHTS, BELL, SADDLE = 1, 2, 6, 7, 8
MINOR, MAJOR, CRITICAL = Severity.MINOR, Severity.MAJOR, Severity.CRITICAL
CLIENTS = 32


@pytest.fixture(scope="module")
def city(engine: Tables) -> City:
    return City()


@pytest.fixture(autouse=True)
def _request() -> None:
    store.begin()


@pytest.fixture(scope="module")
def crowd() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        yield pool


def report(city: City, vehicle: Vehicle, *damages: int, user: str | None = None, notify: bool = False) -> DamageReport:
    """A report of somebody new, unless a user is named."""
    store.begin()
    return support.report_damage(
        city.client, vehicle.id, user or str(uuid4()), damages, "It squeaks", notify_on_repair=notify
    )


def now(vehicle: Vehicle) -> Vehicle:
    store.begin()
    return fleet.vehicle(vehicle.id)


def open_maintenance(vehicle: Vehicle) -> Maintenance:
    store.begin()
    maintenance_id = support.maintenance_of(vehicle.id)
    assert maintenance_id is not None
    return support.maintenance(maintenance_id)


# ── Reports and their maintenance ────────────────────────────────────────────────────────────────────────────────────


def test_the_first_report_opens_a_maintenance_and_further_ones_join_it(city: City) -> None:
    vehicle = city.vehicle()
    first = report(city, vehicle, BELL)
    maintenance = open_maintenance(vehicle)
    assert (maintenance.id, maintenance.severity, maintenance.vehicle_id) == (first.maintenance_id, MINOR, vehicle.id)
    assert maintenance.event.name == "MaintenanceOpened"
    second, third = report(city, vehicle, LIGHTS, BELL), report(city, vehicle, BELL)
    assert {second.maintenance_id, third.maintenance_id} == {maintenance.id}
    joined = open_maintenance(vehicle)
    assert (joined.severity, joined.event.name, joined.version) == (MAJOR, "MaintenanceEscalated", 2)
    assert reports_of(maintenance.id) == [first, second, third]
    assert now(vehicle).state is VehicleState.AVAILABLE


def test_critical_damage_takes_the_vehicle_out_of_service(city: City) -> None:
    vehicle = city.vehicle()
    report(city, vehicle, BRAKES)
    broken = now(vehicle)
    assert (broken.state, set(broken.unavailabilities)) == (VehicleState.UNAVAILABLE, {Unavailability.BROKEN})
    report(city, vehicle, TYRE)
    assert now(vehicle) == broken


def test_critical_damage_takes_it_out_of_service_when_it_comes_second_too(city: City) -> None:
    vehicle = city.vehicle()
    report(city, vehicle, LIGHTS)
    report(city, vehicle, BRAKES)
    assert now(vehicle).state is VehicleState.UNAVAILABLE
    assert open_maintenance(vehicle).severity is CRITICAL


def test_what_staff_has_put_back_is_taken_out_again_by_the_next_report(city: City) -> None:
    vehicle = city.vehicle()
    report(city, vehicle, BRAKES)
    store.begin()
    assert fleet.clear(vehicle.id, Unavailability.BROKEN)
    report(city, vehicle, BRAKES)
    assert now(vehicle).state is VehicleState.UNAVAILABLE


def test_a_reporter_is_taken_in_on_first_use(city: City) -> None:
    vehicle, user = city.vehicle(), str(uuid4())
    one = report(city, vehicle, BELL, user=user)
    store.begin()
    known = identity.external(city.client, user)
    assert one.rider_id == known.rider_id
    assert report(city, vehicle, BELL, user=user).rider_id == known.rider_id


def test_riders_that_have_ridden_before_are_the_same_ones(city: City) -> None:
    user = str(uuid4())
    rider = city.rider(user)
    assert report(city, city.vehicle(), BELL, user=user).rider_id == rider.id


def test_the_users_of_two_partners_are_two(city: City) -> None:
    vehicle, user = city.vehicle(), str(uuid4())
    other, _ = city.partner("Other")
    store.begin()
    theirs = support.report_damage(other, vehicle.id, user, [BELL])
    ours = report(city, vehicle, BELL, user=user)
    assert ours.maintenance_id == theirs.maintenance_id
    assert ours.rider_id != theirs.rider_id


@pytest.mark.parametrize("damages", [(), (999,), (BELL, 999), (SADDLE,)])
def test_what_the_vehicle_cannot_have_is_refused_and_nothing_is_kept(city: City, damages: tuple[int, ...]) -> None:
    vehicle, user = city.vehicle(), str(uuid4())
    with pytest.raises(InvalidDamageReport):
        report(city, vehicle, *damages, user=user)
    store.begin()
    assert support.maintenance_of(vehicle.id) is None
    assert identity.find_external(city.client, user) is None


def test_vehicles_of_each_category_have_their_own_damages(city: City) -> None:
    bike = city.vehicle(model=BIKE)
    report(city, bike, SADDLE)
    store.begin()
    assert SADDLE in {each.id for each in support.damage_types(city.client, bike.id)}
    assert SADDLE not in {each.id for each in support.damage_types(city.client, city.vehicle().id)}


def test_vehicles_of_foreign_networks_do_not_exist(city: City) -> None:
    vehicle = city.vehicle()
    stranger, _ = city.partner("Stranger", (2,))
    for call in (
        lambda: support.report_damage(stranger, vehicle.id, "U-1", [BELL]),
        lambda: support.damage_types(stranger, vehicle.id),
        lambda: support.report_damage(city.client, 404, "U-1", [BELL]),
    ):
        store.begin()
        with pytest.raises(VehicleNotFound):
            call()
    store.begin()
    assert support.maintenance_of(vehicle.id) is None


# ── Who has the vehicle at that moment ───────────────────────────────────────────────────────────────────────────────


def test_who_rides_is_not_disturbed_and_nobody_comes_after(city: City) -> None:
    vehicle = city.vehicle()
    rental = rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    report(city, vehicle, BRAKES)
    ridden = now(vehicle)
    assert (ridden.state, ridden.rental_id) == (VehicleState.IN_USE, rental.id)
    store.begin()
    rentals.end(city.client, rental.public_id)
    store.begin()
    lifecycle.confirm_locked(rental.id)
    assert now(vehicle).state is VehicleState.UNAVAILABLE
    store.begin()
    assert not rentals.get(rental.id).is_open


def test_a_ride_that_ends_at_the_same_moment_does_not_give_it_to_others(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report comes between the reading and the writing of the ride's end."""
    vehicle = city.vehicle()
    rental = rentals.start(city.client, city.rider().public_id, vehicle.public_id)
    store.begin()
    rentals.end(city.client, rental.public_id)
    give_back, pending = fleet.give_back, [BRAKES]

    def interrupted(*arguments: object) -> None:
        give_back(*arguments)  # type: ignore[arg-type]
        if pending:
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(report, city, vehicle, pending.pop()).result()

    monkeypatch.setattr(fleet, "give_back", interrupted)
    store.begin()
    lifecycle.confirm_locked(rental.id)
    returned = now(vehicle)
    assert (returned.state, returned.rental_id) == (VehicleState.UNAVAILABLE, None)


def test_who_has_reserved_it_loses_it(city: City) -> None:
    vehicle, user = city.vehicle(), str(uuid4())
    store.begin()
    reservation = reservations.reserve(city.client, user, vehicle.id)
    held = now(vehicle)
    report(city, vehicle, BRAKES)
    broken = now(vehicle)
    assert (broken.state, broken.hold) == (VehicleState.UNAVAILABLE, None)
    follow_holds(records([(held, broken)]), None)
    store.begin()
    assert reservations.get(reservation.id).by_operator


def test_who_has_reserved_it_keeps_it_where_it_can_be_ridden(city: City) -> None:
    vehicle = city.vehicle()
    store.begin()
    reservations.reserve(city.client, str(uuid4()), vehicle.id)
    report(city, vehicle, LIGHTS)
    assert now(vehicle).state is VehicleState.RESERVED


@pytest.mark.parametrize("state", [VehicleState.WITH_OPERATOR, VehicleState.IN_STOCK, VehicleState.LOST])
def test_staff_that_has_it_keeps_it(city: City, state: VehicleState) -> None:
    vehicle = city.vehicle()
    store.change(VehicleItem.key(vehicle.id), [VehicleItem.state.set(state)])
    report(city, vehicle, BRAKES)
    assert now(vehicle).state is state
    store.begin()
    support.complete_maintenance(open_maintenance(vehicle).id)
    repaired = now(vehicle)
    assert (repaired.state, repaired.unavailabilities) == (state, frozenset())


# ── Repair ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_repaired_vehicle_is_everybodys(city: City) -> None:
    vehicle = city.vehicle()
    maintenance_id = report(city, vehicle, BRAKES).maintenance_id
    store.begin()
    over = support.complete_maintenance(maintenance_id)
    assert (over.state, over.event.name) == (MaintenanceState.COMPLETED, "MaintenanceCompleted")
    assert over.completed_at is not None
    assert now(vehicle).state is VehicleState.AVAILABLE
    assert support.maintenance_of(vehicle.id) is None
    assert support.maintenance(maintenance_id) == over


def test_completing_twice_changes_nothing(city: City) -> None:
    vehicle = city.vehicle()
    maintenance_id = report(city, vehicle, BRAKES).maintenance_id
    store.begin()
    over = support.complete_maintenance(maintenance_id)
    later = report(city, vehicle, TYRE)
    store.begin()
    assert support.complete_maintenance(maintenance_id) == over
    assert now(vehicle).state is VehicleState.UNAVAILABLE
    assert open_maintenance(vehicle).id == later.maintenance_id


def test_a_repair_does_not_undo_what_else_is_wrong(city: City) -> None:
    vehicle = city.vehicle()
    maintenance_id = report(city, vehicle, BRAKES).maintenance_id
    store.begin()
    with store.Transaction() as tx:
        fleet.withdraw(tx, fleet.vehicle(vehicle.id), Unavailability.BLOCKED)
    store.begin()
    support.complete_maintenance(maintenance_id)
    repaired = now(vehicle)
    assert repaired.state is VehicleState.UNAVAILABLE
    assert repaired.unavailabilities == {Unavailability.BLOCKED}


def test_what_was_never_opened_cannot_be_completed(city: City) -> None:
    with pytest.raises(MaintenanceNotFound):
        support.complete_maintenance(404)


def test_reporters_are_waiting_once_each(city: City) -> None:
    vehicle = city.vehicle()
    first = report(city, vehicle, BELL, user="W-1", notify=True)
    report(city, vehicle, BELL, user="W-2")
    report(city, vehicle, BELL, user="W-1", notify=True)
    third = report(city, vehicle, BELL, user="W-3", notify=True)
    store.begin()
    assert support.waiting_for(first.maintenance_id) == [first.rider_id, third.rider_id]


# ── Many at once, and deaths ─────────────────────────────────────────────────────────────────────────────────────────


def at_once(crowd: ThreadPoolExecutor, calls: list[Callable[[], DamageReport | Maintenance]]) -> list[object]:
    starting = Barrier(len(calls))

    def run(call: Callable[[], DamageReport | Maintenance]) -> object:
        store.begin()
        starting.wait()
        try:
            return call()
        except DomainError as error:
            return error

    return list(crowd.map(run, calls))


def reporting(city: City, vehicle: Vehicle, user: str, damage: int) -> Callable[[], DamageReport]:
    return lambda: support.report_damage(city.client, vehicle.id, user, [damage])


def test_32_reports_at_once_are_one_maintenance_with_all_of_them(city: City, crowd: ThreadPoolExecutor) -> None:
    damages = [BELL, LIGHTS, BELL, BRAKES]
    for round_ in range(10):
        vehicle = city.vehicle()
        calls = [reporting(city, vehicle, f"R-{round_}-{n}", damages[n % 4]) for n in range(CLIENTS)]
        reports = at_once(crowd, list(calls))
        assert all(isinstance(each, DamageReport) for each in reports), reports
        maintenance = open_maintenance(vehicle)
        assert {each.maintenance_id for each in reports if isinstance(each, DamageReport)} == {maintenance.id}
        assert len(reports_of(maintenance.id)) == CLIENTS
        assert maintenance.severity is CRITICAL
        assert now(vehicle).state is VehicleState.UNAVAILABLE


def test_one_new_user_with_many_reports_at_once_is_one_rider(city: City, crowd: ThreadPoolExecutor) -> None:
    vehicle = city.vehicle()
    reports = at_once(crowd, [reporting(city, vehicle, "SAME", BELL) for _ in range(8)])
    assert len({each.rider_id for each in reports if isinstance(each, DamageReport)}) == 1
    assert len(reports) == 8


def test_a_report_that_meets_a_repair_belongs_to_one_maintenance(city: City, crowd: ThreadPoolExecutor) -> None:
    for round_ in range(20):
        vehicle = city.vehicle()
        first = report(city, vehicle, BRAKES)
        calls: list[Callable[[], DamageReport | Maintenance]] = [
            reporting(city, vehicle, f"M-{round_}", TYRE),
            lambda: support.complete_maintenance(first.maintenance_id),  # noqa: B023 - called within the round
        ]
        later, over = at_once(crowd, calls)
        assert isinstance(later, DamageReport)
        assert isinstance(over, Maintenance)
        store.begin()
        mark = support.maintenance_of(vehicle.id)
        joined = later.maintenance_id == first.maintenance_id
        assert mark == (None if joined else later.maintenance_id)
        assert now(vehicle).state is (VehicleState.AVAILABLE if joined else VehicleState.UNAVAILABLE)


def test_without_its_mark_there_would_be_many(
    city: City, crowd: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unguarded(tx: store.Transaction, item: object, **_: object) -> None:
        tx.put(item)  # type: ignore[arg-type]

    monkeypatch.setattr(store.Transaction, "create", unguarded)
    vehicle = city.vehicle()
    reports = at_once(crowd, [reporting(city, vehicle, f"N-{n}", BELL) for n in range(CLIENTS)])
    assert len({each.maintenance_id for each in reports if isinstance(each, DamageReport)}) > 1


@pytest.mark.parametrize("joins", [False, True])
def test_whoever_dies_has_written_everything_or_nothing(city: City, joins: bool) -> None:
    vehicle = city.vehicle()
    if joins:
        report(city, vehicle, BELL)
    with Dying(at=1), pytest.raises(Crash):
        report(city, vehicle, BRAKES)
    maintenance = open_maintenance(vehicle)
    assert len(reports_of(maintenance.id)) == 1 + joins
    assert now(vehicle).state is VehicleState.UNAVAILABLE
    with Dying(at=1), pytest.raises(Crash):
        support.complete_maintenance(maintenance.id)
    assert now(vehicle).state is VehicleState.AVAILABLE
    assert support.maintenance_of(vehicle.id) is None


# ── What it costs ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_report_takes_one_reading_and_one_writing(city: City) -> None:
    vehicle, user = city.vehicle(), str(uuid4())
    fleet.model(vehicle.model_id)
    store.begin()
    with measured() as opening:
        support.report_damage(city.client, vehicle.id, user, [BRAKES], "It squeaks")
    assert opening.calls == ["BatchGetItem", "TransactWriteItems"]
    assert opening.read_units <= 3
    assert opening.write_units <= 12  # report, maintenance, mark, vehicle and a new user's two items

    store.begin()
    with measured() as joining:
        support.report_damage(city.client, vehicle.id, user, [BELL])
    assert joining.calls == ["BatchGetItem", "TransactWriteItems"]
    assert joining.write_units <= 4


def test_a_repair_takes_two_readings_and_one_writing(city: City) -> None:
    vehicle = city.vehicle()
    maintenance_id = report(city, vehicle, BRAKES).maintenance_id
    store.begin()
    with measured() as usage:
        support.complete_maintenance(maintenance_id)
    assert usage.calls == ["BatchGetItem", "BatchGetItem", "TransactWriteItems"]
    assert usage.write_units <= 6


def test_the_item_of_a_maintenance_is_small(city: City) -> None:
    vehicle = city.vehicle()
    maintenance_id = report(city, vehicle, BRAKES).maintenance_id
    item = MaintenanceItem.get(f"MAINTENANCE#{maintenance_id}", "MAINTENANCE")
    assert len(str(item.to_dynamodb_dict())) < 1000
