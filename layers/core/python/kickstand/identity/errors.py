"""What can be wrong with riders."""

from kickstand.kernel.errors import DomainError, MoneyRefused


class RiderNotFound(DomainError):
    """The partner has no such rider."""

    detail = "User not found"


class ExternalIdTaken(DomainError):
    """Another rider of the partner has this external id."""

    detail = "This external user id already exists"


class ProductClosed(DomainError):
    """The product does not exist for this partner, or takes no riders any more."""

    detail = "The product does not exist or is not active"


class UserMismatch(DomainError):
    """The request names one of the partner's users and says that it comes from another."""

    detail = "The request is on behalf of another user"


class PenaltyNotFound(DomainError):
    """The partner's user has no such penalty."""

    detail = "Penalty not found"


class PenaltyResolved(DomainError):
    """The penalty has been resolved before."""

    detail = "The penalty is resolved already"


class RiderInDebt(MoneyRefused):
    """The rider has not paid what is due to us."""

    detail = "The user has unpaid invoices"
