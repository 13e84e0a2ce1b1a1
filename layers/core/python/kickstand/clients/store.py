"""Items of the clients table: a partner and its products share a partition."""

from uuid import UUID

from kickstand.clients.model import ApiClient, Credential, OnboardingPolicy, Product, ProductState, Token
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta


class ClientsItem(Item[Entity]):
    """Anything in the clients table."""

    Meta = table_meta("CLIENTS_TABLE")


class ClientItem(ClientsItem[ApiClient]):
    """A partner: ``CLIENT#<id>`` / ``CLIENT``."""

    KIND = "client"

    tokens = Value(tuple[Token, ...])
    credentials = Value(tuple[Credential, ...])
    onboarding = Value(OnboardingPolicy)

    @staticmethod
    def key(client_id: int) -> Key["ClientItem"]:
        """Where a partner is kept."""
        return Key(ClientItem, f"CLIENT#{client_id}", "CLIENT")


class ProductItem(ClientsItem[Product]):
    """A product: ``CLIENT#<client id>`` / ``PRODUCT#<id>``."""

    KIND = "product"
    KEYED_BY = ("client_id", "id")

    public_id = Value(UUID)
    name = Value(str)
    state = Value(ProductState)

    @staticmethod
    def key(client_id: int, product_id: int) -> Key["ProductItem"]:
        """Where a partner's product is kept."""
        return Key(ProductItem, f"CLIENT#{client_id}", f"PRODUCT#{product_id:016d}")


def products_of(client_id: int) -> list[Product]:
    """A partner's products, oldest first; one query."""
    items = ProductItem.query(f"CLIENT#{client_id}", ProductItem.sk.startswith("PRODUCT#"), consistent_read=True)
    return [item.entity for item in items]
