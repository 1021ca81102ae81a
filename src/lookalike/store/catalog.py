"""The catalog: an SQLite file with everything known about a collection.

Paths are stored as the file system's bytes, even if these are not valid UTF-8. `paths` describes how they are indexed,
`migrations` the tables.

Shapes: N findable images, I possible ids, W bytes a code.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import DatabaseError
from lookalike.core.mounts import Volume
from lookalike.imaging.quality import LOW_INFORMATION
from lookalike.store import pictures
from lookalike.store.derived.codefile import Stamp
from lookalike.store.paths import FolderIds, LabelIds, path_key, split
from lookalike.store.records import COLUMNS, FINDABLE, FROM, Filter, ImportedCode, IndexOutcome, Record, record
from lookalike.store.scan_state import ScanState
from lookalike.store.session import Session

if TYPE_CHECKING:
    from lookalike.data import Item, Label
    from lookalike.store.banks import Entries
    from lookalike.store.decisions import Decisions
    from lookalike.store.filters import Passing
    from lookalike.store.integrity import Integrity

FILE = "catalog.sqlite"
FETCHED = 65_536  # rows read at a time
PAGE = 5_000  # records read at a time
ALIKE = 20  # rows with equal digests that are searched for one with a code


class Catalog:
    """An open catalog, which several threads of a process may share."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self._session = Session(path, create=create)
        self._folder_ids, self._labels = FolderIds(self._session), LabelIds(self._session)
        self.scan_state = ScanState(self._session)
        self._moment = -1  # last one recorded in this transaction
        self._file = _identity(path)

    @cached_property
    def integrity(self) -> Integrity:
        """Checks and repairs of the rows."""
        from lookalike.store.integrity import Integrity

        return Integrity(self._session)

    @cached_property
    def decisions(self) -> Decisions:
        from lookalike.store.decisions import Decisions

        return Decisions(self._session)

    @cached_property
    def entries(self) -> Entries:
        """The entries of banks."""
        from lookalike.store.banks import Entries

        return Entries(self._session)

    @property
    def folder(self) -> Path:
        return self.path.parent

    def close(self) -> None:
        self._session.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._moment = -1
        try:
            with self._session.transaction():
                yield
        except BaseException:
            self._folder_ids.forget()
            self._labels.forget()
            self.scan_state.forget()
            raise

    # The collection as a whole

    def get(self, key: str, default: str = "") -> str:
        row = self._session.row("SELECT value FROM meta WHERE key = ?", (key,))
        return default if row is None else str(row[0])

    def set(self, key: str, value: str) -> None:
        """Store a value in the table `meta`."""
        self._session.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    @property
    def bits(self) -> int:
        return int(self.get("bits"))

    @property
    def revision(self) -> int:
        return int(self.get("revision", "0"))

    @property
    def state(self) -> tuple[int, int]:
        """An opaque value that differs after any change, by this process or another."""
        return int(self._session.row("PRAGMA data_version")[0]), int(self._session.row("SELECT total_changes()")[0])

    def is_in_place(self) -> bool:
        """Whether the open file is still the one at its path, neither replaced nor deleted."""
        return _identity(self.path) == self._file

    @property
    def stamp(self) -> Stamp:
        """The catalog's current state, which derived files must match."""
        return Stamp(self.get("model"), self.revision, self.get("database"), self.get("change"))

    @property
    def lost_after(self) -> str:
        """The revision after which changes were lost, if a loss was found and not accepted; else empty."""
        return self.get("lost")

    def touch(self) -> None:
        self.set("revision", str(self.revision + 1))
        self.set("change", secrets.token_hex(8))

    def counts(self) -> dict[str, int]:
        images, labelled = self._session.row(f"SELECT count(*), count(label) FROM images WHERE {FINDABLE}")
        without = images - pictures.count_thumbnails(self._session)
        return {"images": images, **self._problem_counts(), "labelled": labelled, "without_thumbnail": without}

    def _problem_counts(self) -> dict[str, int]:
        """Numbers of rows with an error and of missing ones, counted without a full scan."""
        (errors,) = self._session.row(
            "SELECT count(*) FROM files CROSS JOIN images USING (id) WHERE error IS NOT NULL AND missing_since IS NULL"
        )
        (missing,) = self._session.row("SELECT count(*) FROM images WHERE missing_since IS NOT NULL")
        return {"errors": errors, "missing": missing}

    def roots(self) -> list[str]:
        return sorted(self._folder_ids.roots())

    def codes(self, width: int) -> tuple[npt.NDArray[np.int64], Codes]:
        """Ids (N,), ascending, and codes (N, W) of all findable images."""
        ids, joined = bytearray(), bytearray()  # grow in place
        sql = f"SELECT id, code FROM images WHERE {FINDABLE} ORDER BY id"
        for rows in self._session.blocks(sql, size=FETCHED):
            numbers, codes = zip(*rows, strict=True)
            if any(len(code) != width for code in codes):
                wrong = next(id_ for id_, code in rows if len(code) != width)
                raise DatabaseError(f"{self.path}: image {wrong} has no {width * 8}-bit code; index it again")
            ids += np.array(numbers, np.int64).tobytes()
            joined += b"".join(codes)
        return np.frombuffer(ids, np.int64), np.frombuffer(joined, np.uint8).reshape(-1, width)

    def ids_by_name(self) -> npt.NDArray[np.int64]:
        """Ids of all findable images, ordered by root, folder and name."""
        from lookalike.store import filters

        return filters.ids_by_name(self._session)

    def labels(self) -> dict[str, int]:
        from lookalike.store import filters

        return filters.labels(self._session)

    def low_information(self) -> dict[int, bytes]:
        rows = self._session.rows(
            "SELECT other.id, other.digest FROM files CROSS JOIN files AS other ON other.digest = files.digest"
            f" CROSS JOIN images ON images.id = other.id WHERE files.quality < 50 AND files.quality < {LOW_INFORMATION}"
            f" AND {FINDABLE}"
        )
        return dict(sorted(rows))

    def undecodable(self) -> dict[int, bytes]:
        rows = self._session.rows(
            "SELECT id, digest FROM files CROSS JOIN images USING (id) WHERE error IS NOT NULL AND digest IS NOT NULL"
            " AND code IS NULL AND length > 0 AND missing_since IS NULL"
        )
        return dict(sorted(rows))

    # Single rows

    def records(self, ids: Sequence[int]) -> dict[int, Record]:
        sql = f"SELECT {COLUMNS} {FROM} WHERE images.id IN"
        rows = self._session.among(sql, [int(id_) for id_ in ids])
        return {row[0]: record(row) for row in rows}

    def names(self, ids: Sequence[int]) -> dict[int, str]:
        sql = (
            "SELECT images.id, roots.path, folders.path, images.name FROM images"
            " CROSS JOIN folders ON folders.id = images.place >> 24 CROSS JOIN roots ON roots.id = folders.root"
            " WHERE images.id IN"
        )
        rows = self._session.among(sql, [int(id_) for id_ in ids])
        return {id_: os.path.join(root, folder + name) for id_, root, folder, name in rows}

    keeps_thumbnails = True

    def thumbnails(self, ids: Sequence[int]) -> dict[int, bytes]:
        return pictures.of_ids(self._session, ids)

    def thumbnail_of(self, digest: bytes) -> bytes | None:
        return pictures.of_digest(self._session, digest)

    def lacks_thumbnail(self, id_: int) -> bool:
        return not pictures.has_thumbnail(self._session, id_)

    def all_records(self) -> Iterator[Record]:
        last = 0
        sql = f"SELECT {COLUMNS} {FROM} WHERE images.id > ? ORDER BY images.id LIMIT {PAGE}"
        while rows := self._session.rows(sql, (last,)):
            last = rows[-1][0]
            yield from map(record, rows)

    def find(self, name: str) -> Record | None:
        sql = f"SELECT {COLUMNS} {FROM} WHERE images.place = ? AND images.name = CAST(? AS TEXT)"
        found = (self._session.row(sql, where) for where in self._folder_ids.path_keys(name))
        return next((record(row) for row in found if row is not None), None)

    def with_digest(self, digest: bytes) -> list[Record]:
        sql = f"SELECT {COLUMNS} {FROM} WHERE images.id IN (SELECT id FROM files WHERE digest = ?) ORDER BY images.id"
        return [record(row) for row in self._session.rows(sql, (digest,))]

    def one_with_digest(self, digest: bytes, *, coded: bool = False) -> Record | None:
        newest = (
            "SELECT files.id AS id, code FROM files CROSS JOIN images USING (id) WHERE digest = ?"
            f" ORDER BY files.id DESC LIMIT {ALIKE}"
        )
        wanted = f"SELECT id FROM ({newest}){' WHERE code IS NOT NULL' if coded else ''} LIMIT 1"
        sql = f"SELECT {COLUMNS} {FROM} WHERE images.id = ({wanted})"
        row = self._session.row(sql, (digest,))
        return None if row is None else record(row)

    def on_volume(self, root: str, volume: int | None) -> Iterator[int]:
        sql = (
            "SELECT images.id FROM roots CROSS JOIN folders ON folders.root = roots.id CROSS JOIN images"
            f" ON images.place BETWEEN folders.id << 24 AND (folders.id << 24) + {2**24 - 1}"
            " LEFT JOIN files ON files.id = images.id WHERE roots.path = CAST(? AS TEXT) AND files.volume IS ?"
        )
        for rows in self._session.blocks(sql, (os.fsencode(root), volume), size=PAGE):
            yield from (row[0] for row in rows)

    def below(self, name: str) -> list[int]:
        from lookalike.store import filters

        return np.flatnonzero(filters.below(self._session, self._folder_ids, name)).tolist()

    def any_below(self, name: str) -> bool:
        from lookalike.store import filters

        return filters.any_below(self._session, self._folder_ids, name)

    def passing(self, wanted: Filter) -> Passing:
        """For each id, whether its image passes a filter, findable or not, (I,)."""
        from lookalike.store import filters

        return filters.passing(self._session, self._folder_ids, wanted)

    # Originals and repair

    def originals(self) -> frozenset[bytes]:
        return frozenset(digest for (digest,) in self._session.rows("SELECT digest FROM originals"))

    def records_original(self, digest: bytes) -> bool:
        """Whether an image's original is recorded as kept."""
        return self._session.row("SELECT 1 FROM originals WHERE digest = ?", (digest,)) is not None

    def forget(self) -> None:
        """Discard caches, because rows were restored."""
        self._folder_ids.forget()
        self._labels.forget()

    def backup(self, path: Path) -> None:
        """Copy a consistent snapshot of the catalog to a new file."""
        self._session.backup(path)

    # Changes, inside a transaction

    def record_originals(self, digests: Iterable[bytes]) -> None:
        """Record that images' originals are kept."""
        self._session.run_many("INSERT OR IGNORE INTO originals VALUES (?)", [(digest,) for digest in digests])

    def forget_originals(self, digests: Iterable[bytes]) -> None:
        self._session.run_many("DELETE FROM originals WHERE digest = ?", [(digest,) for digest in digests])

    def write(self, outcome: IndexOutcome, *, row: int | None = None) -> int:
        item = outcome.item
        root, path = self._folder_ids.within(item.name) or (self._folder_ids.root(item.root), item.path)
        folder, name = split(path, row=item.row is not None)
        encoded, now = os.fsencode(name), int(time.time())
        number = path_key(self._folder_ids.make_folder(root, folder), encoded)
        self._check_free(number, encoded, outcome, row)
        values = (number, encoded, self._labels.number(item.label), outcome.code)
        if row is None:
            sql = "INSERT INTO images (place, name, label, code) VALUES (?, CAST(? AS TEXT), ?, ?)"
            id_ = int(self._session.run(sql, values).lastrowid or 0)
            self._came_in(id_, now)
        else:
            sql = (
                "UPDATE images SET place = ?, name = CAST(? AS TEXT), label = ?, code = ?, missing_since = NULL"
                " WHERE id = ?"
            )
            self._session.run(sql, (*values, row))
            id_ = row
        self._session.run(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id_, item.size, -1 if outcome.try_again else item.mtime_ns, outcome.digest, outcome.length,
                outcome.width, outcome.height, outcome.format, int(outcome.animated),
                None if outcome.error is None else _clean(outcome.error), None if row is None else now,
                outcome.quality, item.ctime_ns, item.inode, self.scan_state.volume(item.volume),
            ),
        )  # fmt: skip
        if outcome.kept and outcome.digest is not None:
            self.record_originals([outcome.digest])
        pictures.write(self._session, id_, outcome)
        return id_

    def bulk_import(self, root: str, rows: Iterable[ImportedCode]) -> int:
        """Record codes computed elsewhere, with paths relative to the root; returns how many are new or changed."""
        from lookalike.store import bulk_import

        first = bulk_import.next_id(self._session)
        changed = bulk_import.upsert(self._session, self._folder_ids, self._labels, root, rows)
        if bulk_import.next_id(self._session) > first:
            self._came_in(first, int(time.time()))
        return changed

    def set_label(self, id_: int, label: Label) -> None:
        self._session.run("UPDATE images SET label = ? WHERE id = ?", (self._labels.number(label), id_))

    def set_seen(self, items: Iterable[tuple[int, Item]]) -> None:
        self._session.run_many(
            "UPDATE files SET ctime_ns = ?, inode = ?, volume = ? WHERE id = ?",
            [(item.ctime_ns, item.inode, self.scan_state.volume(item.volume), id_) for id_, item in items],
        )

    def set_root(self, root: str, volume: Volume) -> None:
        self._session.run(
            "UPDATE roots SET volume = ? WHERE path = CAST(? AS TEXT)",
            (self.scan_state.volume(volume), os.fsencode(root)),
        )

    def set_missing(self, ids: Iterable[int], *, missing: bool) -> None:
        since = int(time.time()) if missing else None
        self._session.run_many("UPDATE images SET missing_since = ? WHERE id = ?", [(since, id_) for id_ in ids])

    def delete(self, ids: Iterable[int]) -> None:
        self._session.run_many("DELETE FROM images WHERE id = ?", [(id_,) for id_ in ids])

    def lacking_codes(self) -> list[Record]:
        rows = self._session.rows(
            f"SELECT {COLUMNS} {FROM} WHERE code IS NULL AND error IS NULL AND missing_since IS NULL ORDER BY images.id"
        )
        return [record(row) for row in rows]

    def forget_codes(self) -> None:
        """Drop all codes, so that all images are read and encoded again."""
        self._session.run("UPDATE images SET code = NULL")
        self._session.run("UPDATE files SET mtime_ns = -1")

    def _check_free(self, number: int, name: bytes, outcome: IndexOutcome, row: int | None) -> None:
        sql = "SELECT id FROM images WHERE place = ? AND name = CAST(? AS TEXT)"
        if any(id_ != row for (id_,) in self._session.rows(sql, (number, name))):
            raise DatabaseError(f"{self.path}: {outcome.item.name} already has another row")

    def _came_in(self, id_: int, now: int) -> None:
        """Record when an image, and those with higher ids, were added."""
        if now != self._moment:
            self._session.run("INSERT OR REPLACE INTO moments VALUES (?, ?)", (id_, now))
            self._moment = now


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _clean(text: str) -> str:
    """Text without the surrogates that represent undecodable bytes of a path."""
    return text.encode("utf-8", "backslashreplace").decode()
