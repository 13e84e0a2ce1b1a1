"""What several resources of this API share on the wire."""

import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from kickstand.kernel.place import Position

_LONGEST_TEXT: Final = 255

VehicleCode = Annotated[str, Field(min_length=4, max_length=4, pattern="^[A-Za-z0-9]{4}$")]
"""The four letters or digits that are printed on a vehicle."""


def _readable(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise ValueError(f"longer than {_LONGEST_TEXT} characters")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("control characters are not text")
    return text


Text = Annotated[str, AfterValidator(_readable)]
"""Something that people read: at most 255 characters, none of them a control character."""


class Wire(BaseModel):
    """Anything on the wire; members are called as in the reference, in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Body(Wire):
    """A request's body. JSON types are taken at their word: a number in quotes is not a number."""

    model_config = ConfigDict(strict=True)


class Location(Body):
    """A WGS 84 position in degrees."""

    longitude: float
    latitude: float

    @classmethod
    def of(cls, position: Position) -> "Location":
        """The wire form of a position."""
        return cls(longitude=position.longitude, latitude=position.latitude)

    @property
    def position(self) -> Position:
        """The position itself."""
        return Position(longitude=self.longitude, latitude=self.latitude)


def _possible(location: Location) -> Location:
    _ = location.position  # refuses what is not on Earth
    return location


GivenLocation = Annotated[Location, AfterValidator(_possible)]
"""A location that a client sends: longitude from -180 to 180, latitude from -90 to 90."""
