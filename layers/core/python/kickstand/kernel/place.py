"""Positions on Earth, without any geometry library."""

from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

_EARTH_RADIUS_M: Final = 6_371_008.8


class Position(BaseModel):
    """A WGS 84 position in degrees."""

    model_config = ConfigDict(frozen=True)

    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]

    def distance_m(self, other: "Position") -> float:
        """Great-circle distance in metres."""
        phi1, phi2 = radians(self.latitude), radians(other.latitude)
        half_phi = (phi2 - phi1) / 2
        half_lambda = radians(other.longitude - self.longitude) / 2
        chord = sin(half_phi) ** 2 + cos(phi1) * cos(phi2) * sin(half_lambda) ** 2
        return 2 * _EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))
