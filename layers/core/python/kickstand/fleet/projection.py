"""Listings of everything of a kind that a network has: kept by reactions to changes, read by surfaces.

A listing has a number of buckets, each with a version. Reading costs one small header; a bucket is read, unpacked and
rendered only when its version has moved. A view shows a part of a listing, and its version moves only with that part.

Records may arrive twice and in any order: every entry remembers the revision of the thing that it shows, and a thing
that left is remembered for as long as older records can still come.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from kickstand.fleet import listing_store
from kickstand.fleet.listing_store import ALL, Bucket, Codec, E, Entry, Gone, Header, HeaderItem
from kickstand.kernel import clock, gz, ids, store
from kickstand.kernel.cache import Recent
from kickstand.kernel.errors import Contention
from kickstand.kernel.gz import Piece

_ATTEMPTS: Final = 6
_NETWORKS: Final = 16  # listings kept per process
_BODIES: Final = 8  # rendered answers kept per process
_REMEMBERED: Final = timedelta(hours=26)  # a stream keeps its records for 24 hours


class Thing(Protocol):
    """What can be listed."""

    @property
    def id(self) -> int:
        """Its identifier."""

    @property
    def network_id(self) -> int:
        """Whose it is."""

    @property
    def revision(self) -> int:
        """Counts its changes."""


T = TypeVar("T", bound=Thing)


class Sighting(NamedTuple, Generic[E]):
    """What a network's listing has to learn about one thing.

    Attributes:
        revision: of the thing.
        entry: how it shows now; ``None`` when it does not show any more.
    """

    network_id: int
    thing_id: int
    revision: int
    entry: E | None


@dataclass(frozen=True)
class Shape(Generic[T, E]):
    """What a kind of listing shows.

    Attributes:
        name: the first part of its keys.
        buckets: how many items share what a network has; 100 at most.
        entry: how a thing shows; ``None`` for not at all.
        codec: how entries are kept.
        views: beside the view of everything, what of an entry each other view shows; ``None`` for nothing.
        model: the vehicle model that an entry refers to.
        of_network: everything that a network has; for operators.
        some: things by their ids, whatever their network.
    """

    name: str
    buckets: int
    entry: Callable[[T], E | None]
    codec: Codec[E]
    of_network: Callable[[int], Sequence[T]]
    some: Callable[[Sequence[int]], Sequence[T]]
    views: Mapping[str, Callable[[E], object]]
    model: Callable[[E], int] | None = None


@dataclass(frozen=True)
class Listing(Generic[E]):
    """What a view shows of some networks.

    Attributes:
        etag: an entity tag, in quotes; moves when something comes, goes or shows differently.
        buckets: by network and number; the entries inside are in the order of their ids.
        models: the vehicle models that entries refer to, and maybe some more.
    """

    network_ids: tuple[int, ...]
    view: str
    etag: str
    buckets: tuple[Bucket, ...]
    models: frozenset[int]
    codec: Codec[E]

    def entries(self) -> Iterator[E]:
        """Everything. Unpacks all buckets; a surface renders through :class:`Rendering` instead."""
        for bucket in self.buckets:
            yield from self.entries_of(bucket)

    def entries_of(self, bucket: Bucket) -> Iterator[E]:
        """What one bucket has, unpacked anew each time."""
        return listing_store.unpack(self.codec, bucket.packed, self.view)


class Projection(Generic[T, E]):
    """The listings of one shape, one for each network."""

    def __init__(self, shape: Shape[T, E]) -> None:
        self._shape = shape
        self._known: Recent[int, dict[int, Bucket]] = Recent(_NETWORKS)

    # ── What a change means ──────────────────────────────────────────────────────────────────────────────────────────

    def sightings(self, old: T | None, new: T | None) -> Iterator[Sighting[E]]:
        """What listings learn from one change of one thing: nothing when it shows as before.

        That is decided by the change alone, so it holds in whatever order changes arrive.
        """
        before, after = self._shown(old), self._shown(new)
        if old is not None and new is not None and old.network_id == new.network_id and _alike(before, after):
            return
        if (
            old is not None
            and before is not None
            and (new is None or after is None or new.network_id != old.network_id)
        ):
            yield Sighting(old.network_id, old.id, old.revision + 1 if new is None else new.revision, None)
        if new is not None and after is not None:
            yield Sighting(new.network_id, new.id, new.revision, after)

    def _shown(self, thing: T | None) -> E | None:
        return None if thing is None else self._shape.entry(thing)

    # ── Keeping ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def project(self, changes: Iterable[tuple[T | None, T | None]]) -> int:
        """Bring the listings up to date with changes, given as pairs of before and after.

        Writes one transaction per network: each bucket that changes, once, and the header.

        Returns:
            How many buckets were written.

        Raises:
            Contention: others kept writing the same buckets.
        """
        learnt: defaultdict[int, list[Sighting[E]]] = defaultdict(list)
        for old, new in changes:
            for sighting in self.sightings(old, new):
                learnt[sighting.network_id].append(sighting)
        return sum(self._learn(network_id, each) for network_id, each in learnt.items())

    def _learn(self, network_id: int, learnt: list[Sighting[E]]) -> int:
        shares: defaultdict[int, list[Sighting[E]]] = defaultdict(list)
        for sighting in learnt:
            shares[sighting.thing_id % self._shape.buckets].append(sighting)

        def decide(known: Mapping[int, Bucket]) -> list[Bucket]:
            replaced = (self.merged(network_id, number, known.get(number), each) for number, each in shares.items())
            return [bucket for bucket in replaced if bucket is not None]

        models = self._models(sighting.entry for sighting in learnt)
        return self._replace(network_id, sorted(shares), decide, models)

    def _models(self, entries: Iterable[E | None]) -> set[int]:
        model = self._shape.model
        return {model(entry) for entry in entries if entry is not None} if model else set()

    def _replace(
        self,
        network_id: int,
        numbers: list[int],
        decide: Callable[[Mapping[int, Bucket]], list[Bucket]],
        models: Collection[int],
    ) -> int:
        name = self._shape.name
        for _ in range(_ATTEMPTS):
            store.forget()
            for view in self._views():
                self.expect(network_id, view=view)
            read = listing_store.read_buckets(name, [(network_id, number) for number in numbers])
            known = {number: bucket for (_, number), bucket in read.items()}
            headers = {view: listing_store.read_headers(name, [network_id], view)[0] for view in self._views()}
            replaced = decide(known)
            if not replaced:
                return 0
            try:
                listing_store.write(known, replaced, headers, models)
            except Contention:
                continue
            store.forget()
            return len(replaced)
        raise Contention

    def content(self, bucket: Bucket) -> tuple[dict[int, E], dict[int, Gone]]:
        """What a bucket lists and what has left it, by id."""
        entries = listing_store.unpack(self._shape.codec, bucket.packed, ALL)
        return {entry.id: entry for entry in entries}, listing_store.departures(bucket.packed)

    def merged(
        self, network_id: int, number: int, known: Bucket | None, learnt: Iterable[Sighting[E]]
    ) -> Bucket | None:
        """The bucket after ``learnt``, or ``None`` where nothing in it is news."""
        entries, gone = self.content(known) if known else ({}, {})
        before: dict[int, E | None] = {}
        for sighting in learnt:
            if sighting.revision > _revision(sighting.thing_id, entries, gone):
                before.setdefault(sighting.thing_id, entries.get(sighting.thing_id))
                _note(sighting, entries, gone)
        if not before:
            return None
        moved = {
            view
            for view in self._views()
            if any(self._seen(view, each) != self._seen(view, entries.get(key)) for key, each in before.items())
        }
        return self._bucket(network_id, number, entries, gone, known.views if known else {}, moved)

    def _views(self) -> Iterator[str]:
        yield ALL
        yield from self._shape.views

    def _seen(self, view: str, entry: E | None) -> object:
        if entry is None:
            return None
        return entry._replace(revision=0) if view == ALL else self._shape.views[view](entry)

    def _bucket(
        self,
        network_id: int,
        number: int,
        entries: Mapping[int, E],
        gone: Mapping[int, Gone],
        views: Mapping[str, int],
        moved: Iterable[str],
    ) -> Bucket:
        now = clock.now().timestamp()
        remembered = {identifier: each for identifier, each in gone.items() if each.until > now}
        version = ids.new_id()
        return Bucket(
            listing=self._shape.name,
            network_id=network_id,
            number=number,
            version=version,
            views={view: views.get(view, 0) for view in self._views()} | dict.fromkeys(moved, version),
            packed=listing_store.pack(self._shape.codec, entries, remembered),
        )

    def rebuild(self, network_id: int) -> int:
        """Make a network's listing anew from what it lists, for operators. It may run while that changes.

        Returns:
            How many things are listed.

        Raises:
            Contention: the listing kept changing; run it again.
        """
        things = {thing.id: thing for thing in self._shape.of_network(network_id)}
        numbers = list(range(self._shape.buckets))
        shares: defaultdict[int, set[int]] = defaultdict(set)
        for thing_id in things:
            shares[thing_id % self._shape.buckets].add(thing_id)
        models: set[int] = set()
        listed = 0

        def decide(known: Mapping[int, Bucket]) -> list[Bucket]:
            nonlocal listed
            contents = {number: self.content(known[number]) if number in known else ({}, {}) for number in numbers}
            strangers = {each for entries, _ in contents.values() for each in entries} - things.keys()
            elsewhere = {thing.id: thing for thing in self._shape.some(sorted(strangers))}
            for number, (entries, gone) in contents.items():
                for thing_id in shares[number] | entries.keys():
                    self._restore(network_id, thing_id, things.get(thing_id) or elsewhere.get(thing_id), entries, gone)
                models.update(self._models(entries.values()))
            listed = sum(len(entries) for entries, _ in contents.values())
            return [
                self._bucket(network_id, number, *each, views={}, moved=self._views())
                for number, each in contents.items()
                if number in known or any(each)
            ]

        self._replace(network_id, numbers, decide, models)
        return listed

    def _restore(
        self, network_id: int, thing_id: int, thing: T | None, entries: dict[int, E], gone: dict[int, Gone]
    ) -> None:
        """Let the bucket show a thing as it is, unless the bucket has seen a later revision of it."""
        seen = _revision(thing_id, entries, gone)
        if thing is None:
            _note(Sighting(network_id, thing_id, seen + 1, None), entries, gone)
            return
        entry = self._shape.entry(thing) if thing.network_id == network_id else None
        if thing.revision < seen or _alike(entries.get(thing_id), entry):
            return
        _note(Sighting(network_id, thing_id, thing.revision, entry), entries, gone)

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def expect(self, *network_ids: int, view: str = ALL) -> None:
        """Announce that this request will read networks' listings: the headers come with its first reading."""
        store.expect(*(HeaderItem.key(self._shape.name, network_id, view) for network_id in network_ids))

    def etag(self, *network_ids: int, view: str = ALL) -> str:
        """The entity tag of networks' listings at this moment, in quotes; one small read for each."""
        headers = listing_store.read_headers(self._shape.name, network_ids, view)
        return _etag(view, network_ids, (_versions(header) for header in headers))

    def models(self, *network_ids: int, view: str = ALL) -> frozenset[int]:
        """The vehicle models that networks' listings refer to, and maybe some more; read together with the tag."""
        return _models_of(listing_store.read_headers(self._shape.name, network_ids, view))

    def read(self, *network_ids: int, view: str = ALL) -> Listing[E]:
        """What networks have, at most about a second old; empty where there never was anything.

        One read of the headers, which :meth:`etag` may have done already. Where anything moved since this process read
        it last, a second one of the buckets that did.
        """
        headers = listing_store.read_headers(self._shape.name, network_ids, view)
        versions = {each: _versions(header) for each, header in zip(network_ids, headers, strict=True)}
        known = {network_id: self._known.get(network_id) or {} for network_id in network_ids}
        moved = [
            (network_id, number)
            for network_id, numbers in versions.items()
            for number, version in sorted(numbers.items())
            if number not in known[network_id] or known[network_id][number].views[view] != version
        ]
        for (network_id, number), bucket in (
            listing_store.read_buckets(self._shape.name, moved).items() if moved else ()
        ):
            known[network_id] = known[network_id] | {number: bucket}
        buckets = {
            network_id: {number: known[network_id][number] for number in sorted(numbers) if number in known[network_id]}
            for network_id, numbers in versions.items()
        }
        for network_id, each in buckets.items():
            self._known.put(network_id, each)
        shown = [{number: each.views[view] for number, each in buckets[one].items()} for one in network_ids]
        return Listing(
            network_ids,
            view,
            _etag(view, network_ids, shown),
            tuple(bucket for each in buckets.values() for bucket in each.values()),
            _models_of(headers),
            self._shape.codec,
        )

    def forget(self) -> None:
        """Keep no bucket in memory any more."""
        self._known.clear()


