"""The listing of a network's available vehicles: kept by a reaction to the vehicles' changes, read by surfaces.

A listing has 64 buckets, each with a version. Reading costs one small header; a bucket is read, unpacked and rendered
only when its version has moved. Records may arrive twice and in any order: every entry remembers the revision of the
vehicle that it shows, and a vehicle that left is remembered for as long as older records can still come.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

from kickstand.fleet import listing_store
from kickstand.fleet.listing_store import BUCKETS, Bucket, Entry, Gone
from kickstand.fleet.model import Vehicle, VehicleState
from kickstand.kernel import clock, gz, ids, store
from kickstand.kernel.cache import Recent
from kickstand.kernel.errors import Contention
from kickstand.kernel.gz import Piece

__all__ = [
    "Body",
    "Entry",
    "Listing",
    "Rendering",
    "Sighting",
    "entry_of",
    "etag",
    "expect",
    "project",
    "read",
    "rebuild",
    "sightings",
]

_ATTEMPTS: Final = 6
_NETWORKS: Final = 8  # listings kept per process
_REMEMBERED: Final = timedelta(hours=26)  # a stream keeps its records for 24 hours


# ── What a change of a vehicle means for listings ────────────────────────────────────────────────────────────────────


class Sighting(NamedTuple):
    """What a network's listing has to learn about one vehicle.

    Attributes:
        revision: of the vehicle.
        entry: how it shows now; ``None`` when it does not show any more.
    """

    network_id: int
    vehicle_id: int
    revision: int
    entry: Entry | None


def entry_of(vehicle: Vehicle) -> Entry | None:
    """How a vehicle shows in listings; ``None`` unless a ride on it may start where it stands."""
    if vehicle.state is not VehicleState.AVAILABLE or not vehicle.verdict.ride_start_allowed:
        return None
    return Entry(
        vehicle_id=vehicle.id,
        revision=vehicle.revision,
        public_id=vehicle.public_id,
        code=vehicle.code,
        longitude=round(vehicle.position.longitude, 7),
        latitude=round(vehicle.position.latitude, 7),
        battery=vehicle.battery_percent,
    )


def sightings(old: Vehicle | None, new: Vehicle | None) -> Iterator[Sighting]:
    """What listings learn from one change of one vehicle: nothing when it shows as before.

    That is decided by the change alone, so it holds in whatever order changes arrive.
    """
    before, after = _shown(old), _shown(new)
    if _same(before, after):
        return
    if old is not None and before is not None and (after is None or after[0] != old.network_id):
        revision = old.revision + 1 if new is None else new.revision
        yield Sighting(old.network_id, old.id, revision, None)
    if new is not None and after is not None:
        yield Sighting(new.network_id, new.id, new.revision, after[1])


def _shown(vehicle: Vehicle | None) -> tuple[int, Entry] | None:
    entry = None if vehicle is None else entry_of(vehicle)
    return None if vehicle is None or entry is None else (vehicle.network_id, entry)


def _same(before: tuple[int, Entry] | None, after: tuple[int, Entry] | None) -> bool:
    if before is None or after is None:
        return before is after
    return before[0] == after[0] and before[1]._replace(revision=after[1].revision) == after[1]


# ── Keeping ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def project(changes: Iterable[tuple[Vehicle | None, Vehicle | None]]) -> int:
    """Bring the listings up to date with changes of vehicles, given as pairs of before and after.

    Writes one transaction per network: each bucket that changes, once, and the header.

    Returns:
        How many buckets were written.

    Raises:
        Contention: others kept writing the same buckets.
    """
    learnt: defaultdict[int, list[Sighting]] = defaultdict(list)
    for old, new in changes:
        for sighting in sightings(old, new):
            learnt[sighting.network_id].append(sighting)
    return sum(_learn(network_id, each) for network_id, each in learnt.items())


def _learn(network_id: int, learnt: list[Sighting]) -> int:
    shares: defaultdict[int, list[Sighting]] = defaultdict(list)
    for sighting in learnt:
        shares[sighting.vehicle_id % BUCKETS].append(sighting)

    def decide(known: Mapping[int, Bucket]) -> list[Bucket]:
        replaced = (_merged(network_id, number, known.get(number), share) for number, share in shares.items())
        return [bucket for bucket in replaced if bucket is not None]

    return _replace(network_id, sorted(shares), decide)


def _replace(network_id: int, numbers: list[int], decide: Callable[[Mapping[int, Bucket]], list[Bucket]]) -> int:
    for _ in range(_ATTEMPTS):
        store.forget()
        store.expect(listing_store.HeaderItem.key(network_id))
        known = listing_store.read_buckets(network_id, numbers)
        header = listing_store.read_header(network_id)
        replaced = decide(known)
        if not replaced:
            return 0
        try:
            listing_store.write(known, replaced, header)
        except Contention:
            continue
        store.forget()
        return len(replaced)
    raise Contention


def _merged(network_id: int, number: int, known: Bucket | None, learnt: Iterable[Sighting]) -> Bucket | None:
    """The bucket after ``learnt``, or ``None`` where nothing in it is news."""
    entries, gone = known.content() if known else ({}, {})
    news = False
    for sighting in learnt:
        if sighting.revision > _revision(sighting.vehicle_id, entries, gone):
            _note(sighting, entries, gone)
            news = True
    return _bucket(network_id, number, entries, gone) if news else None


def _revision(vehicle_id: int, entries: Mapping[int, Entry], gone: Mapping[int, Gone]) -> int:
    latest = entries.get(vehicle_id) or gone.get(vehicle_id)
    return latest.revision if latest else -1


def _note(sighting: Sighting, entries: dict[int, Entry], gone: dict[int, Gone]) -> None:
    entries.pop(sighting.vehicle_id, None)
    gone.pop(sighting.vehicle_id, None)
    if sighting.entry is not None:
        entries[sighting.vehicle_id] = sighting.entry
    else:
        until = clock.now() + _REMEMBERED
        gone[sighting.vehicle_id] = Gone(sighting.revision, int(until.timestamp()))


def _bucket(network_id: int, number: int, entries: Mapping[int, Entry], gone: Mapping[int, Gone]) -> Bucket:
    now = clock.now().timestamp()
    remembered = {vehicle_id: each for vehicle_id, each in gone.items() if each.until > now}
    return Bucket(
        network_id=network_id,
        number=number,
        version=ids.new_id(),
        listed=len(entries),
        packed=listing_store.pack(entries, remembered),
    )


def rebuild(network_id: int) -> int:
    """Make a network's listing anew from its vehicles, for operators. It may run while vehicles change.

    Returns:
        How many vehicles are listed.

    Raises:
        Contention: the listing kept changing; run it again.
    """
    vehicles = {vehicle.id: vehicle for vehicle in listing_store.vehicles_of(network_id)}
    shares: defaultdict[int, set[int]] = defaultdict(set)
    for vehicle_id in vehicles:
        shares[vehicle_id % BUCKETS].add(vehicle_id)
    listed = 0

    def decide(known: Mapping[int, Bucket]) -> list[Bucket]:
        nonlocal listed
        contents = {number: known[number].content() if number in known else ({}, {}) for number in range(BUCKETS)}
        strangers = {each for entries, _ in contents.values() for each in entries} - vehicles.keys()
        elsewhere = {vehicle.id: vehicle for vehicle in listing_store.vehicles(sorted(strangers))}
        for number, (entries, gone) in contents.items():
            for vehicle_id in shares[number] | entries.keys():
                vehicle = vehicles.get(vehicle_id) or elsewhere.get(vehicle_id)
                _restore(network_id, vehicle_id, vehicle, entries, gone)
        listed = sum(len(entries) for entries, _ in contents.values())
        return [_bucket(network_id, number, *each) for number, each in contents.items() if number in known or any(each)]

    _replace(network_id, list(range(BUCKETS)), decide)
    return listed


def _restore(
    network_id: int, vehicle_id: int, vehicle: Vehicle | None, entries: dict[int, Entry], gone: dict[int, Gone]
) -> None:
    """Let the bucket show a vehicle as it is, unless the bucket has seen a later revision of it."""
    seen = _revision(vehicle_id, entries, gone)
    if vehicle is None:
        _note(Sighting(network_id, vehicle_id, seen + 1, None), entries, gone)
        return
    entry = entry_of(vehicle) if vehicle.network_id == network_id else None
    shown = entries.get(vehicle_id)
    if vehicle.revision < seen or _alike(shown, entry):
        return
    _note(Sighting(network_id, vehicle_id, vehicle.revision, entry), entries, gone)


def _alike(shown: Entry | None, entry: Entry | None) -> bool:
    if shown is None or entry is None:
        return shown is entry
    return shown._replace(revision=entry.revision) == entry


# ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Listing:
    """The available vehicles of a network.

    Attributes:
        etag: an entity tag, in quotes; moves when a vehicle comes, goes or shows differently.
        buckets: by number; the vehicles inside are in the order of their ids.
    """

    network_id: int
    etag: str
    buckets: tuple[Bucket, ...]

    def __len__(self) -> int:
        return sum(bucket.listed for bucket in self.buckets)

    def entries(self) -> Iterator[Entry]:
        """The vehicles. Unpacks all buckets; a surface renders through :class:`Rendering` instead."""
        for bucket in self.buckets:
            yield from bucket.entries()


_known: Final[Recent[int, dict[int, Bucket]]] = Recent(_NETWORKS)


def expect(network_id: int) -> None:
    """Announce that this request will read a network's listing, so that its header comes with the first reading."""
    store.expect(listing_store.HeaderItem.key(network_id))


