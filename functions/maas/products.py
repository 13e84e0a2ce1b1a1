"""Products: what a client's users can ride at, and what they can buy beside."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final, Self

from pydantic import Field

from kickstand.http.messages import Representation
from kickstand.kernel import clock
from kickstand.kernel.cache import Recent
from kickstand.kernel.money import Currency, vat_inside, vat_on
from kickstand.pricing import service as pricing
from kickstand.pricing.model import PlanState, PricingPlan
from kickstand.sales import offers
from kickstand.sales.model import Offer, OfferKind, OfferState, ValidityUnit
from kickstand.sales.model import Validity as DomainValidity
from maas._schemas import Number, Wire
from maas._surface import Caller, maas

_MAX_AGE_S: Final = 60
_KNOWN_FOR: Final = timedelta(minutes=1)
_lists: Final[Recent[int, tuple[datetime, Representation]]] = Recent(64)
"""The answers of the last minute, by client."""


class ProductType(StrEnum):
    """What somebody gets for it."""

    RIDE = "ride"
    SUBSCRIPTION = "subscription"
    GIFT_CODE = "gift_code"


class ProductState(StrEnum):
    """Whether it can be used; products that cannot are not listed."""

    ACTIVE = "active"


class ProductValidity(Wire):
    """How long it lasts."""

    count: Number
    unit: ValidityUnit

    @classmethod
    def of(cls, validity: DomainValidity) -> Self:
        """The wire form of a validity."""
        return cls(count=validity.count, unit=validity.unit)


class RidePricing(Wire):
    """What a ride costs: net prices in minor units, VAT comes on top."""

    product_id: Number = Field(description="What to name as `productId` of a trip.")
    currency: Currency
    vat_rate: Number = Field(description="In whole percent.")
    trip_price: Number
    included_minutes: Number = Field(description="That `tripPrice` covers.")
    price_per_minute: Number = Field(description="For every minute begun beyond them.")
    free_minutes_per_day: Number = Field(description="Of the minutes beyond, those that are free on each local day.")
    free_floating_fee: Number = Field(description="For leaving a vehicle outside of a dock that belongs into one.")
    registration_fee: Number = Field(description="With the user's first ride at the product.")
    reservation_price_per_minute: Number

    @classmethod
    def of(cls, plan: PricingPlan) -> Self:
        """The wire form of a plan's prices."""
        return cls(
            product_id=plan.id,
            currency=plan.currency,
            vat_rate=plan.vat_percent,
            trip_price=plan.trip_price,
            included_minutes=plan.included_minutes,
            price_per_minute=plan.price_per_minute,
            free_minutes_per_day=plan.free_minutes_per_day,
            free_floating_fee=plan.free_floating_fee,
            registration_fee=plan.registration_fee,
            reservation_price_per_minute=plan.reservation_price_per_minute,
        )


class Product(Wire):
    """Something that users pay for; amounts in minor units."""

    id: Number
    type: ProductType = Field(
        description="`ride`: rides are charged by it; `subscription`: a time of rides at a product of that type; "
        "`gift_code`: money for somebody's wallet."
    )
    name: str
    description: str
    currency: Currency
    price: Number = Field(description="VAT included; of a `ride`, what one costs at least.")
    price_without_vat: Number
    vat_rate: Number = Field(
        description="In whole percent; 0 for what is outside the scope of VAT, such as gift codes."
    )
    validity: ProductValidity | None = Field(
        default=None, description="How long a subscription lasts, or for how long a gift code can be redeemed."
    )
    renewable: bool = Field(description="Whether a subscription can renew itself.")
    cancellable: bool = Field(description="Whether users may cancel a subscription themselves.")
    value: Number | None = Field(default=None, description="What a gift code puts into a wallet.")
    rides_product_id: Number | None = Field(
        default=None, description="Of a subscription: the product by which its rides are charged."
    )
    subscribers_only: bool | None = Field(
        default=None, description="Whether a `ride` is only for users with a subscription to it."
    )
    pricing: RidePricing | None = Field(default=None, description="What rides cost, of a `ride` or a subscription.")
    state: ProductState = ProductState.ACTIVE

    @classmethod
    def of_plan(cls, plan: PricingPlan) -> Self:
        """The wire form of a plan."""
        return cls(
            id=plan.id,
            type=ProductType.RIDE,
            name=plan.name,
            description="",
            currency=plan.currency,
            price=plan.trip_price + vat_on(plan.trip_price, plan.vat_percent),
            price_without_vat=plan.trip_price,
            vat_rate=plan.vat_percent,
            renewable=False,
            cancellable=False,
            subscribers_only=plan.subscribers_only,
            pricing=RidePricing.of(plan),
        )

    @classmethod
    def of_offer(cls, offer: Offer, plans: Mapping[int, PricingPlan]) -> Self:
        """The wire form of what is sold beside rides.

        Args:
            offer: what is sold.
            plans: the client's active plans, by id.
        """
        plan = plans.get(offer.plan_id) if offer.plan_id is not None else None
        return cls(
            id=offer.id,
            type=_TYPES[offer.kind],
            name=offer.name,
            description=offer.description,
            currency=offer.currency,
            price=offer.price,
            price_without_vat=offer.price - vat_inside(offer.price, offer.vat_percent),
            vat_rate=offer.vat_percent,
            validity=ProductValidity.of(offer.validity) if offer.validity else None,
            renewable=offer.renewable,
            cancellable=offer.cancellable,
            value=offer.value or None,
            rides_product_id=offer.plan_id,
            pricing=RidePricing.of(plan) if plan else None,
        )


_TYPES: Final = {OfferKind.SUBSCRIPTION: ProductType.SUBSCRIPTION, OfferKind.GIFT_CODE: ProductType.GIFT_CODE}


class ProductList(Wire):
    """Products."""

    data: list[Product]


@maas.operation("GET", "/products", tag="Products", access="ProductRequests", answers=ProductList)
def get_products(caller: Caller) -> Representation:
    """List the client's products: those by which rides are charged, and those that users can order.

    At most a minute old; what is not active is not listed.
    """
    now = clock.now()
    known = _lists.get(caller.client.id)
    if known is None or now - known[0] >= _KNOWN_FOR:
        known = _lists.put(caller.client.id, (now, _list(caller.client.id)))
    return known[1]


def _list(client_id: int) -> Representation:
    plans = {each.id: each for each in pricing.list_plans(client_id) if each.state is PlanState.ACTIVE}
    sold = [each for each in offers.list_offers(client_id) if each.state is OfferState.ACTIVE]
    products = [*map(Product.of_plan, plans.values()), *(Product.of_offer(each, plans) for each in sold)]
    body = ProductList(data=products).model_dump_json(by_alias=True, exclude_none=True).encode()
    return Representation(f'"{blake2b(body, digest_size=12).hexdigest()}"', _MAX_AGE_S, body=body)
