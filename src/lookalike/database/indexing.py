"""Indexing, from items to rows: worker processes read and decode, threads encode, and the calling thread records.

No work is repeated: an unchanged file (same size, times and inode) is not read, and one with a known digest is not
encoded. Unchanged files that an earlier version indexed without a thumbnail are read again to get one; their codes
stay. A moved file is recognised by its digest and keeps its row. A file that has become unreadable keeps its row, too.
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
from lookalike.imaging.quality import LOW_INFORMATION, quality
from lookalike.store.protocol import Store
from lookalike.store.records import IndexOutcome, Record
from lookalike.store.scan_state import Unreachable

BATCH = 64
COMMIT_SECONDS = 2.0


@dataclass
class IndexReport:
    """What became of each item; `found` is the sum of the next five."""

    found: int = 0
    encoded: int = 0  # decoded and encoded now
    copied: int = 0  # same bytes as an image with a code
    moved: int = 0  # known under another path, which no longer exists
    unchanged: int = 0
    failed: int = 0  # unreadable, now or when last tried
    missing: int = 0  # images in the database whose files are gone
    refreshed: int = 0  # those of `unchanged` read again for a thumbnail, which earlier versions did not store
    plain: int = 0  # images read now with too little detail for their codes to mean anything
    out_of_reach: int = 0  # images in the database that were neither seen nor proven gone
    dropped: int = 0  # images removed from the database because they are now excluded
    companions: int = 0  # files that accompany photos
    left_out: dict[str, int] = field(default_factory=dict)  # files by kind, see `data.leaving_out`
    unreachable: list[Unreachable] = field(default_factory=list)  # unreadable folders and files
    seconds: float = 0.0
    problems: list[tuple[str, str]] = field(default_factory=list)  # (name, reason) of each failure

    @property
    def indexed(self) -> int:
        """Number of items that can now be found."""
        return self.encoded + self.copied + self.moved + self.unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What to index, and how."""

    labels_from_folders: bool = False
    keep_originals: bool = False
    reindex: bool = False  # also read unchanged files again
    exclude: Sequence[str] = ()  # globs to exclude from the folders (see `data.leaving_out`); remembered
    include: Sequence[str] = ()  # globs to index although they would be excluded
    limit: int | None = None  # maximum number of images
    max_pixels: int = MAX_PIXELS
    workers: int = 0  # threads, each with a decoding process; 0: one per core
    isolation: bool = True  # decode in worker processes with limits on memory and time; False trusts the files

    @property
    def limits(self) -> DecodeLimits:
        """Limits for decoding one image."""
        return DecodeLimits.of(self.max_pixels)


@dataclass(frozen=True, slots=True)
class _Read:
    """An item that was read: encoded, given the code of a known digest, or failed."""

    outcome: IndexOutcome
    encoded: bool = False


def run(
    survey: Survey,
    sources: data.Paths,
    store: Store,
    hasher: Hasher,
    options: IndexOptions,
    progress: Progress = silent,
) -> IndexReport:
    """Update the store from a survey of the sources. After an interruption, everything recorded is complete."""
    survey.items += absent.lacking_codes(store, survey.items)
    items, scopes = survey.items, data.scopes(sources)
    store.expect([item.name for item in items])
    report = IndexReport(len(items), companions=survey.companions, left_out=dict(survey.left_out))
    started = time.monotonic()
    scan = _Scan(store)
    try:
        changed = list(_changed(items, store, options, report, scan))
        done = len(items) - len(changed)
        with closing(_read_all(changed, store, hasher, options)) as reads:
            for batch in _batched(reads):
                with store.transaction():
                    scan.seen.update(_record(batch, store, report, scan))
                    store.touch()
                done += len(batch)
                progress("indexing", done, len(items))
    finally:
        report.seconds = time.monotonic() - started
    settled = absent.settle(store, survey, scopes, scan.seen, scan.reach, unread=scan.unread)
    report.missing, report.dropped, report.unreachable = settled.gone, settled.dropped, settled.unreachable
    report.out_of_reach = sum(place.images for place in settled.unreachable)
    return report


class _Scan:
    """What has been seen so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.seen: set[int] = set()  # ids of rows whose files exist
        self.unread: list[Unreachable] = []  # existing files that cannot be read
        self.reach = Reachability(store)
        self._left: dict[bytes, deque[Record]] = {}  # rows whose files have left their paths, by digest

    def moved(self, digest: bytes) -> Record | None:
        """A row with this digest whose own file is gone; returned only once."""
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
    items: Iterable[Item], store: Store, options: IndexOptions, report: IndexReport, scan: _Scan
) -> Iterator[Item]:
    """Items that must be read; counts the others."""
    relabelled: list[tuple[int, Item]] = []
    looked_at: list[tuple[int, Item]] = []
    for item in items:
        record = store.find(item.name)
        if record is not None and item.size >= 0:
            scan.reach.saw(record, item)
        if (
            record is None
            or not _is_unchanged(record, item)
            or options.reindex
            or _lacks_original(record, store, options)
            or _lacks_thumbnail(record, store)
        ):
            yield item
            continue
        scan.seen.add(record.id)
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
    """Whether a file's status is the same as when it was read.

    Old rows without ctime and inode are compared by size and time only, because reading a whole collection again would
    take hours.
    """
    if record.missing_since or (record.size, record.mtime_ns) != (item.size, item.mtime_ns):
        return False
    if record.error is not None and kinds.is_read_now(record.error):
        return False
    if record.ctime_ns is None:
        return True
    return record.ctime_ns == item.ctime_ns and (record.inode == item.inode or not item.volume.keeps_inodes)


def _is_recorded(record: Record, item: Item, store: Store) -> bool:
    """Whether the row has the file's current ctime, inode and volume."""
    volume = store.scan_state.known_volume(item.volume)
    return (record.ctime_ns, record.inode, record.volume) == (item.ctime_ns, item.inode, volume) and (
        volume is not None or not item.volume.identity
    )


