"""Locations of images: roots, folders and names, and the numbers that index them.

A folder's path ends with the separator before the name: `2021/07/`, or `2021/table.parquet#` for a table, whose names
are row numbers; at the root it is empty. So root, folder and name, joined, are the image's path.

An image is indexed by its *path key*, a number made of its folder's id and 24 bits of its name. This index takes half
the disk space of an index of names; the few names with equal keys are compared.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lookalike.store.records import to_json

if TYPE_CHECKING:
    from lookalike.data import Label
    from lookalike.store.session import Session

KEY_BITS = 24
LAST_KEY = 2**KEY_BITS - 1
REMEMBERED = 1_000_000  # folder ids cached in memory


class LabelIds:
    """Numbers of labels; creates missing ones."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers: dict[Label, int | None] = {None: None}

    def forget(self) -> None:
        """Drop the cache after a rollback."""
        self._numbers = {None: None}

    def number(self, label: Label) -> int | None:
        """The number of a label; None for no label."""
        if label not in self._numbers:
            self._numbers[label] = self._find(to_json(label))
        return self._numbers[label]

    def _find(self, text: str | None) -> int:
        row = self._session.row("SELECT id FROM labels WHERE label = ?", (text,))
        if row is None:
            row = (self._session.run("INSERT INTO labels (label) VALUES (?)", (text,)).lastrowid,)
        return int(row[0])


class FolderIds:
    """Ids of roots and folders, cached."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._roots: dict[str, int] = {}
        self._version = -1
        self._folders: dict[tuple[int, str], int] = {}

    def forget(self) -> None:
        """Drop the cache after a rollback."""
        self._version = -1
        self._folders.clear()

    def roots(self) -> dict[str, int]:
        """Ids of the roots by path, read again if another process may have added one."""
        version = int(self._session.row("PRAGMA data_version")[0])
        if version != self._version:
            self._roots = dict(self._session.rows("SELECT path, id FROM roots"))
            self._version = version
        return self._roots

    def root(self, path: str) -> int:
        """The id of a root, created if missing."""
        known = self.roots().get(path)
        if known is not None:
            return known
        self._version = -1
        return self._insert("INSERT INTO roots (path) VALUES (CAST(? AS TEXT))", os.fsencode(path))

    def within(self, name: str) -> tuple[int, str] | None:
        """The deepest root above a path, and the path relative to it."""
        folder, roots = name, self.roots()
        while (parent := os.path.dirname(folder)) != folder:
            if parent in roots:
                return roots[parent], os.path.relpath(name, parent).replace(os.sep, "/")
            folder = parent
        return None

    def folder(self, root: int, path: str) -> int | None:
        """The id of a folder; None if it is unknown."""
        known = self._folders.get((root, path))
        if known is None:
            sql = "SELECT id FROM folders WHERE root = ? AND path = CAST(? AS TEXT)"
            row = self._session.row(sql, (root, os.fsencode(path)))
            known = None if row is None else self._remember(root, path, int(row[0]))
        return known

    def make_folder(self, root: int, path: str) -> int:
        """The id of a folder, created if missing."""
        known = self.folder(root, path)
        if known is not None:
            return known
        id_ = self._insert("INSERT INTO folders (root, path) VALUES (?, CAST(? AS TEXT))", root, os.fsencode(path))
        return self._remember(root, path, id_)

    def path_keys(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Path keys and names that a path can have: as a file, and as a row of a table."""
        relative = self.within(name)
        if relative is None:
            return
        root, path = relative
        for folder, rest in dict.fromkeys((split(path, row=False), split(path, row=True))):
            number = self.folder(root, folder)
            if number is not None:
                encoded = os.fsencode(rest)
                yield path_key(number, encoded), encoded

    def below(self, name: str) -> Iterator[tuple[int, bytes, bytes | None]]:
        """Ranges of folders below a path or of that table: root, first path, and the path after the last."""
        here = name.rstrip("/") + "/"
        for path, root in self.roots().items():
            there = path.rstrip("/") + "/"
            if there.startswith(here):
                yield root, b"", None
            elif here.startswith(there):
                inside = os.fsencode(here[len(there) : -1])
                yield root, inside + b"/", inside + b"0"  # 0 is the byte after /
                yield root, inside + b"#", inside + b"#\0"

    def _remember(self, root: int, path: str, number: int) -> int:
        if len(self._folders) >= REMEMBERED:
            self._folders.clear()
        self._folders[root, path] = number
        return number

    def _insert(self, sql: str, *values: object) -> int:
        return int(self._session.run(sql, values).lastrowid or 0)


def split(path: str, *, row: bool) -> tuple[str, str]:
    """A path's folder, with its separator, and name; `row` allows a row of a table.

    >>> split("2021/07/a.jpg", row=False), split("a.jpg", row=False), split("x/t.parquet#12", row=True)
    (('2021/07/', 'a.jpg'), ('', 'a.jpg'), ('x/t.parquet#', '12'))
    """
    if row:
        folder, mark, name = path.rpartition("#")
        if mark and name.isascii() and name.isdigit():
            return folder + mark, name
    folder, mark, name = path.rpartition("/")
    return folder + mark, name


def path_key(folder: int, name: bytes) -> int:
    """The path key of a name in a folder.

    >>> path_key(3, b"12") == 3 * 2**24 + 12
    True
    """
    return folder << KEY_BITS | _name_key(name)


def _name_key(name: bytes) -> int:
    """24 bits of a name: the number itself, so that rows of a table are consecutive, or a checksum.

    >>> _name_key(b"12"), _name_key(b"a.jpg")
    (12, 3453462)
    """
    return int(name) if len(name) < 8 and name.isdigit() else zlib.crc32(name) & LAST_KEY
