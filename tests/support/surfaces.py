"""Surfaces as far as tests can treat them alike."""

from collections.abc import Callable
from typing import Final

from kickstand.http.operation import Operation
from tests.support.api import Client, access_token, maas, surface, voi
from tests.support.city import NOBODY, City

CLIENTS: Final[dict[str, Callable[[City], Client]]] = {
    "checkout": lambda _city: Client("checkout", {}),
    "maas": lambda city: maas(access_token(city.client.id)),
    "voi": lambda city: voi(city.token),
}
"""A client of each surface: the city's partner."""

ANYTHING: Final = {"checkout": "A" * 43, "maas": "77", "voi": str(NOBODY)}
"""What any parameter of a path can be, and names nothing."""

OPERATIONS: Final = [(name, operation) for name in CLIENTS for operation in surface(name).operations.values()]
"""Every operation of every surface."""


def path_of(name: str, operation: Operation, value: str | None = None) -> dict[str, str] | None:
    """All parameters of an operation's path with one value."""
    model = operation.path_model
    if model is None:
        return None
    return {
        field.alias or each: ANYTHING[name] if value is None else value for each, field in model.model_fields.items()
    }
