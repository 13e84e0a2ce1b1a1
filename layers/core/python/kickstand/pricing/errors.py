"""What can be wrong with pricing plans."""

from kickstand.kernel.errors import DomainError


class PlanNotFound(DomainError):
    """The partner has no such plan."""

    detail = "The product does not exist"


class PlanClosed(DomainError):
    """Nothing new begins at the plan any more."""

    detail = "The product is not active"


class PlanNotValid(DomainError):
    """The plan is charged in another currency than the vehicle's network."""

    detail = "The product's currency is not the one of the vehicle's system"
