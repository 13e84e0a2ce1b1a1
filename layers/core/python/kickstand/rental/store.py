"""Items of the rental table."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pynamodb.attributes import NumberAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.geo.model import Verdict
from kickstand.kernel.events import Event
from kickstand.kernel.place import Position
from kickstand.kernel.store import Entity, Item, Key, Value, table_meta
from kickstand.pricing.model import Fare, Tariff
from kickstand.rental.model import EndReason, Rental, RentalState, Segment, Track


class RentalsItem(Item[Entity]):
    """Anything in the rental table."""

    Meta = table_meta("RENTAL_TABLE")


class RiderIndex(GlobalSecondaryIndex[Any]):
    """Rentals by rider, in the order of time; keys only, so that a rental's changes write nothing here."""

    class Meta:
        """The index."""

        index_name = "riders"
        projection = KeysOnlyProjection()

    rider_id = NumberAttribute(hash_key=True)
    id = NumberAttribute(range_key=True)


class RentalItem(RentalsItem[Rental]):
    """A rental: ``RENTAL#<id>`` / ``RENTAL``."""

    KIND = "rental"
    ENTITY = Rental

    by_rider = RiderIndex()

    id = Value(int)
    public_id = Value(UUID)
    rider_id = Value(int)
    client_id = Value(int)
    product_id = Value(int)
    network_id = Value(int)
    vehicle_id = Value(int)
    vehicle_public_id = Value(UUID)
    vehicle_code = Value(str)
    state = Value(RentalState)
    end_reason = Value(EndReason, null=True)
    tariff = Value(Tariff)
    started_at = Value(datetime)
    ended_at = Value(datetime, null=True)
    rider_start = Value(Position, null=True)
    rider_end = Value(Position, null=True)
    vehicle_start = Value(Position)
    vehicle_end = Value(Position, null=True)
    start_verdict = Value(Verdict)
    segments = Value(tuple[Segment, ...])
    distance_m = Value(int, null=True)
    notices = Value(int)
    fare = Value(Fare, null=True)
    receipt = Value(str, null=True)
    version = Value(int)
    event = Value(Event)

    @staticmethod
    def key(rental_id: int) -> Key["RentalItem"]:
        """Where a rental is kept."""
        return Key(RentalItem, f"RENTAL#{rental_id}", "RENTAL")

    @classmethod
    def key_of(cls, entity: Rental) -> Key["RentalItem"]:
        """Where this rental is kept."""
        return cls.key(entity.id)


class TrackItem(RentalsItem[Track]):
    """A ride's track: ``RENTAL#<rental id>`` / ``TRACK``."""

    KIND = "track"
    ENTITY = Track

    rental_id = Value(int)
    position = Value(Position)
    verdict = Value(Verdict)
    distance_m = Value(int)
    moved_at = Value(datetime)
    reported_at = Value(datetime)
    locked = Value(bool)

    @staticmethod
    def key(rental_id: int) -> Key["TrackItem"]:
        """Where a track is kept."""
        return Key(TrackItem, f"RENTAL#{rental_id}", "TRACK")

    @classmethod
    def key_of(cls, entity: Track) -> Key["TrackItem"]:
        """Where this track is kept."""
        return cls.key(entity.rental_id)


class OpenRentalItem(RentalsItem[BaseModel]):
    """Says that a rider has a rental, exactly as long as it is open: ``RIDER#<rider id>`` / ``OPEN``."""

    KIND = "open_rental"

    rental_id = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["OpenRentalItem"]:
        """Where the mark is kept."""
        return Key(OpenRentalItem, f"RIDER#{rider_id}", "OPEN")

    @classmethod
    def marking(cls, rental: Rental) -> "OpenRentalItem":
        """The mark of this rental."""
        key = cls.key(rental.rider_id)
        return cls(key.pk, key.sk, kind=cls.KIND, rental_id=rental.id)


class WaitItem(RentalsItem[BaseModel]):
    """The task token with which a rental's workflow waits: ``RENTAL#<rental id>`` / ``WAIT``."""

    KIND = "wait"

    token = Value(str)
    version = Value(int)
    expires_at = Value(int)

    @staticmethod
    def key(rental_id: int) -> Key["WaitItem"]:
        """Where the token is kept."""
        return Key(WaitItem, f"RENTAL#{rental_id}", "WAIT")


class ParkedItem(RentalsItem[BaseModel]):
    """Says why a rental's workflow gave up: ``RENTAL#<rental id>`` / ``PARKED``."""

    KIND = "parked"

    error = Value(str)
    at = Value(datetime)

    @staticmethod
    def key(rental_id: int) -> Key["ParkedItem"]:
        """Where the note is kept."""
        return Key(ParkedItem, f"RENTAL#{rental_id}", "PARKED")


def ids_of(rider_id: int) -> list[int]:
    """The ids of all rentals of a rider, newest first; one query, eventually consistent."""
    found = RentalItem.by_rider.query(rider_id, scan_index_forward=False)
    return [int(item.pk.partition("#")[2]) for item in found]
