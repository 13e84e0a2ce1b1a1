"""Reports of damage, the maintenance they lead to, and settings of the customer relations system."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from kickstand.kernel.events import Event
from kickstand.kernel.languages import Locale


class Severity(StrEnum):
    """How bad damage is."""

    MINOR = "minor"
    """A nuisance; the vehicle can be ridden."""
    MAJOR = "major"
    """Something that riders need does not work; staff should look soon."""
    CRITICAL = "critical"
    """Nobody should ride the vehicle."""


SEVERITIES: Final = tuple(Severity)
"""The worst last."""


_ALSO_READ: Final = {"no": "nb", "nn": "nb"}


class DamageType(NamedTuple):
    """A kind of damage.

    Attributes:
        names: what people call it, by language; always in English, ``en``.
    """

    id: int
    severity: Severity
    names: Mapping[str, str]

    def name_in(self, locale: Locale) -> str:
        """What it is called in the language of a locale; in English where no other name is known."""
        language = re.split("[-_]", locale, maxsplit=1)[0].lower()
        return self.names.get(language) or self.names.get(_ALSO_READ.get(language, "en")) or self.names["en"]


class DamageReport(BaseModel):
    """What a rider says is wrong with a vehicle.

    Attributes:
        external_id: the partner's own id of the rider.
        severity: of the worst damage.
        notify_on_repair: whether the rider wants to hear of the repair.
        maintenance_id: the maintenance that will deal with it.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    maintenance_id: int
    client_id: int
    rider_id: int
    external_id: str
    vehicle_id: int
    damage_type_ids: tuple[int, ...]
    severity: Severity
    comment: str | None = None
    notify_on_repair: bool = False
    created_at: datetime


class MaintenanceState(StrEnum):
    """Whether a vehicle still waits for its repair."""

    OPEN = "open"
    COMPLETED = "completed"


class Maintenance(BaseModel):
    """Work on a vehicle; there is one open at most.

    Attributes:
        severity: of the worst damage reported.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    network_id: int
    vehicle_id: int
    vehicle_code: str
    severity: Severity
    state: MaintenanceState = MaintenanceState.OPEN
    opened_at: datetime
    completed_at: datetime | None = None
    version: int = 1
    event: Event


class Platform(StrEnum):
    """Where a rider uses an app."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


Secret = Annotated[str, Field(min_length=1)]


class CrmSettings(BaseModel):
    """The customer relations system through which a network's riders get help.

    Attributes:
        provider: its name, such as ``intercom``.
        app_id: what the provider calls the network's workspace.
        secrets: with which the provider verifies riders, by platform; never shown and never logged.
    """

    model_config = ConfigDict(frozen=True)

    network_id: int
    provider: Annotated[str, Field(min_length=1, max_length=100)]
    app_id: Annotated[str, Field(min_length=1, max_length=255)]
    secrets: dict[Platform, Secret] = Field(default_factory=dict, repr=False)


class CrmAccess(NamedTuple):
    """What an app tells the customer relations system of a rider.

    Attributes:
        token: proves that the rider's id comes from us.
    """

    provider: str
    app_id: str
    token: str