def etag(network_id: int) -> str:
    """The entity tag of a network's listing at this moment, in quotes; one small read."""
    return _etag(network_id, _versions(network_id).values())


def read(network_id: int) -> Listing:
    """The listing of a network, at most about a second behind its vehicles; empty where there never was one.

    One read of the header, which :func:`etag` may have done already. Where anything moved since this process read it
    last, a second one of the buckets that did.
    """
    versions = _versions(network_id)
    known = _known.get(network_id) or {}
    moved = sorted(number for number, version in versions.items() if _version(known.get(number)) != version)
    if moved:
        fresh = listing_store.read_buckets(network_id, moved)
        known = _known.put(network_id, {number: each for number, each in known.items() if number in versions} | fresh)
    buckets = tuple(known[number] for number in sorted(versions) if number in known)
    return Listing(network_id, _etag(network_id, (bucket.version for bucket in buckets)), buckets)


def _versions(network_id: int) -> dict[int, int]:
    header = listing_store.read_header(network_id)
    return {int(number): version for number, version in header.versions.items()} if header else {}


def _version(bucket: Bucket | None) -> int | None:
    return bucket.version if bucket else None


def _etag(network_id: int, versions: Iterable[int]) -> str:
    words = " ".join(map(str, (network_id, *sorted(versions))))
    return f'"{blake2b(words.encode(), digest_size=12).hexdigest()}"'


