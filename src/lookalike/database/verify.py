"""Check and repair of a database's folder.

The catalog comes first: nothing is derived from it unless its rows are proven right by their digests. Then derived
files are repaired; original data is restored where it can be proven right, and otherwise reported and left alone.
Candidates for lost rows come from the model, `codes.bin` and the folders; the rows' digest proves them right.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from lookalike import data
from lookalike.calibration import stored
from lookalike.core.errors import DatabaseError, LookalikeError, ModelError
from lookalike.duplicates import variant_codes
from lookalike.hasher import Hasher
from lookalike.store import model_file, originals
from lookalike.store.derived import code_array, codefile, leftovers, verdicts
from lookalike.store.derived.results import Finding
from lookalike.store.digests import Layout
from lookalike.store.folder import LOST, FolderStore
from lookalike.store.integrity import Row, Source

MOST = 200_000  # folders that are searched
TABLES = (".parquet", ".npy")


def verify(store: FolderStore, *, accept: bool = False) -> list[Finding]:
    """Findings about catalog, model, codes and originals.

    With `accept`, the catalog is then accepted as it is, and lost originals are dropped from it.
    """
    findings = _catalog(store, accept=accept)
    if accept:
        findings = [one if one.ok else Finding(f"{one.what}; accepted", True, repaired=True) for one in findings]
        findings.append(_accept(store))
    damaged = store.integrity.damaged
    are_codes_proven = not damaged & {"images", "meta"}
    are_orphans_sure = not damaged and _is_latest(store)
    findings += [_model(store)]
    findings.append(_codes(store, are_proven=are_codes_proven))
    findings += _caches(store.folder)
    findings += _originals(store, are_proven=are_orphans_sure)
    return [*findings, *_leftovers(store)]


def _is_latest(store: FolderStore) -> bool:
    """Whether the file of codes confirms that the catalog has lost nothing."""
    try:
        header = codefile.read_header(store.folder / codefile.FILE)
        return header.database in ("", store.get("database")) and not header.is_later(store.stamp)
    except DatabaseError:
        return False


def _catalog(store: FolderStore, *, accept: bool) -> list[Finding]:
    faults = store.integrity.check(_sources(store))
    store.forget()
    remedy = (
        f". Restore a backup of {store.location}; or index the folders again with --reindex, then accept the rest: "
        f"lookalike verify --accept --db {store.location}"
    )
    remedy = "" if accept else remedy
    findings = [
        Finding(f"catalog: {fault.what}", True, repaired=True)
        if fault.repaired
        else Finding(f"catalog: {fault.what}{remedy}", False)
        for fault in faults
    ]
    with suppress(DatabaseError):
        if "meta" not in store.integrity.damaged:
            store.note_loss()
        if revision := store.lost_after:
            lost = f"all changes after revision {revision} are lost, perhaps with {store.path.name}-wal"
            findings.append(Finding(f"catalog: {lost}{remedy}", False))
    return findings or [Finding("catalog: intact", True)]


def _accept(store: FolderStore) -> Finding:
    dropped = store.integrity.accept()
    store.forget()
    with store.transaction():
        if store.get(LOST):
            store.set(LOST, "")
        store.touch()
    code_array.keep(store, rebuild=True)
    forgotten = _forget_lost(store)
    what = f"accepted as it is; {dropped} orphaned rows and {forgotten} lost originals dropped"
    return Finding(f"catalog: {what}", True, repaired=True)


def _model(store: FolderStore) -> Finding:
    try:
        hasher = model_file.load(store)
    except LookalikeError as error:
        return Finding(f"model: {error}", False)
    path = store.folder / model_file.FILE
    if hasher.path != os.fspath(path):
        model_file.copy(hasher, path)
        model_file.pending(store.folder).unlink(missing_ok=True)
        return Finding(f"model: {hasher.name}, restored", True, repaired=True)
    return Finding(f"model: {hasher.name}", True)


def _codes(store: FolderStore, *, are_proven: bool) -> Finding:
    path, kept = store.folder / codefile.FILE, f"{codefile.FILE} was left as it is"
    try:
        ids_N, codes_NW = store.codes(int(store.get("bits")) // 8)
        stamp = store.stamp
    except (DatabaseError, ValueError) as error:
        return Finding(f"codes: {error}", False)
    try:
        header, stored_N, stored_NW = codefile.read(path)
        is_intact = codefile.is_intact(path)
        is_same = np.array_equal(ids_N, stored_N) and np.array_equal(codes_NW, stored_NW)
        why = "damaged" if not is_intact else "" if is_same and header.fits(stamp) else "does not match the catalog"
        if is_intact and header.is_later(stamp):
            return Finding(f"codes: of revision {header.revision}, which the catalog has lost; {kept}", False)
        if is_intact and not is_same and header.fits(stamp) and not header.database:
            return Finding(f"codes: differ from those of the catalog, so one of the two is damaged; {kept}", False)
    except DatabaseError as error:
        why = str(error)
    if not why:
        return Finding(f"codes: {len(ids_N)} in {codefile.FILE}, as in the catalog", True)
    if not are_proven:
        return Finding(f"codes: {why}; {kept}, because the catalog is damaged", False)
    code_array.keep(store, rebuild=True)
    return Finding(f"codes: {why}; rebuilt from the catalog", True, repaired=True)


def _leftovers(store: FolderStore) -> Iterator[Finding]:
    leftover = [*leftovers.delete(store.folder), *originals.drop_temporary(store.folder)]
    pending = model_file.pending(store.folder)
    if pending.exists() and model_file.has_digest(store.folder / model_file.FILE, store.get("model")):
        pending.unlink()  # of a change of model that was abandoned
        leftover.append(pending)
    for path in leftover:
        what = f"{path.relative_to(store.folder)} of an interrupted run or an earlier version"
        yield Finding(f"leftover: {what}; deleted", True, repaired=True)


def _caches(folder: Path) -> Iterator[Finding]:
    for path, is_damaged in (
        (folder / variant_codes.FILE, variant_codes.is_damaged),
        (folder / verdicts.FILE, verdicts.is_damaged),
    ):
        if path.exists() and is_damaged(path):
            verdicts.delete(path)
            yield Finding(f"{path.name}: damaged; deleted, and rebuilt when needed", True, repaired=True)


# Originals


def _originals(store: FolderStore, *, are_proven: bool) -> Iterator[Finding]:
    """Findings about originals; deletes those without an image, if the catalog is certain to be complete."""
    recorded, there = store.originals(), set(originals.digests(store.folder))
    good = 0
    for digest in sorted(recorded | there):
        if digest not in recorded:
            yield _unrecorded(store, digest, are_proven=are_proven)
        elif digest in there and originals.is_intact(store.folder, digest):
            good += 1
        else:
            yield _bad_original(store, digest, what="damaged" if digest in there else "lost")
    if good:
        yield Finding(f"originals: {good} intact", True)


def _forget_lost(store: FolderStore) -> int:
    """Drop records of originals that no longer exist; returns how many."""
    lost = [digest for digest in store.originals() if not originals.has(store.folder, digest, None)]
    with store.transaction():
        store.forget_originals(lost)
    return len(lost)


def _unrecorded(store: FolderStore, digest: bytes, *, are_proven: bool) -> Finding:
    name = digest.hex()
    if store.with_digest(digest) and originals.is_intact(store.folder, digest):
        with store.transaction():
            store.record_originals([digest])
        return Finding(f"originals: {name} was not recorded; recorded", True, repaired=True)
    if not are_proven:
        return Finding(f"originals: {name} belongs to no image in the catalog, which may be incomplete; kept", True)
    originals.drop(store.folder, digest)
    return Finding(f"originals: {name} belonged to no image in the catalog; deleted", True, repaired=True)


def _bad_original(store: FolderStore, digest: bytes, *, what: str) -> Finding:
    """The finding about a lost or damaged original; restores it if the image's file still has its content."""
    records = store.with_digest(digest)
    for record in records:
        with suppress(LookalikeError, OSError):
            content = data.read_bytes(record.item)
            if data.content_digest(content) == digest:
                originals.keep(store.folder, digest, content)
                what = f"{what}; restored from {record.name}"
                return Finding(f"originals: {digest.hex()} was {what}", True, repaired=True)
    of = f", of {records[0].name}," if records else ""
    remedy = "delete it and accept the loss" if what == "damaged" else "accept the loss"
    return Finding(
        f"originals: {digest.hex()}{of} is {what}. Restore {originals.path(store.folder, digest)} from a backup, "
        f"or {remedy} with: lookalike verify --accept --db {store.location}",
        False,
    )


