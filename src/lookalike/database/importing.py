"""Codes from files into a database, and out of it again.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lookalike.data import codetable
from lookalike.data.codetable import Rows
from lookalike.errors import DataError
from lookalike.store.catalog import Catalog, Taken

OnRows = Callable[[int, int], object]  # rows done, of how many


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows of a file."""

    found: int
    changed: int  # new, or with another code or label than before


def take(catalog: Catalog, path: Path, *, bits: int, root: str, on_rows: OnRows) -> ImportReport:
    """Record the codes of a file, a transaction a block: after an interruption what was recorded is whole and stays."""
    total, done, changed = codetable.count(path), 0, 0
    for block in codetable.read(path, bits=bits):
        with catalog.transaction():
            now = catalog.take(root, _taken(block, root))
            if now:
                catalog.touch()
        changed += now
        done += len(block.codes_NW)
        on_rows(done, total)
    return ImportReport(done, changed)


def rows(catalog: Catalog, bits: int) -> Iterator[Rows]:
    """What a database holds, as a file of codes has it."""
    records = (one for one in catalog.all_records() if one.code is not None and one.missing_since is None)
    while block := list(islice(records, codetable.BLOCK)):
        joined = b"".join(one.code or b"" for one in block)
        yield Rows(
            np.frombuffer(joined, np.uint8).reshape(len(block), bits // 8),
            [one.name for one in block],
            [one.label for one in block],
            [(one.width, one.height, one.length) for one in block],
            None,
        )


def _taken(block: Rows, root: str) -> Iterator[Taken]:
    codes = block.codes_NW.tobytes()
    width = block.codes_NW.shape[1]
    for at, (path, label, sizes) in enumerate(zip(block.paths, block.labels, block.sizes, strict=True)):
        row = None if block.row is None else block.row + at
        code = codes[at * width : (at + 1) * width]
        yield Taken(_relative(path, root), row, label, code, size=sizes[2], width=sizes[0], height=sizes[1])


def _relative(path: str, root: str) -> str:
    """A path relative to a root. Raises `DataError` if it does not lie below."""
    relative = os.path.relpath(os.path.join(root, path), root).replace(os.sep, "/")
    if relative.startswith("../"):
        raise DataError(f"{path} does not lie below {root}; name the folder that all paths lie below with --root")
    return relative
