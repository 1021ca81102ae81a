"""Items: images of a collection, before they are read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from lookalike.core.mounts import Volume
from lookalike.imaging.files import content_digest as content_digest

Label = str | tuple[str, ...] | None  # one class, several tags, or unknown
UNKNOWN = Volume()


@dataclass(frozen=True, slots=True)
class Item:
    """An image's location, and the state of its file."""

    root: str  # absolute path of the folder that `path` is relative to
    path: str  # with `/`; a row of a table is `table.parquet#12`
    size: int  # bytes of the file
    mtime_ns: int  # modification time
    label: Label = None
    row: int | None = None  # the row number, for an image in a table
    ctime_ns: int | None = field(default=None, compare=False)  # change time of its content or metadata
    inode: int | None = field(default=None, compare=False)  # in 63 bits
    volume: Volume = field(default=UNKNOWN, compare=False)  # its file system

    @property
    def name(self) -> str:
        """The full path, for display and for finding the image again."""
        return os.path.join(self.root, self.path)

    @property
    def file(self) -> str:
        """The file on disk that contains the image."""
        return self.name if self.row is None else self.name.rpartition("#")[0]

    def seen(self, status: os.stat_result, volume: Volume) -> Item:
        """The same item with its file's status."""
        inode = status.st_ino & (1 << 63) - 1
        return replace(self, ctime_ns=status.st_ctime_ns, inode=inode, volume=volume)
