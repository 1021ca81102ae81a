"""Digests of the catalog's rows, with which `verify` finds rows that were changed, lost or added by other means.

Rows of a table whose ids share the upper bits (id >> 10) form a block; a table without an integer key is one block. A
block's digest is the exclusive or of its rows' digests, so an update needs only the changed row's old and new digest,
reads no other rows, and never makes a damaged row look intact. Block -1 is the exclusive or of all rows of a table; it
distinguishes a damaged row from a damaged digest.

The digest of a row is BLAKE2b (16 bytes) of the table's name, a colon, and the values of all columns as SQL literals in
column order, separated by commas, with text as blobs: `labels:1,X'22636174223A'`.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

TABLE = "digests"
CHANGED = "changed_rows"  # a temporary table
SEQUENCE = "sqlite_sequence"  # SQLite's own table of the last ids, which cannot have triggers
BITS = 10
WHOLE = -1  # the block of all rows
FETCHED = 1_024
UNKNOWN = 1  # changes the digest of a block that was damaged before a schema change, so that it stays damaged

Value = int | bytes | None
Block = tuple[str, int]  # table and number


class Layout(NamedTuple):
    """A table: its columns, which of them are text, and its integer key."""

    table: str
    columns: tuple[str, ...]
    text: frozenset[str]
    key: str | None

    def block(self, prefix: str = "") -> str:
        """SQL expression for a row's block."""
        return "0" if self.key is None else f'{prefix}"{self.key}" >> {BITS}'

    def values(self, prefix: str = "") -> list[str]:
        """SQL expressions for a row's values; text as blobs, because it need not be UTF-8."""
        quoted = [(name, f'{prefix}"{name}"') for name in self.columns]
        return [f"CAST({value} AS BLOB)" if name in self.text else value for name, value in quoted]

    def content(self, prefix: str = "") -> str:
        """SQL expression for the content that a row's digest covers."""
        literals = "||','||".join(f"quote({value})" for value in self.values(prefix))
        return f"CAST('{self.table}:'||{literals} AS BLOB)"


SEQUENCE_LAYOUT = Layout(SEQUENCE, ("name", "seq"), frozenset({"name"}), None)


class Digests:
    """Digests of an open catalog, updated in each transaction.

    Triggers of the connection copy changed rows to a temporary table; they are digested before the transaction ends. (A
    Python function called by triggers would block other threads on the connection.)
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._watching = False

    def watch(self) -> None:
        """Record every change of a row from now on."""
        if self._watching:
            return
        run = self._connection.execute
        run("PRAGMA recursive_triggers = ON")  # so that INSERT OR REPLACE reports the deleted row
        run(f"CREATE TEMP TABLE {CHANGED} (tbl TEXT, block INTEGER, content BLOB)")
        for layout in layouts(self._connection):
            if layout.table == SEQUENCE:
                continue
            for event, rows in (("INSERT", ("NEW",)), ("DELETE", ("OLD",)), ("UPDATE", ("OLD", "NEW"))):
                values = (f"('{layout.table}', {layout.block(f'{row}.')}, {layout.content(f'{row}.')})" for row in rows)
                run(
                    f'CREATE TEMP TRIGGER "{event.lower()} of {layout.table}" AFTER {event} ON main."{layout.table}"'
                    f" BEGIN INSERT INTO {CHANGED} VALUES {', '.join(values)}; END"
                )
        self._watching = True

    def forget(self) -> None:
        """Discard the recorded changes of this transaction."""
        self._connection.execute(f"DELETE FROM {CHANGED}")

    def store(self) -> None:
        """Update the digests of changed blocks, inside the transaction that changed them."""
        changes: defaultdict[Block, int] = defaultdict(int)
        for table, block, content in self._connection.execute(f"SELECT tbl, block, content FROM {CHANGED}"):
            changes[table, block] ^= row_digest(content)
        if not changes:
            return
        self.forget()
        for (table, _), change in list(changes.items()):
            changes[table, WHOLE] ^= change
        before = stored(self._connection) if len(changes) > FETCHED else self._stored(changes)
        _write(self._connection, {block: before.get(block, 0) ^ change for block, change in changes.items()})
        sequence = _of_table(self._connection, SEQUENCE_LAYOUT).get((SEQUENCE, 0), 0)
        _write(self._connection, {(SEQUENCE, 0): sequence, (SEQUENCE, WHOLE): sequence})

    def _stored(self, blocks: Iterable[Block]) -> dict[Block, int]:
        sql = f"SELECT digest FROM {TABLE} WHERE tbl = ? AND block = ?"
        rows = {block: self._connection.execute(sql, block).fetchone() for block in blocks}
        return {block: _number(row[0]) for block, row in rows.items() if row is not None}


def row_digest(content: bytes) -> int:
    """The digest of a row as a 128-bit number."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=16).digest())


