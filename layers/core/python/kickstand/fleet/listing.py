"""The listing of a network's vehicles: all of them, except those that are decommissioned."""

from datetime import datetime
from typing import Final

from kickstand.fleet import listing_store
from kickstand.fleet.listing_store import ALL, DOCKED, RENTABLE, VehicleCodec, VehicleEntry
from kickstand.fleet.model import Vehicle, VehicleState
from kickstand.fleet.projection import Body, Listing, Projection, Rendering, Shape, Sighting, tag
from kickstand.kernel import clock, ids
from kickstand.kernel.place import Position

__all__ = [
    "ALL",
    "DOCKED",
    "RENTABLE",
    "Body",
    "Listing",
    "Rendering",
    "Sighting",
    "VehicleEntry",
    "entry_of",
    "etag",
    "expect",
    "forget",
    "models",
    "project",
    "read",
    "rebuild",
    "tag",
    "vehicles",
]

BUCKETS: Final = 64


def whereabouts(vehicle: Vehicle) -> tuple[Position, datetime]:
    """Where a vehicle is shown to be, to a centimetre, and since when.

    While somebody rides it, that is where and when the ride began.
    """
    position, since = vehicle.position, vehicle.located_at
    if vehicle.rental_id is not None and vehicle.taken_from is not None:
        position, since = vehicle.taken_from, ids.created_at(vehicle.rental_id)
    return to_centimetres(position), since


def to_centimetres(position: Position) -> Position:
    """A position as it is shown."""
    return Position(longitude=round(position.longitude, 7), latitude=round(position.latitude, 7))


def is_rentable(vehicle: Vehicle) -> bool:
    """Whether anybody may rent a vehicle now where it stands."""
    return vehicle.state is VehicleState.AVAILABLE and vehicle.verdict.ride_start_allowed


def entry_of(vehicle: Vehicle) -> VehicleEntry | None:
    """How a vehicle shows in listings; ``None`` for one that is decommissioned."""
    if vehicle.state is VehicleState.DECOMMISSIONED:
        return None
    position, located_at = whereabouts(vehicle)
    maneuver = vehicle.maneuver
    return VehicleEntry(
        id=vehicle.id,
        revision=vehicle.revision,
        public_id=vehicle.public_id,
        code=vehicle.code,
        longitude=position.longitude,
        latitude=position.latitude,
        battery=vehicle.battery_percent,
        located_at=clock.milliseconds(located_at),
        state=vehicle.state,
        purpose=maneuver.purpose if maneuver else None,
        progress=maneuver.progress if maneuver else None,
        reasons=vehicle.unavailabilities,
        model_id=vehicle.model_id,
        held=vehicle.hold is not None,
        rentable=is_rentable(vehicle),
        spot=vehicle.spot,
    )


def _rentable(entry: VehicleEntry) -> tuple[object, ...] | None:
    if not entry.rentable:
        return None
    return entry.public_id, entry.code, entry.longitude, entry.latitude, entry.battery


def _docked(entry: VehicleEntry) -> tuple[object, ...] | None:
    return None if entry.spot is None else (entry.spot, entry.model_id, entry.rentable)


vehicles: Final[Projection[Vehicle, VehicleEntry]] = Projection(
    Shape(
        name="VEHICLES",
        buckets=BUCKETS,
        entry=entry_of,
        codec=VehicleCodec(),
        of_network=listing_store.vehicles_of,
        some=listing_store.vehicles,
        views={RENTABLE: _rentable, DOCKED: _docked},
        model=lambda entry: entry.model_id,
    )
)
"""The listings of all networks' vehicles."""

project, rebuild = vehicles.project, vehicles.rebuild
expect, etag, models, read, forget = vehicles.expect, vehicles.etag, vehicles.models, vehicles.read, vehicles.forget
