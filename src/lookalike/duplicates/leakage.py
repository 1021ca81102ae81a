"""Copies across two parts of a collection: a reference whose images are never removed, and the others.

A part is a folder or a label. Each image is matched with the nearest one of the reference; ties are broken by same
bytes, then same size, then path, so that the result does not depend on the order of the collection.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ConfigError, DataError
from lookalike.duplicates.graph import Graph, neighbours
from lookalike.duplicates.members import member, once_a_file
from lookalike.duplicates.request import Judge, Match
from lookalike.store.derived.code_array import Ids
from lookalike.store.derived.results import Group, Member
from lookalike.store.protocol import Store
from lookalike.store.records import Filter, Record

if TYPE_CHECKING:
    from lookalike.database import Database


class Parts(NamedTuple):
    """Ids of a reference's images, and of those compared with it."""

    reference: frozenset[int]
    others: frozenset[int]

    def marks(self, ids_N: Ids) -> npt.NDArray[np.bool_]:
        """Whether each image belongs to the reference, (N,)."""
        return np.isin(ids_N, np.fromiter(self.reference, np.int64, len(self.reference)))


def parts_of(database: Database, reference: Sequence[str], others: str | None = None) -> Parts:
    """The images below folders or with labels, and those of another part, or all others.

    Images in both belong to the reference. Raises `ConfigError` for a name that is neither a folder nor a label,
    `DataError` if nothing is left to compare.
    """
    first = frozenset(id_ for name in reference for id_ in _ids(database, _filter(database, name)))
    second = _ids(database, None if others is None else _filter(database, others)) - first
    if others is not None and not second:
        raise DataError(f"all images of {others} are also in {reference[0]}; name two disjoint parts")
    return Parts(first, second)


def _filter(database: Database, name: str) -> Filter:
    """The filter for a folder or label."""
    below = Filter(below=os.path.abspath(name))
    if len(database.store.passing_ids(below)):
        return below
    if name in database.labels():
        return Filter(label=name)
    raise ConfigError(f"{name} is neither a folder nor a label of images in {database.path}; index it, or name another")


def _ids(database: Database, only: Filter | None) -> frozenset[int]:
    """Ids of images that pass a filter, including media files that cannot be decoded."""
    with_codes = database.codes()[0] if only is None else database.store.passing_ids(only)
    return frozenset([*with_codes.tolist(), *database.undecodable(only)])


def matches(store: Store, graph: Graph, ids_N: Ids, equal: Mapping[int, bytes], parts: Parts) -> list[Match]:
    """Images that have a copy in the reference, each with its nearest one, sorted by path."""
    is_reference_N, near = parts.marks(ids_N), neighbours(graph)
    copies: dict[int, list[tuple[int, int]]] = {}  # reference ids and distances, by id of the other image
    for node in graph.with_neighbours().tolist():
        rows = graph.images.of(node)
        others = ids_N[rows[~is_reference_N[rows]]].tolist()
        if others:
            found: list[tuple[int, int]] = []
            for one, bits in zip(*near.of(node), strict=True):
                within = graph.images.of(int(one))
                found += [(id_, int(bits)) for id_ in ids_N[within[is_reference_N[within]]].tolist()]
            copies.update(dict.fromkeys(others, found) if found else {})
    by_digest: dict[bytes, list[tuple[int, int]]] = {}
    for id_, digest in equal.items():
        if id_ in parts.reference:
            by_digest.setdefault(digest, []).append((id_, 0))
    copies.update({id_: by_digest[one] for id_, one in equal.items() if id_ in parts.others and one in by_digest})
    records = store.records(sorted({*copies, *(id_ for some in copies.values() for id_, _ in some)}))
    matched = []
    for id_, of_it in copies.items():
        there = [(records[other], bits) for other, bits in of_it if other in records]
        if id_ in records and there:
            matched.append(Match(records[id_], *min(there, key=partial(_order, records[id_])), len(there)))
    return sorted(matched, key=lambda one: one.record.name)


def judged(matched: Iterable[Match], judge: Judge) -> list[Match]:
    """The matches with verdicts."""
    return [replace(match, verdict=judge(match.copy, match.record)) for match in matched]


def groups(matched: Iterable[Match]) -> list[Group]:
    """Each matched image of the reference, with its matches."""
    found: dict[int, tuple[Member, Group]] = {}
    for match in matched:
        reference, near = found.setdefault(match.copy.id, (member(match.copy, 0), []))
        if not _is_same_file(reference.path, match.record.name):
            near.append(member(match.record, match.distance))
    return [[reference, *once_a_file(near)] for reference, near in found.values() if near]


def _order(record: Record, pair: tuple[Record, int]) -> tuple[object, ...]:
    """Sort key that puts the reported copy first."""
    other, bits = pair
    other_bytes = record.digest is None or record.digest != other.digest
    return bits, other_bytes, (record.width, record.height) != (other.width, other.height), other.name


def _is_same_file(first: str, second: str) -> bool:
    """Whether two paths are links to one file."""
    try:
        return os.path.samefile(first, second)
    except OSError:  # a row of a table, or gone
        return False
