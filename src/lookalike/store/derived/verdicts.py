"""Verdicts on pairs of a store's images: computed from thumbnails and files, and cached.

`verdicts.sqlite` is derived and may be deleted at any time. Its keys are digests of encoded images, so verdicts remain
valid when files move. Without a writable folder (as in Milvus), they are computed again.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from lookalike.core.errors import ImageError, LookalikeError
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.parallel import cores, in_order
from lookalike.imaging import thumbnails
from lookalike.imaging.spec import Array
from lookalike.store import originals
from lookalike.store.protocol import Store
from lookalike.store.records import Record
from lookalike.verification import looks
from lookalike.verification.looks import Seen
from lookalike.verification.verdict import EXACT, SAME_PIXELS, UNVERIFIED, Outline, Picture, Relation, Verdict

if TYPE_CHECKING:
    from lookalike.imaging.isolation.decoders import Decoders, Source

T = TypeVar("T")

FILE = "verdicts.sqlite"
VERSION = 2  # of the verification; verdicts of other versions are dropped
OUTLINES_IN_MEMORY = 20_000  # images whose features are held, 0.05 MB each
IN_MEMORY = 1000  # images whose thumbnails and features are cached, 0.1 MB each
CLOSE_IN_MEMORY = 100  # images cached at the resolution of a close look, 0.7 MB each
WHOLE = 128  # longer side in pixels up to which a thumbnail shows all that a file does
WRITTEN_TOGETHER = 256
BLOCK = 500  # pairs whose records and thumbnails are read together

SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    first BLOB NOT NULL, second BLOB NOT NULL,  -- digests, the smaller one first
    verdict TEXT NOT NULL,                      -- JSON
    PRIMARY KEY (first, second)
) STRICT, WITHOUT ROWID
"""


class Pair(NamedTuple):
    """Two images, and whether the second is compared mirrored (None: both ways)."""

    first: Record
    second: Record
    mirrored: bool | None = False
    insist: bool = True  # as in `looks.verdict`


class Asked(NamedTuple):
    """A pair by the ids of its images."""

    first: int
    second: int
    mirrored: bool | None
    insist: bool


class _Recent(Generic[T]):
    """A thread-safe cache of the most recently used values, by image id."""

    def __init__(self, most: int) -> None:
        self._most, self._made, self._lock = most, OrderedDict[int, T](), threading.Lock()

    def peek(self, id_: int) -> T | None:
        """The cached value, if there is one."""
        return self._made.get(id_)

    def __contains__(self, id_: int) -> bool:
        return id_ in self._made

    def get(self, id_: int, make: Callable[[], T | None]) -> T | None:
        """The cached value, or the result of `make`; None is not cached: the file may be reachable next time."""
        with self._lock:
            if id_ in self._made:
                self._made.move_to_end(id_)
                return self._made[id_]
        found = make()
        if found is not None:
            with self._lock:
                self._made[id_] = found
                while len(self._made) > self._most:
                    self._made.popitem(last=False)
        return found


