"""Checking the originals that a database keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lookalike import data
from lookalike.core.errors import LookalikeError
from lookalike.store import originals
from lookalike.store.catalog import Catalog
from lookalike.store.derived.results import Finding


def check(folder: Path, catalog: Catalog, *, are_proven: bool) -> Iterator[Finding]:
    """What is found of the originals; those that no row refers to are deleted, if the catalog is sure to lack none."""
    recorded, there = catalog.originals(), set(originals.digests(folder))
    good = 0
    for digest in sorted(recorded | there):
        if digest not in recorded:
            yield _unrecorded(folder, catalog, digest, are_proven=are_proven)
        elif digest in there and originals.is_intact(folder, digest):
            good += 1
        else:
            yield _bad(folder, catalog, digest, what="damaged" if digest in there else "lost")
    if good:
        yield Finding(f"originals: {good} as they were kept", True)


def forget_lost(folder: Path, catalog: Catalog) -> int:
    """Drop the records of originals that are not there any more; how many."""
    lost = [digest for digest in catalog.originals() if not originals.has(folder, digest, None)]
    with catalog.transaction():
        catalog.forget_originals(lost)
    return len(lost)


def _unrecorded(folder: Path, catalog: Catalog, digest: bytes, *, are_proven: bool) -> Finding:
    name = digest.hex()
    if catalog.with_digest(digest) and originals.is_intact(folder, digest):
        with catalog.transaction():
            catalog.record_originals([digest])
        return Finding(f"originals: {name} was not recorded; it is now", True, repaired=True)
    if not are_proven:
        return Finding(f"originals: {name} is of no image in the catalog, which may lack some; left there", True)
    originals.drop(folder, digest)
    return Finding(f"originals: {name} was of no image in the catalog; deleted", True, repaired=True)


def _bad(folder: Path, catalog: Catalog, digest: bytes, *, what: str) -> Finding:
    """An original that is lost or damaged; it is kept again if the image's own file still has its bytes."""
    records = catalog.with_digest(digest)
    for record in records:
        with suppress(LookalikeError, OSError):
            content = data.read_bytes(record.item)
            if data.content_digest(content) == digest:
                originals.keep(folder, digest, content)
                what = f"{what}; kept again from {record.name}"
                return Finding(f"originals: {digest.hex()} was {what}", True, repaired=True)
    of = f", of {records[0].name}," if records else ""
    remedy = "delete it and accept the loss" if what == "damaged" else "accept the loss"
    return Finding(
        f"originals: {digest.hex()}{of} is {what}. Restore {originals.path(folder, digest)} from a backup, or {remedy} "
        f"with: lookalike verify --accept --db {folder}",
        False,
    )
