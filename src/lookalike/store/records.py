"""What the catalog holds of an image, what is to be recorded of one, and which ones a search is for."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lookalike.imaging.quality import PLAIN

if TYPE_CHECKING:
    from lookalike.data import Item, Label

FINDABLE = "code IS NOT NULL AND missing_since IS NULL"
COLUMNS = (
    "images.id, roots.path, folders.path, images.name, files.size, files.mtime_ns, digest, length, labels.label, code,"
    " width, height, format, animated, error, missing_since, quality, ctime_ns, inode, files.volume"
)
# the order of tables is as it stands here: CROSS JOIN keeps SQLite from beginning with one that has fewer rows
FROM = (
    "FROM images CROSS JOIN folders ON folders.id = images.place >> 24 CROSS JOIN roots ON roots.id = folders.root"
    " LEFT JOIN labels ON labels.id = images.label LEFT JOIN files ON files.id = images.id"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the catalog."""

    id: int
    root: str
    path: str
    row: int | None
    size: int
    mtime_ns: int
    digest: bytes | None
    length: int | None
    label: Label
    code: bytes | None
    width: int | None
    height: int | None
    format: str | None
    animated: bool
    error: str | None
    missing_since: int | None
    quality: int | None = None  # 0 to 100; none if it was indexed before there was one
    ctime_ns: int | None = None  # these three as the file was seen last; none if that was not recorded
    inode: int | None = None
    volume: int | None = None  # its number in the catalog

    @property
    def is_plain(self) -> bool:
        """Whether there is too little to see for its code to mean anything."""
        return self.quality is not None and self.quality < PLAIN

    @property
    def item(self) -> Item:
        """Where the image is."""
        from lookalike.data import Item

        return Item(
            self.root, self.path, self.size, self.mtime_ns, self.label, self.row,
            ctime_ns=self.ctime_ns, inode=self.inode,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The path to show."""
        return os.path.join(self.root, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which images a search is for; all that is given must hold."""

    label: str | None = None  # the image's, or one of them
    below: str | None = None  # a folder, or a file
    since: float | None = None  # seconds since 1970: indexed then or later


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of reading one item, to be recorded: a code, or an error."""

    item: Item
    digest: bytes | None = None
    length: int | None = None  # bytes of the encoded image
    code: bytes | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    animated: bool = False
    quality: int | None = None
    relief: bytes | None = None  # see `registration`
    kept: bool = False  # the database keeps its original
    error: str | None = None
    try_again: bool = False  # the error may pass by itself, so the file is read again next time


class ImportedCode(NamedTuple):
    """A code that was made elsewhere; folder and name as `places.split` gives them, relative to a root."""

    folder: str
    name: str
    label: Label
    code: bytes
    size: int | None  # bytes of the encoded image
    width: int | None
    height: int | None


def record(row: tuple[Any, ...]) -> Record:
    """The record of a row of `COLUMNS`."""
    id_, root, folder, name, size, mtime_ns, digest, length, label, code, width, height, format_, *rest = row
    animated, error, missing_since, quality, ctime_ns, inode, volume = rest
    return Record(
        id_, root, folder + name, int(name) if folder.endswith("#") else None, size or 0,
        -1 if mtime_ns is None else mtime_ns, digest, length, from_json(label), code, width, height, format_,
        bool(animated), error, missing_since, quality, ctime_ns, inode, volume,
    )  # fmt: skip


def to_json(label: Label) -> str | None:
    """A label as the catalog has it."""
    return None if label is None else json.dumps(label)


@functools.lru_cache(4096)
def from_json(text: str | None) -> Label:
    """The label that is meant."""
    value = None if text is None else json.loads(text)
    return tuple(value) if isinstance(value, list) else value