class Verifier:
    """Verdicts on pairs of a store's images; thread-safe."""

    def __init__(self, store: Store, decoders: Decoders | None = None) -> None:
        self._store, self._decoders = store, decoders  # without decoders, files are not read
        self._seen = _Recent[Seen](IN_MEMORY)
        self._close = _Recent[Picture](CLOSE_IN_MEMORY)
        self._outlines = _Recent[Outline](OUTLINES_IN_MEMORY)
        self._kept = VerdictCache(None if store.folder is None else store.folder / FILE)

    def close(self) -> None:
        """Write new verdicts."""
        self._kept.close()

    def __enter__(self) -> Verifier:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def between(self, pair: Pair) -> Verdict:
        """The verdict on a pair: what the second image is to the first."""
        first, second = pair.first, pair.second
        if first.digest is not None and first.digest == second.digest:
            return EXACT
        if first.digest is not None and second.digest is not None and second.digest < first.digest:
            return looks.reversed_(
                self.between(Pair(second, first, pair.mirrored, pair.insist))
            )  # one verdict for both orders
        known = self._kept.find(first.digest, second.digest, mirrored=pair.mirrored)
        if known is not None:
            return known
        one, other = self.seen(first), self.seen(second)
        if one is None or other is None:
            return UNVERIFIED
        found = looks.verdict(one, other, mirrored=pair.mirrored, insist=pair.insist)
        for record, seen in ((first, one), (second, other)):
            self._outlines.get(record.id, partial(getattr, seen.frames[0], "outline"))
        if found.relation.is_copy and self._have_same_pixels(first, second):
            found = replace(SAME_PIXELS, inliers=found.inliers)
        self._kept.add(first.digest, second.digest, found, mirrored=pair.mirrored)
        return found

    def of_pairs(self, pairs: Sequence[Asked]) -> Iterator[Verdict | None]:
        """Verdicts on pairs of images; None if either image is gone."""
        for start in range(0, len(pairs), BLOCK):
            some = pairs[start : start + BLOCK]
            records = self._store.records(sorted({id_ for pair in some for id_ in pair[:2]}))
            self.load(records)
            yield from in_order(partial(self._of_ids, records), some, workers=cores())

    def _of_ids(self, records: Mapping[int, Record], pair: Asked) -> Verdict | None:
        first, second, mirrored, insist = pair
        if first not in records or second not in records:
            return None
        return self.between(Pair(records[first], records[second], mirrored, insist))

    def of_query(self, query: Seen, record: Record, *, mirrored: bool | None = False, insist: bool = True) -> Verdict:
        """The verdict on a query and an image with different bytes."""
        seen = self.seen(record)
        if seen is None:
            return UNVERIFIED
        return looks.verdict(query, seen, mirrored=mirrored, insist=insist)

    def same_pixels(self, found: Verdict, source: Source, record: Record) -> Verdict:
        """The verdict on a query and an image, replaced by "same pixels" if their files decode to the same content."""
        if (expected := self.pixel_digest(record)) is None or self._decoders is None:
            return found
        with suppress(LookalikeError, OSError), self._decoders.opened(source) as image:
            return replace(SAME_PIXELS, inliers=found.inliers) if image.pixel_digest() == expected else found
        return found

    def seen(self, record: Record) -> Seen | None:
        """An image prepared for verification; None if it has no thumbnail and its file is unreachable."""
        return self._seen.get(record.id, lambda: self._see(record))

    def load(self, records: Mapping[int, Record]) -> None:
        """Read images' thumbnails in one query; `seen` would read them one by one."""
        missing = [id_ for id_ in records if id_ not in self._seen]
        for id_, content in self._store.thumbnails(missing[:IN_MEMORY]).items():
            self._seen.get(id_, partial(self._made, records[id_], content))

    def _see(self, record: Record) -> Seen | None:
        content = self._store.thumbnails([record.id]).get(record.id)
        return self._made(record, content)

    def _made(self, record: Record, content: bytes | None) -> Seen | None:
        if content is not None:
            with suppress(ImageError):
                small, known = thumbnails.unpack(content), self._outlines.peek(record.id)
                is_whole = 0 < max(record.width or 0, record.height or 0) <= WHOLE
                close = partial(self._close_look, record)
                return Seen.whole(small, outline=known) if is_whole else Seen(small, close, outline=known)
        frames = self._frames(record)
        return Seen(frames, lambda: Picture(frames[0])) if frames else None

    def _close_look(self, record: Record) -> Picture | None:
        return self._close.get(record.id, lambda: next(map(Picture, self._frames(record)), None))

    def _frames(self, record: Record) -> list[Array]:
        """The frames of an image from its file or kept original; empty if neither is readable."""
        if self._decoders is None:
            return []
        with originals.opened(record, self._store.folder or Path(), self._decoders) as image:
            try:
                return [] if image is None else image.frames(looks.CLOSE)
            except LookalikeError:
                return []

    def _have_same_pixels(self, first: Record, second: Record) -> bool:
        """Whether two files have the same pixels; False if either is unreachable."""
        if (first.width, first.height) != (second.width, second.height):
            return False
        digests = [self.pixel_digest(record) for record in (first, second)]
        return digests[0] is not None and digests[0] == digests[1]

    def pixel_digest(self, record: Record) -> bytes | None:
        """A digest that is equal for images with the same pixels; None if the image cannot be read."""
        if self._decoders is None:
            return None
        with originals.opened(record, self._store.folder or Path(), self._decoders) as image:
            try:
                return None if image is None else image.pixel_digest()
            except LookalikeError:
                return None


