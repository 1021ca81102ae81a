"""From items to rows of the catalog: workers read and decode, threads encode, the caller's records.

What is known is not done again: an unchanged file (same size, times and inode) is not read, a file whose bytes are
known is not encoded, and decoded only if its thumbnail is missing. An unchanged file that an earlier version indexed
without a thumbnail is read again for it; its code stays. A renamed or moved file keeps its row, which its digest
finds. What cannot be read any more keeps its row as it is.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from lookalike import data
from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.parallel import in_order
from lookalike.core.progress import Progress, silent
from lookalike.data import Item, Survey, source
from lookalike.database import absent
from lookalike.database.reachability import Reachability
from lookalike.hasher import Hasher
from lookalike.imaging import decode, files
from lookalike.imaging.formats import kinds
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Decoders, ImageFile
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.quality import PLAIN, quality
from lookalike.store.protocol import Store
from lookalike.store.records import Outcome, Record
from lookalike.store.surroundings import Unreachable

BATCH = 64
COMMIT_SECONDS = 2.0


@dataclass
class IndexReport:
    """What became of each item; `found` is the sum of the others but `missing`."""

    found: int = 0
    encoded: int = 0  # decoded and encoded now
    copied: int = 0  # same bytes as an image that has a code already
    moved: int = 0  # known under another path, where it is no more
    unchanged: int = 0
    failed: int = 0  # could not be read, now or when it was last tried
    missing: int = 0  # in the database, but no longer where they were
    refreshed: int = 0  # of those unchanged: read again for their thumbnails, which earlier versions did not keep
    plain: int = 0  # of those read now: with too little to see for their codes to mean anything
    out_of_reach: int = 0  # in the database, and neither seen nor known to be gone
    dropped: int = 0  # that were in the database, and are left out from now on
    companions: int = 0  # files that belong to photos
    left_out: dict[str, int] = field(default_factory=dict)  # files by kind, see `data.leaving_out`
    unreachable: list[Unreachable] = field(default_factory=list)  # folders and files that cannot be read
    seconds: float = 0.0
    problems: list[tuple[str, str]] = field(default_factory=list)  # (name, reason) of all that failed

    @property
    def indexed(self) -> int:
        """Items that can be found now."""
        return self.encoded + self.copied + self.moved + self.unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What is indexed, and how it is read."""

    labels_from_folders: bool = False
    keep_originals: bool = False
    reindex: bool = False  # read again what has not changed, too
    exclude: Sequence[str] = ()  # globs of what is left out of the folders (see `data.leaving_out`); kept for them
    include: Sequence[str] = ()  # globs of what is indexed although it would be left out
    limit: int | None = None  # images at most
    max_pixels: int = MAX_PIXELS
    workers: int = 0  # threads, and processes that decode for them; 0: as many as there are cores
    isolation: bool = True  # worker processes decode, with limits on memory and time; else this one, which trusts files

    @property
    def limits(self) -> DecodeLimits:
        """What decoding one image may take."""
        return DecodeLimits.of(self.max_pixels)


@dataclass(frozen=True, slots=True)
class _Read:
    """An item after its bytes were read: encoded now, or known by its digest and so with a code, or failed."""

    outcome: Outcome
    encoded: bool = False


def run(
    survey: Survey,
    sources: data.Paths,
    store: Store,
    hasher: Hasher,
    options: IndexOptions,
    progress: Progress = silent,
) -> IndexReport:
    """Bring the store up to date with items: all there are in the folders, tables and files that were named.

    After an interruption what was recorded is whole and stays.
    """
    survey.items += absent.owed(store, survey.items)
    items, scopes = survey.items, data.scopes(sources)
    store.expect([item.name for item in items])
    report = IndexReport(len(items), companions=survey.companions, left_out=dict(survey.left_out))
    started = time.monotonic()
    met = _Met(store)
    try:
        changed = list(_changed(items, store, options, report, met))
        done = len(items) - len(changed)
        with closing(_read_all(changed, store, hasher, options)) as reads:
            for batch in _batched(reads):
                with store.transaction():
                    met.seen.update(_record(batch, store, report, met))
                    store.touch()
                done += len(batch)
                progress("indexing", done, len(items))
    finally:
        report.seconds = time.monotonic() - started
    settled = absent.settle(store, survey, scopes, met.seen, met.reach, unread=met.unread)
    report.missing, report.dropped, report.unreachable = settled.gone, settled.dropped, settled.unreachable
    report.out_of_reach = sum(place.images for place in settled.unreachable)
    return report


