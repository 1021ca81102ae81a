"""Banks: named sets of images and of foreign hashes, and which of their entries an image matches.

An image of the collection is matched as `search` verifies it: the same bytes, the same pixels, or an edited copy. Of a
foreign hash nothing but itself is known, so it is matched by the hash alone: digests of files (MD5, SHA-1, SHA-256) if
they are equal, PDQ, pHash and codes of the database's model within a threshold.

Shapes: E entries, W bytes a hash.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lookalike.calibration.stored import Rate
from lookalike.core.errors import ConfigError, DataError, ImageError
from lookalike.data import hashlists
from lookalike.data.hashlists import CODE, Listed
from lookalike.database import search
from lookalike.database.search import Found, QueryImage
from lookalike.imaging import files, given
from lookalike.imaging.decode import Array
from lookalike.imaging.quality import LOW_INFORMATION, quality
from lookalike.robustness import peers
from lookalike.search.scan import Scan
from lookalike.store.banks import IMAGE, Entry
from lookalike.store.records import Filter
from lookalike.verification.verdict import Relation

if TYPE_CHECKING:
    from lookalike.database import Paths
    from lookalike.database.audit import AuditLog
    from lookalike.database.reading import Reading
    from lookalike.store.derived.code_array import Ids

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGESTS = ("md5", "sha1", "sha256")
THRESHOLDS = {"pdq": 31, "phash": 8}  # bits up to which hashes match; PDQ's is its authors'
PEERS = {"pdq": "pdq", "phash": "phash-64"}  # who computes them
SIDE = 2048  # pixels a side of the picture that they are computed of, at most: PDQ depends on the size
# Pairs of an upload and an entry that match although they show different pictures, by kind; see docs/moderation.md.
PER_PAIR = {
    IMAGE: Rate(1, 300_000, 8.4e-8, 1.86e-5),
    CODE: Rate(0, 300_000, 0.0, 1.23e-5),
    "pdq": Rate(0, 300_000, 0.0, 1.23e-5),
    "phash": Rate(6, 300_000, 4.1e-6, 6.76e-5),
}


class MatchRate(NamedTuple):
    """The share of uploads without a copy that match all the same, with its 95 % interval."""

    value: float
    low: float
    high: float
    measured: str  # "here": by `calibrate`; "default": on the project's photographs


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """An entry that an image matches."""

    bank: str
    entry: int  # its id
    kind: str  # "image": pixels were compared; or the hash that was
    relation: Relation | None  # of the entry to the image; None if only a hash says that they are alike
    path: str  # of the entry's image, or what its list calls it
    edits: tuple[str, ...] = ()
    done: str = ""  # the same in words
    agreement: float = 0.0
    distance: int = 0  # bits that differ, of codes or hashes
    threshold: int | None = None  # bits up to which hashes match

    @property
    def words(self) -> str:
        """What the entry is to the image, in words."""
        if self.relation is not None:
            by = "" if self.kind == IMAGE else f" ({self.kind})"
            return f"{self.relation.words}{by}{f': {self.done}' if self.done else ''}"
        return f"{self.kind} within {self.distance} of {self.threshold} bits, not verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The answer for one image: yes, if there are matches."""

    path: str  # empty for arrays and bytes
    sha256: str  # of the file
    matches: tuple[Matched, ...]  # the closest relation first
    rate: MatchRate
    unverified: int = 0  # images in the banks that could not be compared, for want of a thumbnail or file
    error: str = ""  # why the image could not be read; only its bytes were compared then

    @property
    def matched(self) -> bool:
        """Whether any entry matches."""
        return bool(self.matches)


class Asked(NamedTuple):
    """An image that was searched for among the images of banks."""

    query: QueryImage
    found: Found
    pixels_HW3: Array | None = None  # for hashes of pixels, at most `SIDE` a side


class ImportedList(NamedTuple):
    """The result of importing a list."""

    found: int
    added: int  # not in the bank before
    poor: int  # left out for their low quality