@contextmanager
def verifying(store: Store, *, max_pixels: int = MAX_PIXELS) -> Iterator[Verifier]:
    """A verifier that reads files in worker processes, which end with it."""
    from lookalike.imaging.isolation import pool
    from lookalike.imaging.isolation.limits import DecodeLimits

    with (
        pool.make_decoders(DecodeLimits.of(max_pixels), workers=cores()) as decoders,
        Verifier(store, decoders) as verifier,
    ):
        yield verifier


class VerdictCache:
    """A file of verdicts, by the digests of images."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._new: dict[tuple[bytes, bytes], str] = {}
        self._path = path
        self._connection = None if path is None else _opened(path)

    def find(self, first: bytes | None, second: bytes | None, *, mirrored: bool | None) -> Verdict | None:
        """The verdict on two digests, the smaller one first; None if unknown, or if fewer orientations were tried."""
        if first is None or second is None:
            return None
        with self._lock:
            text = self._new.get((first, second)) or self._read(first, second)
        if text is None:
            return None
        found, looked = _unpacked(text)
        return found if found.relation.is_copy or looked in (mirrored, None) else None

    def add(self, first: bytes | None, second: bytes | None, verdict: Verdict, *, mirrored: bool | None) -> None:
        """Store a verdict, unless it could change once a file is reachable again."""
        if first is None or second is None or not verdict.verified:
            return
        with self._lock:
            if self._connection is not None:
                self._new[first, second] = _packed(verdict, mirrored)
                if len(self._new) >= WRITTEN_TOGETHER:
                    self._write()

    def close(self) -> None:
        """Write new verdicts and close the file."""
        with self._lock:
            if self._connection is not None:
                self._write()
                self._connection.close()
                self._connection = None

    def _read(self, first: bytes, second: bytes) -> str | None:
        if self._connection is None or self._path is None:
            return None
        try:
            query = "SELECT verdict FROM verdicts WHERE first = ? AND second = ?"
            return next((text for (text,) in self._connection.execute(query, (first, second))), None)
        except sqlite3.OperationalError:  # another process writes
            return None
        except sqlite3.DatabaseError:
            self._connection.close()
            delete(self._path)
            self._connection = _opened(self._path)
            return None

    def _write(self) -> None:
        assert self._connection is not None
        rows = [(*key, text) for key, text in self._new.items()]
        with suppress(sqlite3.Error), self._connection:  # only a cache
            self._connection.executemany("INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?)", rows)
            self._new.clear()


def _opened(path: Path) -> sqlite3.Connection | None:
    """The file, created if missing and emptied if of another version; None if that is impossible."""
    for _ in range(2):
        try:
            connection = sqlite3.connect(path, check_same_thread=False, timeout=5)
            if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                connection.execute("DROP TABLE IF EXISTS verdicts")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(SCHEMA)
            connection.commit()
            return connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # read-only, or locked
                return None
            delete(path)  # damaged, and can be computed again
    return None


def delete(path: Path) -> None:
    """Delete the file and SQLite's files next to it."""
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        with suppress(OSError):
            name.unlink(missing_ok=True)


def is_damaged(path: Path) -> bool:
    """Whether any part of the file is unreadable."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return [value for (value,) in connection.execute("PRAGMA quick_check")] != ["ok"]
    except sqlite3.OperationalError:  # locked, or read-only
        return False
    except sqlite3.DatabaseError:
        return True


def _packed(verdict: Verdict, mirrored: bool | None) -> str:
    values = [
        verdict.relation, verdict.edits, verdict.transform, verdict.overlaps, verdict.inliers, verdict.agreement,
        mirrored,
    ]  # fmt: skip
    return json.dumps(values, separators=(",", ":"))


def _unpacked(text: str) -> tuple[Verdict, bool | None]:
    relation, edits, transform, overlaps, inliers, agreement, mirrored = json.loads(text)
    verdict = Verdict(
        relation=Relation(relation), edits=tuple(edits), transform=None if transform is None else tuple(transform),
        overlaps=(overlaps[0], overlaps[1]), inliers=inliers, agreement=agreement,
    )  # fmt: skip
    return verdict, mirrored
