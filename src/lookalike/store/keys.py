"""How the catalog names images: by folder, name, and a number that finds them.

A folder's path ends with the mark that stands before the name: `2021/07/`, or `2021/table.parquet#` for a table, whose
rows are its names; at the root it is empty. So root, folder and name, one behind the other, are the image's path.

An image is found by its *place*, a number: that of its folder, and 24 bits that come from its name. An index of places
takes half the disk that one of names would; the few names that share a place are told apart by comparing them.
"""

from __future__ import annotations

import zlib

KEY_BITS = 24
LAST_KEY = 2**KEY_BITS - 1


def split(path: str, *, row: bool) -> tuple[str, str]:
    """A path's folder, with its mark, and name; `row` says that it is a row of a table.

    >>> split("2021/07/a.jpg", row=False), split("a.jpg", row=False), split("x/t.parquet#12", row=True)
    (('2021/07/', 'a.jpg'), ('', 'a.jpg'), ('x/t.parquet#', '12'))
    """
    if row:
        folder, mark, name = path.rpartition("#")
        if mark and name.isascii() and name.isdigit():
            return folder + mark, name
    folder, mark, name = path.rpartition("/")
    return folder + mark, name


def place(folder: int, name: bytes) -> int:
    """The number that finds an image of a folder by its name.

    >>> place(3, b"12") == 3 * 2**24 + 12
    True
    """
    return folder << KEY_BITS | key(name)


def key(name: bytes) -> int:
    """The 24 bits of a name: the number that it is, so that rows of a table follow each other, or a checksum.

    >>> key(b"12"), key(b"a.jpg")
    (12, 3453462)
    """
    return int(name) if len(name) < 8 and name.isdigit() else zlib.crc32(name) & LAST_KEY
