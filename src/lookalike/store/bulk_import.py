"""Bulk import of codes that were computed elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from lookalike.store.paths import FolderIds, LabelIds, path_key, split
from lookalike.store.records import ImportedCode
from lookalike.store.session import Session

if TYPE_CHECKING:
    pass


class _Known(NamedTuple):
    id: int
    label: int | None
    code: bytes | None
    missing_since: int | None


KeyAndName = tuple[int, bytes]  # path key, and name because keys may collide
_AS_FILES = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # `os.fsencode` looks these up on each call


def upsert(session: Session, folder_ids: FolderIds, labels: LabelIds, root: str, rows: Iterable[ImportedCode]) -> int:
    """Insert codes, or replace those of equal paths (the last one wins); returns how many are new or changed."""
    imported = _by_key(folder_ids, root, rows)
    known = _known(session, imported)
    new = [(at, one) for at, one in imported.items() if at not in known] if known else list(imported.items())
    both = [(was, imported[at]) for at, was in known.items() if at in imported]
    changed = [(was, one) for was, one in both if _differs(was, one, labels)]
    first = next_id(session)
    session.insert(
        "INSERT INTO images (place, name, label, code) VALUES",
        "(?, CAST(? AS TEXT), ?, ?)",
        ((at, name, labels.number(one.label), one.code) for (at, name), one in new),
    )
    session.run_many(
        "UPDATE images SET label = ?, code = ?, missing_since = NULL WHERE id = ?",
        ((labels.number(one.label), one.code, was.id) for was, one in changed),
    )
    session.run_many(
        "UPDATE files SET error = NULL, mtime_ns = -1, quality = NULL WHERE id = ?", ((was.id,) for was, _ in changed)
    )
    others = ((was.id,) for was, one in changed if was.code != one.code)
    session.run_many("DELETE FROM thumbnails WHERE id = ?", others)
    session.insert(
        "INSERT INTO files (id, size, mtime_ns, length, width, height) VALUES",
        "(?, ?, -1, ?, ?, ?)",
        (
            (id_, one.size or 0, one.size, one.width, one.height)
            for id_, (_, one) in enumerate(new, start=first)
            if one.size or one.width or one.height
        ),
    )
    return len(new) + len(changed)


def _by_key(folder_ids: FolderIds, root: str, rows: Iterable[ImportedCode]) -> dict[KeyAndName, ImportedCode]:
    """The codes to record, by path key and name; creates missing folders."""
    result: dict[KeyAndName, ImportedCode] = {}
    numbers: dict[str, int] = {}
    for one in rows:
        folder, name = one.folder, one.name
        if "#" in name:
            folder, name = _of_table(folder_ids, root, folder, name)
        number = numbers.get(folder)
        if number is None:
            number = numbers[folder] = _folder(folder_ids, root, folder)
        encoded = name.encode(*_AS_FILES)
        result[path_key(number, encoded), encoded] = one
    return result


def _of_table(folder_ids: FolderIds, root: str, folder: str, name: str) -> tuple[str, str]:
    """Folder and name of a path that looks like a table's row; it is one only if that table is known."""
    table, row = split(folder + name, row=True)
    number, path = _inside(folder_ids, root, table)
    known = table != folder and folder_ids.folder(number, path) is not None
    return (table, row) if known else (folder, name)


def _folder(folder_ids: FolderIds, root: str, folder: str) -> int:
    number, path = _inside(folder_ids, root, folder)
    return folder_ids.make_folder(number, path)


def _inside(folder_ids: FolderIds, root: str, folder: str) -> tuple[int, str]:
    """The deepest root above a folder, and the folder's path relative to it."""
    number, path = folder_ids.within(os.path.join(root, folder + "0")) or (folder_ids.root(root), folder + "0")
    return number, path[:-1]


def _known(session: Session, imported: Iterable[KeyAndName]) -> dict[KeyAndName, _Known]:
    """Existing rows."""
    wanted = [number for number, _ in imported]
    last = session.row("SELECT max(place) FROM images")[0]
    sql = "SELECT place, CAST(name AS BLOB), id, label, code, missing_since FROM images WHERE place IN"
    rows = session.among(sql, [number for number in wanted if last is not None and number <= last])
    return {(row[0], row[1]): _Known(*row[2:]) for row in rows}


def _differs(known: _Known, one: ImportedCode, labels: LabelIds) -> bool:
    return (known.code, known.label, known.missing_since) != (one.code, labels.number(one.label), None)


def next_id(session: Session) -> int:
    row = session.row("SELECT seq FROM sqlite_sequence WHERE name = 'images'")
    return 1 if row is None else int(row[0]) + 1
