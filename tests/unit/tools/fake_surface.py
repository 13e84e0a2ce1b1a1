"""A surface of six operations, for tests of the generators."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from kickstand.http.messages import Answer, Page, Redirect, Request
from kickstand.http.operation import ErrorAnswer, Operation
from kickstand.http.surface import Problem, Surface
from kickstand.kernel.errors import DomainError


class Body(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class BikePath(BaseModel):
    id: UUID = Field(description="The bike's id.")


class Slice(Body):
    page_size: Annotated[int, Field(ge=1, le=50)] = 10
    colour: Colour | None = None
    colours: Annotated[list[Colour], Field(alias="colours[]")] = []


class NewBike(Body):
    frame_colour: Colour
    gears: int = 3


class Bike(Body):
    id: UUID
    frame_colour: Colour
    gears: int


class Key(BaseModel):
    holder: str


class Headers(BaseModel):
    language: str | None = Field(default=None, alias="Accept-Language", description="For people.")


class Signature(BaseModel):
    signature: str = Field(alias="Bike-Signature")


class Bikes(BaseModel):
    data: list[Bike]


class Bicycles(Surface[str]):
    credential = "x-key"
    common_headers = Headers

    def authenticate(self, request: Request, headers: BaseModel | None) -> str:
        return request.headers["x-key"]

    def describe(self, caller: str) -> dict[str, Any]:
        return {"caller": caller}

    def refuse(
        self,
        request: Request,
        operation: Operation,
        error: DomainError,
        overrides: Mapping[type[DomainError], ErrorAnswer],
    ) -> Answer:
        raise NotImplementedError

    def refuse_input(self, request: Request, operation: Operation, problem: Problem) -> Answer:
        raise NotImplementedError

    def fail(self, request: Request, operation: Operation) -> Answer:
        raise NotImplementedError


def bicycles() -> Bicycles:
    surface = Bicycles("bicycles", max_body=1000)
    no_bike = ErrorAnswer(404, "NoBike", "There is no such bike")

    def list_bikes(query: Slice) -> Bikes:
        """List bikes.

        Newest first,
        in pages.

        Pages end.
        """
        raise NotImplementedError

    def get_bike(path: BikePath) -> Bike:
        """One bike."""
        raise NotImplementedError

    def add_bike(body: NewBike) -> Bike:
        """Add a bike."""
        raise NotImplementedError

    def get_key(body: Key) -> Key:
        """Get a key."""
        raise NotImplementedError

    def show_bike(path: BikePath) -> Page | Redirect:
        """Show a bike."""
        raise NotImplementedError

    def send_telegram(body: bytes) -> Key:
        """Send a telegram."""
        raise NotImplementedError

    declare = surface.operation
    declare("GET", "/v1/bikes", tag="Bike", access="FleetRequests")(list_bikes)
    declare(
        "GET",
        "/v1/bikes/{id}",
        tag="Bike",
        access="FleetRequests",
        errors=(no_bike,),
        layers=("geo",),
        deprecated=True,
    )(get_bike)
    declare("POST", "/v1/bikes", tag="Bike", access="RentalRequests", memory=1024)(add_bike)
    declare("POST", "/key", tag="Bike", access="RentalRequests", public=True, form=True, documented=False)(get_key)
    declare("GET", "/pages/{id}", tag="Bike", access="FleetRequests", errors=(no_bike,), public=True)(show_bike)
    declare("POST", "/telegrams", tag="Bike", access="FleetRequests", public=True)(send_telegram)
    return surface
