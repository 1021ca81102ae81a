"""The catalog's records of images, indexing outcomes, and search filters."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lookalike.imaging.quality import LOW_INFORMATION

if TYPE_CHECKING:
    from lookalike.data import Item, Label

FINDABLE = "code IS NOT NULL AND missing_since IS NULL"
COLUMNS = (
    "images.id, roots.path, folders.path, images.name, files.size, files.mtime_ns, digest, length, labels.label, code,"
    " width, height, format, animated, error, missing_since, quality, ctime_ns, inode, files.volume"
)
# keep this order of tables: CROSS JOIN stops SQLite from starting with one that has fewer rows
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
    quality: int | None = None  # 0 to 100; None if indexed by an old version
    ctime_ns: int | None = None  # this and the next two: the file when last seen; None if not recorded
    inode: int | None = None
    volume: int | None = None  # its id in the catalog

    @property
    def is_low_information(self) -> bool:
        """Whether it has too little detail for its code to mean anything."""
        return self.quality is not None and self.quality < LOW_INFORMATION

    @property
    def item(self) -> Item:
        """The image's location."""
        from lookalike.data import Item

        return Item(
            self.root, self.path, self.size, self.mtime_ns, self.label, self.row,
            ctime_ns=self.ctime_ns, inode=self.inode,
        )  # fmt: skip

    @property
    def name(self) -> str:
        """The full path, for display."""
        return os.path.join(self.root, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Image filter; all conditions given must hold."""

    label: str | None = None  # the image's label, or one of its labels
    below: str | None = None  # a folder, or a file
    since: float | None = None  # seconds since 1970: indexed then or later
    banks: tuple[str, ...] = ()  # banks that have the image, one of them at least; none given: any image


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOutcome:
    """The result of reading one item, to be recorded: a code or an error."""

    item: Item
    digest: bytes | None = None
    length: int | None = None  # bytes of the encoded image
    code: bytes | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    animated: bool = False
    quality: int | None = None
    thumbnail: bytes | None = None  # packed, see `imaging.thumbnails`
    kept: bool = False  # whether its original is kept
    error: str | None = None
    try_again: bool = False  # the error may be temporary, so read the file again next time


class ImportedCode(NamedTuple):
    """A code computed elsewhere; folder and name as from `paths.split`, relative to a root."""

    folder: str
    name: str
    label: Label
    code: bytes
    size: int | None  # bytes of the encoded image
    width: int | None
    height: int | None


def record(row: tuple[Any, ...]) -> Record:
    """The record for a row of `COLUMNS`."""
    id_, root, folder, name, size, mtime_ns, digest, length, label, code, width, height, format_, *rest = row
    animated, error, missing_since, quality, ctime_ns, inode, volume = rest
    return Record(
        id_, root, folder + name, int(name) if folder.endswith("#") else None, size or 0,
        -1 if mtime_ns is None else mtime_ns, digest, length, from_json(label), code, width, height, format_,
        bool(animated), error, missing_since, quality, ctime_ns, inode, volume,
    )  # fmt: skip


def to_json(label: Label) -> str | None:
    """A label in the catalog's form."""
    return None if label is None else json.dumps(label)


@functools.lru_cache(4096)
def from_json(text: str | None) -> Label:
    """The label in the catalog's form `text`."""
    value = None if text is None else json.loads(text)
    return tuple(value) if isinstance(value, list) else value
