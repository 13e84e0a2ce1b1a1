"""Tariffs and fares. Every price is net of VAT and in minor units of its currency; only a fare's total includes VAT."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from kickstand.kernel.money import Currency, VatPercent

Price = Annotated[int, Field(ge=0, le=100_000_000)]
"""A net price in minor units."""


class Terms(BaseModel):
    """What an operator decides about the price of a ride.

    Attributes:
        currency: of both prices.
        start_price: for starting a ride; net, minor units.
        price_per_minute: for every minute begun; net, minor units.
        vat_percent: the VAT on both prices.
        free_under_s: a ride shorter than this many seconds costs nothing; 0 switches the rule off.
        free_under_m: a ride shorter than this many metres costs nothing; 0 switches the rule off.
    """

    model_config = ConfigDict(frozen=True)

    currency: Currency
    start_price: Price
    price_per_minute: Price
    vat_percent: VatPercent
    free_under_s: Annotated[int, Field(ge=0)] = 120
    free_under_m: Annotated[int, Field(ge=0)] = 100


class Tariff(Terms):
    """One version of the terms at which a network offers its vehicles of one model; it never changes.

    Attributes:
        id: identifier of this version.
        network_id: the network that charges it.
        model_id: the vehicle model it is for.
        version: counts the versions of a network and model from 1.
        published_at: when vehicles began to be offered at it.
    """

    id: int
    network_id: int
    model_id: int
    version: Annotated[int, Field(ge=1)]
    published_at: AwareDatetime


class LineKind(StrEnum):
    """What a line of a fare is about."""

    START = "start"
    MINUTES = "minutes"
    SHORT_RIDE = "short_ride"
    WAIVER = "waiver"
    LEFT_UNLOCKED = "left_unlocked"


class FareLine(BaseModel):
    """One line of a fare.

    Attributes:
        kind: what it is about.
        quantity: how many units; minutes for ``minutes``, else 1.
        unit_net: the net price of a unit in minor units; negative where a price is taken back.
        vat_percent: the VAT rate, or ``None`` for what is outside the scope of VAT.
        vat: the VAT on the line in minor units, rounded once.
    """

    model_config = ConfigDict(frozen=True)

    kind: LineKind
    quantity: Annotated[int, Field(ge=1)] = 1
    unit_net: int
    vat_percent: VatPercent | None = None
    vat: int = 0

    @property
    def net(self) -> int:
        """The line without VAT, in minor units."""
        return self.quantity * self.unit_net

    @property
    def gross(self) -> int:
        """The line including VAT, in minor units."""
        return self.net + self.vat

    @model_validator(mode="after")
    def _has_a_rate_for_its_vat(self) -> Self:
        if self.vat and not self.vat_percent:
            raise ValueError("VAT needs a rate")
        return self


class Fare(BaseModel):
    """What a ride costs: the sum of its lines and nothing else.

    Attributes:
        currency: of all amounts.
        lines: in the order in which a receipt shows them; none while nothing has been charged.
    """

    model_config = ConfigDict(frozen=True)

    currency: Currency
    lines: tuple[FareLine, ...] = ()

    @property
    def net(self) -> int:
        """The sum without VAT, in minor units."""
        return sum(line.net for line in self.lines)

    @property
    def vat(self) -> int:
        """The VAT inside :attr:`total`, in minor units."""
        return sum(line.vat for line in self.lines)

    @property
    def total(self) -> int:
        """What is to be paid, VAT included, in minor units; never negative."""
        return self.net + self.vat

    @model_validator(mode="after")
    def _is_never_negative(self) -> Self:
        if self.net < 0 or self.vat < 0:
            raise ValueError("a fare is not a credit")
        return self
