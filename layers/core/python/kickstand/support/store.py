"""Items of the support table."""

from pydantic import BaseModel

from kickstand.kernel.events import Event
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.support.model import CrmSettings, DamageReport, Maintenance, Severity


class SupportItem(Item[Entity]):
    """Anything in the support table."""

    Meta = table_meta("SUPPORT_TABLE")


class MaintenanceItem(SupportItem[Maintenance]):
    """A maintenance: ``MAINTENANCE#<id>`` / ``MAINTENANCE``."""

    KIND = "maintenance"

    severity = Value(Severity)
    version = Value(int)
    event = Value(Event)

    @staticmethod
    def key(maintenance_id: int) -> Key["MaintenanceItem"]:
        """Where a maintenance is kept."""
        return Key(MaintenanceItem, f"MAINTENANCE#{maintenance_id}", "MAINTENANCE")


class ReportItem(SupportItem[DamageReport]):
    """A report of damage, beside its maintenance: ``MAINTENANCE#<maintenance id>`` / ``REPORT#<id>``."""

    KIND = "damage_report"
    KEYED_BY = ("maintenance_id", "id")

    @staticmethod
    def key(maintenance_id: int, report_id: int) -> Key["ReportItem"]:
        """Where a report is kept."""
        return Key(ReportItem, f"MAINTENANCE#{maintenance_id}", f"REPORT#{report_id:016d}")


class OpenMaintenanceItem(SupportItem[BaseModel]):
    """Says that a vehicle waits for repair, exactly as long as it does: ``VEHICLE#<vehicle id>`` / ``OPEN``."""

    KIND = "open_maintenance"

    maintenance_id = Value(int)
    severity = Value(Severity)

    @staticmethod
    def key(vehicle_id: int) -> Key["OpenMaintenanceItem"]:
        """Where the mark is kept."""
        return Key(OpenMaintenanceItem, f"VEHICLE#{vehicle_id}", "OPEN")

    @classmethod
    def marking(cls, maintenance: Maintenance) -> "OpenMaintenanceItem":
        """The mark of this maintenance."""
        key = cls.key(maintenance.vehicle_id)
        return cls(key.pk, key.sk, kind=cls.KIND, maintenance_id=maintenance.id, severity=maintenance.severity)


class CrmItem(SupportItem[CrmSettings]):
    """Settings of a network's customer relations system: ``NETWORK#<network id>`` / ``CRM``."""

    KIND = "crm"
    KEYED_BY = ("network_id",)

    @staticmethod
    def key(network_id: int) -> Key["CrmItem"]:
        """Where the settings of a network are kept."""
        return Key(CrmItem, f"NETWORK#{network_id}", "CRM")


def reports_of(maintenance_id: int) -> list[DamageReport]:
    """All reports that a maintenance deals with, oldest first; one query."""
    found = ReportItem.query(f"MAINTENANCE#{maintenance_id}", ReportItem.sk.startswith("REPORT#"), consistent_read=True)
    return [item.entity for item in found]
