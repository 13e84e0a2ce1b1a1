"""Tariffs, plans and fares.

Every price is net of VAT and in minor units of its currency; only a fare's total includes VAT.
"""

from datetime import date
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


class PlanState(StrEnum):
    """Whether rides can begin at a plan."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class PricingPlan(BaseModel):
    """What a partner charges its riders for rides and reservations that name this plan, whatever the vehicle's tariff.

    Attributes:
        client_id: the partner whose plan it is.
        currency: of all its prices; vehicles of networks with another currency cannot be taken at it.
        vat_percent: the VAT on all its prices.
        trip_price: for a ride of up to ``included_minutes``; net, minor units.
        included_minutes: minutes that ``trip_price`` covers.
        price_per_minute: for every minute begun beyond them; net, minor units.
        free_minutes_per_day: of the minutes beyond, how many a rider has free on each local day.
        free_floating_fee: for leaving a vehicle that belongs into docks outside of one; net, minor units.
        registration_fee: with a rider's first ride at the plan; net, minor units.
        reservation_price_per_minute: for every minute begun of a reservation; net, minor units.
        penalty_after_s: how long a ride may take before its rider gets penalty points, in seconds; 0 for ever.
        penalty_repeat_s: how often there are more of them from then on, in seconds; 0 for never.
        penalty_points: how many there are each time.
        max_penalty_points: with more than these a rider cannot use the plan; ``None`` for no limit.
        subscribers_only: whether it is for riders with a subscription that opens it.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    client_id: int
    name: Annotated[str, Field(min_length=1, max_length=255)]
    currency: Currency
    vat_percent: VatPercent
    trip_price: Price = 0
    included_minutes: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    price_per_minute: Price = 0
    free_minutes_per_day: Annotated[int, Field(ge=0, le=1440)] = 0
    free_floating_fee: Price = 0
    registration_fee: Price = 0
    reservation_price_per_minute: Price = 0
    penalty_after_s: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    penalty_repeat_s: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    penalty_points: Annotated[int, Field(ge=1, le=100)] = 1
    max_penalty_points: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    subscribers_only: bool = False
    state: PlanState = PlanState.ACTIVE

    @model_validator(mode="after")
    def _repeats_what_happens(self) -> Self:
        if self.penalty_repeat_s and not self.penalty_after_s:
            raise ValueError("penalty points that never come cannot be repeated")
        return self

    def tolerates(self, points: int) -> bool:
        """Whether a rider with so many active penalty points can use the plan."""
        return self.max_penalty_points is None or points <= self.max_penalty_points


class Allowance(BaseModel):
    """What a rider's earlier use of a plan leaves for one ride, committed when the ride starts.

    Attributes:
        day: the local day whose free minutes the ride may use; ``None`` where the plan has none.
        free_minutes_used: minutes of that day that earlier rides have used.
        free_minutes_left: minutes of that day that this ride may use.
        registration_due: whether this would be the rider's first ride at the plan.
    """

    model_config = ConfigDict(frozen=True)

    day: date | None = None
    free_minutes_used: Annotated[int, Field(ge=0)] = 0
    free_minutes_left: Annotated[int, Field(ge=0)] = 0
    registration_due: bool = False


class PlanUse(BaseModel):
    """How a rider has used a plan so far; there is one from the first ride on.

    Attributes:
        user: the rider, as the caller calls its riders.
        day: the last local day of which free minutes were used; ``None`` for none so far.
        minutes: the free minutes used of it.
    """

    model_config = ConfigDict(frozen=True)

    plan_id: int
    user: str
    day: date | None = None
    minutes: Annotated[int, Field(ge=0)] = 0


class PlanUsage(BaseModel):
    """What a ride has used of its plan.

    Attributes:
        included_minutes: minutes that the price of the ride covers.
        free_minutes_used: free minutes of the day that the ride has used.
        free_minutes_left: free minutes of the day that are left after it.
    """

    model_config = ConfigDict(frozen=True)

    included_minutes: int
    free_minutes_used: int
    free_minutes_left: int


class LineKind(StrEnum):
    """What a line of a fare is about."""

    START = "start"
    MINUTES = "minutes"
    SHORT_RIDE = "short_ride"
    WAIVER = "waiver"
    LEFT_UNLOCKED = "left_unlocked"
    TRIP = "trip"
    EXTENDED_RENTAL = "extended_rental"
    FREE_FLOATING_DOCKING_FEE = "free_floating_docking_fee"
    FREE_MINUTES_PER_DAY = "free_minutes_per_day"
    REGISTRATION_FEE = "registration_fee"
    RESERVATION = "reservation"


class FareLine(BaseModel):
    """One line of a fare.

    Attributes:
        kind: what it is about.
        quantity: how many units; minutes where a unit is a minute, else 1.
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
