"""What can be wrong with rentals."""

from kickstand.kernel.errors import DomainError


class RentalNotFound(DomainError):
    """The rental does not exist for this caller."""

    detail = "Rental ID does not exist"


class NoActiveRental(DomainError):
    """The rider is not renting anything."""

    detail = "Unable to find active rental"


class RiderHasRental(DomainError):
    """A rider rents one vehicle at a time."""

    detail = "This user already has a rental"


class RentalAlreadyEnded(DomainError):
    """The rental is over."""

    detail = "Rental is already ended for this rental id"


class RentalStateRefused(DomainError):
    """The rental's state does not allow it."""

    detail = "The rental's state does not allow this"


class EndingRefused(DomainError):
    """The rental cannot end where the vehicle stands."""

    detail = "The rental cannot be ended where the vehicle stands"


class ImplausiblePosition(DomainError):
    """The rider's position is nowhere near the vehicle."""

    detail = "The user's location is nowhere near the vehicle"
