"""Copies across two sets: of references that are never removed, and of one part of a collection in another.

A part is what lies below a folder, or has a label. Each image is matched with the nearest of the other part; of equal
distances the same bytes come first, then the same size, then the first path, so that nothing depends on the order of
the collection. Pairs that were decided to be no duplicates do not count, nor do those whose pictures differ when one is
laid over the other (see `registration`), unless matches go by code alone.

Shapes: N images of the second part, U different codes, W bytes a code.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.errors import ConfigError, DataError
from lookalike.duplicates import hardlinks, low_information
from lookalike.duplicates.verdicts import Known
from lookalike.duplicates.verification import OnOverlaid, Overlaid, bundles
from lookalike.store.derived.results import Group, Member
from lookalike.store.records import Filter, Record
from lookalike.verification.alignment import same_pictures

if TYPE_CHECKING:
    from lookalike.opening import AnyDatabase

Ids = npt.NDArray[np.int64]
OnRows = Callable[[int, int], object]
Candidates = tuple[Record, list[tuple[Record, int]]]  # an image, and what it may be a copy of, with distances in bits
BATCH = 256  # codes that are searched for at once
PAIRS = 8192  # of images that are laid over each other at once


class Asked(NamedTuple):
    """Which matches are asked for, and who is told of the work."""

    radius: int
    by_code: bool
    on_rows: OnRows
    on_overlaid: OnOverlaid


@dataclass(frozen=True, slots=True)
class Match:
    """An image of the second part that has a copy in the first."""

    record: Record
    copy: Record  # the nearest
    distance: int  # bits
    copies: int  # how many in the first part are near


@dataclass(frozen=True, slots=True)
class Leakage:
    """What of the second part is in the first."""

    first: int  # images
    second: int
    matches: list[Match]

    @property
    def share(self) -> float:
        """Of the second part that has a copy in the first, 0 to 1."""
        return len(self.matches) / self.second if self.second else 0.0


def part(database: AnyDatabase, name: str) -> Filter:
    """The part that a folder or a label names. Raises `ConfigError` if there is neither."""
    below = Filter(below=os.path.abspath(name))
    if len(database.passing(below)):
        return below
    if name in database.labels():
        return Filter(label=name)
    raise ConfigError(f"{name} is neither a folder nor a label of images in {database.path}; index it, or name another")


def leakage(
    database: AnyDatabase,
    first: str,
    second: str,
    *,
    radius: int,
    by_code: bool = False,
    on_rows: OnRows = lambda done, total: None,
    on_overlaid: OnOverlaid = lambda found: None,
) -> Leakage:
    """What of the second part has a copy in the first. What lies in both parts counts as of the first."""
    there, here = database.passing(part(database, first)), database.passing(part(database, second))
    here = np.setdiff1d(here, there)
    if not len(here):
        raise DataError(f"all of {second} lies in {first}, too; name two parts that have nothing in common")
    parts = [part(database, first)]
    matches = list(_matches(database, here, parts, Asked(radius, by_code, on_rows, on_overlaid)))
    unread, equal = _equal_bytes(database, parts, database.undecodable(part(database, second)))
    first_unread = database.undecodable(parts[0])
    found = sorted([*matches, *equal], key=lambda one: one.record.name)
    return Leakage(len(there) + len(first_unread), len(here) + len(unread), found)


def against(
    database: AnyDatabase,
    folders: Sequence[str],
    *,
    radius: int,
    by_code: bool = False,
    on_rows: OnRows = lambda done, total: None,
    on_overlaid: OnOverlaid = lambda found: None,
) -> tuple[list[Group], frozenset[int]]:
    """Groups of a reference and the images nearest to it, by path; and the ids of all references."""
    parts = [part(database, folder) for folder in folders]
    references = np.unique(np.concatenate([database.passing(one) for one in parts]))
    others = np.setdiff1d(database.codes()[0], references)
    found: dict[int, tuple[Member, Group]] = {}
    matches = _matches(database, others, parts, Asked(radius, by_code, on_rows, on_overlaid))
    _, equal = _equal_bytes(database, parts, database.undecodable())
    for match in itertools.chain(matches, equal):
        reference, near = found.setdefault(match.copy.id, (hardlinks.member(match.copy, 0), []))
        if not _is_same_file(reference.path, match.record.name):
            near.append(hardlinks.member(match.record, match.distance))
    groups = [[reference, *hardlinks.once_a_file(near)] for reference, near in found.values() if near]
    unread = [id_ for one in parts for id_ in database.undecodable(one)]
    return sorted(groups, key=lambda group: group[0].path), frozenset([*references.tolist(), *unread])


def _equal_bytes(
    database: AnyDatabase, parts: Sequence[Filter], others: dict[int, bytes]
) -> tuple[list[int], list[Match]]:
    """Files that cannot be decoded: those of `others` that are in none of some parts, and their copies in these."""
    there = {id_: digest for one in parts for id_, digest in database.undecodable(one).items()}
    here = sorted(others.keys() - there.keys())
    records = database.records_of([*here, *there])
    by_digest: dict[bytes, list[Record]] = {}
    for record in sorted((records[id_] for id_ in there), key=lambda record: record.name):
        by_digest.setdefault(there[record.id], []).append(record)
    equal = [(records[id_], by_digest.get(others[id_], [])) for id_ in here]
    return here, [Match(record, copied[0], 0, len(copied)) for record, copied in equal if copied]


def _is_same_file(first: str, second: str) -> bool:
    """Whether two paths are names of one file."""
    try:
        return os.path.samefile(first, second)
    except OSError:  # a row of a table, or gone
        return False


@dataclass(slots=True)
class _Tally:
    """What came of laying pictures over each other."""

    differing: int = 0  # pairs
    unknown: set[int] = field(default_factory=set)  # ids of images that went by code alone


def _matches(database: AnyDatabase, ids_N: Ids, parts: Sequence[Filter], asked: Asked) -> Iterator[Match]:
    """The images that are near one of some parts, with the nearest of these."""
    known, tally = database.decisions.known(), _Tally()
    unique_UW, owners = _unique(*_codes_of(database, ids_N))
    for start in range(0, len(unique_UW), BATCH):
        codes_QW = unique_UW[start : start + BATCH]
        found = [database.search_codes(codes_QW, top=None, radius=asked.radius, only=one) for one in parts]
        near = [{hit.id: hit.distance for hits in each for hit in hits} for each in zip(*found, strict=True)]
        candidates = _candidates(database, owners[start : start + BATCH], near, known)
        for record, those in candidates if asked.by_code else _same_pictures(database, candidates, tally):
            if those:
                copy, distance = min(those, key=partial(_order, record))
                yield Match(record, copy, distance, len(those))
        asked.on_rows(min(start + BATCH, len(unique_UW)), len(unique_UW))
    if not asked.by_code:
        asked.on_overlaid(Overlaid(tally.differing, len(tally.unknown)))


def _candidates(
    database: AnyDatabase, owners: Sequence[Ids], near: Sequence[dict[int, int]], known: Known
) -> Iterator[Candidates]:
    """Images with some codes, each with those that it may be a copy of; `near`: the distances of what is near each
    code, by id.
    """
    wanted = {id_ for ids, each in zip(owners, near, strict=True) if each for id_ in (*ids.tolist(), *each)}
    records = database.records_of(sorted(wanted))
    for ids, each in zip(owners, near, strict=True):
        copies_of = [(records[id_], distance) for id_, distance in each.items() if id_ in records]
        for record in (records[id_] for id_ in ids.tolist() if each and id_ in records):
            yield record, [(one, bits) for one, bits in copies_of if _may_be_copies(record, one, known)]


def _may_be_copies(one: Record, other: Record, known: Known) -> bool:
    return not known.are_different(one.digest, other.digest) and not low_information.differ(one, other)


def _same_pictures(database: AnyDatabase, candidates: Iterator[Candidates], tally: _Tally) -> Iterator[Candidates]:
    """Images, each with those whose pictures are the same; some thousand pairs are laid over each other at once."""
    waiting: list[Candidates] = []
    pairs = 0
    for record, those in candidates:
        waiting.append((record, those))
        pairs += len(those)
        if pairs >= PAIRS:
            yield from _laid(database, waiting, tally)
            waiting, pairs = [], 0
    yield from _laid(database, waiting, tally)


def _laid(database: AnyDatabase, waiting: Sequence[Candidates], tally: _Tally) -> Iterator[Candidates]:
    ids = {one.id for record, those in waiting if those for one in (record, *(other for other, _ in those))}
    reliefs = database.reliefs(sorted(ids))
    bundled = [list(bundles([one.id for one, _ in those], reliefs)) for _, those in waiting]
    pairs = [
        (reliefs.get(record.id), relief)
        for (record, _), some in zip(waiting, bundled, strict=True)
        for relief, _ in some
    ]
    same = itertools.chain.from_iterable(same_pictures([one for one, _ in pairs], [other for _, other in pairs]))
    for (record, those), some in zip(waiting, bundled, strict=True):
        left: set[int] = set()
        for (relief, members), is_same in zip(some, itertools.islice(same, len(some)), strict=True):
            left.update(members if is_same else [])
            tally.unknown.update(members if relief is None else [])
        tally.unknown.update([record.id] if those and record.id not in reliefs else [])
        tally.differing += len(those) - len(left)
        yield record, [(one, bits) for one, bits in those if one.id in left]


def _order(record: Record, pair: tuple[Record, int]) -> tuple[object, ...]:
    """What puts the copy that is told first."""
    return pair[1], *_unlike(record, pair[0]), pair[0].name


def _unlike(record: Record, other: Record) -> tuple[bool, bool]:
    """Whether bytes differ, and whether sizes do."""
    size, other_size = (record.width, record.height), (other.width, other.height)
    return record.digest is None or record.digest != other.digest, size != other_size


def _codes_of(database: AnyDatabase, ids_N: Ids) -> tuple[Ids, Codes]:
    """Those of the ids that can be found, and their codes (N, W)."""
    all_ids, codes = database.codes()
    rows = np.searchsorted(all_ids, ids_N)
    there = (rows < len(all_ids)) & (all_ids[np.minimum(rows, max(len(all_ids) - 1, 0))] == ids_N)
    return ids_N[there], np.asarray(codes[rows[there]])


def _unique(ids_N: Ids, codes_NW: Codes) -> tuple[Codes, list[Ids]]:
    """The different codes (U, W), and the ids of the images that have each."""
    if not len(codes_NW):
        return codes_NW, []
    unique_UW, inverse_N = np.unique(codes_NW, axis=0, return_inverse=True)
    order_N = np.argsort(inverse_N.reshape(-1), kind="stable")
    sizes_U = np.bincount(inverse_N.reshape(-1), minlength=len(unique_UW))
    return unique_UW, np.split(ids_N[order_N], np.cumsum(sizes_U)[:-1])
