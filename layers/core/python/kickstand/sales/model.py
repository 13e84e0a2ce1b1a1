"""What is sold beside rides, and to whom."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kickstand.kernel.events import Event
from kickstand.kernel.money import Currency, VatPercent, round_half_up, vat_inside
from kickstand.kernel.states import Machine
from kickstand.sales.errors import OrderClosed

NO_PRICE: Final = 10**12
"""Nothing costs as much, in minor units."""

Price = Annotated[int, Field(ge=0, lt=NO_PRICE)]
"""Minor units, VAT included."""

Quantity = Annotated[int, Field(ge=1, le=50)]


class OfferKind(StrEnum):
    """What somebody gets who buys it."""

    SUBSCRIPTION = "subscription"
    """The right to ride at a pricing plan for a time."""
    GIFT_CODE = "gift_code"
    """A code that puts its value into somebody's wallet."""


class OfferState(StrEnum):
    """Whether it can be ordered."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class ValidityUnit(StrEnum):
    """What a validity counts; local days, so a month ends on the day with the same number, or on its last."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


class Validity(BaseModel):
    """How long a subscription lasts."""

    model_config = ConfigDict(frozen=True)

    count: Annotated[int, Field(ge=1, le=1000)]
    unit: ValidityUnit


class Offer(BaseModel):
    """A product that a client sells.

    Attributes:
        network_id: who sells it: whose issuer, local time and currency count.
        price: in minor units, VAT included.
        validity: how long a subscription lasts; for gift codes, how long they can be redeemed.
        plan_id: the pricing plan that a subscription opens.
        value: what a gift code puts into a wallet, in minor units.
        renewable: whether a subscription can renew itself.
        cancellable: whether its users may cancel it themselves.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    client_id: int
    network_id: int
    kind: OfferKind
    name: Annotated[str, Field(min_length=1, max_length=255)]
    description: Annotated[str, Field(max_length=1000)] = ""
    currency: Currency
    vat_percent: VatPercent
    price: Price
    validity: Validity | None = None
    plan_id: int | None = None
    value: Price = 0
    renewable: bool = False
    cancellable: bool = False
    state: OfferState = OfferState.ACTIVE

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind is OfferKind.SUBSCRIPTION and self.validity is None:
            raise ValueError("a subscription needs a validity")
        if self.kind is OfferKind.GIFT_CODE and not self.value:
            raise ValueError("a gift code needs a value")
        if self.kind is OfferKind.GIFT_CODE and self.vat_percent:
            raise ValueError("a gift code is money: what is bought with it is taxed")
        return self


class OrderKind(StrEnum):
    """What is ordered."""

    SUBSCRIPTION = "subscription"
    RENEWAL = "renewal"
    """The next period of a subscription."""
    WALLET_DEPOSIT = "wallet_deposit"
    VOUCHER_CODES = "voucher_codes"


class OrderState(StrEnum):
    """Where an order is in its life."""

    PENDING = "pending"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    """Given up by whoever ordered, or not paid in time."""
    FAILED = "failed"
    """Paid or to be paid, and then impossible."""


class OrderTrigger(StrEnum):
    """What changes an order's state."""

    COMPLETE = "complete"
    CANCEL = "cancel"
    FAIL = "fail"


_O, _OT = OrderState, OrderTrigger

ORDER_STATES: Final = Machine[OrderState, OrderTrigger](
    {
        (_O.PENDING, _OT.COMPLETE): _O.COMPLETED,
        (_O.PENDING, _OT.CANCEL): _O.CANCELLED,
        (_O.PENDING, _OT.FAIL): _O.FAILED,
    },
    refusal=OrderClosed,
)


class PaymentMethod(StrEnum):
    """What an order can be paid with."""

    CARD = "card"
    WALLET = "wallet"
    BLIK = "blik"


class OrderLine(BaseModel):
    """One line of an order.

    Attributes:
        offer_id: the product; ``None`` for money that goes into a wallet.
        unit_price: in minor units, VAT included, before any discount.
        discount: what is taken off the line as a whole.
        vat_percent: the VAT rate; ``None`` for what is outside the scope of VAT, such as money.
    """

    model_config = ConfigDict(frozen=True)

    offer_id: int | None = None
    name: str
    quantity: Quantity = 1
    unit_price: Price
    discount: Price = 0
    vat_percent: VatPercent | None = None

    @property
    def gross(self) -> int:
        """What is to be paid for the line, VAT included, in minor units."""
        return self.quantity * self.unit_price - self.discount

    @property
    def vat(self) -> int:
        """The VAT inside :attr:`gross`, in minor units, rounded once."""
        return vat_inside(self.gross, self.vat_percent or 0)


