"""Where geofences are kept: one header per network, and parts that hold the zones.

Parts belong to one attempt to publish and never change. A publication writes its parts first and moves the header after
that, so readers always find a whole geofence: the old one until the header moves, the new one from then on.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter
from pynamodb.attributes import BinaryAttribute

from kickstand.geo.errors import GeofenceChanged
from kickstand.geo.model import Geofence, Zone
from kickstand.kernel import clock, store
from kickstand.kernel.items import Entity, Item, Key, Value, table_meta

PART_BYTES: Final = 400_000
"""Most bytes of zones, uncompressed, in one part. Digits compress below two thirds, so an item stays below 300 KB."""

_KEPT: Final = timedelta(days=1)


class GeoItem(Item[Entity]):
    """Anything in the table of zones."""

    Meta = table_meta("GEO_TABLE")


class GeofenceItem(GeoItem[Geofence]):
    """The header of a network's geofence: ``GEOFENCE#<network id>`` / ``GEOFENCE``."""

    KIND = "geofence"
    KEYED_BY = ("network_id",)

    version = Value(int)

    @staticmethod
    def key(network_id: int) -> Key["GeofenceItem"]:
        """Where the header of a network is."""
        return Key(GeofenceItem, f"GEOFENCE#{network_id}", "GEOFENCE")


class Judged(BaseModel):
    """How far a network's parked vehicles have come to know which zones are in force.

    Attributes:
        tag: of the edition that they were judged by last; none since the network has a geofence.
        settled: whether all of them were found to know it.
    """

    model_config = ConfigDict(frozen=True)

    network_id: int
    tag: str | None = None
    settled: bool = False


class JudgedItem(GeoItem[Judged]):
    """A network that has a geofence, and what its parked vehicles know of it: ``GEOFENCES`` / ``<network id>``."""

    KIND = "judged"
    KEYED_BY = ("network_id",)

    tag = Value(str, null=True)
    settled = Value(bool)

    @staticmethod
    def key(network_id: int) -> Key["JudgedItem"]:
        """Where a network is: beside all others, as somebody has to go round."""
        return Key(JudgedItem, "GEOFENCES", f"{network_id:016d}")


def judged() -> list[Judged]:
    """All networks that have a geofence; one query."""
    return [item.entity for item in JudgedItem.query("GEOFENCES", consistent_read=True)]


def keep_judged(judged: Judged) -> None:
    """Remember how far a network has come."""
    actions = [JudgedItem.tag.set(judged.tag), JudgedItem.settled.set(judged.settled)]
    store.change(JudgedItem.key(judged.network_id), actions, condition=JudgedItem.pk.exists())


class Part(BaseModel):
    """Some zones of one attempt to publish, as compressed JSON."""

    model_config = ConfigDict(frozen=True)

    network_id: int
    version: int
    content_id: int
    number: int
    zones: bytes
    expires_at: int | None = None


class PartItem(GeoItem[Part]):
    """One part: ``GEOFENCE#<network id>`` / ``ZONES#<version>#<content id>#<number>``."""

    KIND = "zones"
    KEYED_BY = ("network_id", "version", "content_id", "number")

    zones = BinaryAttribute(legacy_encoding=False)
    expires_at = Value(int, null=True)

    @staticmethod
    def key(network_id: int, version: int, content_id: int, number: int) -> Key["PartItem"]:
        """Where a part is. The version comes first: everything up to the published one sorts below it."""
        return Key(PartItem, f"GEOFENCE#{network_id}", f"ZONES#{version:010d}#{content_id}#{number:04d}")


_ZONES: Final = TypeAdapter(tuple[Zone, ...])


def encoded(zone: Zone) -> bytes:
    """A zone as it is kept, before compression."""
    return json.dumps(zone.model_dump(mode="json", exclude_none=True), separators=(",", ":")).encode()


def read_header(network_id: int) -> Geofence | None:
    """The published geofence of a network: one key of the request's round trip."""
    item = store.load(GeofenceItem.key(network_id))
    return None if item is None else item.entity


def read_headers(network_ids: Sequence[int]) -> list[Geofence | None]:
    """The published geofences of networks in their order, in one reading."""
    items = store.load_all([GeofenceItem.key(network_id) for network_id in network_ids])
    return [None if item is None else item.entity for item in items]


def read_zones(geofence: Geofence) -> tuple[Zone, ...] | None:
    """The zones of a geofence; ``None`` where it was replaced so long ago that they are gone."""
    numbers = range(geofence.parts)
    keys = [PartItem.key(geofence.network_id, geofence.version, geofence.content_id, number) for number in numbers]
    items = store.load_all(keys)
    if any(item is None for item in items):
        return None
    return tuple(zone for item in items for zone in _ZONES.validate_json(zlib.decompress(item.zones)))


def write_zones(geofence: Geofence, zones: Sequence[bytes]) -> Geofence:
    """Write the parts of a geofence that is not published yet; answer it with their number."""
    number = -1
    for number, lot in enumerate(_lots(zones)):
        PartItem.of(
            Part(
                network_id=geofence.network_id,
                version=geofence.version,
                content_id=geofence.content_id,
                number=number,
                zones=zlib.compress(b"[" + b",".join(lot) + b"]", 9),
            )
        ).save()
    return geofence.model_copy(update={"parts": number + 1})


def publish(geofence: Geofence) -> None:
    """Move the header to ``geofence``, whose parts have been written.

    Raises:
        GeofenceChanged: where another version than the one before it is published.
    """
    first = geofence.version == 1
    condition = GeofenceItem.pk.does_not_exist() if first else GeofenceItem.version == geofence.version - 1
    with store.Transaction() as transaction:
        transaction.put(GeofenceItem.of(geofence), condition=condition, otherwise=GeofenceChanged)
        transaction.put(JudgedItem.of(Judged(network_id=geofence.network_id)))


def retire(geofence: Geofence) -> None:
    """Let everything older than ``geofence``, the published one, expire within a day.

    Attempts at the same version that came too late go along: none of them can be published any more. Attempts at later
    versions are left alone.
    """
    numbers = range(geofence.parts)
    network_id, version, content_id = geofence.network_id, geofence.version, geofence.content_id
    current = {PartItem.key(network_id, version, content_id, number).sk for number in numbers}
    expires_at = int((clock.now() + _KEPT).timestamp())
    older = PartItem.query(
        PartItem.key(network_id, 0, 0, 0).pk,
        PartItem.sk.between("ZONES#", PartItem.key(network_id, version + 1, 0, 0).sk),
        filter_condition=PartItem.expires_at.does_not_exist(),
        attributes_to_get=["pk", "sk", "kind"],
    )
    for item in older:
        if item.sk not in current:
            store.change(Key(PartItem, item.pk, item.sk), [PartItem.expires_at.set(expires_at)])


def _lots(zones: Sequence[bytes]) -> Iterator[list[bytes]]:
    lot: list[bytes] = []
    size = 0
    for zone in zones:
        if lot and size + len(zone) > PART_BYTES:
            yield lot
            lot, size = [], 0
        lot.append(zone)
        size += len(zone)
    if lot:
        yield lot
