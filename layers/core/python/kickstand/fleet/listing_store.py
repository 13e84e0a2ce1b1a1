"""Where listings are kept: buckets of packed entries, and headers with the buckets' versions."""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pynamodb.attributes import BinaryAttribute

from kickstand.fleet.model import (
    Cluster,
    ClusterKind,
    ClusterState,
    DockState,
    Progress,
    Purpose,
    Spot,
    Unavailability,
    Vehicle,
    VehicleState,
)
from kickstand.fleet.store import ClusterItem, FleetItem, VehicleItem
from kickstand.kernel import store
from kickstand.kernel.errors import Contention
from kickstand.kernel.items import Key, Value

_LEVEL: Final = 6


# ── Buckets and headers ──────────────────────────────────────────────────────────────────────────────────────────────


class Gone(NamedTuple):
    """A thing that is not listed any more.

    Attributes:
        revision: the one at which it left; nothing older may bring it back.
        until: when no older record can arrive any more and this can be dropped, in seconds since 1970.
    """

    revision: int
    until: int


class Bucket(BaseModel):
    """A share of a listing.

    Attributes:
        listing: what is listed, such as ``VEHICLES``.
        number: the things' ids modulo the number of buckets.
        version: differs from every other version the bucket ever had.
        views: the version at which each view of the listing changed last in this bucket; 0 where it has shown nothing.
        packed: entries and departures, compressed.
    """

    model_config = ConfigDict(frozen=True)

    listing: str
    network_id: int
    number: int
    version: int
    views: dict[str, int]
    packed: bytes


class Header(BaseModel):
    """The versions of a listing's buckets as one view shows them.

    Attributes:
        versions: by number; a bucket in which the view has never shown anything is missing.
        models: by their ids, the vehicle models that what is listed refers to; none is ever taken out.
    """

    model_config = ConfigDict(frozen=True)

    listing: str
    network_id: int
    view: str
    versions: dict[str, int]
    models: dict[str, bool]


class HeaderItem(FleetItem[Header]):
    """The header of a listing's view: ``<LISTING>#<network id>`` / ``HEADER#<view>``."""

    KIND = "listing"
    KEYED_BY = ("listing", "network_id", "view")

    versions = Value(dict[str, int])
    models = Value(dict[str, bool])

    @staticmethod
    def key(listing: str, network_id: int, view: str) -> Key["HeaderItem"]:
        """Where the header of a view of a network's listing is kept."""
        return Key(HeaderItem, f"{listing}#{network_id}", f"HEADER#{view}")


class BucketItem(FleetItem[Bucket]):
    """A bucket: ``<LISTING>#<network id>#<number>`` / ``BUCKET``, each apart so that no partition gets hot."""

    KIND = "listing_bucket"
    KEYED_BY = ("listing", "network_id", "number")

    packed = BinaryAttribute(legacy_encoding=False)

    version = Value(int)

    @staticmethod
    def key(listing: str, network_id: int, number: int) -> Key["BucketItem"]:
        """Where a bucket is kept."""
        return Key(BucketItem, f"{listing}#{network_id}#{number:02d}", "BUCKET")


def read_headers(listing: str, network_ids: Sequence[int], view: str) -> list[Header | None]:
    """The headers of a view of networks' listings; part of the request's first round trip."""
    items = store.load_all([HeaderItem.key(listing, network_id, view) for network_id in network_ids])
    return [None if item is None else item.entity for item in items]


def read_buckets(listing: str, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], Bucket]:
    """The buckets that exist among those given by network and number; one round trip for up to a hundred."""
    items = store.load_all([BucketItem.key(listing, *each) for each in wanted])
    return {(item.network_id, item.number): item.entity for item in items if item is not None}


def write(
    old: Mapping[int, Bucket], new: Sequence[Bucket], headers: Mapping[str, Header | None], models: Iterable[int] = ()
) -> None:
    """Replace buckets and name their versions in the headers of the views that have moved, all or nothing.

    Args:
        old: the replaced ones by number, as read; a number that is missing did not exist.
        new: buckets of one listing.
        headers: of every view, as read.
        models: the vehicle models that the new buckets refer to.

    Raises:
        Contention: someone else replaced one of them in the meantime.
    """
    listing, network_id = new[0].listing, new[0].network_id
    with store.Transaction() as tx:
        for bucket in new:
            known = old.get(bucket.number)
            unchanged = BucketItem.pk.does_not_exist() if known is None else BucketItem.version == known.version
            tx.put(BucketItem.of(bucket), condition=unchanged, otherwise=Contention)
        for view, header in headers.items():
            moved = {str(each.number): each.views[view] for each in new if _moved(view, old.get(each.number), each)}
            named = {str(each): True for each in models}
            if header is None and moved:
                made = Header(listing=listing, network_id=network_id, view=view, versions=moved, models=named)
                tx.create(HeaderItem.of(made))
            elif header is not None:
                changes: list[store.Action] = [HeaderItem.versions[key].set(each) for key, each in moved.items()]
                changes += [HeaderItem.models[key].set(True) for key in named if moved and key not in header.models]
                if changes:
                    tx.update(HeaderItem.key(listing, network_id, view), changes)


