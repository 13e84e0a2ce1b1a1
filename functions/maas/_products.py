"""Products: what a trip or a reservation is charged by."""

from typing import Annotated, Protocol

from kickstand.http.surface import Loads
from kickstand.identity.model import user_key
from kickstand.pricing import service as pricing
from maas._schemas import NumericId


class _Order(Protocol):
    user_id: str
    product_id: int


def _expect(client_id: int, order: _Order) -> None:
    pricing.expect_plan(client_id, order.product_id, user_key(client_id, order.user_id))


ProductId = Annotated[NumericId | None, Loads(_expect, of_client=True, with_others=True)]
"""A product of the client, if any, in a body that names the user as well."""
