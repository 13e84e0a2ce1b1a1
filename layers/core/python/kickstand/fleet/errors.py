"""What can be wrong with networks, vehicles and commands."""

from kickstand.kernel.errors import DomainError


class VehicleNotFound(DomainError):
    """The vehicle does not exist for this caller."""

    detail = "Vehicle not found"


class VehicleUnavailable(DomainError):
    """The vehicle exists, but nobody can take it now."""

    detail = "The vehicle is not available"


class NetworkNotFound(DomainError):
    """The network does not exist for this caller."""

    detail = "Zone not found"


class ClusterNotFound(DomainError):
    """The cluster does not exist for this caller."""

    detail = "Dock group not found"


class CodeTaken(DomainError):
    """Another vehicle carries this code."""

    detail = "The vehicle code is in use"


class TransitionRefused(DomainError):
    """The vehicle's state does not allow it."""

    detail = "The vehicle's state does not allow this"


class CommandSettled(DomainError):
    """The vehicle has answered this command before."""

    detail = "The command has been answered"
