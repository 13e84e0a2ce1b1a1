"""Things of the domain with everything filled in, for tests that care about one field."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from kickstand.fleet.model import Issuer, Network
from kickstand.geo.model import Parking, Verdict
from kickstand.identity.model import Rider
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.pricing.model import Tariff
from kickstand.pricing.rules import fare
from kickstand.rental.model import EndReason, Rental, RentalState, Segment, SegmentKind

START = datetime(2025, 6, 14, 18, 22, 7, tzinfo=UTC)
NETWORK_ID, MODEL_ID, RENTAL_ID, RIDER_ID = 7, 3, 100_345_678_901_234, 42


def tariff(**changes: Any) -> Tariff:
    """100 to start and 15 a minute, net, at 19 % VAT, in EUR."""
    values = {
        "id": 1,
        "network_id": NETWORK_ID,
        "model_id": MODEL_ID,
        "version": 1,
        "published_at": START,
        "currency": "EUR",
        "start_price": 100,
        "price_per_minute": 15,
        "vat_percent": 19,
    }
    return Tariff.model_validate(values | changes)


def network(**changes: Any) -> Network:
    """An operation in Oslo."""
    values = {
        "id": NETWORK_ID,
        "name": "Oslo",
        "currency": "EUR",
        "timezone": "Europe/Oslo",
        "vat_percent": 19,
        "parking": Parking.FREE_FLOATING,
        "issuer": Issuer(
            name="Ægir Łukasz Mobilitet AS",
            address=("Grønlandsleiret 12", "0190 Oslo", "Norway"),
            vat_number="NO 923 456 789 MVA",
            email="receipts@kickstand.example",
        ),
    }
    return Network.model_validate(values | changes)


def rider(**changes: Any) -> Rider:
    """Kari."""
    values = {
        "id": RIDER_ID,
        "public_id": UUID(int=42),
        "client_id": 5,
        "product_id": 6,
        "email": "kari.nordmann@example.com",
        "first_name": "Kari",
        "last_name": "Nordmann",
    }
    return Rider.model_validate(values | changes)


def rental(**changes: Any) -> Rental:
    """A ride that goes on."""
    values = {
        "id": RENTAL_ID,
        "public_id": UUID(int=100),
        "rider_id": RIDER_ID,
        "client_id": 5,
        "product_id": 6,
        "network_id": NETWORK_ID,
        "vehicle_id": 9,
        "vehicle_public_id": UUID(int=9),
        "vehicle_code": "XR4Y",
        "state": RentalState.IN_PROGRESS,
        "tariff": tariff(),
        "started_at": START,
        "vehicle_start": Position(longitude=10.7522, latitude=59.9139),
        "start_verdict": Verdict(geofence_version=1, ride_start_allowed=True),
        "segments": (Segment(kind=SegmentKind.RIDE, started_at=START),),
        "event": Event(id=1, name="RentalUnlocked", at=START),
    }
    return Rental.model_validate(values | changes)


def ended_rental(
    minutes: float = 11.25, distance_m: int = 2_840, *, fine: int = 0, terms: Tariff | None = None, **changes: Any
) -> Rental:
    """A ride that has ended by its rider, with its fare: 3.33 EUR unless told otherwise."""
    terms = terms or tariff()
    ended_at = START + timedelta(minutes=minutes)
    values = {
        "state": RentalState.ENDING,
        "tariff": terms,
        "ended_at": ended_at,
        "end_reason": EndReason.RIDER,
        "vehicle_end": Position(longitude=10.7401, latitude=59.9204),
        "distance_m": distance_m,
        "fare": fare(terms, START, ended_at, distance_m, fine=fine),
    }
    return rental(**(values | changes))
