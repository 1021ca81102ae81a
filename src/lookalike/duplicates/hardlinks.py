"""Groups of rows as groups of images: names for those that are near another, records for those in groups.

A collection is large, and what is in groups is small: nothing else is read from the catalog.

Shapes: N images.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from lookalike.duplicates import grouping
from lookalike.store.catalog import Catalog, Record
from lookalike.store.derived.code_array import Ids
from lookalike.store.derived.results import Group, Member


def named(catalog: Catalog, ids_N: Ids) -> Callable[[Sequence[int]], list[str | None]]:
    """A function that gives the paths of rows; none for what was removed a moment ago."""

    def names(rows: Sequence[int]) -> list[str | None]:
        ids = [int(ids_N[row]) for row in rows]
        found = catalog.names(ids)
        return [found.get(id_) for id_ in ids]

    return names


def groups(catalog: Catalog, ids_N: Ids, found: Sequence[grouping.Group]) -> list[Group]:
    """The images of groups of rows, each file once."""
    records = catalog.records([int(ids_N[row]) for group in found for row, _ in group])
    members = [
        [member(records[int(ids_N[row])], distance) for row, distance in group if int(ids_N[row]) in records]
        for group in found
    ]
    return [group for group in map(once_a_file, members) if len(group) > 1]


def member(record: Record, distance: int) -> Member:
    """An image of a group."""
    return Member(record.name, distance, record.width, record.height, record.length or 0, record.label, record.id)


def once_a_file(group: Group) -> Group:
    """The group without further names of a file; a name that is no link is preferred."""
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