def _alike(one: E | None, other: E | None) -> bool:
    if one is None or other is None:
        return one is other
    return one._replace(revision=other.revision) == other


def _revision(thing_id: int, entries: Mapping[int, Entry], gone: Mapping[int, Gone]) -> int:
    latest = entries.get(thing_id) or gone.get(thing_id)
    return latest.revision if latest else -1


def _note(sighting: Sighting[E], entries: dict[int, E], gone: dict[int, Gone]) -> None:
    entries.pop(sighting.thing_id, None)
    gone.pop(sighting.thing_id, None)
    if sighting.entry is not None:
        entries[sighting.thing_id] = sighting.entry
    else:
        until = clock.now() + _REMEMBERED
        gone[sighting.thing_id] = Gone(sighting.revision, int(until.timestamp()))


def _versions(header: Header | None) -> dict[int, int]:
    return {int(number): version for number, version in header.versions.items()} if header else {}


def _models_of(headers: Iterable[Header | None]) -> frozenset[int]:
    return frozenset(int(model_id) for header in headers if header for model_id in header.models)


def _etag(view: str, network_ids: Iterable[int], versions: Iterable[Mapping[int, int]]) -> str:
    words = [(network_id, *sorted(each.values())) for network_id, each in zip(network_ids, versions, strict=True)]
    return tag(view, *words)


