"""Pairs of images of which somebody said whether they show the same picture."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lookalike.core import atomic
from lookalike.core.errors import DataError
from lookalike.store.catalog import Catalog

SAYS = {"same": True, "different": False}


class Labelled(NamedTuple):
    """Two images, by path, and whether they show the same picture."""

    first: str
    second: str
    is_same: bool


def read(path: Path) -> list[Labelled]:
    """The pairs of a file: a line has two paths and `same` or `different`, with tabs between. Raises `DataError`."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; --pairs is a file of labelled pairs") from error
    return [_pair(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def write(path: Path, pairs: Sequence[Labelled]) -> None:
    """Write pairs as `read` takes them. Raises `DataError`."""
    words = {same: word for word, same in SAYS.items()}
    text = "".join(f"{first}\t{second}\t{words[is_same]}\n" for first, second, is_same in pairs)
    try:
        atomic.write(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; name a file that can be written") from error


def check_writable(path: Path) -> None:
    """Raise `DataError`, before any work, for a file that `write` could not write."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or not folder.is_dir():
        why = "is a folder" if path.is_dir() else "is in a folder that is not there"
        raise DataError(f"{path} {why}; name a file that can be written")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise DataError(f"{path}: {os.strerror(errno.EACCES)}; name a file that can be written")


def ids(catalog: Catalog, pairs: Sequence[Labelled]) -> dict[tuple[int, int], bool]:
    """Whether pairs of ids, the lower first, are the same. Raises `DataError` for a path that is not in the catalog."""
    found: dict[tuple[int, int], bool] = {}
    for pair in pairs:
        first, second = sorted(_id(catalog, name) for name in (pair.first, pair.second))
        if first == second:
            raise DataError(f"{pair.first} is paired with itself; name two images")
        if found.setdefault((first, second), pair.is_same) != pair.is_same:
            raise DataError(f"{pair.first} and {pair.second} are said to be both same and different")
    return found


def _pair(line: str, where: str) -> Labelled:
    first, *rest = line.split("\t")
    if len(rest) != 2 or rest[1].strip() not in SAYS:
        raise DataError(
            f"{where}: {line!r} is no labelled pair; write two paths and same or different, with tabs between"
        )
    return Labelled(first, rest[0], SAYS[rest[1].strip()])


def _id(catalog: Catalog, name: str) -> int:
    record = catalog.find(os.path.abspath(name))
    if record is None or record.code is None or record.missing_since is not None:
        raise DataError(f"{name} is not among the images that can be found; see: lookalike info --paths")
    return record.id