class Body(NamedTuple):
    """A rendered listing.

    Attributes:
        plain: as it is.
        packed: as a gzip stream.
    """

    plain: bytes
    packed: bytes


class Rendering:
    """A surface's answer made from listings. Buckets that have not moved are neither rendered nor compressed again.

    Args:
        entry: the bytes of one vehicle, given the network's id and its entry.
        head: what comes before the first vehicle.
        between: what comes between two vehicles.
        tail: what comes after the last vehicle.
    """

    def __init__(
        self,
        entry: Callable[[int, Entry], bytes],
        head: bytes = b'{"data":[',
        between: bytes = b",",
        tail: bytes = b"]}",
    ) -> None:
        self._entry = entry
        self._separator = between
        self._head, self._between, self._tail = gz.piece(head), gz.piece(between), gz.piece(tail)
        self._pieces: Recent[int, dict[int, tuple[int, Piece]]] = Recent(_NETWORKS)
        self._bodies: Recent[int, tuple[str, Body]] = Recent(_NETWORKS)

    def body(self, listing: Listing) -> Body:
        """The whole answer for a listing."""
        known = self._bodies.get(listing.network_id)
        if known is not None and known[0] == listing.etag:
            return known[1]
        pieces = list(self._all_pieces(listing))
        body = Body(b"".join(piece.plain for piece in pieces), gz.assembled(pieces))
        return self._bodies.put(listing.network_id, (listing.etag, body))[1]

    def _all_pieces(self, listing: Listing) -> Iterator[Piece]:
        known = self._pieces.get(listing.network_id) or {}
        current = {
            bucket.number: self._current(bucket, known.get(bucket.number))
            for bucket in listing.buckets
            if bucket.listed
        }
        self._pieces.put(listing.network_id, current)
        yield self._head
        for position, (_, piece) in enumerate(current.values()):
            if position:
                yield self._between
            yield piece
        yield self._tail

    def _current(self, bucket: Bucket, known: tuple[int, Piece] | None) -> tuple[int, Piece]:
        if known is not None and known[0] == bucket.version:
            return known
        plain = self._separator.join(self._entry(bucket.network_id, entry) for entry in bucket.entries())
        return bucket.version, gz.piece(plain)