class Banks:
    """The banks of an open database."""

    def __init__(self, database: Reading) -> None:
        self._database, self._store = database, database.store.local("banks")
        self._counts: tuple[object, dict[str, dict[str, int]]] | None = None  # with the catalog's state
        self._engines: dict[tuple[str, str], tuple[object, Ids, Scan]] = {}  # by kind and bank, with the state

    def check(self, bank: str) -> None:
        """Raise `ConfigError` for a text that cannot name a bank."""
        if not NAME.fullmatch(bank):
            raise ConfigError(f"{bank!r} cannot name a bank; use up to 64 letters, digits and . _ -")

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of entries by bank and kind."""
        state, known = self._store.state, self._counts
        if known is None or known[0] != state:  # counting reads all entries, and every answer needs the counts
            known = self._counts = state, self._store.entries.counts()
        return known[1]

    def entries(self, bank: str, *, after: int = 0, top: int = -1) -> list[Entry]:
        """At most `top` entries of a bank (−1: all), from the one after an id on."""
        return self._store.entries.page(bank, after=after, top=top)

    def paths(self, entries: Iterable[Entry]) -> dict[int, str]:
        """The paths of entries' images, and what lists call hashes, by entry."""
        found = {one.id: one.name for one in entries}
        for one in entries:
            if one.kind == IMAGE and (record := self._store.one_with_digest(one.value)) is not None:
                found[one.id] = record.name
        return found

    # Changes

    def add(self, bank: str, images: Iterable[Paths | int] = (), hashes: Sequence[Listed] = ()) -> int:
        """Add images of the database, by path, folder or id, and foreign hashes to a bank; returns how many are new."""
        self.check(bank)
        for kind in {one.kind for one in hashes} & PEERS.keys():
            peers.find(PEERS[kind])  # fails early if its package is missing
        digests = dict.fromkeys(digest for image in images for digest in self._digests(image))
        rows = [(IMAGE, digest, "") for digest in digests]
        rows += [(self._stored(one.kind), one.value, one.name) for one in hashes]
        with self._store.changing(), self._store.transaction():
            return self._store.entries.add(bank, rows)

    def import_list(self, bank: str, path: Paths, kind: str | None = None) -> ImportedList:
        """Add the hashes of a list, all or none (see `data.hashlists`); `kind`: the hash, if the list does not say it.

        Raises `DataError` with the first line that is wrong.
        """
        found, poor = self._list(path, kind)
        return ImportedList(len(found) + poor, self.add(bank, hashes=found), poor)

    def remove(self, bank: str, entries: Iterable[Paths | int], kind: str | None = None) -> int:
        """Remove entries from a bank; returns how many.

        They are given by id, by the path or folder of their images, or as a list of hashes.
        """
        self.named([bank])
        rows: list[tuple[str, bytes]] = []
        for one in entries:
            if isinstance(one, int):
                entry = self._store.entries.of_ids([one]).get(one)
                if entry is None or entry.bank != bank:
                    raise DataError(f"the bank {bank} has no entry {one}")
                rows.append((entry.kind, entry.value))
            elif self._store.any_below(os.path.abspath(one)):
                rows += [(IMAGE, digest) for digest in self._digests(one)]
            else:
                rows += [(self._stored(listed.kind), listed.value) for listed in self._list(one, kind)[0]]
        with self._store.changing(), self._store.transaction():
            return self._store.entries.remove(bank, rows)

    def _digests(self, image: Paths | int) -> list[bytes]:
        ids = [image] if isinstance(image, int) else self._store.below(os.path.abspath(image))
        digests = [record.digest for record in self._store.records(ids).values() if record.digest is not None]
        if not digests:
            what = f"image {image}" if isinstance(image, int) else os.fspath(image)
            raise DataError(f"{what} is not in the database; add it with: lookalike index IMAGES --db DB --bank NAME")
        return digests

    def _list(self, path: Paths, kind: str | None) -> tuple[list[Listed], int]:
        found, poor = hashlists.read(path, None if kind is None else hashlists.kind_of(kind), bits=self._store.bits)
        if not found and not poor:
            raise DataError(f"{os.fspath(path)} has no hashes; expected one a line")
        return found, poor

    def _stored(self, kind: str) -> str:
        """The kind as it is stored: a code means nothing to another model."""
        return f"{CODE}:{self._store.get('model')[:8]}" if kind == CODE else kind

    # Matching

    def named(self, banks: Iterable[str] = ()) -> tuple[str, ...]:
        """These banks, or all. Raises `DataError` for one that does not exist, or if there is none."""
        known, asked = self.counts(), tuple(dict.fromkeys(banks))
        unknown = [bank for bank in asked if bank not in known]
        if unknown or not known:
            what = f"no bank {unknown[0]!r}" if unknown else "no bank"
            there = f"there are {', '.join(known)}" if known else "make one with: lookalike index IMAGES --bank NAME"
            raise DataError(f"{self._store.location} has {what}; {there}")
        return asked or tuple(known)

    def match(self, images: Any, banks: Iterable[str] = (), audit: AuditLog | None = None) -> Iterator[Match]:
        """The answer for each image, which is one or many, as `search` takes them. Raises `ImageError` or `OSError`."""
        named = self.named(banks)
        for image in [images] if given.is_one(images) else images:
            source = given.source_of(image)
            path = "" if isinstance(source, bytes) else os.fspath(source)
            found = self.of_content(source if isinstance(source, bytes) else files.read(source), named, path=path)
            if audit is not None:
                audit.add([found], banks=named, model=self._database.hasher.name)
            yield found

    def of_content(self, content: bytes, banks: Sequence[str], *, path: str = "") -> Match:
        """The answer for an encoded image; one that cannot be decoded is compared by its bytes."""
        database, decoders = self._database, self._database._decode_with()
        try:
            query = search.query_of(content, database.hasher, decoders)
            pixels_HW3 = None
            if self.needs_pixels(banks):
                with decoders.opened(content) as image:
                    pixels_HW3 = image.picture(SIDE)
        except ImageError as error:
            return self.unread(content, banks, path=path, error=str(error))
        found = database.search_query(query, top=search.CANDIDATES, only=Filter(banks=tuple(banks)))
        return self.judged(content, banks, Asked(query, found, pixels_HW3), path=path)

    def needs_pixels(self, banks: Sequence[str]) -> bool:
        """Whether hashes of pixels must be computed of an image for these banks."""
        return bool(self._kinds(banks).keys() & PEERS.keys())

    def unread(self, content: bytes, banks: Sequence[str], *, path: str, error: str) -> Match:
        """The answer for an image that cannot be decoded, by its bytes alone."""
        return self._answer(content, banks, self._by_bytes(content, banks), path=path, error=error)

    def judged(self, content: bytes, banks: Sequence[str], asked: Asked, *, path: str) -> Match:
        """The answer for an image that was searched for among the banks' images."""
        matches = [*self._by_bytes(content, banks), *self._by_pixels(asked.found, banks)]
        matches += self._by_hashes(asked, banks)
        return self._answer(content, banks, matches, path=path, unverified=asked.found.unverified)

    def _answer(self, content: bytes, banks: Sequence[str], matches: Iterable[Matched], **more: Any) -> Match:
        unique = {one.entry: one for one in reversed(list(matches))}

        def order(one: Matched) -> tuple[int, int]:
            return len(Relation) if one.relation is None else one.relation.rank, one.entry

        digest = hashlib.sha256(content).hexdigest()
        return Match(sha256=digest, matches=tuple(sorted(unique.values(), key=order)), rate=self.rate(banks), **more)

    def of_hash(self, kind: str, value: bytes, banks: Sequence[str]) -> list[Matched]:
        """The entries that a hash matches."""
        stored = self._stored(kind)
        if kind in DIGESTS:
            return self._equal(stored, value, banks)
        code_W, limit = np.frombuffer(value, np.uint8), self.threshold(kind)
        matches = []
        for bank in banks:
            ids, engine = self._engine(stored, bank, len(value))
            (hits,) = engine.search(code_W[None], top=None, radius=limit)
            distances = dict(zip(ids[hits.rows].tolist(), hits.distances.tolist(), strict=True))
            matches += [
                Matched(bank=bank, entry=one.id, kind=kind, relation=None, path=one.name, distance=distances[one.id],
                        threshold=limit)
                for one in self._store.entries.of_ids(list(distances)).values()
            ]  # fmt: skip
        return sorted(matches, key=lambda one: (one.distance, one.entry))

    def threshold(self, kind: str) -> int:
        """The distance, in bits, up to which hashes of a kind match."""
        return THRESHOLDS[kind] if kind in THRESHOLDS else max(0, self._database.hasher.info.duplicate)

    def rate(self, banks: Sequence[str]) -> MatchRate:
        """How many of the uploads that have no copy in some banks match all the same: measured pairs, times entries."""
        kinds, calibration = self._kinds(banks), self._database.calibration
        here = None if calibration is None else calibration.per_pair
        known = PER_PAIR if here is None else {**PER_PAIR, IMAGE: here}
        compared = {kind.partition(":")[0]: count for kind, count in kinds.items() if kind not in DIGESTS}
        value, low, high = (
            1 - math.prod((1 - getattr(known[kind], bound)) ** count for kind, count in compared.items())
            for bound in ("value", "low", "high")
        )
        return MatchRate(value, low, high, "default" if here is None else "here")

    def _kinds(self, banks: Sequence[str]) -> Counter[str]:
        counts = self.counts()
        return sum((Counter(counts.get(bank, {})) for bank in banks), Counter())

    def _by_bytes(self, content: bytes, banks: Sequence[str]) -> Iterator[Matched]:
        for kind in self._kinds(banks).keys() & {IMAGE, *DIGESTS}:
            value = files.content_digest(content) if kind == IMAGE else hashlib.new(kind, content).digest()
            yield from self._equal(kind, value, banks)

    def _equal(self, kind: str, value: bytes, banks: Sequence[str]) -> list[Matched]:
        entries = [one for one in self._store.entries.find(kind, value) if one.bank in banks]
        paths = self.paths(entries)
        return [
            Matched(bank=one.bank, entry=one.id, kind=kind, relation=Relation.EXACT, path=paths[one.id], agreement=1.0)
            for one in entries
        ]

    def _by_pixels(self, found: Found, banks: Sequence[str]) -> Iterator[Matched]:
        for hit in found.hits:
            digest = found.records[hit.id].digest
            if not hit.relation.is_copy or digest is None:
                continue
            for entry in self._store.entries.find(IMAGE, digest):
                if entry.bank in banks:
                    yield Matched(
                        bank=entry.bank, entry=entry.id, kind=IMAGE, relation=hit.relation, path=hit.path,
                        edits=hit.edits, done=hit.done, agreement=hit.agreement, distance=hit.distance,
                    )  # fmt: skip

    def _by_hashes(self, asked: Asked, banks: Sequence[str]) -> Iterator[Matched]:
        query, kinds = asked.query, self._kinds(banks)
        if query.frames and quality(query.frames[0]) < LOW_INFORMATION:  # its hash would mean nothing
            return
        if self._stored(CODE) in kinds:
            yield from self.of_hash(CODE, query.code_W.tobytes(), banks)
        for kind in kinds.keys() & PEERS.keys():
            if asked.pixels_HW3 is not None:
                yield from self.of_hash(kind, peers.find(PEERS[kind]).encode(asked.pixels_HW3).tobytes(), banks)

    def _engine(self, kind: str, bank: str, width: int) -> tuple[Ids, Scan]:
        """The ids of a bank's hashes of one kind, and their engine, filled again if the catalog has changed."""
        state, known = self._store.state, self._engines.get((kind, bank))
        if known is None or known[0] != state:
            ids, codes_EW = self._store.entries.hashes(kind, bank, width)
            known = state, ids, Scan(8 * width, codes_NW=codes_EW)
            self._engines[kind, bank] = known
        return known[1], known[2]
