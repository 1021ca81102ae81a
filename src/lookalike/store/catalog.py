"""The catalog: an SQLite file that holds all that is known of a collection.

The journal is SQLite's write-ahead log, so that readers never wait for the writer. Where nothing can be written, the
file is opened as one that does not change.

Paths are stored as the bytes that the file system gave, also where they are not valid UTF-8.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes
from lookalike.data import Item, Label
from lookalike.errors import DatabaseError
from lookalike.store.migrations import check, migrate

FILE = "catalog.sqlite"
BUSY_SECONDS = 30.0
FETCHED = 65_536  # rows read at a time where all are

_COLUMNS = (
    "images.id, roots.path, images.path, row, size, mtime_ns, digest, length, label, code, width, height, format,"
    " animated, error, missing_since"
)
_FROM = "FROM images JOIN roots ON roots.id = images.root"


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

    @property
    def item(self) -> Item:
        """Where the image is."""
        return Item(self.root, self.path, self.size, self.mtime_ns, self.label, self.row)

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
    error: str | None = None
    try_again: bool = False  # the error may pass by itself, so the file is read again next time


class Catalog:
    """An open catalog. It may be used by several threads of the process that opened it."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._file: tuple[int, int] | None = None
        self._closed = False
        self._roots: dict[str, int] = {}
        self._roots_version = -1
        if not create and not path.exists():
            raise DatabaseError(
                f"There is no database at {path.parent}. Make one with: lookalike index FOLDER --db {path.parent}"
                "  (in Python: Database.create(path), or Database.open(path, create=True))"
            )
        try:
            self._connection = _connect(path, create=create)
        except (sqlite3.DatabaseError, UnicodeError) as error:
            raise DatabaseError(f"{path} is not a readable catalog ({error})") from error
        self._file = _identity(path)

    def close(self) -> None:
        """Give the file back."""
        self._closed = True
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the changes inside, or none."""
        self._run("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk ends it by itself
                self._run("ROLLBACK")
            self._roots_version = -1
            raise
        self._run("COMMIT")

    # What is known of the collection as a whole

    def get(self, key: str, default: str = "") -> str:
        """A value of the table `meta`."""
        row = self._row("SELECT value FROM meta WHERE key = ?", (key,))
        return default if row is None else str(row[0])

    def set(self, key: str, value: str) -> None:
        """Store a value in the table `meta`."""
        self._run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def revision(self) -> int:
        """A number that grows whenever the codes change; what is derived from them carries it."""
        return int(self.get("revision", "0"))

    def is_in_place(self) -> bool:
        """Whether the open file is the one that lies at its path: it may have been replaced, or be gone."""
        return _identity(self.path) == self._file

    def touch(self) -> None:
        """Say that the codes have changed."""
        self.set("revision", str(self.revision + 1))

    def counts(self) -> dict[str, int]:
        """Numbers of rows: with a code that can be found, with an error, missing, and labelled."""
        row = self._row(
            "SELECT count(*) FILTER (WHERE code IS NOT NULL AND missing_since IS NULL),"
            " count(*) FILTER (WHERE error IS NOT NULL AND missing_since IS NULL),"
            " count(*) FILTER (WHERE missing_since IS NOT NULL),"
            " count(*) FILTER (WHERE label IS NOT NULL AND code IS NOT NULL AND missing_since IS NULL) FROM images"
        )
        return dict(zip(("images", "errors", "missing", "labelled"), row, strict=True))

    def roots(self) -> list[str]:
        """The folders that paths are relative to."""
        return sorted(self._known_roots())

    def codes(self, width: int) -> tuple[npt.NDArray[np.int64], Codes]:
        """Ids (N,), ascending, and codes (N, W) of all images that can be found."""
        cursor = self._run("SELECT id, code FROM images WHERE code IS NOT NULL AND missing_since IS NULL ORDER BY id")
        ids, parts = [np.empty(0, np.int64)], [np.empty((0, width), np.uint8)]
        while rows := self._fetch(cursor, FETCHED):
            wrong = next((id_ for id_, code in rows if len(code) != width), None)
            if wrong is not None:
                raise DatabaseError(f"{self.path}: the code of image {wrong} has not {width * 8} bits; index it again")
            ids.append(np.fromiter((id_ for id_, _ in rows), np.int64, len(rows)))
            parts.append(np.frombuffer(b"".join(code for _, code in rows), np.uint8).reshape(-1, width))
        return np.concatenate(ids), np.concatenate(parts)

    def problems(self) -> str:
        """What SQLite finds wrong with the file: "ok" if nothing."""
        return "; ".join(row[0] for row in self._rows("PRAGMA integrity_check"))

    def ids_by_name(self) -> npt.NDArray[np.int64]:
        """Ids of all images that can be found, root by root, within each by path."""
        cursor = self._run("SELECT id FROM images WHERE code IS NOT NULL AND missing_since IS NULL ORDER BY root, path")
        parts = [np.empty(0, np.int64)]
        while rows := self._fetch(cursor, FETCHED):
            parts.append(np.fromiter((row[0] for row in rows), np.int64, len(rows)))
        return np.concatenate(parts)

    def labels(self) -> dict[str, int]:
        """Each label of images that can be found, by name, and how many have it."""
        rows = self._rows(
            "SELECT label, count(*) FROM images WHERE label IS NOT NULL AND code IS NOT NULL AND missing_since IS NULL"
            " GROUP BY label"
        )
        counts: dict[str, int] = {}
        for text, count in rows:
            value = json.loads(text)
            for name in {value} if isinstance(value, str) else set(value):
                counts[name] = counts.get(name, 0) + count
        return dict(sorted(counts.items()))

    # Single rows

    def records(self, ids: Sequence[int]) -> dict[int, Record]:
        """The rows of ids."""
        found = {}
        for start in range(0, len(ids), 500):
            part = [int(id_) for id_ in ids[start : start + 500]]
            marks = ",".join("?" * len(part))
            for row in self._rows(f"SELECT {_COLUMNS} {_FROM} WHERE images.id IN ({marks})", part):
                found[row[0]] = _record(row)
        return found

    def all_records(self) -> Iterator[Record]:
        """All rows, by id, some thousands at a time."""
        last = 0
        while rows := self._rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE images.id > ? ORDER BY images.id LIMIT 2000", (last,)
        ):
            last = rows[-1][0]
            yield from map(_record, rows)

    def find(self, name: str) -> Record | None:
        """The row of an image's path."""
        place = self._place(name)
        if place is None:
            return None
        row = self._row(
            f"SELECT {_COLUMNS} {_FROM} WHERE root = ? AND images.path = CAST(? AS TEXT)",
            (place[0], os.fsencode(place[1])),
        )
        return None if row is None else _record(row)

    def with_digest(self, digest: bytes) -> list[Record]:
        """The rows of images with the same bytes."""
        rows = self._rows(f"SELECT {_COLUMNS} {_FROM} WHERE digest = ? ORDER BY images.id", (digest,))
        return [_record(row) for row in rows]

    def below(self, name: str) -> list[int]:
        """Ids of the images of a path: itself, all below it if it is a folder, all rows if it is a table."""
        prefix = os.fsencode(name.rstrip("/"))
        where = "CAST(rtrim(roots.path, '/') || '/' || images.path AS BLOB)"
        row = "CAST(CAST(? AS TEXT) || '#' || row AS BLOB)"  # NULL, and so no path, of what is no row of a table
        found = self._rows(
            f"SELECT images.id {_FROM} WHERE {where} = ? OR ({where} >= ? AND {where} < ?) OR {where} = {row}",
            (prefix, prefix + b"/", prefix + b"0", prefix),  # 0 is the byte behind /
        )
        return [row[0] for row in found]

    def passing(self, wanted: Filter) -> npt.NDArray[np.int64]:
        """Ids of the images that pass a filter, ascending."""
        terms = ["code IS NOT NULL", "missing_since IS NULL"]
        values: list[Any] = []
        if wanted.label is not None:
            terms.append("(label = ? OR (label LIKE '[%' AND EXISTS (SELECT 1 FROM json_each(label) WHERE value = ?)))")
            values += [json.dumps(wanted.label), wanted.label]
        if wanted.since is not None:
            terms.append("indexed_at >= ?")
            values.append(int(wanted.since))
        rows = self._rows(f"SELECT id FROM images WHERE {' AND '.join(terms)} ORDER BY id", values)
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        if wanted.below is not None:
            ids = ids[np.isin(ids, self.below(os.path.abspath(wanted.below)))]
        return ids

    # Changes, inside a transaction

    def write(self, outcome: Outcome, *, row: int | None = None) -> int:
        """Record an outcome, in place of the row with that id if one is given; the row's id."""
        item = outcome.item
        root, path = self._place(item.name) or (self._add_root(item.root), item.path)
        values = {
            "root": root,
            "path": os.fsencode(path),
            "row": item.row,
            "size": item.size,
            "mtime_ns": -1 if outcome.try_again else item.mtime_ns,
            "digest": outcome.digest,
            "length": outcome.length,
            "label": _to_json(item.label),
            "code": outcome.code,
            "width": outcome.width,
            "height": outcome.height,
            "format": outcome.format,
            "animated": int(outcome.animated),
            "error": None if outcome.error is None else _clean(outcome.error),
            "indexed_at": int(time.time()),
        }
        marks = [f"{'CAST(:path AS TEXT)' if name == 'path' else ':' + name}" for name in values]
        if row is None:
            sql = f"INSERT INTO images ({', '.join(values)}) VALUES ({', '.join(marks)})"
        else:
            pairs = ", ".join(f"{name} = {mark}" for name, mark in zip(values, marks, strict=True))
            sql, values = (
                f"UPDATE images SET {pairs}, missing_since = NULL WHERE id = :id",
                {**values, "id": row},
            )
        cursor = self._run(sql, values)
        return row if row is not None else int(cursor.lastrowid or 0)

    def take(self, root: str, rows: Iterable[tuple[str, int | None, int, Label, bytes, int | None, int | None]]) -> int:
        """Record codes that were made elsewhere: (path, row, size, label, code, width, height) each; how many changed.

        Paths are relative to the root. A path that is known gets the code and label; what is the same is left alone.
        """
        number = self._known_roots().get(root) or self._add_root(root)
        now, before = int(time.time()), self._connection.total_changes
        self._run_many(
            "INSERT INTO images (root, path, row, size, mtime_ns, label, code, width, height, indexed_at)"
            " VALUES (?, CAST(? AS TEXT), ?, ?, -1, ?, ?, ?, ?, ?) ON CONFLICT (root, path) DO UPDATE SET"
            " label = excluded.label, code = excluded.code, error = NULL, missing_since = NULL, mtime_ns = -1"
            " WHERE code IS NOT excluded.code OR label IS NOT excluded.label OR missing_since IS NOT NULL",
            (
                (number, os.fsencode(path), row, size, _to_json(label), code, width, height, now)
                for path, row, size, label, code, width, height in rows
            ),
        )
        return self._connection.total_changes - before

    def set_label(self, id_: int, label: Label) -> None:
        """Store another label."""
        self._run("UPDATE images SET label = ? WHERE id = ?", (_to_json(label), id_))

    def set_missing(self, ids: Iterable[int], *, missing: bool) -> None:
        """Mark images whose files are gone, or are back."""
        since = int(time.time()) if missing else None
        self._run_many("UPDATE images SET missing_since = ? WHERE id = ?", [(since, id_) for id_ in ids])

    def delete(self, ids: Iterable[int]) -> None:
        """Forget images."""
        self._run_many("DELETE FROM images WHERE id = ?", [(id_,) for id_ in ids])

    def owed(self) -> list[Record]:
        """The rows that should have a code and have none, since the model was changed."""
        rows = self._rows(
            f"SELECT {_COLUMNS} {_FROM} WHERE code IS NULL AND error IS NULL AND missing_since IS NULL"
            " ORDER BY images.id"
        )
        return [_record(row) for row in rows]

    def forget_codes(self) -> None:
        """Drop every code, so that every image is read and encoded again."""
        self._run("UPDATE images SET code = NULL, mtime_ns = -1")

    def _run(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise self._failed(error) from error

    def _fetch(self, cursor: sqlite3.Cursor, count: int) -> list[Any]:
        try:
            return cursor.fetchmany(count)
        except (sqlite3.Error, UnicodeError) as error:
            raise self._failed(error) from error

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        return next(iter(self._rows(sql, values)), None)

    def _run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        try:
            self._connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> DatabaseError:
        """What SQLite says, with what a person can do: a full disk, a lock that is held, a damaged file."""
        if self._closed:
            return DatabaseError(f"the database {self.path.parent} is closed; open it again")
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        remedy = (
            "The catalog is damaged beyond repair: index again into a new folder, and keep this one if it has originals"
            if damaged
            else f"Check the disk and: lookalike verify --db {self.path.parent}"
        )
        return DatabaseError(f"{self.path}: {str(error).rstrip('.')}. {remedy}")

    def _place(self, name: str) -> tuple[int, str] | None:
        """The root that a path lies under and the path relative to it; the deepest root if there are several."""
        folder, roots = name, self._known_roots()
        while (parent := os.path.dirname(folder)) != folder:
            if parent in roots:
                return roots[parent], os.path.relpath(name, parent).replace(os.sep, "/")
            folder = parent
        return None

    def _add_root(self, path: str) -> int:
        cursor = self._run("INSERT INTO roots (path) VALUES (CAST(? AS TEXT))", (os.fsencode(path),))
        self._roots_version = -1
        return int(cursor.lastrowid or 0)

    def _known_roots(self) -> dict[str, int]:
        """Ids of the roots by path, read again if another process may have added one."""
        version = int(self._row("PRAGMA data_version")[0])
        if version != self._roots_version:
            self._roots = dict(self._rows("SELECT path, id FROM roots"))
            self._roots_version = version
        return self._roots


def _connect(path: Path, *, create: bool) -> sqlite3.Connection:
    writable = all(_is_writable(place) for place in (path, path.parent) if place.exists())
    log = path.with_name(f"{path.name}-wal")
    unchanging = "" if log.exists() and log.stat().st_size else "&immutable=1"  # else what is in the log would be lost
    how = "mode=rwc" if create else "mode=rw" if writable else f"mode=ro{unchanging}"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions begin where the code says so
        check_same_thread=False,  # SQLite is built to serialise the threads of a process
    )
    try:
        connection.text_factory = os.fsdecode
        connection.execute("PRAGMA foreign_keys = ON")
        if not create:
            check(connection, where=str(path))
        if writable:
            connection.execute("PRAGMA journal_mode = WAL")
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another that later lies at its path."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _record(row: tuple[Any, ...]) -> Record:
    values = dict(zip(Record.__slots__, row, strict=True))
    return Record(**{**values, "label": _from_json(values["label"]), "animated": bool(values["animated"])})


def _clean(text: str) -> str:
    """Text without the half characters that stand for undecodable bytes of a path."""
    return text.encode("utf-8", "backslashreplace").decode()


def _to_json(label: Label) -> str | None:
    return None if label is None else json.dumps(label)


def _from_json(text: str | None) -> Label:
    value = None if text is None else json.loads(text)
    return tuple(value) if isinstance(value, list) else value
