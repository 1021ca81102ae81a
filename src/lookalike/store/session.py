"""An open SQLite file, whose errors tell users what to do.

It uses SQLite's write-ahead log, so that readers never wait for the writer. A new file has none until it is opened
again: the file is renamed when it is complete, and the log would be left behind if a full disk kept SQLite from copying
it into the file. Where nothing can be written, the file is opened as immutable.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

from lookalike.core.errors import DatabaseError
from lookalike.store.digests import Digests
from lookalike.store.migrations import check, migrate

BUSY_SECONDS = 30.0
CACHE_KIB = 65_536  # of pages cached in memory; with SQLite's default of 2 MB it reads the same ones again and again
TOGETHER = 400  # rows of one multi-row INSERT
VARIABLES = 10_000  # in a statement; SQLite's limit is 32,766

_text = functools.partial(str, encoding=sys.getfilesystemencoding(), errors=sys.getfilesystemencodeerrors())


class Session:
    """A catalog's connection, which several threads of a process may share."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._closed = False
        if not create and not path.exists():
            raise DatabaseError(
                f"There is no database at {path.parent}. Make one with: lookalike index FOLDER --db {path.parent}"
                "  (in Python: Database.create(path), or Database.open(path, create=True))"
            )
        try:
            self.connection = _connect(path, create=create)
        except (sqlite3.DatabaseError, UnicodeError) as error:
            raise DatabaseError(f"{path} is not a readable catalog ({error})") from error
        self.digests = Digests(self.connection)

    def close(self) -> None:
        """Close the file."""
        self._closed = True
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Apply all changes made inside, or none."""
        self._watch()
        self.run("BEGIN IMMEDIATE")
        try:
            yield
            self._store_digests()
        except BaseException:
            if self.connection.in_transaction:  # a full disk ends it automatically
                self.run("ROLLBACK")
            raise
        self.run("COMMIT")

    @contextmanager
    def repair(self) -> Iterator[None]:
        """A transaction that leaves the digests of rows unchanged."""
        with self.transaction():
            yield
            self.digests.forget()

    def backup(self, path: Path) -> None:
        """Copy a consistent snapshot to a new file."""
        try:
            with closing(sqlite3.connect(path)) as copy:
                self.connection.backup(copy)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def run(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> sqlite3.Cursor:
        """The cursor of an executed statement."""
        try:
            return self.connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each of many rows of values."""
        try:
            self.connection.executemany(sql, rows)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def insert(self, sql: str, values: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute an INSERT for many rows, several at a time; `values` is the placeholder of one row."""
        rest = iter(rows)
        many = ", ".join([values] * TOGETHER)
        while block := list(islice(rest, TOGETHER)):
            text = many if len(block) == TOGETHER else ", ".join([values] * len(block))
            self.run(f"{sql} {text}", list(chain.from_iterable(block)))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeError) as error:
            raise self.failed(error) from error

    def row(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The first row of a query, or None."""
        return next(iter(self.rows(sql, values)), None)

    def blocks(self, sql: str, values: Sequence[Any] = (), *, size: int) -> Iterator[list[Any]]:
        """The rows of a query, in blocks of `size`."""
        cursor = self.run(sql, values)
        try:
            while rows := cursor.fetchmany(size):
                yield rows
        except (sqlite3.Error, UnicodeError) as error:
            raise self.failed(error) from error

    def among(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        """The rows of a query that ends with `IN`, for any number of values."""
        for start in range(0, len(values), VARIABLES):
            part = values[start : start + VARIABLES]
            yield from self.rows(f"{sql} ({','.join('?' * len(part))})", part)

    def _watch(self) -> None:
        try:
            self.digests.watch()
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def _store_digests(self) -> None:
        try:
            self.digests.store()
        except sqlite3.Error as error:
            raise self.failed(error) from error

    def failed(self, error: Exception) -> DatabaseError:
        """An SQLite error with the remedy: a full disk, a lock, a damaged file."""
        if self._closed:
            return DatabaseError(f"the database {self.path.parent} is closed; open it again")
        damaged = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        remedy = (
            "The catalog is damaged beyond repair: restore a backup, or index again into a new folder, and keep this "
            "one if it has originals"
            if damaged or "no such table" in str(error)
            else f"Check the disk and: lookalike verify --db {self.path.parent}"
        )
        return DatabaseError(f"{self.path}: {str(error).rstrip('.')}. {remedy}")


def _connect(path: Path, *, create: bool) -> sqlite3.Connection:
    writable = all(_is_writable(place) for place in (path, path.parent) if place.exists())
    log = path.with_name(f"{path.name}-wal")
    unchanging = "" if log.exists() and log.stat().st_size else "&immutable=1"  # or the log's content would be lost
    how = "mode=rwc" if create else "mode=rw" if writable else f"mode=ro{unchanging}"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,  # transactions are explicit
        check_same_thread=False,  # SQLite serialises a process's threads
    )
    try:
        connection.text_factory = _text
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        if not create:
            check(connection, where=str(path), writable=writable)
            _check_size(connection, path)
        if writable and not create:
            connection.execute("PRAGMA journal_mode = WAL")
        if writable:
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_size(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `DatabaseError` for a file truncated within a page, which SQLite would pad with zeros."""
    page = connection.execute("PRAGMA page_size").fetchone()[0]
    log = path.with_name(f"{path.name}-wal")  # SQLite completes a killed process's writes from it
    if path.stat().st_size % page and not (log.exists() and log.stat().st_size):
        raise DatabaseError(
            f"{path} is damaged: its last page is truncated. Restore a backup, or index again into a new folder"
        )


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)
