"""Damage reports: what users say is wrong with vehicles."""

from typing import Annotated, Self

from pydantic import Field

from kickstand.fleet import service as fleet
from kickstand.http.surface import Loads
from kickstand.kernel.languages import Locale
from kickstand.support import service as support
from kickstand.support.model import DamageReport as DomainReport
from kickstand.support.model import DamageType as DomainType
from kickstand.support.model import Severity
from maas._categories import check_vehicle
from maas._schemas import Body, Comment, Number, PathId, Time, UserId, Wire
from maas._surface import (
    INVALID_DAMAGE_REPORT,
    INVALID_REQUEST,
    USER_MISMATCH,
    VEHICLE_NOT_FOUND,
    Caller,
    Invalid,
    maas,
)


class DamageType(Wire):
    """A kind of damage."""

    id: Number
    name: str = Field(description="In the language asked for, in English where there is no other name.")
    severity: Severity = Field(
        description="`critical` damage takes the vehicle out of service, `major` should be repaired soon."
    )

    @classmethod
    def of(cls, damage: DomainType, locale: Locale) -> Self:
        """The wire form of a kind of damage."""
        return cls(id=damage.id, name=damage.name_in(locale), severity=damage.severity)


class DamageTypeList(Wire):
    """Kinds of damage."""

    rows: list[DamageType]


class DamageReport(Wire):
    """What a user has reported."""

    id: Number
    vehicle_id: Number
    user_id: str
    damage_type_ids: list[Number]
    severity: Severity = Field(description="Of the worst damage.")
    comment: str | None = None
    notify_on_repair: bool
    created_at: Time
    maintenance_id: Number = Field(description="The work that the report belongs to, as others of the vehicle may.")

    @classmethod
    def of(cls, report: DomainReport) -> Self:
        """The wire form of a report."""
        return cls(
            id=report.id,
            vehicle_id=report.vehicle_id,
            user_id=report.external_id,
            damage_type_ids=list(report.damage_type_ids),
            severity=report.severity,
            comment=report.comment,
            notify_on_repair=report.notify_on_repair,
            created_at=report.created_at,
            maintenance_id=report.maintenance_id,
        )


class DamageTypesPath(Wire):
    """Which vehicle."""

    vehicle_id: Annotated[PathId, Loads(fleet.expect_id)]


class DamageTypesQuery(Wire):
    """In which language."""

    locale: Locale = Field(description="A language tag, such as `nb` or `pt-BR`.")


class DamagedVehiclePath(Wire):
    """Which vehicle."""

    vehicle_id: Annotated[PathId, Loads(fleet.expect_id), Loads(support.expect_maintenance_of)]


class CreateDamageReport(Body):
    """What is wrong."""

    user_id: UserId = Field(description="Who reports it; a user that does not exist yet is created.")
    damage_type_ids: Annotated[list[Number], Invalid(INVALID_DAMAGE_REPORT)] = Field(
        description="Ids of damage types that vehicles of this type can have, 1 to 20."
    )
    comment: Annotated[Comment | None, Invalid(INVALID_DAMAGE_REPORT)] = Field(
        default=None, description="The user's own words."
    )
    notify_on_repair: Annotated[bool, Invalid(INVALID_DAMAGE_REPORT)] = Field(
        default=False, description="Whether the user gets a mail when it is repaired, if an address is known."
    )


@maas.operation(
    "GET",
    "/vehicles/{vehicleId}/damagereports/types",
    tag="Vehicles",
    access="SupportRequests",
    errors=(INVALID_REQUEST, VEHICLE_NOT_FOUND),
)
def get_damage_types(caller: Caller, path: DamageTypesPath, query: DamageTypesQuery) -> DamageTypeList:
    """List what can be reported of a vehicle.

    The same for all vehicles of a type. Names exist in English, Norwegian, Swedish, Danish, Finnish, German, French,
    Spanish, Italian, Dutch, Polish and Portuguese.
    """
    check_vehicle(caller, path.vehicle_id)
    damages = support.damage_types(caller.client, path.vehicle_id)
    return DamageTypeList(rows=[DamageType.of(each, query.locale) for each in damages])


@maas.operation(
    "POST",
    "/vehicles/{vehicleId}/damagereports",
    tag="Vehicles",
    access="SupportRequests",
    errors=(INVALID_REQUEST, INVALID_DAMAGE_REPORT, USER_MISMATCH, VEHICLE_NOT_FOUND),
)
def create_damage_report(caller: Caller, path: DamagedVehiclePath, body: CreateDamageReport) -> DamageReport:
    """Report damage of a vehicle.

    Reports of a vehicle are dealt with together until it is repaired. Critical damage takes it out of service: a trip
    goes on, a reservation is cancelled, and nobody else can take the vehicle.
    """
    caller.acts_for(body.user_id)
    check_vehicle(caller, path.vehicle_id)
    report = support.report_damage(
        caller.client,
        path.vehicle_id,
        body.user_id,
        body.damage_type_ids,
        body.comment,
        notify_on_repair=body.notify_on_repair,
    )
    return DamageReport.of(report)