# Sources of lost rows


def _sources(store: FolderStore) -> dict[str, Source]:
    """For each table, a function that yields candidate rows."""
    return {
        "meta": partial(_meta, store.folder),
        "images": partial(_images, store),
        "folders": partial(_folders, store),
        "originals": lambda layout, rows: ((digest,) for digest in originals.digests(store.folder)),
    }


def _meta(folder: Path, layout: Layout, rows: Sequence[Row]) -> Iterator[Row]:
    values: dict[str, object] = {stored.KEY: ""}
    with suppress(ModelError):
        hasher = Hasher.load(folder / model_file.FILE)
        values |= {"model": hasher.digest, "model_name": hasher.info.name, "bits": hasher.bits}
    with suppress(DatabaseError):
        header = codefile.read_header(folder / codefile.FILE)
        values |= {"revision": header.revision, "database": header.database, "change": header.change}
    for key, value in values.items():
        yield key.encode(), str(value).encode()


def _images(store: FolderStore, layout: Layout, rows: Sequence[Row]) -> Iterator[Row]:
    path = store.folder / codefile.FILE
    try:
        header, ids_N, codes_NW = codefile.read(path)
        if not header.fits(store.stamp) or not codefile.is_intact(path):
            return
    except DatabaseError:
        return
    id_at, code_at = layout.columns.index("id"), layout.columns.index("code")
    numbers = {id_: row for row in rows if isinstance(id_ := row[id_at], int)}
    first, last = min(numbers, default=0), max(numbers, default=0)
    for at in range(*ids_N.searchsorted([first, last + 1]).tolist()):
        row = numbers.get(int(ids_N[at]))
        if row is not None:
            yield (*row[:code_at], codes_NW[at].tobytes(), *row[code_at + 1 :])


def _folders(store: FolderStore, layout: Layout, rows: Sequence[Row]) -> Iterator[Row]:
    """Every combination of a lost id with a folder or table in a root."""
    if layout.columns != ("id", "root", "path"):
        return
    lost = store.integrity.lost_folders()
    places = (
        [(number, path) for root, number in store.integrity.numbered_roots() for path in _below(root)] if lost else []
    )
    for id_ in lost[:100]:
        yield from ((id_, number, path) for number, path in places)


def _below(root: str) -> Iterator[bytes]:
    """Folders and tables of a root, in the catalog's form."""
    for folder, _, names in islice(os.walk(root), MOST):
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        yield os.fsencode(prefix)
        yield from (os.fsencode(f"{prefix}{name}#") for name in names if name.endswith(TABLES))
