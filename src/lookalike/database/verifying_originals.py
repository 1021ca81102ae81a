"""Checking the originals that a database keeps, and what a kill left in its folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lookalike import data
from lookalike.core import atomic
from lookalike.database import modelfile, pairfile, turned_copies
from lookalike.database.results import Finding
from lookalike.errors import LookalikeError
from lookalike.store import catalog as catalogs
from lookalike.store import codefile, originals, tablefile
from lookalike.store.catalog import Catalog

UNFINISHED = "catalog.new"  # a catalog that is being made
OURS = (
    catalogs.FILE, codefile.FILE, tablefile.FILE, tablefile.CODES, tablefile.CHANGES, turned_copies.FILE,
    pairfile.FILE, modelfile.FILE, modelfile.DECODER,
)  # fmt: skip
WITHOUT_LOCK = (turned_copies.FILE,)  # files that are also written by those who do not hold the writer's lock
IN_USE = 3600.0  # seconds; temporary files of these that are younger may be in use
OLD_ENDINGS = (".part", ".tmp")  # of earlier versions


def check(folder: Path, catalog: Catalog, *, are_proven: bool) -> Iterator[Finding]:
    """What is found of the originals; if the catalog's rows are proven right, those that none refers to are deleted."""
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


def leftovers(folder: Path) -> Iterator[Finding]:
    """Deletes the temporary files that a kill or a power failure left, and names them."""
    places = [path for path in folder.iterdir() if _is_left_over(path)]
    places += [path for path in originals.files(folder) if _is_temporary_original(path)]
    for path in sorted(places):
        path.unlink(missing_ok=True)
        yield Finding(f"leftover: {path.relative_to(folder)}, of a run that was cut off; deleted", True, repaired=True)


def _unrecorded(folder: Path, catalog: Catalog, digest: bytes, *, are_proven: bool) -> Finding:
    name = digest.hex()
    if catalog.with_digest(digest) and originals.is_intact(folder, digest):
        with catalog.transaction():
            catalog.record_originals([digest])
        return Finding(f"originals: {name} was not recorded; it is now", True, repaired=True)
    if not are_proven:
        return Finding(f"originals: {name} is of no image in the catalog, which is damaged; left there", False)
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


def _is_left_over(path: Path) -> bool:
    old = {f"{name}{ending}" for name in (modelfile.FILE, modelfile.DECODER) for ending in OLD_ENDINGS}
    old |= {f".{name}.tmp" for name in OURS}
    if path.name in old or path.name.startswith(UNFINISHED):
        return path.is_file()
    name = next((name for name in OURS if atomic.is_temporary(path, name)), None)
    return name is not None and path.is_file() and not _may_be_in_use(path, name)


def _may_be_in_use(path: Path, name: str) -> bool:
    return name in WITHOUT_LOCK and time.time() - path.stat().st_mtime < IN_USE


def _is_temporary_original(path: Path) -> bool:
    return atomic.is_temporary(path) or (path.name.startswith("tmp") and path.name.endswith(".tmp"))
