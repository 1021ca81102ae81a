"""NumPy version of `kernels`, for installations without a compiler; slower, because every search is a scan.

Shapes: N codes, Q queries, W bytes a code, B codes compared at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.search.hits import NO_PAIRS, NONE, Hits, Mask, Pairs, joined, merged
from lookalike.search.table import Table

BLOCK = 1 << 20  # codes compared at a time


def nearest(
    codes_NW: Codes, queries_QW: Codes, *, top: int, radius: int, allowed_N: Mask = None, first: int = 0
) -> list[Hits]:
    """The `top` nearest codes for each query within `radius`; rows count from `first`."""
    return [
        _scan(codes_NW, query_W, top=top, radius=radius, allowed_N=allowed_N, first=first) for query_W in queries_QW
    ]


def within(codes_NW: Codes, query_W: Codes, *, radius: int, allowed_N: Mask = None, first: int = 0) -> Hits:
    """All codes within `radius` of a query."""
    return _scan(codes_NW, query_W, top=None, radius=radius, allowed_N=allowed_N, first=first)


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
    """None for every query: without compiled code, a look-up costs more than a scan."""
    return [None] * len(queries_QW)


def pairs(codes_NW: Codes, tables: Sequence[Table], *, radius: int, budget: int, begin: int, end: int) -> Pairs:
    """All pairs within `radius` whose lower row is in [`begin`, `end`), sorted by the lower row."""
    parts = [NO_PAIRS]
    for row in range(begin, end):
        hits = within(codes_NW[row + 1 :], codes_NW[row], radius=radius, first=row + 1)
        parts.append(Pairs(np.full(len(hits.rows), row), hits.rows, hits.distances))
    return joined(parts)


def build(codes_NW: Codes, begin: int, bits: int) -> Table:
    """A table over some bits of all codes, for use on machines that have the kernels."""
    keys_N = np.zeros(len(codes_NW), np.uint32)
    for bit in range(begin, begin + bits):
        keys_N = keys_N << np.uint32(1) | (codes_NW[:, bit // 8] >> np.uint8(7 - bit % 8) & np.uint8(1))
    starts = np.zeros(2**bits + 1, np.uint32)
    starts[1:] = np.bincount(keys_N, minlength=2**bits).cumsum()
    return Table(begin, bits, starts, np.argsort(keys_N, kind="stable").astype(np.uint32))


def _scan(codes_NW: Codes, query_W: Codes, *, top: int | None, radius: int, allowed_N: Mask, first: int) -> Hits:
    """Hits sorted by distance, then row."""
    best = NONE
    for start in range(0, len(codes_NW), BLOCK):
        distances_B = distances(codes_NW[start : start + BLOCK], query_W)
        chosen_B = distances_B <= radius
        if allowed_N is not None:
            chosen_B &= allowed_N[start : start + BLOCK]
        rows = np.flatnonzero(chosen_B)
        if top is not None and top < len(rows):
            rows = rows[distances_B[rows] <= np.partition(distances_B[rows], top - 1)[top - 1]]
        rows = rows[np.argsort(distances_B[rows], kind="stable")[:top]]
        best = merged([best, Hits(first + start + rows, distances_B[rows])], top=top)
    return best


def distances(codes_NW: Codes, query_W: Codes) -> npt.NDArray[np.int32]:
    """Hamming distance of each code from a query, (N,)."""
    differing = np.ascontiguousarray(codes_NW ^ query_W)
    words = differing.view(np.uint64) if differing.shape[1] % 8 == 0 else differing
    return np.asarray(np.bitwise_count(words).sum(axis=1), np.int32)
