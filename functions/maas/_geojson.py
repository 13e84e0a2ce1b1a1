"""Where things are, on the wire."""

from datetime import datetime
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field

from kickstand.fleet.model import Spot
from kickstand.kernel.place import Position
from maas._schemas import Body, Number, Time, Wire

_COORDINATES: Final = 2
_EASTERNMOST: Final = 180
_NORTHERNMOST: Final = 90


def _point(kind: str) -> str:
    if kind != "Point":
        raise ValueError("not a Point")
    return kind


def _pair(coordinates: list[float]) -> list[float]:
    if len(coordinates) != _COORDINATES:
        raise ValueError("not a longitude and a latitude")
    longitude, latitude = coordinates
    if not (abs(longitude) <= _EASTERNMOST and abs(latitude) <= _NORTHERNMOST):
        raise ValueError(f"not from -{_EASTERNMOST} to {_EASTERNMOST} and from -{_NORTHERNMOST} to {_NORTHERNMOST}")
    return coordinates


class GeoJsonPosition(Body):
    """A GeoJSON Point in WGS 84."""

    type: Annotated[str, AfterValidator(_point)] = Field(description="`Point`.")
    coordinates: Annotated[list[float], AfterValidator(_pair)] = Field(description="Longitude and latitude in degrees.")

    @classmethod
    def of(cls, position: Position) -> Self:
        """The wire form of a position."""
        return cls(type="Point", coordinates=[position.longitude, position.latitude])

    @property
    def position(self) -> Position:
        """The position itself."""
        longitude, latitude = self.coordinates
        return Position(longitude=longitude, latitude=latitude)


class AddressedPosition(Wire):
    """A position, and what the place is called where that is known."""

    position: GeoJsonPosition
    street_address: str | None = Field(default=None, description="Of the dock group, if it has one.")


class LocationDock(Wire):
    """A dock that holds a vehicle."""

    dock_group_id: Number
    dock_group_name: str
    dock_number: Number

    @classmethod
    def of(cls, spot: Spot) -> Self:
        """The wire form of a spot."""
        return cls(dock_group_id=spot.cluster_id, dock_group_name=spot.cluster_name, dock_number=spot.number)


class Location(Wire):
    """Where a vehicle is or was."""

    timestamp: Time = Field(description="Since when it is known to be there.")
    geo_position: AddressedPosition | None = None
    state_position: AddressedPosition | None = Field(
        default=None, description="Where it was when its state changed last, where that is known."
    )
    dock: LocationDock | None = Field(default=None, description="The dock that holds it, if one does.")

    @classmethod
    def of(
        cls,
        position: Position,
        at: datetime,
        *,
        state_position: Position | None = None,
        spot: Spot | None = None,
        address: str | None = None,
    ) -> Self:
        """The wire form of a place.

        Args:
            position: of the vehicle.
            at: since when it is known to be there.
            state_position: of the vehicle at the last change of its state.
            spot: the dock that holds it.
            address: of the dock's cluster.
        """
        return cls(
            timestamp=at,
            geo_position=AddressedPosition(position=GeoJsonPosition.of(position), street_address=address),
            state_position=AddressedPosition(position=GeoJsonPosition.of(state_position)) if state_position else None,
            dock=LocationDock.of(spot) if spot else None,
        )