class _Met:
    """What was met so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seen: set[int] = set()  # ids of rows whose files are there
        self.unread: list[Unreachable] = []  # files that are there and cannot be read
        self.reach = Reachability(store)
        self._left: dict[bytes, deque[Record]] = {}  # rows whose files are not where they were, by digest

    def moved(self, digest: bytes) -> Record | None:
        """A row of an image with these bytes whose own file is gone; each once."""
        left = self._left.get(digest)
        if left is None:
            records = self._store.with_digest(digest)
            left = deque(one for one in records if one.id not in self.seen and self.reach.has_moved(one))
            if records:
                self._left[digest] = left
        while left:
            record = left.popleft()
            if record.id not in self.seen:
                return record
        return None


def _changed(
    items: Iterable[Item], store: Store, options: IndexOptions, report: IndexReport, met: _Met
) -> Iterator[Item]:
    """The items that must be read; the others are counted."""
    relabelled: list[tuple[int, Item]] = []
    looked_at: list[tuple[int, Item]] = []
    for item in items:
        record = store.find(item.name)
        if record is not None and item.size >= 0:
            met.reach.saw(record, item)
        if (
            record is None
            or not _is_unchanged(record, item)
            or options.reindex
            or _lacks_original(record, store, options)
            or _lacks_thumbnail(record, store)
        ):
            yield item
            continue
        met.seen.add(record.id)
        if record.error is None:
            report.unchanged += 1
        else:
            report.failed += 1
            report.problems.append((item.name, record.error))
        if item.label is not None and item.label != record.label:
            relabelled.append((record.id, item))
        if not _is_recorded(record, item, store):
            looked_at.append((record.id, item))
    if relabelled or looked_at:
        with store.transaction():
            store.set_seen(looked_at)
            for id_, item in relabelled:
                store.set_label(id_, item.label)


def _is_unchanged(record: Record, item: Item) -> bool:
    """Whether a file is the one that was read, by what the system says of it.

    What was read before these things were recorded goes by size and time alone: reading a whole collection again would
    take hours, and nothing says that it has changed.
    """
    if record.missing_since or (record.size, record.mtime_ns) != (item.size, item.mtime_ns):
        return False
    if record.error is not None and kinds.is_read_now(record.error):
        return False
    if record.ctime_ns is None:
        return True
    return record.ctime_ns == item.ctime_ns and (record.inode == item.inode or not item.volume.keeps_inodes)


def _is_recorded(record: Record, item: Item, store: Store) -> bool:
    """Whether the row says where and as which file the image was seen."""
    volume = store.surroundings.known_volume(item.volume)
    return (record.ctime_ns, record.inode, record.volume) == (item.ctime_ns, item.inode, volume) and (
        volume is not None or not item.volume.identity
    )


def _lacks_original(record: Record, store: Store, options: IndexOptions) -> bool:
    """Whether an image that is to be kept is not kept yet."""
    if not options.keep_originals or record.digest is None:
        return False
    return not store.has_original(record.digest, record.length)


def _lacks_thumbnail(record: Record, store: Store) -> bool:
    """Whether an image is to be read again for its thumbnail."""
    return record.code is not None and record.digest is not None and store.lacks_thumbnail(record.id)


def _read_all(items: list[Item], store: Store, hasher: Hasher, options: IndexOptions) -> Generator[_Read]:
    """Items read by threads, in their order; only a few are held at a time."""
    workers = min(options.workers or os.cpu_count() or 1, len(items))
    if not items:
        return
    with (
        ThreadPoolExecutor(workers + options.isolation) as threads,  # one encodes while all workers decode
        pool.make_decoders(options.limits, workers=workers, isolation=options.isolation) as decoders,  # ended first
    ):
        work = partial(_read, store=store, hasher=hasher, options=options, decoders=decoders)
        yield from in_order(work, items, workers=workers, threads=threads)


def _read(item: Item, store: Store, hasher: Hasher, options: IndexOptions, decoders: Decoders) -> _Read:
    outcome = Outcome(item=item)
    try:
        with _opened(item, decoders) as image:
            outcome = replace(outcome, digest=image.digest, length=image.length)
            if image.error is not None:
                raise image.error
            if options.keep_originals and outcome.digest:
                store.keep_original(outcome.digest, _content(item, outcome.digest, options))
                outcome = replace(outcome, kept=True)
            known = None if options.reindex else _with_code(store, outcome.digest)
            if known is not None:
                return _Read(_known(outcome, known, image, store, hasher))
            pixels = image.array(hasher.spec, with_thumbnail=store.keeps_thumbnails)
    except ImageError as error:
        return _Read(replace(outcome, error=str(error), try_again=isinstance(error, RetryableImageError)))
    return _encoded(outcome, pixels, hasher)  # while the worker decodes another image


@contextmanager
def _opened(item: Item, decoders: Decoders) -> Iterator[ImageFile]:
    """The image of an item. Raises `ImageError` if it cannot be read."""
    with ExitStack() as stack:
        try:
            image = stack.enter_context(decoders.opened(source(item)))
        except OSError as error:
            raise RetryableImageError(error.strerror or str(error)) from error
        yield image


def _content(item: Item, digest: bytes, options: IndexOptions) -> bytes:
    """The bytes of an item, to be kept. Raises `ImageError` if they are not those that have the digest."""
    try:
        found = source(item)
        content = found if isinstance(found, bytes) else files.read(found, most=options.limits.file_bytes)
    except OSError as error:
        raise RetryableImageError(error.strerror or str(error)) from error
    if files.content_digest(content) != digest:
        raise RetryableImageError("was changed while it was read")
    return content


def _known(outcome: Outcome, known: Record, image: ImageFile, store: Store, hasher: Hasher) -> Outcome:
    """An image with the code of another with the same bytes; decoded only if their thumbnail is missing."""
    outcome = replace(outcome, code=known.code, quality=known.quality, **_facts(known))
    if outcome.digest is not None:
        outcome = replace(outcome, thumbnail=store.thumbnail_of(outcome.digest))
    if not store.keeps_thumbnails or outcome.thumbnail:
        return outcome
    try:
        return replace(outcome, thumbnail=image.array(hasher.spec, with_thumbnail=True).thumbnail)
    except ImageError:
        return outcome


def _encoded(outcome: Outcome, pixels: decode.Decoded, hasher: Hasher) -> _Read:
    """An image with its code."""
    seen = quality(pixels.array, width=pixels.width, height=pixels.height)
    code = hasher.encode_arrays(pixels.array[None])[0].tobytes()
    outcome = replace(outcome, code=code, quality=seen, thumbnail=pixels.thumbnail, **_facts(pixels))
    return _Read(outcome, encoded=True)


def _facts(of: decode.Decoded | Record) -> dict[str, Any]:
    return {"width": of.width, "height": of.height, "format": of.format, "animated": bool(of.animated)}


def _with_code(store: Store, digest: bytes | None) -> Record | None:
    """A row with the code of these bytes.

    Not of an animation that shows too little: an earlier version made its code of the first frame, which may be black.
    """
    known = store.one_with_digest(digest, coded=True) if digest else None
    return None if known is None or (known.animated and known.is_plain) else known


def _batched(reads: Iterator[_Read]) -> Iterator[list[_Read]]:
    """Batches of at most `BATCH`, smaller if reading takes long, so that little is lost if work is cut off."""
    batch: list[_Read] = []
    due = time.monotonic() + COMMIT_SECONDS
    for read in reads:
        batch.append(read)
        if len(batch) >= BATCH or time.monotonic() > due:
            yield batch
            batch, due = [], time.monotonic() + COMMIT_SECONDS
    if batch:
        yield batch


def _record(batch: list[_Read], store: Store, report: IndexReport, met: _Met) -> Iterator[int]:
    """Write all rows; their ids."""
    for read in batch:
        outcome = read.outcome
        here = store.find(outcome.item.name)
        if here and here.digest and _says_nothing(outcome):
            report.failed += 1
            if os.path.lexists(outcome.item.file):  # else it vanished since it was found
                met.unread.append(Unreachable(outcome.item.name, outcome.error or "", 1))
                yield here.id
            continue
        before = here or (met.moved(outcome.digest) if outcome.digest else None)
        if before and outcome.item.label is None:
            outcome = replace(outcome, item=replace(outcome.item, label=before.label))
        _count(outcome, read, here, before, report, store)
        id_ = store.write(outcome, row=before.id if before else None)
        met.seen.add(id_)
        yield id_


def _says_nothing(outcome: Outcome) -> bool:
    """Whether a file could not be read, which says nothing of the image that is known there."""
    return outcome.error is not None and outcome.try_again and outcome.digest is None


def _count(
    outcome: Outcome, read: _Read, here: Record | None, before: Record | None, report: IndexReport, store: Store
) -> None:
    if outcome.error is not None:
        report.failed += 1
        report.problems.append((outcome.item.name, outcome.error))
    elif read.encoded:
        report.encoded += 1
    elif here and here.digest == outcome.digest:
        report.unchanged += 1  # only its time has changed, or it is back, or it had no thumbnail
        report.refreshed += outcome.thumbnail is not None and store.lacks_thumbnail(here.id)
    elif before and not here:
        report.moved += 1
    else:
        report.copied += 1
    report.plain += outcome.quality is not None and outcome.quality < PLAIN
