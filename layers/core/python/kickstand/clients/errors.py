"""What can be wrong with a partner's request for its own things."""

from kickstand.kernel.errors import DomainError


class NotAuthenticated(DomainError):
    """The token is missing, unknown, revoked or expired."""

    detail = "The token is missing or not valid"


class ProductNotFound(DomainError):
    """The partner has no such product."""

    detail = "Product not found"


class ProductNameEmpty(DomainError):
    """A product needs a name."""

    detail = "A product needs a name"
