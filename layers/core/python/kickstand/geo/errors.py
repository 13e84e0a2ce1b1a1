"""What can be wrong with zones."""

from enum import StrEnum

from kickstand.kernel.errors import DomainError


class ZoneFlaw(StrEnum):
    """Why a zone cannot be what it claims."""

    EMPTY = "empty"
    DUPLICATE = "duplicate"
    FOREIGN = "foreign"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_BOUNDS = "out_of_bounds"
    SWAPPED = "swapped"
    TOO_FEW_POINTS = "too_few_points"
    NOT_CLOSED = "not_closed"
    NOT_SIMPLE = "not_simple"
    TOO_WIDE = "too_wide"
    TOO_FAR = "too_far"
    TOO_LONG = "too_long"
    WRONG_RULE = "wrong_rule"
    UNKNOWN_TIMEZONE = "unknown_timezone"


class InvalidZone(DomainError):
    """A zone has no meaning on Earth, or not the one it claims.

    Attributes:
        flaw: the kind of mistake; the message names the zone and the place in it.
    """

    detail = "The zone is not valid"

    def __init__(self, flaw: ZoneFlaw, detail: str) -> None:
        super().__init__(detail)
        self.flaw = flaw


class WrongParking(DomainError):
    """No-parking areas where parking is mandatory, or parking spots in a free-floating network."""

    detail = "A network has either no-parking or parking-spot areas, never both"


class NoOperationsArea(DomainError):
    """A geofence without an operations area would trap every rider who is on the way."""

    detail = "A geofence needs at least one operations area that is always in force"


class GeofenceTooLarge(DomainError):
    """More zones, coordinates or different schedules than a geofence may have."""

    detail = "The geofence is too large"


class GeofenceChanged(DomainError):
    """Someone else published another version of the geofence in the meantime."""

    detail = "The geofence has been changed by someone else, read it again"


class RuleWithoutAreaType(DomainError):
    """A GBFS rule that none of the area types expresses, such as forbidding only the start."""

    detail = "No area type expresses this rule"