def content_of(table: str, values: Sequence[Value]) -> bytes:
    """The content that a row's digest covers.

    >>> content_of("labels", [1, b'"cat"', None])
    b"labels:1,X'2263617422',NULL"
    """
    return table.encode() + b":" + b",".join(map(literal, values))


def literal(value: Value) -> bytes:
    """A value as an SQL literal."""
    if value is None:
        return b"NULL"
    return b"%d" % value if isinstance(value, int) else b"X'%s'" % value.hex().upper().encode()


def layouts(connection: sqlite3.Connection) -> list[Layout]:
    """Tables whose rows have digests: all except the digests themselves and SQLite's own (but including ids)."""
    names = connection.execute(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        f" AND name <> '{TABLE}' ORDER BY name"
    )
    return [*(_layout(connection, name) for (name,) in names.fetchall()), SEQUENCE_LAYOUT]


def stored(connection: sqlite3.Connection) -> dict[Block, int]:
    """Stored digests by block."""
    rows = connection.execute(f"SELECT tbl, block, digest FROM {TABLE}")
    return {(table, block): _number(digest) for table, block, digest in rows}


def computed(connection: sqlite3.Connection) -> dict[Block, int]:
    """Digests computed from the current rows; reads all of them."""
    result: defaultdict[Block, int] = defaultdict(int)
    for layout in layouts(connection):
        result |= _of_table(connection, layout)
    for (table, _), digest in list(result.items()):
        result[table, WHOLE] ^= digest
    return dict(result)


def differing(one: Mapping[Block, int], other: Mapping[Block, int]) -> set[Block]:
    """Blocks whose digests differ; a missing digest counts as zero."""
    return {block for block in one.keys() | other.keys() if one.get(block, 0) != other.get(block, 0)}


def rewrite(connection: sqlite3.Connection, *, kept: Mapping[Block, int] | None = None) -> None:
    """Store the digests of the current rows, inside a transaction; `kept` overrides some of them."""
    connection.execute(f"DELETE FROM {TABLE}")
    _write(connection, computed(connection) | dict(kept or {}))


def unproven(connection: sqlite3.Connection) -> dict[Block, int]:
    """Deliberately wrong digests for damaged blocks, for `rewrite` when the columns change."""
    current = computed(connection)
    return {block: current.get(block, 0) ^ UNKNOWN for block in differing(stored(connection), current)}


def rows_of(connection: sqlite3.Connection, layout: Layout, block: int) -> list[tuple[Value, ...]]:
    """The values of a block's rows; text as bytes."""
    here = "? = 0" if layout.key is None else f'"{layout.key}" BETWEEN ?1 << {BITS} AND (?1 << {BITS}) + {2**BITS - 1}'
    sql = f'SELECT {", ".join(layout.values())} FROM "{layout.table}" NOT INDEXED WHERE {here}'
    return connection.execute(sql, (block,)).fetchall()


def _layout(connection: sqlite3.Connection, table: str) -> Layout:
    columns = connection.execute(f"PRAGMA main.table_info({table})").fetchall()
    keys = sorted((rank, name, kind) for _, name, kind, _, _, rank in columns if rank)
    key = next((name for rank, name, kind in keys if rank == 1 and kind == "INTEGER"), None)
    text = frozenset(name for _, name, kind, *_ in columns if kind == "TEXT")
    return Layout(table, tuple(column[1] for column in columns), text, key)


def _of_table(connection: sqlite3.Connection, layout: Layout) -> dict[Block, int]:
    result: defaultdict[Block, int] = defaultdict(int)
    sql = f'SELECT {layout.block()}, {layout.content()} FROM "{layout.table}" NOT INDEXED'
    for block, content in connection.execute(sql):
        result[layout.table, block] ^= row_digest(content)
    return result


def _write(connection: sqlite3.Connection, digests: Mapping[Block, int]) -> None:
    connection.executemany(
        f"INSERT OR REPLACE INTO {TABLE} VALUES (?, ?, ?)",
        [(table, block, digest.to_bytes(16)) for (table, block), digest in digests.items() if digest],
    )
    connection.executemany(
        f"DELETE FROM {TABLE} WHERE tbl = ? AND block = ?", [block for block, digest in digests.items() if not digest]
    )


def _number(digest: bytes) -> int:
    return int.from_bytes(digest)
