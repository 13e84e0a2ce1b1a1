"""Orders: what users buy beside rides."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field, WithJsonSchema

from kickstand.http.surface import Loads
from kickstand.identity import service as identity
from kickstand.kernel import ids
from kickstand.kernel.addresses import deliverable
from kickstand.sales import discounts, offers, orders
from kickstand.sales.errors import AmountNotValid
from kickstand.sales.model import OrderState
from kickstand.sales.orders import OrderBy
from maas._orders import Order
from maas._schemas import Body, Email, Number, Text, TextualId, UserId, Wire
from maas._surface import (
    INVALID_AMOUNT,
    INVALID_DISCOUNT_CODE,
    INVALID_PRODUCT,
    INVALID_REQUEST,
    ORDER_CLOSED,
    ORDER_NOT_FOUND,
    PAYMENT_IN_PROGRESS,
    SUBSCRIPTION_EXISTS,
    SYSTEM_NOT_FOUND,
    USER_MISMATCH,
    USER_NOT_FOUND,
    Caller,
    Invalid,
    LocalisedHeaders,
    maas,
)

_MOST_ROWS: Final = 100
_MOST_LINES: Final = 50

# ── Ordering ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _expect_product(client_id: int, product_id: str) -> None:
    offers.expect(client_id, int(product_id))


class OrderSubscription(Body):
    """Which subscription."""

    product_id: Annotated[TextualId, Loads(_expect_product, of_client=True)] = Field(
        description="A product of the type `subscription`."
    )
    user_id: UserId


class OrderDeposit(Body):
    """How much."""

    amount: Annotated[Number | None, Invalid(INVALID_AMOUNT)] = Field(
        default=None,
        description="In minor units of the currency of `GET /system`, for example 10000 for 100 NOK: at least 1 and at "
        "most 5,000 of the currency's unit. An order without it is refused.",
    )
    user_id: UserId


class OrderLineInputDto(Body):
    """So many of a product."""

    product_id: TextualId = Field(description="A product of the type `gift_code`.")
    quantity: Annotated[int, Field(ge=1), WithJsonSchema({"type": "number", "minimum": 1})]


def _expect_products(client_id: int, lines: list[OrderLineInputDto]) -> None:
    offers.expect(client_id, *(int(line.product_id) for line in lines))


def _few(lines: list[OrderLineInputDto]) -> list[OrderLineInputDto]:
    if not 1 <= len(lines) <= _MOST_LINES:
        raise ValueError(f"1 to {_MOST_LINES} lines")
    return lines


def _reachable(address: str) -> str:
    if deliverable(address) is None:
        raise ValueError("no mail can be sent to an address with such characters before its @")
    return address


class OrderVoucherCodes(Body):
    """How many gift codes, and where they go."""

    customer_email: Annotated[Email, AfterValidator(_reachable)] = Field(
        repr=False, description="Where the codes are mailed to; only ASCII before its @."
    )
    order_lines: Annotated[list[OrderLineInputDto], AfterValidator(_few), Loads(_expect_products, of_client=True)] = (
        Field(description="At most 50 codes in all; lines with the same product make one.")
    )
    receipt_email: Email | None = Field(
        default=None, repr=False, description="Where the receipt is mailed to; without it, to the user's own address."
    )
    user_id: UserId


_ORDERING: Final = (INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, SYSTEM_NOT_FOUND)


@maas.operation(
    "POST",
    "/payments/orders/subscription",
    tag="Payments",
    access="OrderRequests",
    errors=(*_ORDERING, INVALID_PRODUCT, SUBSCRIPTION_EXISTS),
)
def create_subscription_order(caller: Caller, headers: LocalisedHeaders, body: OrderSubscription) -> Order:
    """Order a subscription.

    The subscription begins when the order is completed: when it is paid, or, where nothing is to be paid, when it is
    sent to `POST /payments/pay`. A user has one subscription at a time. An order that nobody has paid within a day is
    cancelled; sending this again makes another one.
    """
    caller.acts_for(body.user_id)
    order = orders.order_subscription(caller.client, body.user_id, int(body.product_id), headers.locale)
    return Order.of(order)


@maas.operation(
    "POST",
    "/payments/orders/wallet-deposit",
    tag="Payments",
    access="OrderRequests",
    errors=(*_ORDERING, INVALID_AMOUNT),
)
def create_wallet_deposit_order(caller: Caller, headers: LocalisedHeaders, body: OrderDeposit) -> Order:
    """Order money for a user's wallet.

    In the currency of `GET /system`, without VAT: what is bought with it is taxed. Discount codes do not apply.
    """
    caller.acts_for(body.user_id)
    if body.amount is None:
        raise AmountNotValid("A deposit needs an amount")
    return Order.of(orders.order_deposit(caller.client, body.user_id, body.amount, headers.locale))


@maas.operation(
    "POST",
    "/payments/orders/voucher-code",
    tag="Payments",
    access="OrderRequests",
    errors=(*_ORDERING, INVALID_PRODUCT, INVALID_AMOUNT),
)
def create_voucher_code_order(caller: Caller, headers: LocalisedHeaders, body: OrderVoucherCodes) -> Order:
    """Order gift codes.

    They are mailed when the order is completed. Each puts its value into the wallet of whoever redeems it, without VAT
    on the code: what is bought with it is taxed.
    """
    caller.acts_for(body.user_id)
    order = orders.order_vouchers(
        caller.client,
        body.user_id,
        [(int(line.product_id), line.quantity) for line in body.order_lines],
        body.customer_email,
        body.receipt_email,
        headers.locale,
    )
    return Order.of(order)


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SortedBy(StrEnum):
    """What orders are sorted by."""

    CREATED_AT = "createdAt"
    COMPLETED_AT = "completedAt"


class Direction(StrEnum):
    """Which end comes first."""

    ASC = "asc"
    DESC = "desc"


_ORDER_BY: Final = {SortedBy.CREATED_AT: OrderBy.CREATED_AT, SortedBy.COMPLETED_AT: OrderBy.COMPLETED_AT}


def _rows(number: int) -> int:
    if not 1 <= number <= _MOST_ROWS:
        raise ValueError(f"1 to {_MOST_ROWS}")
    return number


def _skipped(number: int) -> int:
    if number < 0:
        raise ValueError("not negative")
    return number


class OrdersQuery(Wire):
    """Whose orders, and which."""

    user_id: UserId
    statuses: list[OrderState] | None = Field(
        default=None, alias="statuses[]", description="Only orders in these states."
    )
    limit: Annotated[Number, AfterValidator(_rows)] = Field(default=20, description="1 to 100.")
    offset: Annotated[Number, AfterValidator(_skipped)] = Field(default=0, description="How many to pass over.")
    order_by: SortedBy = Field(
        default=SortedBy.CREATED_AT, description="By `completedAt`, orders that are not completed come last."
    )
    order_direction: Direction = Direction.DESC


class PaginationInfo(Wire):
    """Where in the list this is."""

    total: Number = Field(description="How many orders there are in all, of those that can be listed.")
    limit: Number
    offset: Number
    has_more: bool


class OrderPage(Wire):
    """Some of a user's orders."""

    rows: list[Order]
    pagination_info: PaginationInfo