def _lacks_original(record: Record, store: Store, options: IndexOptions) -> bool:
    """Whether an image's original should be kept but is not."""
    if not options.keep_originals or record.digest is None:
        return False
    return not store.has_original(record.digest, record.length)


def _lacks_thumbnail(record: Record, store: Store) -> bool:
    """Whether an image must be read again to get a thumbnail."""
    return record.code is not None and record.digest is not None and store.lacks_thumbnail(record.id)


def _read_all(items: list[Item], store: Store, hasher: Hasher, options: IndexOptions) -> Generator[_Read]:
    """Items read by threads, in order, a few at a time."""
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
    outcome = IndexOutcome(item=item)
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
    """An item's image. Raises `ImageError` if it cannot be read."""
    with ExitStack() as stack:
        try:
            image = stack.enter_context(decoders.opened(source(item)))
        except OSError as error:
            raise RetryableImageError(error.strerror or str(error)) from error
        yield image


def _content(item: Item, digest: bytes, options: IndexOptions) -> bytes:
    """An item's bytes. Raises `ImageError` if they no longer have the digest."""
    try:
        found = source(item)
        content = found if isinstance(found, bytes) else files.read(found, most=options.limits.file_bytes)
    except OSError as error:
        raise RetryableImageError(error.strerror or str(error)) from error
    if files.content_digest(content) != digest:
        raise RetryableImageError("changed while it was being read")
    return content


def _known(outcome: IndexOutcome, known: Record, image: ImageFile, store: Store, hasher: Hasher) -> IndexOutcome:
    """An image with the code of another one with the same bytes; decoded only if the thumbnail is missing."""
    outcome = replace(outcome, code=known.code, quality=known.quality, **_facts(known))
    if outcome.digest is not None:
        outcome = replace(outcome, thumbnail=store.thumbnail_of(outcome.digest))
    if not store.keeps_thumbnails or outcome.thumbnail:
        return outcome
    try:
        return replace(outcome, thumbnail=image.array(hasher.spec, with_thumbnail=True).thumbnail)
    except ImageError:
        return outcome


def _encoded(outcome: IndexOutcome, pixels: decode.Decoded, hasher: Hasher) -> _Read:
    """An image encoded."""
    seen = quality(pixels.array, width=pixels.width, height=pixels.height)
    code = hasher.encode_arrays(pixels.array[None])[0].tobytes()
    outcome = replace(outcome, code=code, quality=seen, thumbnail=pixels.thumbnail, **_facts(pixels))
    return _Read(outcome, encoded=True)


def _facts(of: decode.Decoded | Record) -> dict[str, Any]:
    return {"width": of.width, "height": of.height, "format": of.format, "animated": bool(of.animated)}


def _with_code(store: Store, digest: bytes | None) -> Record | None:
    """A row with a code for this digest.

    Low-information animations are excluded: an earlier version encoded their first frame, which may be black.
    """
    known = store.one_with_digest(digest, coded=True) if digest else None
    return None if known is None or (known.animated and known.is_low_information) else known


def _batched(reads: Iterator[_Read]) -> Iterator[list[_Read]]:
    """Batches of at most `BATCH`, smaller if reading is slow, so that an interruption loses little work."""
    batch: list[_Read] = []
    due = time.monotonic() + COMMIT_SECONDS
    for read in reads:
        batch.append(read)
        if len(batch) >= BATCH or time.monotonic() > due:
            yield batch
            batch, due = [], time.monotonic() + COMMIT_SECONDS
    if batch:
        yield batch


def _record(batch: list[_Read], store: Store, report: IndexReport, scan: _Scan) -> Iterator[int]:
    """Write all rows; yields their ids."""
    for read in batch:
        outcome = read.outcome
        here = store.find(outcome.item.name)
        if here and here.digest and _says_nothing(outcome):
            report.failed += 1
            if os.path.lexists(outcome.item.file):  # otherwise it has vanished since the survey
                scan.unread.append(Unreachable(outcome.item.name, outcome.error or "", 1))
                yield here.id
            continue
        before = here or (scan.moved(outcome.digest) if outcome.digest else None)
        if before and outcome.item.label is None:
            outcome = replace(outcome, item=replace(outcome.item, label=before.label))
        _count(outcome, read, here, before, report, store)
        id_ = store.write(outcome, row=before.id if before else None)
        scan.seen.add(id_)
        yield id_


def _says_nothing(outcome: IndexOutcome) -> bool:
    """Whether a file could not be read at all, which proves nothing about the known image."""
    return outcome.error is not None and outcome.try_again and outcome.digest is None


def _count(
    outcome: IndexOutcome, read: _Read, here: Record | None, before: Record | None, report: IndexReport, store: Store
) -> None:
    if outcome.error is not None:
        report.failed += 1
        report.problems.append((outcome.item.name, outcome.error))
    elif read.encoded:
        report.encoded += 1
    elif here and here.digest == outcome.digest:
        report.unchanged += 1  # only its time changed, it reappeared, or it had no thumbnail
        report.refreshed += outcome.thumbnail is not None and store.lacks_thumbnail(here.id)
    elif before and not here:
        report.moved += 1
    else:
        report.copied += 1
    report.plain += outcome.quality is not None and outcome.quality < LOW_INFORMATION
