"""Image filters, evaluated to ids; and images below a path.

Shapes: I ids, all possible ids from 0.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from lookalike.store.banks import IMAGE
from lookalike.store.paths import KEY_BITS, LAST_KEY, FolderIds
from lookalike.store.records import FINDABLE, Filter, from_json
from lookalike.store.session import Session

FETCHED = 65_536  # rows read at a time
Passing = npt.NDArray[np.bool_]

_BELOW = (
    "SELECT images.id FROM folders CROSS JOIN images"
    f" ON images.place BETWEEN folders.id << {KEY_BITS} AND (folders.id << {KEY_BITS}) + {LAST_KEY}"
    " WHERE folders.root = ? AND folders.path >= CAST(? AS TEXT)"
)


def passing(session: Session, folder_ids: FolderIds, wanted: Filter) -> Passing:
    """For each id, whether its image passes a filter, (I,)."""
    count = _count(session)
    passes_I = np.ones(count, bool)
    if wanted.label is not None:
        passes_I &= _labelled(session, wanted.label, count)
    if wanted.since is not None:
        passes_I &= _since(session, int(wanted.since), count)
    if wanted.banks:
        passes_I &= _in_banks(session, wanted.banks, count)
    name = None if wanted.below is None else os.path.abspath(wanted.below)
    if name is not None and not _is_all(folder_ids, name):
        passes_I &= below(session, folder_ids, name)
    return passes_I


def below(session: Session, folder_ids: FolderIds, name: str) -> Passing:
    """For each id, whether its image is at a path, below that folder, or a row of that table, (I,)."""
    passes_I = np.zeros(_count(session), bool)
    for sql, values in _queries(folder_ids, name):
        _mark(session, passes_I, sql, values)
    return passes_I


def any_below(session: Session, folder_ids: FolderIds, name: str) -> bool:
    """Whether any image is at a path, below it, or a row of it."""
    return any(session.row(f"{sql} LIMIT 1", values) is not None for sql, values in _queries(folder_ids, name))


def _queries(folder_ids: FolderIds, name: str) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Queries for the ids of a path's images, with their values."""
    for root, first, behind in folder_ids.below(name):
        if behind is None:
            yield _BELOW, (root, first)
        else:
            yield f"{_BELOW} AND folders.path < CAST(? AS TEXT)", (root, first, behind)
    for place, encoded in folder_ids.path_keys(name):
        yield "SELECT id FROM images WHERE place = ? AND name = CAST(? AS TEXT)", (place, encoded)


def _is_all(folder_ids: FolderIds, name: str) -> bool:
    """Whether everything is below a path."""
    ranges = list(folder_ids.below(name))
    return len(ranges) == len(folder_ids.roots()) and all(behind is None for _, _, behind in ranges)


def _labelled(session: Session, label: str, count: int) -> Passing:
    passes_I = np.zeros(count, bool)
    for number in _labels(session, label):
        _mark(session, passes_I, "SELECT id FROM images WHERE label = ?", (number,))
    return passes_I


def _labels(session: Session, label: str) -> list[int]:
    """Numbers of labels that equal a label, or contain it in a list."""
    quoted = json.dumps(label)  # the same form as in a list
    rows = session.rows("SELECT id, label FROM labels WHERE label = ? OR instr(label, ?)", (quoted, quoted))
    return [id_ for id_, text in rows if text == quoted or (isinstance(from_json(text), tuple) and label in _of(text))]


def _of(text: str) -> tuple[str, ...]:
    value = from_json(text)
    return value if isinstance(value, tuple) else ()


def _since(session: Session, at: int, count: int) -> Passing:
    """Images by the time they were added, and those that were read again."""
    passes_I = np.zeros(count, bool)
    moments = [*session.rows("SELECT id, at FROM moments ORDER BY id"), (count, 0)]
    for (first, then), (behind, _) in itertools.pairwise(moments):
        if then >= at:
            passes_I[first:behind] = True
    _mark(session, passes_I, "SELECT id FROM files WHERE indexed_at >= ?", (at,))
    return passes_I


def _in_banks(session: Session, banks: Iterable[str], count: int) -> Passing:
    passes_I = np.zeros(count, bool)
    for bank in banks:
        sql = (
            "SELECT files.id FROM entries CROSS JOIN files ON files.digest = entries.value"
            " WHERE entries.bank = ? AND entries.kind = ?"
        )
        _mark(session, passes_I, sql, (bank, IMAGE))
    return passes_I


def _mark(session: Session, passes_I: Passing, sql: str, values: tuple[object, ...]) -> None:
    for rows in session.blocks(sql, values, size=FETCHED):
        ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
        passes_I[ids[ids < len(passes_I)]] = True  # later ids were added a moment ago


def _count(session: Session) -> int:
    return int(session.row("SELECT ifnull(max(id), 0) + 1 FROM images")[0])


def ids_by_name(session: Session) -> npt.NDArray[np.int64]:
    """Ids of all findable images, ordered by root, folder and name."""
    sql = (
        "SELECT images.id FROM folders CROSS JOIN images"
        f" ON images.place BETWEEN folders.id << {KEY_BITS} AND (folders.id << {KEY_BITS}) + {LAST_KEY}"
        f" WHERE {FINDABLE} ORDER BY folders.root, folders.path, images.name"
    )
    blocks = session.blocks(sql, size=FETCHED)
    parts = [np.fromiter((row[0] for row in rows), np.int64, len(rows)) for rows in blocks]
    return np.concatenate([np.empty(0, np.int64), *parts])


def labels(session: Session) -> dict[str, int]:
    """Number of findable images by label, sorted by label."""
    rows = session.rows(
        "SELECT labels.label, total FROM (SELECT label, count(*) AS total FROM images"
        f" WHERE label IS NOT NULL AND {FINDABLE} GROUP BY label) AS counted"
        " JOIN labels ON labels.id = counted.label"
    )
    counts: dict[str, int] = {}
    for text, count in rows:
        value = from_json(text)
        for name in {value} if isinstance(value, str) else set(value or ()):
            counts[name] = counts.get(name, 0) + count
    return dict(sorted(counts.items()))