class AppliedDiscount(BaseModel):
    """A discount code on an order.

    Attributes:
        amount: what it takes off, in minor units.
        percent: its rate, where it has one.
        once: whether it counts as the rider's only use of the code.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    amount: Price
    percent: int | None = None
    once: bool


class Order(BaseModel):
    """What a rider wants to buy.

    Attributes:
        token: names it to whoever was told it, and to nobody who guesses.
        network_id: who sells.
        offer: the product as it was when it was ordered; for subscriptions and their renewals.
        gifts: likewise, the products of all lines; for gift codes.
        subscription_id: what a renewal renews, or what the order has become.
        vat: the VAT inside :attr:`total`, in minor units.
        email: where gift codes go.
        receipt_email: where the receipt goes; the rider's own address where it is missing.
        locale: the language of whoever ordered, as BCP 47 writes it.
        auto_renew: whether the subscription is to renew itself.
        payment_id: the payment that is under way, or that has paid.
        expires_at: until when it can be paid.
        invoice_id: the invoice, once it is paid.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    token: str = Field(repr=False)
    client_id: int
    rider_id: int
    network_id: int
    kind: OrderKind
    state: OrderState = OrderState.PENDING
    currency: Currency
    lines: tuple[OrderLine, ...]
    discount: AppliedDiscount | None = None
    total: Price
    vat: Price
    offer: Offer | None = None
    gifts: tuple[Offer, ...] = ()
    subscription_id: int | None = None
    email: str | None = Field(default=None, repr=False)
    receipt_email: str | None = Field(default=None, repr=False)
    locale: str
    auto_renew: bool = False
    payment_id: int | None = None
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None = None
    invoice_id: int | None = None
    version: int = 1
    event: Event

    @property
    def vat_percent(self) -> int:
        """The VAT rate in whole percent: the one of all lines, or what the VAT comes to where they differ."""
        rates = {line.vat_percent or 0 for line in self.lines}
        net = self.total - self.vat
        return max(rates) if len(rates) == 1 or not net else round_half_up(self.vat * 100, net)


class DiscountCode(BaseModel):
    """A code that makes orders cheaper.

    Attributes:
        code: in capitals, as it is kept; riders write it as they like.
        percent: what it takes off, or ``amount`` in minor units; one of the two.
        offer_ids: the products that it is for; all, where none is named.
        most_uses: how often it can be used in all; ``None`` for ever.
        once: whether a rider may use it once only.
        uses: how often it has been used, orders that wait for payment included.
    """

    model_config = ConfigDict(frozen=True)

    client_id: int
    code: Annotated[str, Field(pattern=r"^[A-Z0-9_-]{3,40}$")]
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    amount: Annotated[int, Field(ge=1, lt=NO_PRICE)] | None = None
    currency: Currency | None = None
    offer_ids: frozenset[int] = frozenset()
    valid_from: datetime
    valid_until: datetime
    most_uses: Annotated[int, Field(ge=1)] | None = None
    once: bool = True
    uses: Annotated[int, Field(ge=0)] = 0
    state: OfferState = OfferState.ACTIVE

    @model_validator(mode="after")
    def _takes_off_one_thing(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("a percentage or an amount")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount has a currency")
        return self


class VoucherState(StrEnum):
    """Whether a gift code still has its value."""

    ISSUED = "issued"
    REDEEMED = "redeemed"


class Voucher(BaseModel):
    """A gift code that somebody has bought.

    Attributes:
        digest: of the code, SHA-256 in hexadecimal; whoever has the code has its value.
        redeemed_by: the rider whose wallet has got it.
    """

    model_config = ConfigDict(frozen=True)

    digest: str
    client_id: int
    network_id: int
    order_id: int
    currency: Currency
    value: Annotated[int, Field(gt=0)]
    state: VoucherState = VoucherState.ISSUED
    issued_at: datetime
    valid_until: datetime | None = None
    redeemed_by: int | None = None
    redeemed_at: datetime | None = None


class Gift(BaseModel):
    """A gift code as its buyer gets it; the value in minor units."""

    model_config = ConfigDict(frozen=True)

    code: str = Field(repr=False)
    value: int
    valid_until: datetime | None = None


class GiftLetter(BaseModel):
    """The gift codes of an order, on their way to whoever has bought them: the only place that knows them.

    Attributes:
        email: where they go.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    order_id: int
    rider_id: int
    network_id: int
    email: str = Field(repr=False)
    currency: Currency
    gifts: tuple[Gift, ...] = Field(repr=False)
    event: Event


class SubscriptionState(StrEnum):
    """Where a subscription is in its life."""

    ACTIVE = "active"
    ENDED = "ended"


class Subscription(BaseModel):
    """A rider's right to ride at a plan for a time. A rider has one at a time.

    Attributes:
        offer: the product as it was bought, price included; renewals cost the same.
        counted_from: when the first of its uninterrupted periods began.
        periods: how many of them there are; so a month that has no 31st shortens no later one.
        valid_until: the first moment at which it is not valid.
        auto_renew: whether it renews itself at its end.
        cancelled_at: when the rider has cancelled it; it lasts until its end.
        renewal_id: the order by which it is being renewed.
        attempts: how often the renewal has been tried.
        due_at: when there is something to be done about it: to renew it, to try again, or to end it.
        locale: the language of whoever ordered it, as BCP 47 writes it.
        version: counts the changes.
        event: what happened last.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    client_id: int
    rider_id: int
    network_id: int
    offer: Offer
    state: SubscriptionState = SubscriptionState.ACTIVE
    counted_from: datetime
    periods: Annotated[int, Field(ge=1)] = 1
    valid_from: datetime
    valid_until: datetime
    auto_renew: bool = False
    cancelled_at: datetime | None = None
    renewal_id: int | None = None
    attempts: Annotated[int, Field(ge=0)] = 0
    due_at: datetime | None = None
    locale: str
    version: int = 1
    event: Event

    @property
    def is_cancellable(self) -> bool:
        """Whether its rider may cancel it: what is free, or sold so."""
        return not self.offer.price or self.offer.cancellable

    def is_valid(self, at: datetime) -> bool:
        """Whether it counts at a moment."""
        return self.state is SubscriptionState.ACTIVE and self.valid_from <= at < self.valid_until
