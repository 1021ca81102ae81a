"""Checking what lies in a database's folder.

The catalog comes first: only if its rows are proven right by their digests is anything else made from them. What is
derived is then repaired; what is truth is restored where that can be proven, and otherwise reported and left as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from lookalike.core.errors import DatabaseError, LookalikeError
from lookalike.database import leftovers, model_file, restoring, verify_originals
from lookalike.duplicates import oriented_codes
from lookalike.store import originals
from lookalike.store.catalog import Catalog
from lookalike.store.derived import code_array, codefile, pairfile, tablefile
from lookalike.store.derived.results import Finding

LOST = "lost"  # in the catalog's `meta`: the revision that it fell back to


def verify(folder: Path, catalog: Catalog, *, accept: bool = False) -> list[Finding]:
    """What is found of catalog, model, codes, tables and originals, one after another.

    With `accept`, the catalog is afterwards taken as it is, and originals that are lost are forgotten.
    """
    findings = _catalog(folder, catalog, accept=accept)
    if accept:
        findings = [one if one.ok else Finding(f"{one.what}; accepted", True, repaired=True) for one in findings]
        findings.append(_accept(folder, catalog))
    damaged = catalog.integrity.damaged
    are_codes_proven = not damaged & {"images", "meta"}
    are_orphans_sure = not damaged and _is_latest(folder, catalog)
    findings += [_model(folder, catalog), *_decoder(folder, catalog)]
    findings.append(_codes(folder, catalog, are_proven=are_codes_proven))
    if findings[-1].ok:
        findings += _tables(folder, catalog)
    findings += _caches(folder)
    findings += verify_originals.check(folder, catalog, are_proven=are_orphans_sure)
    return [*findings, *_leftovers(folder, catalog)]


def _is_latest(folder: Path, catalog: Catalog) -> bool:
    """Whether the file of codes says that the catalog is its own and has lost nothing."""
    try:
        header = codefile.read_header(folder / codefile.FILE)
        return header.database in ("", catalog.get("database")) and not header.is_later(catalog.stamp)
    except DatabaseError:
        return False


def note_loss(folder: Path, catalog: Catalog) -> None:
    """Record, before anything is written, that the catalog is older than the codes that were derived from it."""
    with suppress(DatabaseError):
        if codefile.read_header(folder / codefile.FILE).is_later(catalog.stamp) and not catalog.get(LOST):
            with catalog.transaction():
                catalog.set(LOST, str(catalog.revision))


def _catalog(folder: Path, catalog: Catalog, *, accept: bool) -> list[Finding]:
    faults = catalog.integrity.check(restoring.sources(folder, catalog))
    catalog.forget()
    remedy = (
        f". Restore a backup of {folder}; or index the folders again with --reindex, then accept what is left: "
        f"lookalike verify --accept --db {folder}"
    )
    remedy = "" if accept else remedy
    findings = [
        Finding(f"catalog: {fault.what}", True, repaired=True)
        if fault.repaired
        else Finding(f"catalog: {fault.what}{remedy}", False)
        for fault in faults
    ]
    with suppress(DatabaseError):
        if "meta" not in catalog.integrity.damaged:
            note_loss(folder, catalog)
        if revision := catalog.lost_after:
            lost = f"all that changed after revision {revision} is lost, perhaps with {catalog.path.name}-wal"
            findings.append(Finding(f"catalog: {lost}{remedy}", False))
    return findings or [Finding("catalog: as it was written", True)]


def _accept(folder: Path, catalog: Catalog) -> Finding:
    dropped = catalog.integrity.accept()
    catalog.forget()
    with catalog.transaction():
        if catalog.get(LOST):
            catalog.set(LOST, "")
        if list(_decoder(folder, catalog)):
            catalog.set(model_file.DECODER_KEY, "")
        catalog.touch()
    code_array.keep(folder, catalog, anew=True)
    forgotten = verify_originals.forget_lost(folder, catalog)
    what = f"accepted as it is; {dropped} rows without what they belong to and {forgotten} lost originals forgotten"
    return Finding(f"catalog: {what}", True, repaired=True)


def _model(folder: Path, catalog: Catalog) -> Finding:
    try:
        hasher = model_file.load(folder, catalog)
    except LookalikeError as error:
        return Finding(f"model: {error}", False)
    place = folder / model_file.FILE
    if hasher.path != os.fspath(place):
        model_file.copy(hasher, place)
        model_file.pending(folder).unlink(missing_ok=True)
        return Finding(f"model: {hasher.name}, put in its place", True, repaired=True)
    return Finding(f"model: {hasher.name}", True)


def _decoder(folder: Path, catalog: Catalog) -> Iterator[Finding]:
    path, digest = folder / model_file.DECODER, catalog.get(model_file.DECODER_KEY)
    if digest and not model_file.has_digest(path, digest):
        what = "codes do not need it. Copy it again from where the model's file is, or accept the loss with"
        yield Finding(f"decoder: {path} is absent or damaged; {what}: lookalike verify --accept --db {folder}", False)


def _codes(folder: Path, catalog: Catalog, *, are_proven: bool) -> Finding:
    path, kept = folder / codefile.FILE, f"{codefile.FILE} is left as it is"
    try:
        ids_N, codes_NW = catalog.codes(int(catalog.get("bits")) // 8)
        stamp = catalog.stamp
    except (DatabaseError, ValueError) as error:
        return Finding(f"codes: {error}", False)
    try:
        header, stored_N, stored_NW = codefile.read(path)
        is_intact = codefile.is_intact(path)
        is_same = np.array_equal(ids_N, stored_N) and np.array_equal(codes_NW, stored_NW)
        why = "damaged" if not is_intact else "" if is_same and header.fits(stamp) else "does not fit the catalog"
        if is_intact and header.is_later(stamp):
            return Finding(f"codes: of revision {header.revision}, which the catalog has lost; {kept}", False)
        if is_intact and not is_same and header.fits(stamp) and not header.database:
            return Finding(f"codes: not those of the catalog, of which one is damaged; {kept}", False)
    except DatabaseError as error:
        why = str(error)
    if not why:
        return Finding(f"codes: {len(ids_N)} in {codefile.FILE}, as in the catalog", True)
    if not are_proven:
        return Finding(f"codes: {why}; {kept}, since the catalog is damaged", False)
    code_array.keep(folder, catalog, anew=True)
    return Finding(f"codes: {why}; written again from the catalog", True, repaired=True)


def _tables(folder: Path, catalog: Catalog) -> Iterator[Finding]:
    problem = code_array.table_problem(folder, catalog)
    if problem is not None:
        code_array.keep(folder, catalog, anew=True)
        yield Finding(f"tables: {problem}; made again", True, repaired=True)
    elif codefile.read_header(folder / codefile.FILE).count >= code_array.LEAST:
        yield Finding("tables: as they must be", True)
    elif any((folder / name).exists() for name in (tablefile.FILE, tablefile.CODES, tablefile.CHANGES)):
        tablefile.drop(folder)
        yield Finding("tables: of no use to this few images; deleted", True, repaired=True)


def _leftovers(folder: Path, catalog: Catalog) -> Iterator[Finding]:
    found = [*leftovers.delete(folder), *originals.drop_temporary(folder)]
    pending = model_file.pending(folder)
    if pending.exists() and model_file.has_digest(folder / model_file.FILE, catalog.get("model")):
        pending.unlink()  # of a change of model that came to nothing
        found.append(pending)
    for path in found:
        what = f"{path.relative_to(folder)}, of a run that was cut off"
        yield Finding(f"leftover: {what}; deleted", True, repaired=True)


def _caches(folder: Path) -> Iterator[Finding]:
    for path, is_damaged in (
        (folder / pairfile.FILE, pairfile.is_damaged),
        (folder / oriented_codes.FILE, oriented_codes.is_damaged),
    ):
        if path.exists() and is_damaged(path):
            path.unlink()
            yield Finding(f"{path.name}: damaged; deleted, and made again when it is needed", True, repaired=True)
