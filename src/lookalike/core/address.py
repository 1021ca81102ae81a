"""Recognises databases: Milvus addresses, and SQLite files with this package's application id."""

from __future__ import annotations

import os

SCHEME = "milvus:"
APPLICATION_ID = 0x6C6F6F6B  # "look"; marks our catalogs among SQLite files, also for the command `file`
_MAGIC, _OFFSET = b"SQLite format 3\0", 68


def is_address(text: object) -> bool:
    """Whether the text is a Milvus address rather than a folder.

    >>> is_address("milvus://host:19530/photos"), is_address("photos")
    (True, False)
    """
    return str(text).startswith(SCHEME)


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a catalog of this package; False if it cannot be read."""
    try:
        with open(path, "rb") as file:
            head = file.read(_OFFSET + 4)
    except OSError:
        return False
    return head.startswith(_MAGIC) and head[_OFFSET:] == APPLICATION_ID.to_bytes(4, "big")
