"""Rides as figures count them."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kickstand.fleet.model import Category
from kickstand.kernel.money import Currency

Count = Annotated[int, Field(ge=0)]


class Figures(BaseModel):
    """What riding adds up to.

    Attributes:
        category: of the vehicles.
        distance_m: ridden.
        riding_ms: time ridden, without pauses.
        currency: of :attr:`spent`.
        spent: what it cost, VAT included, in minor units.
    """

    model_config = ConfigDict(frozen=True)

    category: Category
    distance_m: Count
    riding_ms: Count
    currency: Currency
    spent: Count


class Ride(Figures):
    """What one completed rental adds; or a reservation that cost something, which is no ride.

    Attributes:
        rental_id: the rental, or the reservation.
        started_at: when it began; it counts at this moment, whole.
        rides: how many rides it is.
    """

    rental_id: int
    started_at: datetime
    rides: Annotated[int, Field(ge=0, le=1)] = 1


class DayRides(BaseModel):
    """The rides that a rider began on one day of UTC, one by one."""

    model_config = ConfigDict(frozen=True)

    rider_id: int
    day: date
    rides: tuple[Ride, ...] = ()


class Tally(Figures):
    """The rides that a rider began on one day of UTC, on vehicles of one category and paid in one currency, summed."""

    rider_id: int
    day: date
    rides: Count


class Statistics(BaseModel):
    """What a rider's rides of some time come to.

    Attributes:
        rides: how many there were.
        distance_m: ridden, in metres.
        riding_s: time ridden, without pauses, in seconds.
        co2_saved_g: what the same way by car would have emitted, in grams.
        burned_kcal: what the riders' legs have done, in kilocalories.
        spent: what they cost by currency, VAT included, in minor units.
    """

    model_config = ConfigDict(frozen=True)

    rides: int
    distance_m: int
    riding_s: int
    co2_saved_g: int
    burned_kcal: int
    spent: dict[Currency, int]
