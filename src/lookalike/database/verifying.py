"""Checking what lies in a database's folder; what is derived is repaired."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lookalike.database import derived, modelfile
from lookalike.database.results import Finding
from lookalike.errors import DatabaseError, LookalikeError
from lookalike.store import codefile, originals
from lookalike.store.catalog import Catalog


def verify(folder: Path, catalog: Catalog) -> list[Finding]:
    """What is found of catalog, model, codes, tables and originals, one after another."""
    problems = catalog.problems()
    findings = [Finding(f"catalog: {problems}", problems == "ok"), _model(folder, catalog), _codes(folder, catalog)]
    return [*findings, *_tables(folder, catalog), *_originals(folder)]


def _model(folder: Path, catalog: Catalog) -> Finding:
    try:
        hasher = modelfile.load(folder, catalog)
    except LookalikeError as error:
        return Finding(f"model: {error}", False)
    place = folder / modelfile.FILE
    if hasher.path != os.fspath(place):
        modelfile.copy(hasher, place)
        place.with_name(modelfile.FILE + ".tmp").unlink(missing_ok=True)
        return Finding(f"model: {hasher.name}, put in its place", True, repaired=True)
    return Finding(f"model: {hasher.name}", True)


def _codes(folder: Path, catalog: Catalog) -> Finding:
    path = folder / codefile.FILE
    try:
        ids_N, codes_NW = catalog.codes(int(catalog.get("bits")) // 8)
    except DatabaseError as error:
        return Finding(f"codes: {error}", False)
    try:
        header, stored_N, stored_NW = codefile.read(path)
        same = np.array_equal(ids_N, stored_N) and np.array_equal(codes_NW, stored_NW)
        why = "" if same and header.revision == catalog.revision else "does not fit the catalog"
        why = why if codefile.is_intact(path) else "damaged"
    except DatabaseError as error:
        why = str(error)
    if not why:
        return Finding(f"codes: {len(ids_N)} in {codefile.FILE}, as in the catalog", True)
    derived.keep(folder, catalog, anew=True)
    return Finding(f"codes: {why}; written again from the catalog", True, repaired=True)


def _tables(folder: Path, catalog: Catalog) -> Iterator[Finding]:
    codes_NW = derived.held(folder, catalog).codes_NW
    problem = derived.table_problem(folder, codes_NW, model=catalog.get("model"))
    if problem is not None:
        derived.keep(folder, catalog, anew=True)
        yield Finding(f"tables: {problem}; made anew", True, repaired=True)
    elif len(codes_NW) >= derived.LEAST:
        yield Finding("tables: as they must be", True)


def _originals(folder: Path) -> Iterator[Finding]:
    bad = [digest.hex() for digest in originals.digests(folder) if not originals.is_intact(folder, digest)]
    for name in bad:
        yield Finding(
            f"originals: {name} is damaged; delete it and index its image again with --keep-originals",
            False,
        )
