"""Money: integers of minor units with an ISO 4217 currency. VAT and rounding happen here and nowhere else."""

from typing import Annotated

from pydantic import Field

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 alphabetic code."""

VatPercent = Annotated[int, Field(ge=0, le=100)]
"""A VAT rate in whole percent."""


def vat_on(net: int, percent: int) -> int:
    """The VAT on a net amount in minor units, rounded half away from zero to a minor unit."""
    return round_half_up(net * percent, 100)


def round_half_up(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` to the nearest integer, halves away from zero. ``denominator`` is positive."""
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def vat_inside(gross: int, percent: int) -> int:
    """The VAT inside a gross amount in minor units, rounded half away from zero to a minor unit."""
    return round_half_up(gross * percent, 100 + percent)
