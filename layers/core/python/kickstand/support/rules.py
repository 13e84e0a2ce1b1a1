"""Decisions about reports of damage; pure."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from kickstand.fleet.model import Vehicle
from kickstand.kernel.events import Event
from kickstand.support.errors import InvalidDamageReport
from kickstand.support.model import SEVERITIES, DamageReport, DamageType, Maintenance, MaintenanceState, Severity

MAX_DAMAGES: Final = 20


def worst(severities: Iterable[Severity]) -> Severity:
    """The worst of at least one severity."""
    return max(severities, key=SEVERITIES.index)


def diagnosed(known: Mapping[int, DamageType], damage_type_ids: Iterable[int]) -> tuple[tuple[int, ...], Severity]:
    """The damages that are reported, each once, and how bad the worst of them is.

    Args:
        known: what vehicles of this category can have, by id.
        damage_type_ids: what the rider reports.

    Raises:
        InvalidDamageReport: nothing, more than 20 ids, or something that such a vehicle cannot have.
    """
    named = list(damage_type_ids)
    reported = tuple(dict.fromkeys(named))
    if not 0 < len(named) <= MAX_DAMAGES:
        raise InvalidDamageReport(f"A damage report names 1 to {MAX_DAMAGES} damages")
    if not known.keys() >= set(reported):
        raise InvalidDamageReport
    return reported, worst(known[each].severity for each in reported)


def withdraws(severity: Severity) -> bool:
    """Whether damage keeps riders from a vehicle before our staff has seen it."""
    return severity is Severity.CRITICAL


def opened(maintenance_id: int, vehicle: Vehicle, report: DamageReport) -> Maintenance:
    """The maintenance that the first report leads to."""
    return Maintenance(
        id=maintenance_id,
        network_id=vehicle.network_id,
        vehicle_id=vehicle.id,
        vehicle_code=vehicle.code,
        severity=report.severity,
        opened_at=report.created_at,
        event=Event.new("MaintenanceOpened", report.created_at),
    )


def escalation(at: datetime) -> Event:
    """What happens to a maintenance when a further report makes it more urgent."""
    return Event.new("MaintenanceEscalated", at)


def completed(maintenance: Maintenance, at: datetime) -> Maintenance:
    """The maintenance when the vehicle has been repaired."""
    return maintenance.model_copy(
        update={
            "state": MaintenanceState.COMPLETED,
            "completed_at": at,
            "version": maintenance.version + 1,
            "event": Event.new("MaintenanceCompleted", at),
        }
    )


def identity_token(user_id: str, secret: str) -> str:
    """The HMAC-SHA256 of a user's id, in hexadecimal digits: what providers verify identities with."""
    return hmac.new(secret.encode(), user_id.encode(), hashlib.sha256).hexdigest()
