"""The mark by which a catalog of this package is told from other SQLite files, also by the command `file`."""

from __future__ import annotations

import os

APPLICATION_ID = 0x6C6F6F6B  # "look"
_MAGIC, _OFFSET = b"SQLite format 3\0", 68


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a catalog of this package; what cannot be read is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(_OFFSET + 4)
    except OSError:
        return False
    return head.startswith(_MAGIC) and head[_OFFSET:] == APPLICATION_ID.to_bytes(4, "big")
