"""Import and export of codes.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from lookalike.core.codes import Codes
from lookalike.core.errors import DataError
from lookalike.core.progress import Progress
from lookalike.data import codetable
from lookalike.data.codetable import Rows
from lookalike.data.codetable import check_name as check_name
from lookalike.store.paths import split
from lookalike.store.protocol import Store
from lookalike.store.records import ImportedCode


@dataclass(frozen=True, slots=True)
class ImportReport:
    """The result of an import."""

    found: int
    changed: int  # new, or with a different code or label


def import_file(store: Store, path: Path, root: str, progress: Progress) -> ImportReport:
    """Record a file's codes, one transaction a block, so that an interruption leaves complete blocks."""
    total, done, changed = codetable.count(path), 0, 0
    folders = _Folders(_root_of(path, root))
    for block in codetable.read(path, bits=store.bits):
        with store.transaction():
            changed_here = store.bulk_import(folders.root, _imported(block, folders, path))
            if changed_here:
                store.touch()
        changed += changed_here
        done += len(block.codes_NW)
        progress("importing", done, total)
    return ImportReport(done, changed)


def export(store: Store, path: Path) -> int:
    """Write codes with paths and labels to a Parquet file, or codes alone to a `.npy` file; returns how many."""
    codetable.check_name(path)
    return codetable.write(path, _bare(store.code_array().codes_NW) if path.suffix == ".npy" else _rows(store))


def _root_of(path: Path, root: str) -> str:
    """The folder above all rows of a file: the given root, or the folder of a `.npy` file outside it."""
    folder = os.path.dirname(os.path.abspath(path))
    if path.suffix != ".npy" or os.path.commonpath([folder, root]) == root:
        return root
    return folder


def _rows(store: Store) -> Iterator[Rows]:
    """A database's rows, in blocks for a file of codes."""
    records = (one for one in store.all_records() if one.code is not None and one.missing_since is None)
    while block := list(islice(records, codetable.BLOCK)):
        joined = b"".join(one.code or b"" for one in block)
        yield Rows(
            np.frombuffer(joined, np.uint8).reshape(len(block), store.bits // 8),
            [one.name for one in block],
            [one.label for one in block],
            [(one.width, one.height, one.length) for one in block],
            None,
        )


def _bare(codes_NW: Codes) -> Iterator[Rows]:
    """Codes without paths, in blocks."""
    for start in range(0, len(codes_NW), codetable.BLOCK):
        yield Rows(codes_NW[start : start + codetable.BLOCK], (), (), (), None)


def _imported(block: Rows, folders: _Folders, file: Path) -> Iterator[ImportedCode]:
    codes = block.codes_NW.tobytes()
    width = block.codes_NW.shape[1]
    is_row = block.row is not None
    for at, (path, label, (*sides, size)) in enumerate(zip(block.paths, block.labels, block.sizes, strict=True)):
        try:
            folder, name = folders.split(path, row=is_row)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error
        yield ImportedCode(folder, name, label, codes[at * width : (at + 1) * width], size, *sides)


class _Folders:
    """Folders of a file's paths relative to a root, cached because there are few."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._relative: dict[str, str] = {}

    def split(self, path: str, *, row: bool) -> tuple[str, str]:
        """A path's folder below the root, and its name. Raises `DataError` if it is not below the root."""
        folder, name = split(path, row=row)
        if name in ("", ".", ".."):
            folder, name = split(os.path.normpath(os.path.join(self.root, path)), row=row)
        known = self._relative.get(folder)
        if known is None:
            known = self._relative[folder] = self._below(folder, path)
        return known, name

    def _below(self, folder: str, path: str) -> str:
        relative = os.path.relpath(os.path.join(self.root, folder[:-1] or folder), self.root).replace(os.sep, "/")
        if relative == ".." or relative.startswith("../"):
            raise DataError(f"{path} is not below {self.root}; name the folder that contains all paths with --root")
        return "" if relative == "." else relative + folder[-1]
