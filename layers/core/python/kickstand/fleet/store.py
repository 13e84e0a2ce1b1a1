"""Items of the fleet table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.fleet.model import (
    Action,
    Category,
    Command,
    CommandState,
    Issuer,
    Network,
    RentTimings,
    Unavailability,
    Vehicle,
    VehicleModel,
    VehicleState,
)
from kickstand.geo.model import Parking, Verdict
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.kernel.store import Entity, Item, Key, Value, table_meta
from kickstand.pricing.model import Tariff


class FleetItem(Item[Entity]):
    """Anything in the fleet table."""

    Meta = table_meta("FLEET_TABLE")


class NetworkItem(FleetItem[Network]):
    """A network: ``NETWORK#<id>`` / ``NETWORK``."""

    KIND = "network"
    ENTITY = Network

    id = Value(int)
    name = Value(str)
    currency = Value(str)
    timezone = Value(str)
    vat_percent = Value(int)
    parking = Value(Parking)
    timings = Value(RentTimings)
    left_unlocked_fine = Value(int)
    issuer = Value(Issuer)

    @staticmethod
    def key(network_id: int) -> Key["NetworkItem"]:
        """Where a network is kept."""
        return Key(NetworkItem, f"NETWORK#{network_id}", "NETWORK")

    @classmethod
    def key_of(cls, entity: Network) -> Key["NetworkItem"]:
        """Where this network is kept."""
        return cls.key(entity.id)


class VehicleModelItem(FleetItem[VehicleModel]):
    """A vehicle model: ``MODEL#<id>`` / ``MODEL``."""

    KIND = "vehicle_model"
    ENTITY = VehicleModel

    id = Value(int)
    name = Value(str)
    category = Value(Category)
    max_range_m = Value(int)

    @staticmethod
    def key(model_id: int) -> Key["VehicleModelItem"]:
        """Where a vehicle model is kept."""
        return Key(VehicleModelItem, f"MODEL#{model_id}", "MODEL")

    @classmethod
    def key_of(cls, entity: VehicleModel) -> Key["VehicleModelItem"]:
        """Where this vehicle model is kept."""
        return cls.key(entity.id)


class CellIndex(GlobalSecondaryIndex[Any]):
    """Vehicles by network and H3 cell; keys only, so that renting writes nothing here."""

    class Meta:
        """The index."""

        index_name = "cells"
        projection = KeysOnlyProjection()

    cell = UnicodeAttribute(hash_key=True)
    pk = UnicodeAttribute(range_key=True)


class ModelIndex(GlobalSecondaryIndex[Any]):
    """Vehicles by network and vehicle model."""

    class Meta:
        """The index."""

        index_name = "models"
        projection = KeysOnlyProjection()

    model_key = UnicodeAttribute(hash_key=True)
    pk = UnicodeAttribute(range_key=True)


class VehicleItem(FleetItem[Vehicle]):
    """A vehicle: ``VEHICLE#<id>`` / ``VEHICLE``."""

    KIND = "vehicle"
    ENTITY = Vehicle

    cell = UnicodeAttribute()
    model_key = UnicodeAttribute()
    by_cell = CellIndex()
    by_model = ModelIndex()

    id = Value(int)
    public_id = Value(UUID)
    code = Value(str)
    network_id = Value(int)
    model_id = Value(int)
    state = Value(VehicleState)
    unavailabilities = Value(frozenset[Unavailability])
    battery_percent = Value(int)
    position = Value(Position)
    reported_at = Value(datetime)
    locked = Value(bool)
    rental_id = Value(int, null=True)
    offer = Value(Tariff)
    verdict = Value(Verdict)
    revision = Value(int)

    @staticmethod
    def key(vehicle_id: int) -> Key["VehicleItem"]:
        """Where a vehicle is kept."""
        return Key(VehicleItem, f"VEHICLE#{vehicle_id}", "VEHICLE")

    @classmethod
    def key_of(cls, entity: Vehicle) -> Key["VehicleItem"]:
        """Where this vehicle is kept."""
        return cls.key(entity.id)

    @staticmethod
    def cell_key(network_id: int, cell: str) -> str:
        """The index key of vehicles in one cell."""
        return f"{network_id}#{cell}"

    @staticmethod
    def model_index_key(network_id: int, model_id: int) -> str:
        """The index key of vehicles of one model."""
        return f"{network_id}#{model_id}"


class CodeItem(FleetItem[BaseModel]):
    """Which vehicle carries a code: ``CODE#<code>`` / ``CODE``."""

    KIND = "code"

    vehicle_id = Value(int)

    @staticmethod
    def key(code: str) -> Key["CodeItem"]:
        """Where a code is kept; codes are read by people, so case does not matter."""
        return Key(CodeItem, f"CODE#{code.upper()}", "CODE")


class CommandItem(FleetItem[Command]):
    """A command: ``VEHICLE#<vehicle id>`` / ``COMMAND#<id>``."""

    KIND = "command"
    ENTITY = Command

    expires_at = Value(int)

    id = Value(str)
    vehicle_id = Value(int)
    action = Value(Action)
    state = Value(CommandState)
    published = Value(bool)
    sent_at = Value(datetime)
    rental_id = Value(int, null=True)
    parameters = Value(dict[str, Any])
    reason = Value(str, null=True)
    event = Value(Event)

    @staticmethod
    def key(vehicle_id: int, command_id: str) -> Key["CommandItem"]:
        """Where a command is kept."""
        return Key(CommandItem, f"VEHICLE#{vehicle_id}", f"COMMAND#{command_id}")

    @classmethod
    def key_of(cls, entity: Command) -> Key["CommandItem"]:
        """Where this command is kept."""
        return cls.key(entity.vehicle_id, entity.id)
