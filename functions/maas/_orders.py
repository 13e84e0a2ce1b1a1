"""Orders on the wire."""

from typing import Self

from pydantic import Field

from kickstand.kernel.money import Currency
from kickstand.sales import orders
from kickstand.sales.model import Order as DomainOrder
from kickstand.sales.model import OrderLine as DomainLine
from kickstand.sales.model import OrderState, PaymentMethod
from maas._schemas import Number, Time, Wire


class AvailablePaymentMethod(Wire):
    """A way to pay an order."""

    type: PaymentMethod


class OrderLine(Wire):
    """A line of an order; amounts in minor units, VAT included."""

    product_id: str | None = Field(default=None, description="Not there for money that goes into a wallet.")
    title: str
    quantity: Number
    unit_amount: Number = Field(description="The price of one, before any discount.")
    discount_amount: Number = Field(description="What is taken off the line as a whole.")
    amount: Number = Field(description="What is to be paid for the line.")
    vat_amount: Number = Field(description="The VAT inside `amount`.")
    vat_rate: Number = Field(description="In whole percent; 0 for what is outside the scope of VAT, such as money.")

    @classmethod
    def of(cls, line: DomainLine) -> Self:
        """The wire form of a line."""
        return cls(
            product_id=str(line.offer_id) if line.offer_id is not None else None,
            title=line.name,
            quantity=line.quantity,
            unit_amount=line.unit_price,
            discount_amount=line.discount,
            amount=line.gross,
            vat_amount=line.vat,
            vat_rate=line.vat_percent or 0,
        )


class OrderDiscount(Wire):
    """The discount code of an order."""

    code: str
    amount: Number = Field(description="What it takes off, in minor units.")
    percent: Number | None = Field(default=None, description="Its rate, where it has one.")


class Order(Wire):
    """What a user wants to buy; amounts in minor units."""

    id: str
    token: str = Field(description="Names the order to whoever was told it.")
    status: OrderState = Field(
        description="`pending`: waits for its payment, for a day; `failed`: it was paid and had become impossible, so "
        "the money was given back."
    )
    amount: Number = Field(description="What is to be paid, VAT and discount included.")
    amount_without_vat: Number
    currency: Currency
    created_at: Time
    completed_at: Time | None = Field(default=None, description="When what was ordered was there.")
    unpaid: bool = Field(description="Whether it waits for its payment.")
    vat_amount: Number = Field(description="The sum of the lines' VAT.")
    vat_rate: Number = Field(description="In whole percent; where lines differ, what the VAT comes to.")
    available_payment_methods: list[AvailablePaymentMethod] = Field(
        description="What it can be paid with now: `wallet` where that holds the amount, `blik` in PLN. None while a "
        "payment is under way, and none when the order is not pending any more."
    )
    order_lines: list[OrderLine]
    discount: OrderDiscount | None = None

    @classmethod
    def of(cls, order: DomainOrder) -> Self:
        """The wire form of an order; it may read what the wallet holds."""
        applied = order.discount
        discount = None
        if applied is not None:
            discount = OrderDiscount(code=applied.code, amount=applied.amount, percent=applied.percent)
        return cls(
            id=str(order.id),
            token=order.token,
            status=order.state,
            amount=order.total,
            amount_without_vat=order.total - order.vat,
            currency=order.currency,
            created_at=order.created_at,
            completed_at=order.completed_at,
            unpaid=order.state is OrderState.PENDING,
            vat_amount=order.vat,
            vat_rate=order.vat_percent,
            available_payment_methods=[AvailablePaymentMethod(type=each) for each in orders.methods(order)],
            order_lines=[OrderLine.of(each) for each in order.lines],
            discount=discount,
        )
