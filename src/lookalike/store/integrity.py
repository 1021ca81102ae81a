"""Integrity check of a catalog; whatever can be proven right is restored.

Indexes, and tables without rows, are recreated. A row that was changed, lost or added makes its block's digest wrong;
if another source has the right row, or one flipped bit explains the difference, the digest proves it and the row is
written back. Anything that cannot be proven is reported and left alone.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from typing import NamedTuple

from lookalike.core.errors import DatabaseError
from lookalike.store import digests
from lookalike.store.digests import SEQUENCE, WHOLE, Block, Layout, Value, content_of, literal, row_digest
from lookalike.store.migrations import migrate
from lookalike.store.session import Session

Row = tuple[Value, ...]
Change = tuple[Row | None, Row | None]  # a row's current and correct values
Source = Callable[[Layout, Sequence[Row]], Iterable[Row]]  # candidate rows, given those of a damaged block
Object = tuple[str, str]  # kind and name of a table, index, trigger or view

WIDTHS = (1, 2, 3, 4, 6)  # bytes of SQLite's integers shorter than 8
INTEGERS = range(-(2**63), 2**63)
MOST = 16  # damaged blocks in which flipped bits are searched for: a second each
LONGEST = 256  # bytes of values in which they are searched for: a block of thumbnails would take minutes
SKIPPED = 1 << 20  # ids that are skipped if the last one is unknown
COUNTERS = ("decision_changes",)  # tables whose only purpose is to change
NOTES = ("left_out", "unreachable")  # tables with findings of the last scan of the folders
NO_VOLUME = "volume IS NOT NULL AND volume NOT IN (SELECT id FROM volumes)"
UNPROVEN = "the digests of its rows were lost; recreated, so earlier damage cannot be detected"


class _Fault(NamedTuple):
    """A deviation from what was written."""

    what: str
    repaired: bool = False


class Integrity:
    """Integrity checks of an open catalog, under the writer's lock."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.damaged: set[str] = set()  # tables with unproven rows, as found by `check`

    def check(self, sources: Mapping[str, Source]) -> list[_Fault]:
        """All faults, after repairing what can be repaired. `sources` are by table."""
        self.damaged = set()
        try:
            faults = list(self._schema())
            if not self.damaged:
                faults += self._rows(sources)
                faults += self._references()
        except (sqlite3.Error, DatabaseError) as error:
            faults = [_Fault(f"it is unreadable ({error})")]
        if not self.damaged and not all(fault.repaired for fault in faults):
            self.damaged = {"images"}  # nothing is certain
        return faults

    def accept(self) -> int:
        """Accept the current rows as the truth; returns how many were dropped because rows they refer to are lost."""
        with self._session.repair():
            before = self._connection.total_changes
            for table in ("roots", "files"):
                self._session.run(f"UPDATE {table} SET volume = NULL WHERE {NO_VOLUME}")
            for table, _, rows in self._orphans():
                self._session.run(f'DELETE FROM "{table}" WHERE {rows}')
            dropped = self._connection.total_changes - before
            digests.rewrite(self._connection)
        self.damaged = set()
        return dropped

    def lost_folders(self) -> list[int]:
        """The numbers of folders that images are in, and of which nothing is known."""
        sql = "SELECT DISTINCT place >> 24 FROM images WHERE place >> 24 NOT IN (SELECT id FROM folders)"
        return [number for (number,) in self._session.rows(sql)]

    def numbered_roots(self) -> list[tuple[str, int]]:
        """The folders that paths are relative to, and their numbers."""
        return self._session.rows("SELECT path, id FROM roots")

    @property
    def _connection(self) -> sqlite3.Connection:
        return self._session.connection

    # Schema

    def _schema(self) -> Iterator[_Fault]:
        wanted, found = _wanted(), _objects(self._connection)
        had_rows = set()
        if ("table", digests.TABLE) in found:
            had_rows = {table for table, _ in digests.stored(self._connection)}
        for (kind, name), sql in wanted.items():
            is_there = (kind, name) in found
            if is_there and found[kind, name] == sql:
                continue
            if is_there and kind == "table":
                self.damaged.add(name)
                yield _Fault(f"the table {name} does not have the columns that this version expects")
                continue
            with self._session.repair():
                if is_there:
                    self._session.run(f'DROP {kind.upper()} "{name}"')
                self._session.run(sql)
            what = f"the {kind} {name} was {'different' if is_there else 'lost'}"
            if kind == "table" and name in had_rows:
                self.damaged.add(name)
                yield _Fault(f"{what}, with all of its rows")
            else:
                yield _Fault(f"{what}; recreated", repaired=True)
        for kind, name in sorted(found.keys() - wanted.keys()):
            yield _Fault(f"the {kind} {name} does not belong to lookalike; drop it with another tool if unneeded")

    # Rows

    def _rows(self, sources: Mapping[str, Source]) -> Iterator[_Fault]:
        problems = self._problems()
        if problems:
            self._reindex()
        bad, lost = self._damaged_blocks()
        if lost:
            yield _Fault(lost, repaired=True)
        layouts = {layout.table: layout for layout in digests.layouts(self._connection)}
        unrestored: list[Block] = []
        for number, (block, difference) in enumerate(bad.items()):
            layout = layouts[block[0]]
            changes = self._proven(layout, block[1], difference, sources, flips=number < MOST)
            if changes and self._apply(layout, changes):
                yield _Fault(f"{_named(layout, [block[1]])} were damaged; restored", repaired=True)
            else:
                unrestored.append(block)
        yield from self._unrestored(layouts, unrestored)
        if problems:
            again = self._problems()
            yield _Fault(again or "its indexes did not match its rows; rebuilt", repaired=not again)

    def _problems(self) -> str:
        """Problems that SQLite finds in the file."""
        return "; ".join(row[0] for row in self._session.rows("PRAGMA integrity_check(20)") if row[0] != "ok")

    def _reindex(self) -> None:
        with suppress(sqlite3.Error):  # duplicates of a unique key: the digests show which row is wrong
            self._connection.execute("REINDEX")

    def _damaged_blocks(self) -> tuple[dict[Block, int], str]:
        """Blocks with damaged rows, and the difference of their digests; and a message if digests were damaged instead.

        Damaged digests, of blocks or of a whole table but not of both, are recomputed.
        """
        stored, computed = digests.stored(self._connection), digests.computed(self._connection)
        differ = digests.differing(stored, computed)
        wholes = {table for table, block in differ if block == WHOLE} if stored else set()
        parts = {table for table, block in differ if block != WHOLE}
        bad_tables = wholes & parts
        kept = {block: stored.get(block, 0) for block in differ if block[0] in bad_tables}
        lost = ""
        if len(kept) < len(differ):
            lost = "digests of rows were damaged, not the rows; recomputed" if stored else UNPROVEN
            with self._session.repair():
                digests.rewrite(self._connection, kept=kept)
        bad = {block: digest ^ computed.get(block, 0) for block, digest in sorted(kept.items()) if block[1] != WHOLE}
        return bad, lost

    def _proven(
        self, layout: Layout, block: int, difference: int, sources: Mapping[str, Source], *, flips: bool
    ) -> list[Change]:
        """Changes that restore a block's digest; empty if none are found."""
        rows = digests.rows_of(self._connection, layout, block)
        by_key = {_key(layout, row): row for row in rows}
        candidates = sources[layout.table](layout, rows) if layout.table in sources else ()
        changes: list[Change] = [(by_key.get(_key(layout, row)), row) for row in candidates]
        added: list[Change] = [(row, None) for row in rows]
        together = [one for one in changes if one[0] != one[1]]
        for attempt in (together, *([one] for one in together), *([one] for one in added)):
            if attempt and _effect(layout, attempt) == difference:
                return attempt
        return _flipped_bit(layout, rows, difference) if flips else []

    def _apply(self, layout: Layout, changes: Iterable[Change]) -> bool:
        """Write changes; returns whether that was possible."""
        marks = ["CAST(? AS TEXT)" if name in layout.text else "?" for name in layout.columns]
        here = " AND ".join(f"{value} IS ?" for value in layout.values())
        try:
            with self._session.repair():
                for before, after in changes:
                    if before is None and after is not None:
                        self._session.run(f'INSERT INTO "{layout.table}" VALUES ({", ".join(marks)})', after)
                    elif after is None and before is not None:
                        self._session.run(f'DELETE FROM "{layout.table}" WHERE {here}', before)
                    elif before is not None and after is not None:
                        at = [column for column, value in enumerate(after) if value != before[column]]
                        news = ", ".join(f'"{layout.columns[column]}" = {marks[column]}' for column in at)
                        values = [*(after[column] for column in at), *before]
                        self._session.run(f'UPDATE "{layout.table}" SET {news} WHERE {here}', values)
        except DatabaseError:
            return False
        return True

    def _unrestored(self, layouts: Mapping[str, Layout], blocks: Sequence[Block]) -> Iterator[_Fault]:
        for table in dict.fromkeys(table for table, _ in blocks):
            layout = layouts[table]
            if table == SEQUENCE:
                self._skip_ids()
                yield _Fault("the record of the last ids was damaged; new ids continue after them", repaired=True)
            elif table in COUNTERS:
                with self._session.repair():
                    self._session.run(f"INSERT INTO {table} DEFAULT VALUES")
                    self._session.run(f"DELETE FROM {table} WHERE id < (SELECT max(id) FROM {table})")
                yield _Fault(f"{table} was damaged; its counter continues", repaired=True)
            elif table in NOTES:
                with self._session.repair():
                    self._session.run(f"DELETE FROM {table}")
                yield _Fault(f"{table} was damaged; emptied until the folders are indexed again", repaired=True)
            else:
                self.damaged.add(table)
                numbers = [block for one, block in blocks if one == table]
                yield _Fault(f"{_named(layout, numbers)} were changed, lost or added")
        if repaired := {SEQUENCE, *COUNTERS, *NOTES} & {table for table, _ in blocks}:
            repaired.add(SEQUENCE)  # continuing a counter assigns ids
            stored = digests.stored(self._connection)
            with self._session.repair():
                kept = {block: digest for block, digest in stored.items() if block[0] not in repaired}
                digests.rewrite(self._connection, kept=kept)

    def _skip_ids(self) -> None:
        """Make sure that no id is assigned twice."""
        with self._session.repair():
            for table in ("images", "decisions", *COUNTERS):
                last = self._session.row(f"SELECT ifnull(max(id), 0) FROM {table}")[0]
                (given,) = self._session.row(f"SELECT ifnull(max(seq), 0) FROM {SEQUENCE} WHERE name = ?", (table,))
                self._session.run(f"DELETE FROM {SEQUENCE} WHERE name = ?", (table,))
                number = given if last <= given < last + SKIPPED else last + SKIPPED
                self._session.run(f"INSERT INTO {SEQUENCE} (name, seq) VALUES (?, ?)", (table, number))

    # References

    def _references(self) -> Iterator[_Fault]:
        volumes = (("roots", "volumes", NO_VOLUME), ("files", "volumes", NO_VOLUME))
        for table, parent, rows in (*volumes, *self._orphans()):
            count = self._session.row(f'SELECT count(*) FROM "{table}" WHERE {rows}')[0]
            if count:
                self.damaged |= {table, parent}
                yield _Fault(f"{count} rows of {table} refer to lost rows of {parent}")

    def _orphans(self) -> Iterator[tuple[str, str, str]]:
        """Tables, what they refer to, and their rows with dangling references; referenced tables come last."""
        yield "folders", "roots", "root NOT IN (SELECT id FROM roots)"
        yield "images", "folders", "place >> 24 NOT IN (SELECT id FROM folders)"
        yield "images", "labels", "label IS NOT NULL AND label NOT IN (SELECT id FROM labels)"
        for table in ("files", "thumbnails"):
            yield table, "images", "id NOT IN (SELECT id FROM images)"
        yield "decided", "decisions", "decision NOT IN (SELECT id FROM decisions)"


