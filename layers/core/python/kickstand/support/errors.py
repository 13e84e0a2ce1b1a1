"""What can be wrong with reports of damage and with settings of the customer relations system."""

from kickstand.kernel.errors import DomainError


class InvalidDamageReport(DomainError):
    """No damage, too many of them, or some that vehicles of this category cannot have."""

    detail = "The damage report names no damage that this vehicle can have"


class MaintenanceNotFound(DomainError):
    """There is no such maintenance."""

    detail = "Maintenance not found"


class CrmNotConfigured(DomainError):
    """The network has no customer relations system, or none for this platform."""

    detail = "The system has no CRM"
