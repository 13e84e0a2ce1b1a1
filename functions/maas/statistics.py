"""Statistics: what a user's trips add up to."""

from typing import Self

from pydantic import Field, model_validator

from kickstand.fleet import service as fleet
from kickstand.identity import service as identity
from kickstand.insights import service as insights
from kickstand.insights.model import Statistics
from kickstand.kernel.money import Currency, round_half_up
from maas._schemas import Moment, Number, UserId, Wire
from maas._surface import INVALID_REQUEST, SYSTEM_NOT_FOUND, USER_MISMATCH, USER_NOT_FOUND, Caller, maas


class StatisticsPath(Wire):
    """Whose trips."""

    user_id: UserId


class StatisticsQuery(Wire):
    """Which trips."""

    since: Moment = Field(alias="from", description="Trips that began then or later.")
    until: Moment | None = Field(default=None, alias="to", description="Trips that began before; now if left out.")

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("to is before from")
        return self


class Spending(Wire):
    """What was spent in one currency."""

    currency: Currency
    total_spent_cents: Number = Field(description="VAT included, in minor units.")


class UserStatistics(Wire):
    """What trips add up to."""

    total_trips: Number
    total_distance_km: float = Field(description="To two decimals.")
    total_riding_time_sec: Number = Field(description="Without pauses.")
    co2_saved_grams: Number = Field(description="What the same way by car would have emitted, at 120 g per kilometre.")
    calories_burned: Number = Field(
        description="In kilocalories: 30 per kilometre by bike, 20 by e-bike, none by scooter."
    )
    total_spent_cents: Number = Field(description="In `currency`, VAT included, in minor units.")
    currency: Currency = Field(description="The currency of the client's system.")
    spent_by_currency: list[Spending] = Field(description="What was spent in each currency, this one and others.")

    @classmethod
    def of(cls, figures: Statistics, currency: Currency) -> "UserStatistics":
        """The wire form of figures, for a client whose system has this currency."""
        return cls(
            total_trips=figures.rides,
            total_distance_km=round_half_up(figures.distance_m, 10) / 100,
            total_riding_time_sec=figures.riding_s,
            co2_saved_grams=figures.co2_saved_g,
            calories_burned=figures.burned_kcal,
            total_spent_cents=figures.spent.get(currency, 0),
            currency=currency,
            spent_by_currency=[Spending(currency=each, total_spent_cents=sum_) for each, sum_ in figures.spent.items()],
        )


@maas.operation(
    "GET",
    "/users/{userId}/statistics",
    tag="Users",
    access="StatisticsRequests",
    errors=(INVALID_REQUEST, USER_MISMATCH, USER_NOT_FOUND, SYSTEM_NOT_FOUND),
)
def get_user_statistics(caller: Caller, path: StatisticsPath, query: StatisticsQuery) -> UserStatistics:
    """Get what a user's trips add up to.

    Completed trips count, from about a second after they completed, as of the moment at which they began; cancelled
    ones do not. Distances are those that vehicles have measured. What was spent is what trips have cost, and what
    reservations have that are over, as of the moment at which they were made.

    `co2SavedGrams` takes every kilometre by bike, e-bike or scooter for one that was not driven by car, at 120 g of
    CO₂. That is a little above the average of new cars in Europe (107 g in 2023, says the European Environment Agency),
    since cars on the road are older. `caloriesBurned` is an estimate for a person of average weight.
    """
    caller.acts_for(path.user_id)
    user = identity.external(caller.client, path.user_id)
    system_id = min(caller.client.network_ids, default=0)
    fleet.expect_network(system_id)
    figures = insights.statistics(user.rider_id, query.since, query.until)
    return UserStatistics.of(figures, fleet.network(system_id).currency)
