"""One image of a collection, before it is read."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from lookalike.core.mounts import Volume
from lookalike.imaging.files import content_digest as content_digest

Label = str | tuple[str, ...] | None  # one class, several tags, or nothing known
UNKNOWN = Volume()


@dataclass(frozen=True, slots=True)
class Item:
    """Where an image is, and what tells whether it has changed."""

    root: str  # absolute path of the folder that `path` is relative to
    path: str  # with `/`; a row of a table is `table.parquet#12`
    size: int  # bytes of the file
    mtime_ns: int  # its time of change
    label: Label = None
    row: int | None = None  # the row, if the image lies in a table
    ctime_ns: int | None = field(default=None, compare=False)  # when its content or what is said of it changed
    inode: int | None = field(default=None, compare=False)  # the number of the file on its volume, in 63 bits
    volume: Volume = field(default=UNKNOWN, compare=False)  # the file system that it lies on

    @property
    def name(self) -> str:
        """The path to show, and to find the image again."""
        return os.path.join(self.root, self.path)

    @property
    def file(self) -> str:
        """The file on disk that holds the image."""
        return self.name if self.row is None else self.name.rpartition("#")[0]

    def seen(self, status: os.stat_result, volume: Volume) -> Item:
        """The same item with what the system says of its file."""
        inode = status.st_ino & (1 << 63) - 1
        return replace(self, ctime_ns=status.st_ctime_ns, inode=inode, volume=volume)