def _key(layout: Layout, row: Row) -> Value:
    """The value that identifies a row within its block."""
    return row[layout.columns.index(layout.key)] if layout.key else row[0]


def _effect(layout: Layout, changes: Iterable[Change]) -> int:
    """The change of a block's digest by some changes of rows."""
    effect = 0
    for row in (row for change in changes for row in change if row is not None):
        effect ^= row_digest(content_of(layout.table, row))
    return effect


def _named(layout: Layout, blocks: Sequence[int]) -> str:
    if layout.key is None:
        return f"rows of {layout.table}"
    first, last = min(blocks) << digests.BITS, ((max(blocks) + 1) << digests.BITS) - 1
    return f"rows of {layout.table} with {layout.key} from {first} to {last}"


@cache
def _wanted() -> dict[Object, str]:
    """The schema of a catalog of this version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return _objects(connection)


def _objects(connection: sqlite3.Connection) -> dict[Object, str]:
    """Tables, indexes, triggers and views with their SQL, without comments, tables first."""
    sql = (
        "SELECT type, name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        " ORDER BY type <> 'table', rowid"
    )
    return {(kind, name): _plain(text) for kind, name, text in connection.execute(sql)}


def _plain(sql: str) -> str:
    """SQL in canonical spelling, because versions of SQLite differ in how they quote and space altered statements."""
    text = " ".join(re.sub(r"--[^\n]*", " ", sql).replace('"', "").split())
    return re.sub(r" ?([(),=<>]) ?", r"\1", text)


def _flipped_bit(layout: Layout, rows: Sequence[Row], difference: int) -> list[Change]:
    """The row that differs from its correct value by one flipped bit, according to its block's digest; or no change.

    A digest has 128 bits, so a wrong row is found by chance in fewer than one of 10³⁰ catalogs.
    """
    for row in rows:
        wanted = difference ^ row_digest(content_of(layout.table, row))
        for column, value in enumerate(row):
            head = content_of(layout.table, row[:column]) + (b"," if column else b"")
            tail = b"".join(b"," + literal(other) for other in row[column + 1 :])
            for flipped in _with_another_bit(value):
                if row_digest(head + literal(flipped) + tail) == wanted:
                    return [(row, (*row[:column], flipped, *row[column + 1 :]))]
    return []


def _with_another_bit(value: Value) -> Iterator[Value]:
    """Every value that differs in one bit; none for long values."""
    if isinstance(value, int):
        yield from (value ^ (1 << bit) for bit in range(63))
        signs = (value + sign * (1 << 8 * width) for width in (*WIDTHS, 8) for sign in (-1, 1))
        yield from (other for other in signs if other in INTEGERS)
    elif value is not None and len(value) <= LONGEST:
        content = bytearray(value)
        for column in range(len(content)):
            for bit in range(8):
                content[column] ^= 1 << bit
                yield bytes(content)
                content[column] ^= 1 << bit