@maas.operation(
    "GET",
    "/payments/orders",
    tag="Payments",
    access="OrderRequests",
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND),
)
def list_orders(caller: Caller, query: OrdersQuery) -> OrderPage:
    """List the orders of a user.

    Newest first, unless asked for otherwise. A user's newest 1,000 orders can be listed.
    """
    caller.acts_for(query.user_id)
    page = orders.list_orders(
        identity.external(caller.client, query.user_id).rider_id,
        frozenset(query.statuses or ()),
        _ORDER_BY[query.order_by],
        descending=query.order_direction is Direction.DESC,
        offset=query.offset,
        limit=query.limit,
    )
    return OrderPage(
        rows=[Order.of(each) for each in page.orders],
        pagination_info=PaginationInfo(
            total=page.total,
            limit=query.limit,
            offset=query.offset,
            has_more=query.offset + len(page.orders) < page.total,
        ),
    )


class OrderTokenPath(Wire):
    """Which order."""

    token: str


class OrderUserQuery(Wire):
    """Whose order."""

    user_id: UserId


@maas.operation(
    "GET",
    "/payments/orders/{token}",
    tag="Payments",
    access="OrderRequests",
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, SYSTEM_NOT_FOUND, ORDER_NOT_FOUND),
)
def get_order(caller: Caller, path: OrderTokenPath, query: OrderUserQuery) -> Order:
    """Get an order by its token."""
    caller.acts_for(query.user_id)
    rider_id = identity.external(caller.client, query.user_id).rider_id
    order_id = ids.id_in(path.token)
    if order_id is not None:
        orders.expect_for_payment(caller.client, rider_id, order_id)
    return Order.of(orders.by_token(rider_id, path.token))


# ── Discounts ────────────────────────────────────────────────────────────────────────────────────────────────────────


class OrderPath(Wire):
    """Which order."""

    order_id: TextualId


def _expect_code(client_id: int, code: str) -> None:
    discounts.expect(client_id, discounts.normalised(code))


class ApplyDiscountCode(Body):
    """Which code."""

    code: Annotated[Text, Invalid(INVALID_DISCOUNT_CODE), Loads(_expect_code, of_client=True)] = Field(
        description="In capitals or not."
    )
    user_id: UserId


_DISCOUNTING: Final = (
    INVALID_REQUEST,
    USER_MISMATCH,
    USER_NOT_FOUND,
    SYSTEM_NOT_FOUND,
    ORDER_NOT_FOUND,
    ORDER_CLOSED,
    PAYMENT_IN_PROGRESS,
)


@maas.operation(
    "POST",
    "/payments/orders/{orderId}/discount-code",
    tag="Payments",
    access="OrderRequests",
    errors=(*_DISCOUNTING, INVALID_DISCOUNT_CODE),
)
def apply_discount_code(caller: Caller, path: OrderPath, body: ApplyDiscountCode) -> Order:
    """Apply a discount code to an order.

    In place of any other code that the order has. A code that a user may use once moves here from another order of the
    user's that nobody has begun to pay. What is used up is answered like what does not exist.
    """
    caller.acts_for(body.user_id)
    return Order.of(orders.apply_discount(caller.client, body.user_id, int(path.order_id), body.code))


@maas.operation(
    "DELETE",
    "/payments/orders/{orderId}/discount-code",
    tag="Payments",
    access="OrderRequests",
    errors=_DISCOUNTING,
)
def remove_discount_code(caller: Caller, path: OrderPath, query: OrderUserQuery) -> Order:
    """Remove the discount code from an order.

    It can then be used again. An order without one is answered as it is.
    """
    caller.acts_for(query.user_id)
    return Order.of(orders.remove_discount(caller.client, query.user_id, int(path.order_id)))
