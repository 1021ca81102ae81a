"""Labelled pairs: images that a user says show the same picture, or different ones."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lookalike import data
from lookalike.core import atomic
from lookalike.core.errors import DataError, LookalikeError
from lookalike.imaging.files import content_digest
from lookalike.store.folder import FolderStore
from lookalike.store.records import Record

Content = bytes | int  # the digest of an image's bytes; the id of an imported code
Says = Mapping[frozenset[Content], bool]  # whether pairs show the same picture
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


def by_content(store: FolderStore, pairs: Sequence[Labelled]) -> Says:
    """Whether two contents show the same picture, by both. Raises `DataError` for a path that cannot be read."""
    says: dict[frozenset[Content], bool] = {}
    for pair in pairs:
        contents = frozenset(_content(store, name) for name in (pair.first, pair.second))
        if len(contents) < 2:
            raise DataError(f"{pair.first} and {pair.second} have the same bytes; only label different files")
        if says.setdefault(contents, pair.is_same) != pair.is_same:
            raise DataError(f"{pair.first} and {pair.second} are labelled both same and different")
    return says


def content_of(record: Record) -> Content:
    """What identifies an image, whatever it is called."""
    return record.digest or record.id


def _pair(line: str, where: str) -> Labelled:
    first, *rest = line.split("\t")
    if len(rest) != 2 or rest[1].strip() not in SAYS:
        raise DataError(
            f"{where}: {line!r} is not a labelled pair; expected two paths and same or different, separated by tabs"
        )
    return Labelled(first, rest[0], SAYS[rest[1].strip()])


def _content(store: FolderStore, name: str) -> Content:
    record = store.find(os.path.abspath(name))
    if record is not None and record.code is not None and record.missing_since is None:
        return content_of(record)
    try:
        (item,) = data.find(name)
        return content_digest(data.read_bytes(item))
    except (LookalikeError, OSError, ValueError) as error:
        raise DataError(
            f"{name} is neither an image of the database nor a readable file; see: lookalike info --paths"
        ) from error
