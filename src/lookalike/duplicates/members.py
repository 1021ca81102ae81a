"""Converts rows of a comparison to members of groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from lookalike.duplicates.groups import RowGroup
from lookalike.store.derived.code_array import Ids
from lookalike.store.derived.results import Group, Member
from lookalike.store.protocol import Store
from lookalike.store.records import Record

Found = TypeVar("Found")
LookUp = Callable[[list[int]], Mapping[int, Found]]


def by_row(ids_N: Ids, look_up: LookUp[Found]) -> Callable[[Sequence[int]], list[Found | None]]:
    """A lookup by row, made from one by id; None for images that were just removed."""

    def found(rows: Sequence[int]) -> list[Found | None]:
        ids = ids_N[np.asarray(rows, np.int64)].tolist()
        known = look_up(ids)
        return [known.get(id_) for id_ in ids]

    return found


def groups_of(store: Store, ids_N: Ids, found: Sequence[RowGroup]) -> list[Group]:
    """Groups of rows as groups of members; hard links to one file count once."""
    records = store.records([int(ids_N[row]) for group in found for row, _ in group])
    members = [
        [member(records[int(ids_N[row])], distance) for row, distance in group if int(ids_N[row]) in records]
        for group in found
    ]
    return [group for group in map(once_a_file, members) if len(group) > 1]


def member(record: Record, distance: int) -> Member:
    """A record as a member of a group."""
    return Member(record.name, distance, record.width, record.height, record.length or 0, record.label, record.id)


def spans_folders(group: Group) -> bool:
    """Whether the images of a group lie in two folders at least."""
    return len({os.path.dirname(one.path) for one in group}) > 1


def once_a_file(group: Group) -> Group:
    """The group with one member per file; a path that is not a symbolic link is preferred."""
    kept: dict[object, Member] = {}
    for one in group:
        try:
            status = os.stat(one.path)
        except OSError:  # a row of a table, or gone
            kept[one.path] = one
            continue
        file = (status.st_dev, status.st_ino)
        if file not in kept or (os.path.islink(kept[file].path) and not os.path.islink(one.path)):
            kept[file] = one
    return sorted(kept.values(), key=lambda one: (one.distance, one.path))
