"""Items of the fleet table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition, size
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.fleet.model import (
    Alert,
    Cluster,
    ClusterState,
    Command,
    CommandState,
    DockState,
    Hold,
    Maneuver,
    Network,
    Spot,
    Unavailability,
    Vehicle,
    VehicleModel,
    VehicleState,
)
from kickstand.geo.model import Verdict
from kickstand.kernel.events import Event
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.kernel.place import Position
from kickstand.pricing.model import Tariff


class FleetItem(Item[Entity]):
    """Anything in the fleet table."""

    Meta = table_meta("FLEET_TABLE")


class NetworkItem(FleetItem[Network]):
    """A network: ``NETWORK#<id>`` / ``NETWORK``."""

    KIND = "network"

    @staticmethod
    def key(network_id: int) -> Key["NetworkItem"]:
        """Where a network is kept."""
        return Key(NetworkItem, f"NETWORK#{network_id}", "NETWORK")


class AlertItem(FleetItem[Alert]):
    """An alert of a network: ``NETWORK#<network id>`` / ``ALERT#<id>``."""

    KIND = "alert"
    KEYED_BY = ("network_id", "id")

    expires_at = Value(int, null=True)

    @staticmethod
    def key(network_id: int, alert_id: int) -> Key["AlertItem"]:
        """Where an alert is kept."""
        return Key(AlertItem, f"NETWORK#{network_id}", f"ALERT#{alert_id:016d}")


def alerts_of(network_id: int) -> list[Alert]:
    """All alerts of a network, the oldest first, those that do not apply now too; one query."""
    found = AlertItem.query(f"NETWORK#{network_id}", AlertItem.sk.startswith("ALERT#"), consistent_read=True)
    return [item.entity for item in found]


class VehicleModelItem(FleetItem[VehicleModel]):
    """A vehicle model: ``MODEL#<id>`` / ``MODEL``."""

    KIND = "vehicle_model"

    @staticmethod
    def key(model_id: int) -> Key["VehicleModelItem"]:
        """Where a vehicle model is kept."""
        return Key(VehicleModelItem, f"MODEL#{model_id}", "MODEL")


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

    cell = UnicodeAttribute()
    model_key = UnicodeAttribute()
    by_cell = CellIndex()
    by_model = ModelIndex()

    public_id = Value(UUID)
    network_id = Value(int)
    state = Value(VehicleState)
    unavailabilities = Value(frozenset[Unavailability])
    battery_percent = Value(int)
    position = Value(Position)
    reported_at = Value(datetime)
    locked = Value(bool)
    rental_id = Value(int, null=True)
    located_at = Value(datetime)
    spot = Value(Spot, null=True)
    spot_at = Value(datetime, null=True)
    taken_from = Value(Position, null=True)
    hold = Value(Hold, null=True)
    maneuver = Value(Maneuver, null=True)
    last_rental_id = Value(int, null=True)
    last_client_id = Value(int, null=True)
    offer = Value(Tariff)
    verdict = Value(Verdict)
    revision = Value(int)

    @staticmethod
    def key(vehicle_id: int) -> Key["VehicleItem"]:
        """Where a vehicle is kept."""
        return Key(VehicleItem, f"VEHICLE#{vehicle_id}", "VEHICLE")

    @staticmethod
    def cell_key(network_id: int, cell: str) -> str:
        """The index key of vehicles in one cell."""
        return f"{network_id}#{cell}"

    @staticmethod
    def model_index_key(network_id: int, model_id: int) -> str:
        """The index key of vehicles of one model."""
        return f"{network_id}#{model_id}"


class ClusterItem(FleetItem[Cluster]):
    """A cluster with what stands in its docks: ``CLUSTER#<id>`` / ``CLUSTER``."""

    KIND = "cluster"

    network_id = Value(int)
    state = Value(ClusterState)
    name = Value(str)
    title = Value(str)
    subtitle = Value(str, null=True)
    address = Value(str, null=True)
    position = Value(Position)
    radius_m = Value(int)
    docks = Value(dict[str, DockState])
    parked = Value(dict[str, int])
    updated_at = Value(datetime)
    revision = Value(int)

    @staticmethod
    def key(cluster_id: int) -> Key["ClusterItem"]:
        """Where a cluster is kept."""
        return Key(ClusterItem, f"CLUSTER#{cluster_id}", "CLUSTER")


def as_read(vehicle: Vehicle) -> Condition:
    """That a vehicle is in the state, and unavailable for the reasons, that it was read with."""
    # Reasons have no order, and lists are equal only in the same one.
    reasons = VehicleItem.unavailabilities
    same: Condition = (VehicleItem.state == vehicle.state) & (size(reasons) == len(vehicle.unavailabilities))
    for reason in vehicle.unavailabilities:
        same &= reasons.contains({"S": reason.value})
    return same


def same_spot(vehicle: Vehicle) -> Condition:
    """That a vehicle stands in the dock in which it was read to stand, or in none."""
    at, spot = VehicleItem.spot_at, VehicleItem.spot
    same: Condition = at.does_not_exist() if vehicle.spot_at is None else at == vehicle.spot_at
    if vehicle.spot is None:
        same &= spot.does_not_exist()
    else:
        same &= (spot["cluster_id"] == vehicle.spot.cluster_id) & (spot["number"] == vehicle.spot.number)
    return same


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
    KEYED_BY = ("vehicle_id", "id")

    expires_at = Value(int)

    state = Value(CommandState)
    published = Value(bool)
    reason = Value(str, null=True)
    event = Value(Event)

    @staticmethod
    def key(vehicle_id: int, command_id: str) -> Key["CommandItem"]:
        """Where a command is kept."""
        return Key(CommandItem, f"VEHICLE#{vehicle_id}", f"COMMAND#{command_id}")
