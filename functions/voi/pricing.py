"""Prices: what renting a vehicle costs at this moment."""

from typing import Annotated, Literal
from uuid import UUID

from kickstand.clients.model import ApiClient
from kickstand.fleet import service as fleet
from kickstand.fleet.model import Vehicle
from kickstand.http.surface import Loads
from kickstand.kernel.money import Currency
from voi._schemas import Wire
from voi._surface import INVALID_VEHICLE_ID, VEHICLE_NOT_FOUND, Invalid, voi


class PricingAttributes(Wire):
    """Net prices in minor units, and the VAT in percent that comes on top."""

    currency: Currency
    price_per_minute: int
    start_price: int
    vat: int


class Pricing(Wire):
    """The price of a vehicle."""

    type: Literal["pricing"] = "pricing"
    id: UUID
    attributes: PricingAttributes


class PricingResponse(Wire):
    """One price."""

    data: Pricing

    @classmethod
    def of(cls, vehicle: Vehicle) -> "PricingResponse":
        """The wire form of what a vehicle is offered at."""
        offer = vehicle.offer
        attributes = PricingAttributes(
            currency=offer.currency,
            price_per_minute=offer.price_per_minute,
            start_price=offer.start_price,
            vat=offer.vat_percent,
        )
        return cls(data=Pricing(id=vehicle.public_id, attributes=attributes))


class PricedVehiclePath(Wire):
    """Which vehicle."""

    id: Annotated[UUID, Invalid(INVALID_VEHICLE_ID), Loads(fleet.expect)]


@voi.operation(
    "GET",
    "/v1/pricing/vehicle/{id}",
    tag="Pricing",
    access="FleetRequests",
    errors=(INVALID_VEHICLE_ID, VEHICLE_NOT_FOUND),
)
def get_price(caller: ApiClient, path: PricedVehiclePath) -> PricingResponse:
    """Get the price of a vehicle.

    A rental that starts now is charged at exactly this price, whatever changes during the ride. Do not cache it.
    """
    return PricingResponse.of(fleet.find(caller, path.id))
