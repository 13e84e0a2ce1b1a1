"""Money: integers of minor units with an ISO 4217 currency. VAT and rounding happen here and nowhere else."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 alphabetic code."""

VatPercent = Annotated[int, Field(ge=0, le=100)]
"""A VAT rate in whole percent."""


class CurrencyMismatch(ValueError):
    """Amounts of two currencies met; a programming error, never an answer to a client."""


class Money(BaseModel):
    """An amount in minor units (øre, cent) of one currency. May be negative, as in a credit."""

    model_config = ConfigDict(frozen=True)

    amount: int
    currency: Currency

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return self.model_copy(update={"amount": self.amount + other.amount})

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return self.model_copy(update={"amount": self.amount - other.amount})

    def __mul__(self, count: int) -> "Money":
        return self.model_copy(update={"amount": self.amount * count})

    def __neg__(self) -> "Money":
        return self * -1

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in ``currency``."""
        return cls(amount=0, currency=currency)

    def vat(self, percent: int) -> "Money":
        """The VAT on this net amount, rounded half away from zero to a minor unit."""
        return self.model_copy(update={"amount": round_half_up(self.amount * percent, 100)})

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            msg = f"{self.currency} and {other.currency}"
            raise CurrencyMismatch(msg)


def round_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest integer, halves away from zero. ``denominator`` is positive."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude
