"""Vehicles for tests."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from kickstand.fleet.model import Vehicle, VehicleState
from kickstand.fleet.store import VehicleItem
from kickstand.geo.model import Verdict
from kickstand.kernel.place import Position
from kickstand.pricing.model import Tariff
from tests.support.streams import batch

MORNING = datetime(2026, 5, 4, 8, tzinfo=UTC)
HERE = Verdict(geofence_version=1, ride_start_allowed=True)
TARIFF = Tariff(
    id=5,
    network_id=1,
    model_id=1,
    version=1,
    published_at=MORNING,
    currency="NOK",
    start_price=1000,
    price_per_minute=250,
    vat_percent=25,
)


def vehicle(vehicle_id: int, **differently: Any) -> Vehicle:
    """An available scooter in Oslo, except for what is said."""
    plain = Vehicle(
        id=vehicle_id,
        public_id=UUID(int=vehicle_id),
        code=f"{vehicle_id:04d}"[-4:],
        network_id=1,
        model_id=1,
        state=VehicleState.AVAILABLE,
        battery_percent=80,
        position=Position(longitude=10.75, latitude=59.91),
        reported_at=MORNING,
        located_at=MORNING,
        offer=TARIFF,
        verdict=HERE,
    )
    return plain.model_copy(update=differently)


def item(of: Vehicle) -> VehicleItem:
    """The item that keeps a vehicle."""
    return VehicleItem.of(
        of,
        cell=VehicleItem.cell_key(of.network_id, "8809993867fffff"),
        model_key=VehicleItem.model_index_key(of.network_id, of.model_id),
    )


Pair = tuple[Vehicle | None, Vehicle | None]


def records(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The stream's batch for changes given as pairs of before and after."""
    return batch(*((item(old) if old else None, item(new) if new else None) for old, new in pairs))
