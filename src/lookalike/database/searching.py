"""Which engine searches a database, and the tables that are kept for it.

Few codes are scanned. For many there are tables in `tables.bin`, which the writer makes; codes that came since then
form the engine's tail, those that went are passed over.

Shapes: N codes in the database, T codes in tables.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes
from lookalike.engines import Engine
from lookalike.engines.multi_index import LARGEST_TAIL, MultiIndex
from lookalike.engines.multi_index import LEAST as LEAST
from lookalike.engines.scan import Scan
from lookalike.engines.table import Table
from lookalike.errors import DatabaseError
from lookalike.store import tablefile
from lookalike.store.tablefile import Part, Tables

Ids = npt.NDArray[np.int64]


class EngineName(StrEnum):
    """Engines that a person may ask for."""

    AUTO = "auto"
    SCAN = "scan"
    MULTI_INDEX = "multi_index"


def open_engine(
    folder: Path, ids_N: Ids, codes_NW: Codes, *, model: str, revision: int, name: EngineName = EngineName.AUTO
) -> tuple[Engine, Ids]:
    """An engine that holds these codes, and the id of each of its rows."""
    bits = 8 * codes_NW.shape[1]
    few = len(codes_NW) < LEAST and name is not EngineName.MULTI_INDEX
    if few or name is EngineName.SCAN:
        return Scan(bits, codes_NW=codes_NW), ids_N
    tables = _read(folder, model)
    if tables is None:
        if name is EngineName.MULTI_INDEX:
            return MultiIndex(bits, codes_NW=codes_NW, least=0), ids_N
        return Scan(bits, codes_NW=codes_NW), ids_N
    engine = MultiIndex(bits, codes_NW=tables.codes_NW, tables=[Table(*part) for part in tables.parts])
    if tables.header.revision == revision:
        return engine, tables.ids_N
    kept_T, new_N = _changes(tables, ids_N, codes_NW)
    engine.remove(np.flatnonzero(~kept_T))
    engine.add(codes_NW[new_N])
    return engine, np.concatenate([tables.ids_N, ids_N[new_N]])


def keep_tables(folder: Path, ids_N: Ids, codes_NW: Codes, *, model: str, revision: int, anew: bool = False) -> bool:
    """Make the tables of codes if there are none, or if these have changed much (or `anew`); whether they were made."""
    path = folder / tablefile.FILE
    if len(codes_NW) < LEAST:
        path.unlink(missing_ok=True)
        return False
    tables = None if anew else _read(folder, model)
    if tables is not None and 8 * codes_NW.shape[1] == tables.header.bits:
        kept_T, new_N = _changes(tables, ids_N, codes_NW)
        if int((~kept_T).sum() + new_N.sum()) <= LARGEST_TAIL * len(kept_T):
            return False
    engine = MultiIndex(8 * codes_NW.shape[1], codes_NW=codes_NW, least=0)
    parts = [Part(*table) for table in engine.tables]
    tablefile.write(path, ids_N, codes_NW, parts, model=model, revision=revision)
    return True


def table_problem(folder: Path, ids_N: Ids, codes_NW: Codes, *, model: str) -> str | None:
    """What is wrong with the tables of a database, or nothing; reads all of them."""
    if len(codes_NW) < LEAST:
        return None
    try:
        tables = tablefile.read(folder / tablefile.FILE)
    except DatabaseError as error:
        return str(error)
    if tables.header.model != model or tables.header.bits != 8 * codes_NW.shape[1]:
        return "of another model"
    for part in tables.parts:
        again = MultiIndex.table(tables.codes_NW, part.begin, part.bits)
        if not (np.array_equal(again.starts, part.starts) and np.array_equal(again.rows, part.rows)):
            return "damaged"
    return None


def among(ids_N: Ids, passes_I: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which rows of an engine pass a filter, (N,), which tells it of all ids; later ones do not."""
    known_N = ids_N < len(passes_I)
    return np.where(known_N, passes_I[np.where(known_N, ids_N, 0)], False)


def _read(folder: Path, model: str) -> Tables | None:
    with suppress(DatabaseError):  # they are derived: a scan finds the same
        tables = tablefile.read(folder / tablefile.FILE)
        if tables.header.model == model:
            return tables
    return None


def _changes(tables: Tables, ids_N: Ids, codes_NW: Codes) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which codes of the tables are still there, as they were, (T,), and which codes are not in them, (N,)."""
    at_N = np.searchsorted(tables.ids_N, ids_N)
    known_N = at_N < len(tables.ids_N)
    known_N[known_N] = tables.ids_N[at_N[known_N]] == ids_N[known_N]
    same = (tables.codes_NW[at_N[known_N]] == codes_NW[known_N]).all(axis=1)
    known_N[np.flatnonzero(known_N)[~same]] = False
    kept_T = np.zeros(len(tables.ids_N), bool)
    kept_T[at_N[known_N]] = True
    return kept_T, ~known_N
