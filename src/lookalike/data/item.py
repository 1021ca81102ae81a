"""One image of a collection, before it is read."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lookalike.imaging.files import content_digest as content_digest

Label = str | tuple[str, ...] | None  # one class, several tags, or nothing known


@dataclass(frozen=True, slots=True)
class Item:
    """Where an image is, and what tells whether it has changed."""

    root: str  # absolute path of the folder that `path` is relative to
    path: str  # with `/`; a row of a table is `table.parquet#12`
    size: int  # bytes of the file
    mtime_ns: int  # its time of change
    label: Label = None
    row: int | None = None  # the row, if the image lies in a table

    @property
    def name(self) -> str:
        """The path to show, and to find the image again."""
        return os.path.join(self.root, self.path)

    @property
    def file(self) -> str:
        """The file on disk that holds the image."""
        return self.name if self.row is None else self.name.rpartition("#")[0]
