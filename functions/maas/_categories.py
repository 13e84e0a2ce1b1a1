"""Kinds of vehicles in the words of this API; vehicles of all other kinds do not exist here."""

from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from kickstand.fleet import service as fleet
from kickstand.fleet.errors import VehicleNotFound
from kickstand.fleet.model import Category

if TYPE_CHECKING:  # who tells of events answers nobody, and does without the surface
    from maas._surface import Caller


class VehicleCategory(StrEnum):
    """A kind of vehicle."""

    BIKE = "bike"
    EBIKE = "ebike"
    SCOOTER = "scooter"
    EBIKE_WITH_CHILDSEAT = "ebike_with_childseat"


CATEGORIES: Final = {
    VehicleCategory.BIKE: Category.BIKE,
    VehicleCategory.EBIKE: Category.E_BIKE,
    VehicleCategory.SCOOTER: Category.SCOOTER,
    VehicleCategory.EBIKE_WITH_CHILDSEAT: Category.E_BIKE_CHILD_SEAT,
}
"""What each kind is to us."""


def shown(categories: Collection[Category]) -> list[VehicleCategory]:
    """Those of our categories that this API has a word for."""
    return [word for word, category in CATEGORIES.items() if category in categories]


def check_vehicle(caller: "Caller", vehicle_id: int) -> None:
    """Make sure that a vehicle exists for the caller.

    Raises:
        VehicleNotFound: it does not.
    """
    vehicle = fleet.find_by_id(caller.client, vehicle_id)
    if fleet.model(vehicle.model_id).category not in CATEGORIES.values():
        raise VehicleNotFound
