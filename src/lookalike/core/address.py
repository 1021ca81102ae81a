"""What is a database: an address of one in Milvus, or a file with the mark of this package's catalogs."""

from __future__ import annotations

import os

SCHEME = "milvus:"
APPLICATION_ID = 0x6C6F6F6B  # "look": tells a catalog from other SQLite files, also to the command `file`
_MAGIC, _OFFSET = b"SQLite format 3\0", 68


def is_address(text: object) -> bool:
    """Whether this is meant as the address of a collection rather than a folder.

    >>> is_address("milvus://host:19530/photos"), is_address("photos")
    (True, False)
    """
    return str(text).startswith(SCHEME)


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a catalog of this package; what cannot be read is none."""
    try:
        with open(path, "rb") as file:
            head = file.read(_OFFSET + 4)
    except OSError:
        return False
    return head.startswith(_MAGIC) and head[_OFFSET:] == APPLICATION_ID.to_bytes(4, "big")
