"""What `kernels` does, with FAISS and NumPy, for installations without a compiler.

Shapes: N codes, Q queries, W bytes a code, B bits of a table.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.search.hits import NONE, Hits, Mask, Pairs, joined, merged
from lookalike.search.table import Table, masks

PROBE, CANDIDATE = 48, 80  # costs of looking up a value and of fetching a code, in codes of a scan
BLOCK = 1 << 20  # codes compared at a time


def nearest(
    codes_NW: Codes, queries_QW: Codes, *, top: int, radius: int, allowed_N: Mask = None, first: int = 0
) -> list[Hits]:
    """The `top` nearest codes of each query within `radius`, by looking at all of them; rows count from `first`."""
    import faiss  # takes a tenth of a second, so not before something is searched

    rows_N = np.arange(len(codes_NW)) if allowed_N is None else np.flatnonzero(allowed_N)
    chosen_NW = codes_NW if allowed_N is None else codes_NW[rows_N]
    if not len(rows_N):
        return [NONE] * len(queries_QW)
    # Counting keeps, among equal distances, the rows that come first; FAISS's heap does not promise that.
    distances_QT, found_QT = faiss.knn_hamming(queries_QW, chosen_NW, min(top, len(rows_N)), variant="mc")
    hits = []
    for distances_T, found_T in zip(distances_QT, found_QT, strict=True):
        end = int(np.searchsorted(distances_T, radius, side="right"))
        hits.append(Hits(first + rows_N[found_T[:end]], distances_T[:end].astype(np.int32)))
    return hits


def within(codes_NW: Codes, query_W: Codes, *, radius: int, allowed_N: Mask = None, first: int = 0) -> Hits:
    """All codes within `radius` of a query, by looking at all of them."""
    found = []
    for start in range(0, len(codes_NW), BLOCK):
        distances_N = _distances(codes_NW[start : start + BLOCK], query_W)
        chosen_N = distances_N <= radius
        if allowed_N is not None:
            chosen_N &= allowed_N[start : start + BLOCK]
        rows = np.flatnonzero(chosen_N)
        found.append(Hits(first + start + rows, distances_N[rows]))
    return _sorted(merged(found, top=None)) if found else NONE


def multi(
    codes_NW: Codes,
    tables: Sequence[Table],
    queries_QW: Codes,
    *,
    top: int | None,
    radius: int,
    allowed_N: Mask = None,
    budget: int,
) -> list[Hits | None]:
    """What `nearest` or `within` gives, by tables; nothing for a query that costs more than comparing `budget` codes.

    Of codes at the distance of the last of `top` hits any may be among them.
    """
    return [
        _multi(codes_NW, tables, query_W, top=top, radius=radius, allowed_N=allowed_N, budget=budget)
        for query_W in queries_QW
    ]


def _multi(
    codes_NW: Codes,
    tables: Sequence[Table],
    query_W: Codes,
    *,
    top: int | None,
    radius: int,
    allowed_N: Mask,
    budget: int,
) -> Hits | None:
    masks_MW = masks(tables, codes_NW.shape[1])
    own = [_key(query_W, table) for table in tables]
    best, spent = NONE, 0
    for part, number in itertools.product(range(max(table.bits for table in tables) + 1), range(len(tables))):
        table, unseen = tables[number], len(tables) * part + number  # nothing unseen is nearer than `unseen` bits
        if unseen > radius or (top is not None and len(best.rows) == top and best.distances[-1] <= unseen):
            return best
        if part > table.bits:
            continue
        probes = math.comb(table.bits, part)
        spent += PROBE * probes
        if spent + CANDIDATE * probes * len(table.rows) / 2**table.bits > budget:  # expected, if codes are drawn evenly
            return None
        keys = own[number] ^ _flips(table.bits, part)
        starts, ends = table.starts[keys].astype(np.int64), table.starts[keys + np.uint32(1)].astype(np.int64)
        spent += CANDIDATE * int((ends - starts).sum())
        if spent > budget:
            return None
        if (ends > len(codes_NW)).any() or (starts > ends).any():
            return None  # a damaged table, of a file that is mapped
        rows = table.rows[_ranges(starts, ends)].astype(np.int64)
        if (rows >= len(codes_NW)).any():
            return None
        if allowed_N is not None:
            rows = rows[allowed_N[rows]]
        found = _first_found(codes_NW, rows, query_W, masks_MW, part, number)
        best = merged([best, _cut(found, radius)], top=top)
    return best


def pairs(codes_NW: Codes, tables: Sequence[Table], *, radius: int, budget: int, begin: int, end: int) -> Pairs:
    """All pairs within `radius` whose lower row is from `begin` up to `end`, by the lower row."""
    parts = []
    for row in range(begin, end):
        hits = None
        if tables:
            hits = _multi(codes_NW, tables, codes_NW[row], top=None, radius=radius, allowed_N=None, budget=budget)
        if hits is None:
            hits = within(codes_NW[row + 1 :], codes_NW[row], radius=radius, first=row + 1)
        behind = hits.rows > row
        parts.append(Pairs(np.full(int(behind.sum()), row), hits.rows[behind], hits.distances[behind]))
    return joined(parts)


def build(codes_NW: Codes, begin: int, bits: int) -> Table:
    """A table over some bits of all codes."""
    keys = np.concatenate(
        [_keys(codes_NW[start : start + BLOCK], begin, bits) for start in range(0, len(codes_NW), BLOCK)]
        or [np.empty(0, np.uint32)]
    )
    starts = np.zeros(2**bits + 1, np.uint32)
    starts[1:] = np.bincount(keys, minlength=2**bits).cumsum()
    return Table(begin, bits, starts, np.argsort(keys, kind="stable").astype(np.uint32))


def _first_found(
    codes_NW: Codes, rows: npt.NDArray[np.int64], query_W: Codes, masks_MW: Codes, part: int, number: int
) -> Hits:
    """Those of the rows that no earlier look-up has found, and their distances."""
    x_NW = codes_NW[rows] ^ query_W
    first = np.ones(len(rows), bool)
    for table, mask_W in enumerate(masks_MW):
        differing = _count(x_NW & mask_W)
        first &= ~((differing < part) | ((differing == part) & (table < number)))
    return Hits(rows[first], _count(x_NW[first]))


def _cut(hits: Hits, radius: int) -> Hits:
    chosen = hits.distances <= radius
    return Hits(hits.rows[chosen], hits.distances[chosen])


@functools.cache
def _flips(bits: int, weight: int) -> npt.NDArray[np.uint32]:
    """All numbers of so many bits of which so many are 1."""
    if weight == 0:
        return np.zeros(1, np.uint32)
    chosen = np.array(list(itertools.combinations(range(bits), weight)), np.uint32)
    return np.asarray((np.uint32(1) << chosen).sum(axis=1), np.uint32)


def _ranges(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """All numbers from each start up to its end."""
    sizes = ends - starts
    before = np.repeat(starts - (sizes.cumsum() - sizes), sizes)
    return np.asarray(before + np.arange(int(sizes.sum())))


def _key(code_W: Codes, table: Table) -> np.uint32:
    return np.uint32(_keys(code_W[None], table.begin, table.bits)[0])


def _keys(codes_NW: Codes, begin: int, bits: int) -> npt.NDArray[np.uint32]:
    """The values of some bits, of codes."""
    first, last = begin // 8, (begin + bits + 7) // 8
    whole = np.zeros(len(codes_NW), np.uint64)
    for byte in range(first, last):
        whole = whole << np.uint64(8) | codes_NW[:, byte].astype(np.uint64)
    behind = np.uint64(8 * last - begin - bits)
    return np.asarray(whole >> behind & np.uint64(2**bits - 1), np.uint32)


def _distances(codes_NW: Codes, query_W: Codes) -> npt.NDArray[np.int32]:
    return _count(codes_NW ^ query_W)


def _count(x_NW: Codes) -> npt.NDArray[np.int32]:
    """How many bits of each are 1."""
    if x_NW.shape[1] % 8 == 0 and x_NW.shape[1]:
        return np.asarray(np.bitwise_count(np.ascontiguousarray(x_NW).view(np.uint64)).sum(axis=1), np.int32)
    return np.asarray(np.bitwise_count(x_NW).sum(axis=1), np.int32)


def _sorted(hits: Hits) -> Hits:
    order: Any = np.lexsort((hits.rows, hits.distances))
    return Hits(hits.rows[order], hits.distances[order])
