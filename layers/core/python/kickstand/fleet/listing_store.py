"""Where the listings of available vehicles are kept: buckets of packed entries and a header with their versions."""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pynamodb.attributes import BinaryAttribute

from kickstand.fleet.model import Vehicle
from kickstand.fleet.store import FleetItem, VehicleItem
from kickstand.kernel import store
from kickstand.kernel.errors import Contention
from kickstand.kernel.items import Key, Value

BUCKETS: Final = 64
"""How many items share a network's vehicles."""

_ENTRY: Final = struct.Struct(">QI16s8siiB")
_GONE: Final = struct.Struct(">QII")
_COUNT: Final = struct.Struct(">I")
_CODE_BYTES: Final = 8
_DEGREE: Final = 10_000_000  # positions are kept to 7 decimals, about a centimetre
_LEVEL: Final = 6


class Entry(NamedTuple):
    """An available vehicle as listings show it.

    Attributes:
        revision: of the vehicle that was seen.
        battery: in percent.
        longitude: in degrees, to 7 decimals.
        latitude: in degrees, to 7 decimals.
    """

    vehicle_id: int
    revision: int
    public_id: UUID
    code: str
    longitude: float
    latitude: float
    battery: int


class Gone(NamedTuple):
    """A vehicle that is not listed any more.

    Attributes:
        revision: the one at which it left; nothing older may bring it back.
        until: when no older record can arrive any more and this can be dropped, in seconds since 1970.
    """

    revision: int
    until: int


class Bucket(BaseModel):
    """A share of a network's listing.

    Attributes:
        number: 0 to 63, the vehicles' ids modulo 64.
        version: differs from every other version the bucket ever had.
        listed: how many vehicles it lists.
        packed: entries and departures, compressed.
    """

    model_config = ConfigDict(frozen=True)

    network_id: int
    number: int
    version: int
    listed: int
    packed: bytes

    def entries(self) -> Iterator[Entry]:
        """The listed vehicles by id. Unpacks them anew each time."""
        return _entries(zlib.decompress(self.packed))

    def content(self) -> tuple[dict[int, Entry], dict[int, Gone]]:
        """The listed vehicles and the departed ones, by id."""
        plain = zlib.decompress(self.packed)
        entries = {entry.vehicle_id: entry for entry in _entries(plain)}
        departed = plain[_COUNT.size + len(entries) * _ENTRY.size :]
        return entries, {each[0]: Gone(*each[1:]) for each in _GONE.iter_unpack(departed)}


def pack(entries: Mapping[int, Entry], gone: Mapping[int, Gone]) -> bytes:
    """Entries and departures as a bucket holds them."""
    rows = [_COUNT.pack(len(entries))]
    for _, entry in sorted(entries.items()):
        place = round(entry.longitude * _DEGREE), round(entry.latitude * _DEGREE)
        code = entry.code.encode("ascii")
        if len(code) > _CODE_BYTES:
            raise ValueError(f"a vehicle code of {len(code)} characters")
        rows.append(_ENTRY.pack(entry.vehicle_id, entry.revision, entry.public_id.bytes, code, *place, entry.battery))
    rows.extend(_GONE.pack(vehicle_id, *each) for vehicle_id, each in sorted(gone.items()))
    return zlib.compress(b"".join(rows), _LEVEL)


def _entries(plain: bytes) -> Iterator[Entry]:
    (count,) = _COUNT.unpack_from(plain)
    rows = memoryview(plain)[_COUNT.size : _COUNT.size + count * _ENTRY.size]
    for vehicle_id, revision, public_id, code, longitude, latitude, battery in _ENTRY.iter_unpack(rows):
        yield Entry(
            vehicle_id,
            revision,
            UUID(bytes=public_id),
            code.rstrip(b"\0").decode("ascii"),
            longitude / _DEGREE,
            latitude / _DEGREE,
            battery,
        )


class Header(BaseModel):
    """The versions of a network's buckets by number; a bucket that was never written is missing."""

    model_config = ConfigDict(frozen=True)

    network_id: int
    versions: dict[str, int]


class HeaderItem(FleetItem[Header]):
    """The header of a network's listing: ``LISTING#<network id>`` / ``HEADER``."""

    KIND = "listing"
    KEYED_BY = ("network_id",)

    versions = Value(dict[str, int])

    @staticmethod
    def key(network_id: int) -> Key["HeaderItem"]:
        """Where the header of a network is kept."""
        return Key(HeaderItem, f"LISTING#{network_id}", "HEADER")


class BucketItem(FleetItem[Bucket]):
    """A bucket: ``LISTING#<network id>#<number>`` / ``BUCKET``, apart from each other so that no partition gets hot."""

    KIND = "listing_bucket"
    KEYED_BY = ("network_id", "number")

    packed = BinaryAttribute(legacy_encoding=False)

    version = Value(int)

    @staticmethod
    def key(network_id: int, number: int) -> Key["BucketItem"]:
        """Where a bucket is kept."""
        return Key(BucketItem, f"LISTING#{network_id}#{number:02d}", "BUCKET")


def read_header(network_id: int) -> Header | None:
    """The header of a network's listing; part of the request's first round trip."""
    item = store.load(HeaderItem.key(network_id))
    return None if item is None else item.entity


def read_buckets(network_id: int, numbers: Sequence[int]) -> dict[int, Bucket]:
    """The buckets that exist among ``numbers``; one round trip."""
    items = store.load_all([BucketItem.key(network_id, number) for number in numbers])
    return {item.number: item.entity for item in items if item is not None}


def write(old: Mapping[int, Bucket], new: Sequence[Bucket], header: Header | None) -> None:
    """Replace buckets and name their versions in the header, all or nothing.

    Args:
        old: the replaced ones by number, as read; a number that is missing did not exist.
        new: buckets of one network.
        header: as read.

    Raises:
        Contention: someone else replaced one of them in the meantime.
    """
    network_id = new[0].network_id
    versions = {str(bucket.number): bucket.version for bucket in new}
    with store.Transaction() as tx:
        for bucket in new:
            known = old.get(bucket.number)
            unchanged = BucketItem.pk.does_not_exist() if known is None else BucketItem.version == known.version
            tx.put(BucketItem.of(bucket), condition=unchanged, otherwise=Contention)
        if header is None:
            tx.create(HeaderItem.of(Header(network_id=network_id, versions=versions)))
        else:
            changes = [HeaderItem.versions[number].set(version) for number, version in versions.items()]
            tx.update(HeaderItem.key(network_id), changes)


def vehicles_of(network_id: int) -> list[Vehicle]:
    """Every vehicle of a network. Reads the whole table: for operators, not for requests."""
    found = VehicleItem.scan(
        (VehicleItem.kind == VehicleItem.KIND) & (VehicleItem.network_id == network_id), consistent_read=True
    )
    return [item.entity for item in found]


def vehicles(vehicle_ids: Sequence[int]) -> list[Vehicle]:
    """The vehicles that exist among ``vehicle_ids``, whatever their network."""
    items = store.load_all([VehicleItem.key(vehicle_id) for vehicle_id in vehicle_ids])
    return [item.entity for item in items if item is not None]
