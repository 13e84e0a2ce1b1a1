"""Use cases about damage and its repair."""

from collections.abc import Iterable
from typing import Final

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Unavailability, Vehicle
from kickstand.identity import service as identity
from kickstand.kernel import clock, ids, store
from kickstand.support import catalogue, rules
from kickstand.support.errors import MaintenanceNotFound
from kickstand.support.model import DamageReport, DamageType, Maintenance, MaintenanceState, Severity
from kickstand.support.store import MaintenanceItem, OpenMaintenanceItem, ReportItem, reports_of

_ATTEMPTS: Final = 8


def damage_types(client: ApiClient, vehicle_id: int) -> list[DamageType]:
    """What can be reported of a vehicle, the same for all of its category.

    Raises:
        VehicleNotFound: it does not exist for this partner.
    """
    vehicle = fleet.find_by_id(client, vehicle_id)
    return list(catalogue.of(fleet.model(vehicle.model_id).category).values())


def report_damage(
    client: ApiClient,
    vehicle_id: int,
    external_id: str,
    damage_type_ids: Iterable[int],
    comment: str | None = None,
    *,
    notify_on_repair: bool = False,
) -> DamageReport:
    """Take in what a rider says is wrong with a vehicle, and have it looked after.

    The first report opens a maintenance, further ones join it until it is completed. Critical damage keeps further
    riders from the vehicle; whoever rides it is not disturbed, whoever has reserved it loses it.

    Args:
        client: the partner that asks.
        vehicle_id: the vehicle.
        external_id: the partner's own id of the rider, who is taken in now if nobody is called so.
        damage_type_ids: what is wrong.
        comment: the rider's own words.
        notify_on_repair: whether the rider wants to hear of the repair.

    Raises:
        VehicleNotFound: it does not exist for this partner.
        InvalidDamageReport: nothing is reported, or nothing that such a vehicle can have.
    """
    reported = list(damage_type_ids)
    fleet.expect_id(vehicle_id)
    identity.expect_external(client.id, external_id)
    expect_maintenance_of(vehicle_id)

    def attempt() -> DamageReport:
        vehicle = fleet.find_by_id(client, vehicle_id)
        known = catalogue.of(fleet.model(vehicle.model_id).category)
        damages, severity = rules.diagnosed(known, reported)
        mark = store.load(OpenMaintenanceItem.key(vehicle_id))
        found = identity.find_external(client, external_id)
        user = found or identity.new_external(client, external_id)
        report = DamageReport(
            id=ids.new_id(),
            maintenance_id=mark.maintenance_id if mark else ids.new_id(),
            client_id=client.id,
            rider_id=user.rider_id,
            external_id=external_id,
            vehicle_id=vehicle.id,
            damage_type_ids=damages,
            severity=severity,
            comment=comment,
            notify_on_repair=notify_on_repair,
            created_at=clock.now(),
        )
        with store.Transaction() as tx:
            tx.create(ReportItem.of(report))
            if found is None:
                identity.enlist(tx, user, external_id)
            if mark is None:
                _open(tx, vehicle, report)
            else:
                _join(tx, vehicle, report, mark.severity)
            if rules.withdraws(severity):
                fleet.withdraw(tx, vehicle, Unavailability.BROKEN)
        return report

    # Somebody else's report, or ride, may come first.
    return store.again(attempt, attempts=_ATTEMPTS)


def _open(tx: store.Transaction, vehicle: Vehicle, report: DamageReport) -> None:
    maintenance = rules.opened(report.maintenance_id, vehicle, report)
    tx.create(MaintenanceItem.of(maintenance))
    tx.create(OpenMaintenanceItem.marking(maintenance))


def _join(tx: store.Transaction, vehicle: Vehicle, report: DamageReport, known: Severity) -> None:
    """Add a report to the open maintenance of its vehicle, whose severity is known."""
    mark = OpenMaintenanceItem.key(vehicle.id)
    same = OpenMaintenanceItem.maintenance_id == report.maintenance_id
    withdraws = rules.withdraws(report.severity) and Unavailability.BROKEN not in vehicle.unavailabilities
    severity = rules.worst((known, report.severity))
    if severity is known and not withdraws:
        tx.require(mark, same, otherwise=store.Contention)
        return
    same &= OpenMaintenanceItem.severity == known
    tx.update(mark, [OpenMaintenanceItem.severity.set(severity)], condition=same, otherwise=store.Contention)
    event = rules.escalation(report.created_at)
    actions: list[store.Action] = [
        MaintenanceItem.severity.set(severity),
        MaintenanceItem.event.set(event),
        MaintenanceItem.version.add(1),
    ]
    tx.update(MaintenanceItem.key(report.maintenance_id), actions)


def expect_maintenance_of(vehicle_id: int) -> None:
    """Announce that this request will ask whether a vehicle waits for repair."""
    store.expect(OpenMaintenanceItem.key(vehicle_id))


def maintenance_of(vehicle_id: int) -> int | None:
    """The maintenance that is open for a vehicle; ``None`` for none."""
    mark = store.load(OpenMaintenanceItem.key(vehicle_id))
    return mark.maintenance_id if mark else None


def maintenance(maintenance_id: int) -> Maintenance:
    """A maintenance by our own id.

    Raises:
        MaintenanceNotFound: there is none.
    """
    item = store.load(MaintenanceItem.key(maintenance_id))
    if item is None:
        raise MaintenanceNotFound
    return item.entity


def waiting_for(maintenance_id: int) -> list[int]:
    """The riders who want to hear that a maintenance is completed, each once; one query."""
    return list(dict.fromkeys(report.rider_id for report in reports_of(maintenance_id) if report.notify_on_repair))


def complete_maintenance(maintenance_id: int) -> Maintenance:
    """The vehicle has been repaired: it is everybody's again, unless something else is against that.

    Completing what has been completed changes nothing.

    Raises:
        MaintenanceNotFound: there is none.
    """

    def attempt() -> Maintenance:
        known = maintenance(maintenance_id)
        if known.state is MaintenanceState.COMPLETED:
            return known
        over = rules.completed(known, clock.now())
        mark = OpenMaintenanceItem.key(known.vehicle_id)
        mine = OpenMaintenanceItem.maintenance_id == known.id
        with store.Transaction() as tx:
            unchanged = MaintenanceItem.version == known.version
            tx.put(MaintenanceItem.of(over), condition=unchanged, otherwise=store.Contention)
            tx.delete(mark, condition=mine, otherwise=store.Contention)
            fleet.restore(tx, fleet.vehicle(known.vehicle_id), Unavailability.BROKEN)
        return over

    return store.again(attempt, attempts=_ATTEMPTS)
