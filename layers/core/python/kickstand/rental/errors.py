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


class AbilityMissing(DomainError):
    """Vehicles of this kind cannot do that."""

    detail = "Vehicles of this kind cannot do that"


class FarFromDock(DomainError):
    """The vehicle belongs into a dock, and no dock is near."""

    detail = "The rental has to end at a dock, and none is near"


class RiderMismatch(DomainError):
    """The rental or reservation is somebody else's."""

    detail = "It belongs to another user"


class TooManyPenaltyPoints(DomainError):
    """The rider's penalty points keep the rider from this pricing plan."""

    detail = "The user has too many penalty points for this product"


class NoVehicleFits(DomainError):
    """The cluster has no vehicle that fits and is free."""

    detail = "No vehicle of this category is available here"


class ReservationNotFound(DomainError):
    """The reservation does not exist for this caller."""

    detail = "Reservation not found"


class ReservationClosed(DomainError):
    """The reservation is completed, cancelled or expired."""

    detail = "The reservation is over"


class RiderHasReservation(DomainError):
    """A rider reserves one vehicle at a time."""

    detail = "This user already has a reservation"
