"""Items of the rental table."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pynamodb.attributes import NumberAttribute
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection

from kickstand.kernel import ids
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta
from kickstand.rental.model import Rental, Reservation, Track


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

    by_rider = RiderIndex()

    receipt = Value(str, null=True)
    version = Value(int)

    @staticmethod
    def key(rental_id: int) -> Key["RentalItem"]:
        """Where a rental is kept."""
        return Key(RentalItem, f"RENTAL#{rental_id}", "RENTAL")


class TrackItem(RentalsItem[Track]):
    """A ride's track: ``RENTAL#<rental id>`` / ``TRACK``."""

    KIND = "track"
    KEYED_BY = ("rental_id",)

    reported_at = Value(datetime)

    @staticmethod
    def key(rental_id: int) -> Key["TrackItem"]:
        """Where a track is kept."""
        return Key(TrackItem, f"RENTAL#{rental_id}", "TRACK")


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


class ReservationItem(RentalsItem[Reservation]):
    """A reservation: ``RESERVATION#<id>`` / ``RESERVATION``."""

    KIND = "reservation"

    version = Value(int)

    @staticmethod
    def key(reservation_id: int) -> Key["ReservationItem"]:
        """Where a reservation is kept."""
        return Key(ReservationItem, f"RESERVATION#{reservation_id}", "RESERVATION")


class OpenReservationItem(RentalsItem[BaseModel]):
    """Says that a rider has a reservation, exactly as long as it is active: ``RIDER#<rider id>`` / ``RESERVED``."""

    KIND = "open_reservation"

    reservation_id = Value(int)

    @staticmethod
    def key(rider_id: int) -> Key["OpenReservationItem"]:
        """Where the mark is kept."""
        return Key(OpenReservationItem, f"RIDER#{rider_id}", "RESERVED")

    @classmethod
    def marking(cls, reservation: Reservation) -> "OpenReservationItem":
        """The mark of this reservation."""
        key = cls.key(reservation.holder_id)
        return cls(key.pk, key.sk, kind=cls.KIND, reservation_id=reservation.id)


class ParkedReservationItem(RentalsItem[BaseModel]):
    """Says why a reservation's workflow gave up: ``RESERVATION#<reservation id>`` / ``PARKED``."""

    KIND = "parked"

    error = Value(str)
    at = Value(datetime)

    @staticmethod
    def key(reservation_id: int) -> Key["ParkedReservationItem"]:
        """Where the note is kept."""
        return Key(ParkedReservationItem, f"RESERVATION#{reservation_id}", "PARKED")


def latest_ids(rider_id: int, most: int, since: datetime | None = None, until: datetime | None = None) -> list[int]:
    """The ids of a rider's rentals, at most ``most``, newest first; one query, eventually consistent.

    Args:
        rider_id: the rider.
        most: how many.
        since: only those started then or later.
        until: only those started earlier.
    """
    first = ids.first_id(since) if since else 0
    last = ids.first_id(until) - 1 if until else ids.HIGHEST
    if last < first:
        return []
    span = RiderIndex.id.between(first, last)
    found = RentalItem.by_rider.query(rider_id, span, scan_index_forward=False, limit=most)
    return [int(item.pk.partition("#")[2]) for item in found]
