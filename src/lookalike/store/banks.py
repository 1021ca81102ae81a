"""Entries of banks: images of the collection, by their contents, and hashes of images that are elsewhere.

An image may be in several banks. As a decision does, an entry survives that its file is renamed, moved or forgotten.

Shapes: E entries, W bytes a hash.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.store.session import Session

IMAGE = "image"  # the kind of entries that are images of the collection; all other kinds are hashes
_COLUMNS = "SELECT id, bank, kind, value, name, at FROM entries WHERE"


class Entry(NamedTuple):
    """One entry of a bank."""

    id: int
    bank: str
    kind: str
    value: bytes  # the hash; of an image, the digest of its bytes
    name: str  # what its list calls it
    at: int  # seconds since 1970


class Entries:
    """The entries of all banks of a catalog."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def counts(self) -> dict[str, dict[str, int]]:
        """Number of entries by bank and kind."""
        counts: dict[str, dict[str, int]] = {}
        for bank, kind, count in self._session.rows(
            "SELECT bank, kind, count(*) FROM entries GROUP BY bank, kind ORDER BY bank, kind"
        ):
            counts.setdefault(bank, {})[kind] = count
        return counts

    def page(self, bank: str, *, after: int = 0, top: int = -1) -> list[Entry]:
        """At most `top` entries of a bank (−1: all), in the order of their ids, from the one after an id on."""
        return self._read("bank = ? AND id > ? ORDER BY id LIMIT ?", (bank, after, top))

    def find(self, kind: str, value: bytes) -> list[Entry]:
        """The entries with this value, in any bank."""
        return self._read("kind = ? AND value = ? ORDER BY bank", (kind, value))

    def of_ids(self, ids: Sequence[int]) -> dict[int, Entry]:
        """Entries by id; unknown ids are omitted."""
        return {row[0]: Entry(*row) for row in self._session.among(f"{_COLUMNS} id IN", ids)}

    def hashes(self, kind: str, bank: str, width: int) -> tuple[npt.NDArray[np.int64], Codes]:
        """Ids (E,) and values (E, W) of a bank's entries of one kind."""
        rows = self._session.rows("SELECT id, value FROM entries WHERE bank = ? AND kind = ? ORDER BY id", (bank, kind))
        joined = b"".join(value for _, value in rows)
        ids = np.fromiter((id_ for id_, _ in rows), np.int64, len(rows))
        return ids, np.frombuffer(joined, np.uint8).reshape(-1, width)

    # Changes, inside a transaction

    def add(self, bank: str, rows: Iterable[tuple[str, bytes, str]]) -> int:
        """Add kinds, values and names to a bank; returns how many are new."""
        now, known = int(time.time()), "SELECT 1 FROM entries WHERE kind = ? AND value = ? AND bank = ?"
        # not INSERT OR IGNORE: that uses up ids even if all rows are there, without a change that digests would notice
        new = {row[:2]: row for row in rows if self._session.row(known, (*row[:2], bank)) is None}
        sql = "INSERT INTO entries (bank, kind, value, name, at) VALUES"
        self._session.insert(sql, "(?, ?, ?, ?, ?)", ((bank, *row, now) for row in new.values()))
        return len(new)

    def remove(self, bank: str, rows: Iterable[tuple[str, bytes]]) -> int:
        """Remove kinds and values from a bank; returns how many were there."""
        before = self._count()
        self._session.run_many(
            "DELETE FROM entries WHERE bank = ? AND kind = ? AND value = ?", ((bank, *row) for row in rows)
        )
        return before - self._count()

    def _count(self) -> int:
        return int(self._session.row("SELECT count(*) FROM entries")[0])

    def _read(self, where: str, values: Sequence[object]) -> list[Entry]:
        return [Entry(*row) for row in self._session.rows(f"{_COLUMNS} {where}", values)]
