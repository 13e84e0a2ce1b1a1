"""Errors of the domain. A surface owns one table from these to its own answers; a test proves no table lacks one."""

import traceback
from typing import Any, ClassVar


class DomainError(Exception):
    """A request that the domain refuses. Concrete errors are leaves; nobody raises this one itself.

    Attributes:
        detail: one sentence for the developer of a client; never personal data.
    """

    detail: ClassVar[str]

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.detail)

    def __str__(self) -> str:
        return str(self.args[0])


class Contention(DomainError):
    """Others kept changing the same things until our patience ran out; the request may be sent again."""

    detail = "Too many requests for the same object at this moment, try again"


class MoneyRefused(DomainError):
    """Anything that is refused where money moves: wallets, payments, orders, invoices."""

    detail = "This is refused"


def leaves(root: type[DomainError] = DomainError) -> frozenset[type[DomainError]]:
    """Every concrete domain error that has been imported."""
    children = root.__subclasses__()
    if not children:
        return frozenset({root})
    return frozenset().union(*(leaves(child) for child in children))


def described(error: Exception) -> dict[str, Any]:
    """What a log may keep of an error: its type and place. Its text may quote data, such as a rider's address."""
    return {"error": type(error).__qualname__, "stack": traceback.format_tb(error.__traceback__)}
