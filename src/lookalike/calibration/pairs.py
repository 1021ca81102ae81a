"""Labelled pairs: images that a user says show the same picture, or different ones."""

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
    """The pairs in a file: each line has two paths and `same` or `different`, separated by tabs. Raises `DataError`."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; --pairs needs a file of labelled pairs") from error
    return [_pair(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def write(path: Path, pairs: Sequence[Labelled]) -> None:
    """Write pairs in the format of `read`. Raises `DataError`."""
    words = {same: word for word, same in SAYS.items()}
    text = "".join(f"{first}\t{second}\t{words[is_same]}\n" for first, second, is_same in pairs)
    try:
        atomic.write(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; choose a writable file") from error


def check_writable(path: Path) -> None:
    """Raise `DataError`, before any work, if `write` could not write the file."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or not folder.is_dir():
        why = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise DataError(f"{path} {why}; choose a writable file")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise DataError(f"{path}: {os.strerror(errno.EACCES)}; choose a writable file")


def ids(catalog: Catalog, pairs: Sequence[Labelled]) -> dict[tuple[int, int], bool]:
    """Pairs of ids (the lower first), and whether they are the same. Raises `DataError` for an unknown path."""
    by_ids: dict[tuple[int, int], bool] = {}
    for pair in pairs:
        first, second = sorted(_id(catalog, name) for name in (pair.first, pair.second))
        if first == second:
            raise DataError(f"{pair.first} is paired with itself; name two images")
        if by_ids.setdefault((first, second), pair.is_same) != pair.is_same:
            raise DataError(f"{pair.first} and {pair.second} are labelled both same and different")
    return by_ids


def _pair(line: str, where: str) -> Labelled:
    first, *rest = line.split("\t")
    if len(rest) != 2 or rest[1].strip() not in SAYS:
        raise DataError(
            f"{where}: {line!r} is not a labelled pair; expected two paths and same or different, separated by tabs"
        )
    return Labelled(first, rest[0], SAYS[rest[1].strip()])


def _id(catalog: Catalog, name: str) -> int:
    record = catalog.find(os.path.abspath(name))
    if record is None or record.code is None or record.missing_since is not None:
        raise DataError(f"{name} is not a findable image of the database; see: lookalike info --paths")
    return record.id
