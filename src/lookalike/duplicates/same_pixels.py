"""Which copies have the same pixels, though other bytes: told by reading the files, of those only that may have.

Two images can have the same pixels only if they have the same size. What cannot be read, or not compared as a whole, is
never called the same (`imaging.pixels`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.imaging import decode
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import Decoders
from lookalike.imaging.isolation.limits import Limits
from lookalike.store.records import Record

Pixels = Mapping[bytes, bytes]  # digests of pixels, by the digest of the content
OnRows = Callable[[int, int], object]


def wanted(groups: Iterable[Sequence[Record]]) -> list[Record]:
    """One image of each content that must be decoded: another of its group has the same size and other bytes."""
    found: dict[bytes, Record] = {}
    for group in groups:
        by_size: dict[tuple[int, int], dict[bytes, Record]] = {}
        for record in group:
            if record.digest and record.width and record.height:
                by_size.setdefault((record.width, record.height), {}).setdefault(record.digest, record)
        for contents in by_size.values():
            if len(contents) > 1:
                found.update(contents)
    return list(found.values())


def read(
    records: Sequence[Record], *, max_pixels: int = decode.MAX_PIXELS, on_rows: OnRows = lambda done, total: None
) -> dict[bytes, bytes]:
    """The digests of the pixels of images, by the digest of their content; what has changed since is left out."""
    found: dict[bytes, bytes] = {}
    if not records:
        return found
    workers = min(4, os.cpu_count() or 1, len(records))
    with (
        ThreadPoolExecutor(workers) as threads,
        pool.make_decoders(Limits.of(max_pixels), workers=workers) as decoders,  # ended first
    ):
        pairs = threads.map(lambda record: (record, _digest(record, decoders)), records)
        try:
            for done, (record, digest) in enumerate(pairs, start=1):
                if digest is not None and record.digest is not None:
                    found[record.digest] = digest
                on_rows(done, len(records))
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _digest(record: Record, decoders: Decoders) -> bytes | None:
    try:
        with decoders.opened(data.source(record.item)) as image:
            return image.pixel_digest() if image.digest == record.digest else None
    except (OSError, LookalikeError):
        return None
