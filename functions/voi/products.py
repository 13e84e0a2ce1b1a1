"""Products: the partner's apps, to which its users belong."""

from typing import Annotated, Literal
from uuid import UUID

from kickstand.clients import service as clients
from kickstand.clients.model import ApiClient, ProductState
from kickstand.clients.model import Product as DomainProduct
from voi._schemas import Body, Text, Wire
from voi._surface import (
    EMPTY_PRODUCT_ID,
    EMPTY_PRODUCT_NAME,
    FAILED_TO_GET_PRODUCT,
    FAILED_TO_REGISTER_PRODUCT,
    FAILED_TO_UPDATE_PRODUCT,
    INVALID_INPUT,
    PRODUCT_NOT_FOUND,
    Invalid,
    voi,
)

ProductName = Annotated[Text, Invalid(empty=EMPTY_PRODUCT_NAME)]


class ProductAttributes(Wire):
    """What there is to know about a product."""

    product_name: str
    state: ProductState


class Product(Wire):
    """A product."""

    id: UUID
    type: Literal["product"] = "product"
    attributes: ProductAttributes


class ProductList(Wire):
    """One or more products."""

    data: list[Product]

    @classmethod
    def of(cls, *products: DomainProduct) -> "ProductList":
        """The wire form of products."""
        return cls(
            data=[
                Product(id=each.public_id, attributes=ProductAttributes(product_name=each.name, state=each.state))
                for each in products
            ]
        )


class RegisterProduct(Body):
    """A new product."""

    product_name: ProductName


class UpdateProduct(Body):
    """A product's new name."""

    product_name: ProductName
    product_id: Annotated[UUID, Invalid(empty=EMPTY_PRODUCT_ID)]


class ProductPath(Wire):
    """Which product."""

    product_id: UUID


@voi.operation(
    "POST",
    "/v1/product/register",
    tag="Product",
    access="ClientsRequests",
    errors=(INVALID_INPUT, EMPTY_PRODUCT_NAME, FAILED_TO_REGISTER_PRODUCT),
)
def register_product(caller: ApiClient, body: RegisterProduct) -> ProductList:
    """Register a product.

    Names need not be unique: sending the request twice makes two products.
    """
    return ProductList.of(clients.register_product(caller, body.product_name))


@voi.operation("GET", "/v1/product", tag="Product", access="ClientsRequests", errors=(FAILED_TO_GET_PRODUCT,))
def list_products(caller: ApiClient) -> ProductList:
    """List all products of the partner.

    Oldest first, inactive ones too.
    """
    return ProductList.of(*clients.list_products(caller))


@voi.operation(
    "PUT",
    "/v1/product",
    tag="Product",
    access="ClientsRequests",
    errors=(INVALID_INPUT, EMPTY_PRODUCT_NAME, EMPTY_PRODUCT_ID, PRODUCT_NOT_FOUND, FAILED_TO_UPDATE_PRODUCT),
)
def update_product(caller: ApiClient, body: UpdateProduct) -> ProductList:
    """Rename a product."""
    return ProductList.of(clients.rename_product(caller, body.product_id, body.product_name))


@voi.operation(
    "DELETE",
    "/v1/product/{productId}",
    tag="Product",
    access="ClientsRequests",
    errors=(INVALID_INPUT, PRODUCT_NOT_FOUND),
)
def delete_product(caller: ApiClient, path: ProductPath) -> ProductList:
    """Close a product to new users.

    The product stays listed as ``INACTIVE``, its users can go on riding. Deleting it again changes nothing.
    """
    return ProductList.of(clients.deactivate_product(caller, path.product_id))
