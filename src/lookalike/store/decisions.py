"""Users' decisions about duplicates, kept permanently.

A decision refers to image contents, by digest, so it survives renaming, moving, pruning and indexing again. The file's
path is stored with it, to distinguish files with the same content as long as they are where they were.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from lookalike.store.session import Session

FETCHED = 65_536  # rows read at a time


class Kind(StrEnum):
    """Kinds of decisions."""

    KEEP = "keep"  # images of part 1 are kept, those of part 0 may be removed
    DIFFERENT = "different"  # images of different parts are not duplicates of each other
    LATER = "later"  # reviewed and skipped


class Decided(NamedTuple):
    """An image that a decision refers to."""

    digest: bytes
    name: str  # its path at the time
    part: int


@dataclass(frozen=True, slots=True)
class Decision:
    """One user decision."""

    id: int
    kind: Kind
    at: int  # seconds since 1970
    images: tuple[Decided, ...]


class Decisions:
    """The decisions of a catalog."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def version(self) -> int:
        """A number that changes whenever decisions change."""
        return int(self._session.row("SELECT ifnull(max(id), 0) FROM decision_changes")[0])

    def count(self, kind: Kind | None = None) -> int:
        """Number of decisions, optionally of one kind."""
        return int(self._session.row("SELECT count(*) FROM decisions WHERE ifnull(kind = ?, 1)", (kind,))[0])

    def all(self) -> list[Decision]:
        """All decisions, oldest first."""
        images: dict[int, list[Decided]] = {}
        for rows in self._session.blocks("SELECT decision, digest, name, part FROM decided", size=FETCHED):
            for id_, digest, name, part in rows:
                images.setdefault(id_, []).append(Decided(digest, name, part))
        rows = self._session.rows("SELECT id, kind, at FROM decisions ORDER BY id")
        return [_decision(row, images.get(row[0], [])) for row in rows]

    def page(self, *, before: int | None = None, top: int = -1, kind: Kind | None = None) -> list[Decision]:
        """At most `top` decisions (−1: all), newest first, optionally only those before an id or of one kind."""
        newest = (1 << 63) - 1 if before is None else before
        sql = "SELECT id, kind, at FROM decisions WHERE id < ? AND ifnull(kind = ?, 1) ORDER BY id DESC LIMIT ?"
        return [self._with_images(row) for row in self._session.rows(sql, (newest, kind, top))]

    def find(self, id_: int) -> Decision | None:
        """The decision with this id."""
        row = self._session.row("SELECT id, kind, at FROM decisions WHERE id = ?", (id_,))
        return None if row is None else self._with_images(row)

    # Changes, inside a transaction

    def add(self, kind: Kind, images: Sequence[Decided]) -> Decision:
        """Store a decision."""
        now = int(time.time())
        id_ = int(self._session.run("INSERT INTO decisions (kind, at) VALUES (?, ?)", (kind, now)).lastrowid or 0)
        self._session.run_many(
            "INSERT INTO decided VALUES (?, ?, CAST(? AS TEXT), ?)",
            [(id_, one.digest, os.fsencode(one.name), one.part) for one in images],
        )
        self._changed()
        return _decision((id_, kind, now), images)

    def drop(self, ids: Iterable[int]) -> None:
        """Delete decisions."""
        self._session.run_many("DELETE FROM decisions WHERE id = ?", [(id_,) for id_ in ids])
        self._changed()

    def _changed(self) -> None:
        self._session.run("INSERT INTO decision_changes DEFAULT VALUES")
        self._session.run("DELETE FROM decision_changes WHERE id < (SELECT max(id) FROM decision_changes)")

    def _with_images(self, row: Any) -> Decision:
        sql = "SELECT digest, name, part FROM decided WHERE decision = ?"
        return _decision(row, [Decided(*one) for one in self._session.rows(sql, (row[0],))])


def _decision(row: Any, images: Iterable[Decided]) -> Decision:
    id_, kind, at = row
    return Decision(id_, Kind(kind), at, in_order(images))


def in_order(images: Iterable[Decided]) -> tuple[Decided, ...]:
    """The images of a decision by name."""
    return tuple(sorted(images, key=lambda one: (one.name, one.digest)))
