"""All-pairs search: all pairs within a radius, and the k nearest neighbours of every code.

Both yield blocks of rows, so that memory is bounded by one block's results. No full distance matrix is built.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator

from lookalike.core.codes import Codes
from lookalike.core.parallel import cores, on_all_cores
from lookalike.search import check_codes, check_limits
from lookalike.search.hits import Hits, Pairs, joined
from lookalike.search.multi_index import BUDGET, LEAST_BUDGET, MultiIndex
from lookalike.search.scan import KERNELS

BLOCK = 4096  # rows at a time
FEW = 2_000  # codes that are compared one by one


def pairs_within(codes_NW: Codes, radius: int) -> Iterator[tuple[int, Pairs]]:
    """All pairs of codes at most `radius` bits apart, in blocks of their lower row.

    Each block comes with the row at which the next one begins.
    """
    check_limits(None, radius)
    bits, count = 8 * codes_NW.shape[1], len(codes_NW)
    codes_NW = check_codes(codes_NW, bits)
    tables = MultiIndex(bits, codes_NW=codes_NW, least=FEW).tables
    budget = max(LEAST_BUDGET, int(BUDGET * codes_NW.size / 8))

    def block(start: int) -> Pairs:
        end = min(start + BLOCK, count)
        pairs: Pairs = KERNELS.pairs(codes_NW, tables, radius=min(radius, bits), budget=budget, begin=start, end=end)
        return pairs

    step = BLOCK * cores()
    for first in range(0, count, step):
        starts = list(range(first, min(first + step, count), BLOCK))
        parts = list(on_all_cores(block, starts))
        yield min(first + step, count), joined(parts)


def neighbours(engine: MultiIndex, codes_NW: Codes, *, top: int, begin: int = 0) -> Iterator[tuple[int, list[Hits]]]:
    """The `top` nearest other codes for each row of an engine with exactly these codes, in blocks of rows.

    Each block comes with the row at which the next one begins.
    """
    for start in range(begin, len(codes_NW), BLOCK):
        end = min(start + BLOCK, len(codes_NW))
        results = engine.search(codes_NW[start:end], top=top + 1)
        yield end, [_without(hits, row, top) for row, hits in zip(range(start, end), results, strict=True)]


def _without(hits: Hits, row: int, top: int) -> Hits:
    """The hits without the row itself, which may be missing among codes equal to it."""
    others = hits.rows != row
    return Hits(hits.rows[others][:top], hits.distances[others][:top])
