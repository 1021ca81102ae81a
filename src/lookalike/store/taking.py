"""Codes that were made elsewhere, recorded many at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from lookalike.data import Label
from lookalike.store.naming import place, split
from lookalike.store.places import Places
from lookalike.store.records import to_json
from lookalike.store.session import Session


class Taken(NamedTuple):
    """A code with what is known of its image; the path is relative to a root."""

    path: str
    row: int | None  # of the table that the path names
    label: Label
    code: bytes
    size: int | None  # bytes of the encoded image
    width: int | None
    height: int | None


class _Known(NamedTuple):
    id: int
    label: int | None
    code: bytes | None
    missing_since: int | None


Place = tuple[int, bytes]  # place and name


class Labels:
    """The numbers of labels, which are made."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._numbers: dict[Label, int | None] = {None: None}

    def forget(self) -> None:
        """Read all again: what was written was rolled back."""
        self._numbers = {None: None}

    def number(self, label: Label) -> int | None:
        """The number of a label; none for no label."""
        if label not in self._numbers:
            self._numbers[label] = self._find(to_json(label))
        return self._numbers[label]

    def _find(self, text: str | None) -> int:
        row = self._session.row("SELECT id FROM labels WHERE label = ?", (text,))
        if row is None:
            row = (self._session.run("INSERT INTO labels (label) VALUES (?)", (text,)).lastrowid,)
        return int(row[0])


def take(session: Session, places: Places, labels: Labels, root: str, rows: Iterable[Taken]) -> int:
    """Record codes, in place of those that their paths have; how many are new or changed. Of equal paths the last."""
    number = places.root(root)
    found: dict[Place, Taken] = {_place(places, number, one): one for one in rows}
    known = _known(session, found)
    new = [(at, one) for at, one in found.items() if at not in known]
    changed = [(known[at], one) for at, one in found.items() if at in known and _differs(known[at], one, labels)]
    first = next_id(session)
    session.run_many(
        "INSERT INTO images (place, name, label, code) VALUES (?, CAST(? AS TEXT), ?, ?)",
        ((at, name, labels.number(one.label), one.code) for (at, name), one in new),
    )
    session.run_many(
        "UPDATE images SET label = ?, code = ?, missing_since = NULL WHERE id = ?",
        ((labels.number(one.label), one.code, was.id) for was, one in changed),
    )
    session.run_many("UPDATE files SET error = NULL, mtime_ns = -1 WHERE id = ?", ((was.id,) for was, _ in changed))
    session.run_many(
        "INSERT INTO files (id, size, mtime_ns, width, height) VALUES (?, ?, -1, ?, ?)",
        (
            (id_, one.size or 0, one.width, one.height)
            for id_, (_, one) in enumerate(new, start=first)
            if one.size or one.width or one.height
        ),
    )
    return len(new) + len(changed)


def _place(places: Places, root: int, one: Taken) -> Place:
    """Where an image lies; of a table if it is said to, or if that table is known."""
    folder, name = split(one.path, row="#" in one.path)
    number = places.folder(root, folder) if one.row is None and folder.endswith("#") else None
    if number is None:
        folder, name = split(one.path, row=one.row is not None)
        number = places.make_folder(root, folder)
    encoded = os.fsencode(name)
    return place(number, encoded), encoded


def _known(session: Session, found: Iterable[Place]) -> dict[Place, _Known]:
    """The rows that there are already."""
    wanted = [number for number, _ in found]
    last = session.row("SELECT max(place) FROM images")[0]
    sql = "SELECT place, CAST(name AS BLOB), id, label, code, missing_since FROM images WHERE place IN"
    rows = session.among(sql, [number for number in wanted if last is not None and number <= last])
    return {(row[0], row[1]): _Known(*row[2:]) for row in rows}


def _differs(known: _Known, one: Taken, labels: Labels) -> bool:
    return (known.code, known.label, known.missing_since) != (one.code, labels.number(one.label), None)


def next_id(session: Session) -> int:
    row = session.row("SELECT seq FROM sqlite_sequence WHERE name = 'images'")
    return 1 if row is None else int(row[0]) + 1