def _moved(view: str, old: Bucket | None, new: Bucket) -> bool:
    return new.views[view] != (old.views[view] if old else 0)


# ── What buckets hold ────────────────────────────────────────────────────────────────────────────────────────────────


class Entry(Protocol):
    """Something listed: a named tuple whose revision tells later from earlier."""

    @property
    def id(self) -> int:
        """Of the thing."""

    @property
    def revision(self) -> int:
        """Of the thing that was seen."""

    def _replace(self, *, revision: int) -> Self: ...


E = TypeVar("E", bound=Entry)


class Codec(Protocol[E]):
    """How entries of a kind become bytes."""

    def encode(self, entries: Sequence[E]) -> bytes:
        """The bytes of entries."""

    def decode(self, plain: bytes, view: str) -> Iterator[E]:
        """The entries that a view shows."""


_GONE: Final = struct.Struct(">QII")
_LENGTH: Final = struct.Struct(">I")


def pack(codec: Codec[E], entries: Mapping[int, E], gone: Mapping[int, Gone]) -> bytes:
    """Entries and departures as a bucket holds them."""
    body = codec.encode([entry for _, entry in sorted(entries.items())])
    departed = [_GONE.pack(identifier, *each) for identifier, each in sorted(gone.items())]
    return zlib.compress(b"".join((_LENGTH.pack(len(body)), body, *departed)), _LEVEL)


def unpack(codec: Codec[E], packed: bytes, view: str) -> Iterator[E]:
    """The entries that a view shows, by id."""
    plain = zlib.decompress(packed)
    (length,) = _LENGTH.unpack_from(plain)
    return codec.decode(plain[_LENGTH.size : _LENGTH.size + length], view)


def departures(packed: bytes) -> dict[int, Gone]:
    """What has left a bucket, by id."""
    plain = zlib.decompress(packed)
    (length,) = _LENGTH.unpack_from(plain)
    return {each[0]: Gone(*each[1:]) for each in _GONE.iter_unpack(plain[_LENGTH.size + length :])}


# ── Vehicles ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ALL: Final = "all"
"""The view of everything."""
RENTABLE: Final = "rentable"
"""The view of vehicles that anybody may rent now, and of nothing but what riders choose by."""
DOCKED: Final = "docked"
"""The view of what stands in docks."""


class VehicleEntry(NamedTuple):
    """A vehicle as listings show it.

    Attributes:
        revision: of the vehicle that was seen.
        longitude: in degrees, to 7 decimals; of where its ride began, while it is ridden.
        latitude: likewise.
        battery: in percent.
        located_at: since when it is there, in milliseconds since 1970.
        held: whether it is reserved.
        rentable: whether anybody may rent it now where it stands.
    """

    id: int
    revision: int
    public_id: UUID
    code: str
    longitude: float
    latitude: float
    battery: int
    located_at: int
    state: VehicleState
    purpose: Purpose | None
    progress: Progress | None
    reasons: frozenset[Unavailability]
    model_id: int
    held: bool
    rentable: bool
    spot: Spot | None


_CODE_BYTES: Final = 8
_DEGREE: Final = 10_000_000  # positions are kept to 7 decimals, about a centimetre
_HELD, _RENTABLE, _VIRTUAL = 1, 2, 4
_STATES: Final = list(VehicleState)
_PURPOSES: Final[list[Purpose | None]] = [None, *Purpose]
_PROGRESSES: Final[list[Progress | None]] = [None, *Progress]
_REASONS: Final = list(Unavailability)
_STATE_NUMBERS: Final = {state: number for number, state in enumerate(_STATES)}
_PURPOSE_NUMBERS: Final = {purpose: number for number, purpose in enumerate(_PURPOSES)}
_PROGRESS_NUMBERS: Final = {progress: number for number, progress in enumerate(_PROGRESSES)}
_NO_REASONS: Final[frozenset[Unavailability]] = frozenset()


