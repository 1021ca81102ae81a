"""A catalog's codes: `codes.bin`, and `tables.bin` for searching many codes. The writer makes both.

Tables are rebuilt only after many codes have changed. Until then new codes are compared one by one, and removed ones
are skipped.

Shapes: N codes in the database, W bytes a code, T codes in tables.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.search.table import LARGEST_TAIL
from lookalike.search.table import LEAST as LEAST
from lookalike.store.derived import codefile
from lookalike.store.derived.codefile import RowIds

if TYPE_CHECKING:
    from lookalike.store.catalog import Catalog
    from lookalike.store.derived.tablefile import Tables

LOG = logging.getLogger(__name__)

Ids = npt.NDArray[np.int64]


class CodeArray(NamedTuple):
    """Codes of all findable images, their ids in ascending order, and the digest of their file."""

    ids: RowIds
    codes_NW: Codes
    digest: str | None = None  # None if read from the catalog itself

    @property
    def ids_N(self) -> Ids:
        """All ids, as an array."""
        return self.ids.all


class Changes(NamedTuple):
    """Changes since the tables were made: table rows whose codes are gone, and code rows missing in the tables."""

    gone: Ids
    new: Ids

    def are_few(self, count: int) -> bool:
        """Whether tables of `count` codes are still worth using with these changes."""
        return len(self.gone) + len(self.new) <= LARGEST_TAIL * count


def read(catalog: Catalog) -> CodeArray:
    """Ids and codes: from the file of codes if it matches the catalog, else from the catalog."""
    path = catalog.folder / codefile.FILE
    try:
        header, ids, codes_NW = codefile.read_lazily(path)
        if header.fits(catalog.stamp):
            return CodeArray(ids, codes_NW, header.digest)
    except DatabaseError as error:  # derived: the catalog has the same codes
        if path.exists():
            LOG.warning(
                "%s; codes are read from the catalog. Repair it with: lookalike verify --db %s", error, catalog.folder
            )
    ids_N, codes_NW = catalog.codes(catalog.bits // 8)
    return CodeArray(RowIds(ids_N), codes_NW)


def count(catalog: Catalog) -> int | None:
    """Number of findable images, if the file of codes has it."""
    header = _matching_header(catalog)
    return None if header is None else header.count


def keep(catalog: Catalog, *, rebuild: bool = False) -> None:
    """Write the files that do not match the catalog, or all of them with `rebuild`."""
    header = _matching_header(catalog)
    if not rebuild and header and (header.count < LEAST or read_tables(catalog.folder, header.model)):
        return
    stamp = catalog.stamp
    ids_N, codes_NW = catalog.codes(catalog.bits // 8)
    write(catalog.folder, ids_N, codes_NW, **stamp._asdict(), rebuild=rebuild)


def write(
    folder: Path, ids_N: Ids, codes_NW: Codes, *, model: str, revision: int, database: str = "", change: str = "",
    rebuild: bool = False,
) -> bool:  # fmt: skip
    """Write codes, and their tables if missing or outdated by many changes; returns whether tables were made."""
    from lookalike.store.derived import tablefile

    tables = None if rebuild else read_tables(folder, model)
    few = None  # changes since the tables were made, if they are still worth using
    if tables is not None and len(codes_NW) >= LEAST:
        since = changes(tables, ids_N, codes_NW)
        few = since if since.are_few(len(tables.codes_NW)) else None
    if few is not None:
        tablefile.keep_codes(folder)
    header = codefile.write(
        folder / codefile.FILE, ids_N, codes_NW, model=model, revision=revision, database=database, change=change
    )
    if few is not None:
        tablefile.write_changes(folder, header.digest, *few)
        tablefile.tidy(folder)
        return False
    if len(codes_NW) < LEAST:
        tablefile.drop(folder)
        return False
    from lookalike.search.multi_index import MultiIndex

    engine = MultiIndex(8 * codes_NW.shape[1], codes_NW=codes_NW, least=0)
    tablefile.write(folder, engine.tables)
    return True


def read_tables(folder: Path, model: str) -> Tables | None:
    """The tables, if there are any for this model's codes."""
    from lookalike.store.derived import tablefile

    with suppress(DatabaseError):  # derived: a scan gives the same results
        tables = tablefile.read(folder)
        if tables.codes.model == model:
            return tables
    return None


def table_problem(catalog: Catalog) -> str | None:
    """What is wrong with the tables of a database with an intact file of codes; None if they are right. Reads all."""
    from lookalike.search.multi_index import MultiIndex
    from lookalike.store.derived import tablefile

    folder = catalog.folder
    header, ids_N, codes_NW = codefile.read(folder / codefile.FILE)
    model, digest = catalog.get("model"), header.digest
    if len(codes_NW) < LEAST:
        return None
    try:
        tables = tablefile.read(folder)
    except DatabaseError as error:
        return str(error)
    if tables.codes.model != model:
        return "of another model"
    if not tablefile.is_canonical(folder / tablefile.FILE):
        return "damaged"
    for part in tables.parts:
        again = MultiIndex.table(tables.codes_NW, part.begin, part.bits)
        if not (np.array_equal(again.starts, part.starts) and np.array_equal(again.rows, part.rows)):
            return "damaged"
    if tables.codes.digest != digest and not _changes_are_right(folder, tables, ids_N, codes_NW, digest):
        return "without the right changes"
    return None


def _changes_are_right(folder: Path, tables: Tables, ids_N: Ids, codes_NW: Codes, digest: str) -> bool:
    from lookalike.store.derived import tablefile

    kept = tablefile.read_changes(folder, tables.codes.digest, digest)
    return kept is None or all(map(np.array_equal, kept, changes(tables, ids_N, codes_NW)))


def kept_changes(folder: Path, tables: Tables, now: CodeArray) -> Changes:
    """Changes since the tables were made: as recorded, or found by comparing all codes."""
    from lookalike.store.derived import tablefile

    kept = None if now.digest is None else tablefile.read_changes(folder, tables.codes.digest, now.digest)
    return changes(tables, now.ids_N, now.codes_NW) if kept is None else Changes(*kept)


def changes(tables: Tables, ids_N: Ids, codes_NW: Codes) -> Changes:
    """Changes since the tables were made."""
    ids_T = tables.ids.all
    kept_T, known_N = np.zeros(len(ids_T), bool), np.zeros(len(ids_N), bool)
    if tables.codes_NW.shape[1] == codes_NW.shape[1]:
        at_N = np.searchsorted(ids_T, ids_N)
        known_N = at_N < len(ids_T)
        known_N[known_N] = ids_T[at_N[known_N]] == ids_N[known_N]
        same = (tables.codes_NW[at_N[known_N]] == codes_NW[known_N]).all(axis=1)
        known_N[np.flatnonzero(known_N)[~same]] = False
        kept_T[at_N[known_N]] = True
    return Changes(np.flatnonzero(~kept_T), np.flatnonzero(~known_N))


def _matching_header(catalog: Catalog) -> codefile.Header | None:
    """The header of the file of codes, if it matches the catalog."""
    with suppress(DatabaseError):
        header = codefile.read_header(catalog.folder / codefile.FILE)
        if header.fits(catalog.stamp):
            return header
    return None
