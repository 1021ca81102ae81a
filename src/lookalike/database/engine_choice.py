"""Which engine searches a database: few codes are scanned, for many there are tables.

Shapes: N codes in the database or in an engine, T in tables.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from lookalike.search import Engine
from lookalike.search.multi_index import MultiIndex
from lookalike.search.scan import Scan
from lookalike.search.table import Table
from lookalike.store.derived import code_array
from lookalike.store.derived.code_array import Held
from lookalike.store.rowids import RowIds


class EngineName(StrEnum):
    """Engines that a person may ask for."""

    AUTO = "auto"
    SCAN = "scan"
    MULTI_INDEX = "multi_index"


class Opened(NamedTuple):
    """An engine, and what its rows are."""

    engine: Engine
    ids: RowIds  # of each row
    revision: int  # of the catalog that the codes are of


def open_engine(folder: Path, held: Held, *, model: str, name: EngineName = EngineName.AUTO) -> tuple[Engine, RowIds]:
    """An engine that holds these codes, and the id of each of its rows."""
    bits = 8 * held.codes_NW.shape[1]
    few = len(held.codes_NW) < code_array.LEAST and name is not EngineName.MULTI_INDEX
    tables = None if few or name is EngineName.SCAN else code_array.read_tables(folder, model)
    if tables is None:
        if name is EngineName.MULTI_INDEX:
            return MultiIndex(bits, codes_NW=held.codes_NW, least=0), held.ids
        return Scan(bits, codes_NW=held.codes_NW), held.ids
    engine = MultiIndex(bits, codes_NW=tables.codes_NW, tables=[Table(*part) for part in tables.parts])
    if tables.codes.digest == held.digest:
        return engine, tables.ids
    changes = code_array.kept_changes(folder, tables, held)
    engine.remove(changes.gone)
    engine.add(held.codes_NW[changes.new])
    return engine, tables.ids.followed_by(held.ids.of(changes.new))