class VehicleCodec:
    """Rows of fixed length, behind the names of the clusters that they refer to.

    Numbers stand for states, purposes, progress and reasons in the order of their declaration: new ones come last, or
    the listing gets a new name.
    """

    _ROW: Final = struct.Struct(">QI16s8siiBQBBBIBQHH")

    def encode(self, entries: Sequence[VehicleEntry]) -> bytes:
        """The bytes of vehicles."""
        names = {entry.spot.cluster_id: entry.spot.cluster_name for entry in entries if entry.spot}
        places = {cluster_id: number for number, cluster_id in enumerate(names, 1)}
        head = json.dumps(list(names.items()), separators=(",", ":")).encode()
        rows = [self._row(entry, places) for entry in entries]
        return b"".join((_LENGTH.pack(len(head)), head, *rows))

    def _row(self, entry: VehicleEntry, places: Mapping[int, int]) -> bytes:
        code = entry.code.encode("ascii")
        if len(code) > _CODE_BYTES:
            raise ValueError(f"a vehicle code of {len(code)} characters")
        spot = entry.spot
        flags = _HELD * entry.held | _RENTABLE * entry.rentable | _VIRTUAL * (spot is not None and spot.virtual)
        return self._ROW.pack(
            entry.id,
            entry.revision,
            entry.public_id.bytes,
            code,
            round(entry.longitude * _DEGREE),
            round(entry.latitude * _DEGREE),
            entry.battery,
            entry.located_at,
            _STATE_NUMBERS[entry.state],
            _PURPOSE_NUMBERS[entry.purpose],
            _PROGRESS_NUMBERS[entry.progress],
            sum(1 << _REASONS.index(reason) for reason in entry.reasons),
            flags,
            entry.model_id,
            places[spot.cluster_id] if spot else 0,
            spot.number if spot else 0,
        )

    def decode(self, plain: bytes, view: str) -> Iterator[VehicleEntry]:
        """The vehicles that a view shows."""
        (length,) = _LENGTH.unpack_from(plain)
        start = _LENGTH.size + length
        names = [(0, ""), *json.loads(plain[_LENGTH.size : start])]
        for (
            id_, revision, public_id, code, longitude, latitude, battery, located_at, state, purpose, progress, reasons,
            flags, model_id, place, number,
        ) in self._ROW.iter_unpack(memoryview(plain)[start:]):  # fmt: skip
            if (view == RENTABLE and not flags & _RENTABLE) or (view == DOCKED and not place):
                continue
            yield VehicleEntry(
                id_,
                revision,
                UUID(bytes=public_id),
                code.rstrip(b"\0").decode("ascii"),
                longitude / _DEGREE,
                latitude / _DEGREE,
                battery,
                located_at,
                _STATES[state],
                _PURPOSES[purpose],
                _PROGRESSES[progress],
                _reasons(reasons) if reasons else _NO_REASONS,
                model_id,
                bool(flags & _HELD),
                bool(flags & _RENTABLE),
                _spot(names[place], number, bool(flags & _VIRTUAL)) if place else None,
            )


def _reasons(bits: int) -> frozenset[Unavailability]:
    return frozenset(reason for number, reason in enumerate(_REASONS) if bits >> number & 1)


def _spot(place: tuple[int, str], number: int, virtual: bool) -> Spot:
    cluster_id, name = place
    return Spot.model_construct(cluster_id=cluster_id, cluster_name=name, number=number, virtual=virtual)


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


# ── Clusters ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class ClusterEntry(NamedTuple):
    """A cluster as the directory shows it, without what stands there.

    Attributes:
        revision: of the cluster that was seen.
        longitude: in degrees.
        latitude: likewise.
        docks: number and state of each, by number.
        created_at: in milliseconds since 1970.
        updated_at: likewise.
    """

    id: int
    revision: int
    type: ClusterKind
    state: ClusterState
    name: str
    title: str
    subtitle: str | None
    address: str | None
    longitude: float
    latitude: float
    radius_m: int
    docks: tuple[tuple[int, DockState], ...]
    created_at: int
    updated_at: int


class ClusterCodec:
    """A JSON document of rows; clusters are few, and most of what they have is text."""

    def encode(self, entries: Sequence[ClusterEntry]) -> bytes:
        """The bytes of clusters."""
        return json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()

    def decode(self, plain: bytes, _view: str) -> Iterator[ClusterEntry]:
        """The clusters."""
        for id_, revision, type_, state, *words, docks, created_at, updated_at in json.loads(plain):
            name, title, subtitle, address, longitude, latitude, radius_m = words
            yield ClusterEntry(
                id=id_,
                revision=revision,
                type=ClusterKind(type_),
                state=ClusterState(state),
                name=name,
                title=title,
                subtitle=subtitle,
                address=address,
                longitude=longitude,
                latitude=latitude,
                radius_m=radius_m,
                docks=tuple((number, DockState(dock)) for number, dock in docks),
                created_at=created_at,
                updated_at=updated_at,
            )


def clusters_of(network_id: int) -> list[Cluster]:
    """Every cluster of a network. Reads the whole table: for operators, not for requests."""
    found = ClusterItem.scan(
        (ClusterItem.kind == ClusterItem.KIND) & (ClusterItem.network_id == network_id), consistent_read=True
    )
    return [item.entity for item in found]


def clusters(cluster_ids: Sequence[int]) -> list[Cluster]:
    """The clusters that exist among ``cluster_ids``, whatever their network."""
    items = store.load_all([ClusterItem.key(cluster_id) for cluster_id in cluster_ids])
    return [item.entity for item in items if item is not None]