def tag(*words: Hashable) -> str:
    """An entity tag, in quotes, that moves when any of ``words`` does."""
    return f'"{blake2b(repr(words).encode(), digest_size=12).hexdigest()}"'


# ── Rendering ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Body(NamedTuple):
    """A rendered listing.

    Attributes:
        plain: as it is.
        packed: as a gzip stream.
    """

    plain: bytes
    packed: bytes


class Rendering(Generic[E]):
    """A surface's answer made from listings. Buckets that have not moved are neither rendered nor compressed again.

    Args:
        head: what comes before the first entry.
        between: what comes between two entries.
        tail: what comes after the last entry.
    """

    def __init__(
        self,
        head: bytes = b'{"data":[',
        between: bytes = b",",
        tail: bytes = b"]}",
    ) -> None:
        self._separator = between
        self._head, self._between, self._tail = gz.piece(head), gz.piece(between), gz.piece(tail)
        self._pieces: Recent[int, dict[int, tuple[Hashable, Piece]]] = Recent(_NETWORKS)
        self._bodies: Recent[tuple[int, ...], tuple[Hashable, Body]] = Recent(_BODIES)

    def body(
        self, listing: Listing[E], entry: Callable[[int, E], bytes], stamps: Mapping[int, Hashable] | None = None
    ) -> Body:
        """The whole answer for a listing.

        Args:
            listing: always of the same view.
            entry: the bytes of one entry, given its network's id; without any, it is left out.
            stamps: for each network, stands for whatever the bytes of its entries depend on beside these. Whoever asks
                for a network, alone or with others, has the same for it.
        """
        stamps = stamps or {}
        stamp = tuple(stamps.get(network_id) for network_id in listing.network_ids)
        known = self._bodies.get(listing.network_ids)
        if known is not None and known[0] == (listing.etag, stamp):
            return known[1]
        pieces = list(self._all_pieces(listing, entry, stamps))
        body = Body(b"".join(piece.plain for piece in pieces), gz.assembled(pieces))
        return self._bodies.put(listing.network_ids, ((listing.etag, stamp), body))[1]

    def forget(self) -> None:
        """Keep nothing in memory any more."""
        self._pieces.clear()
        self._bodies.clear()

    def _all_pieces(
        self, listing: Listing[E], entry: Callable[[int, E], bytes], stamps: Mapping[int, Hashable]
    ) -> Iterator[Piece]:
        yield self._head
        first = True
        for network_id in listing.network_ids:
            known = self._pieces.get(network_id) or {}
            current: dict[int, tuple[Hashable, Piece]] = {}
            for bucket in listing.buckets:
                if bucket.network_id != network_id:
                    continue
                version, before = (bucket.views[listing.view], stamps.get(network_id)), known.get(bucket.number)
                if before is None or before[0] != version:
                    rendered = (entry(network_id, each) for each in listing.entries_of(bucket))
                    before = version, gz.piece(self._separator.join(each for each in rendered if each))
                current[bucket.number] = before
            self._pieces.put(network_id, current)
            for _, piece in current.values():
                if not piece.plain:
                    continue
                if not first:
                    yield self._between
                yield piece
                first = False
        yield self._tail
