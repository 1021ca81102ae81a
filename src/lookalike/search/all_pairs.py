"""A whole collection at once: all pairs within a radius, and the nearest neighbours of every code.

Both come in blocks of rows, so that memory stays bounded by what is found for a block, and whoever writes blocks down
can go on later with `begin`. No matrix of all distances is made.

Shapes: N codes, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lookalike.core.codes import Codes
from lookalike.core.parallel import cores, on_all_cores
from lookalike.search import check_codes, check_limits
from lookalike.search.hits import Hits, Pairs, joined
from lookalike.search.multi_index import BUDGET, LEAST_BUDGET, MultiIndex
from lookalike.search.scan import KERNELS
from lookalike.search.table import Table

BLOCK = 4096  # rows at a time
FEW = 2_000  # codes that are compared one by one


def pairs_within(
    codes_NW: Codes, radius: int, *, tables: Sequence[Table] | None = None, begin: int = 0
) -> Iterator[tuple[int, Pairs]]:
    """All pairs of codes at most `radius` bits apart, by blocks of their lower row, from `begin` on.

    With each block comes the row that the next one begins with. `tables` are those of a `MultiIndex` of these codes.
    """
    check_limits(None, radius)
    bits, count = 8 * codes_NW.shape[1], len(codes_NW)
    codes_NW = check_codes(codes_NW, bits)
    if tables is None:
        tables = MultiIndex(bits, codes_NW=codes_NW, least=FEW).tables
    budget = max(LEAST_BUDGET, int(BUDGET * codes_NW.size / 8))

    def block(start: int) -> Pairs:
        end = min(start + BLOCK, count)
        found: Pairs = KERNELS.pairs(codes_NW, tables, radius=min(radius, bits), budget=budget, begin=start, end=end)
        return found

    step = BLOCK * cores()
    for first in range(begin, count, step):
        starts = list(range(first, min(first + step, count), BLOCK))
        parts = list(on_all_cores(block, starts))
        yield min(first + step, count), joined(parts)


def neighbours(engine: MultiIndex, codes_NW: Codes, *, top: int, begin: int = 0) -> Iterator[tuple[int, list[Hits]]]:
    """The `top` nearest codes of each row of an engine that holds just these codes, itself left out, by blocks of rows.

    With each block comes the row that the next one begins with.
    """
    for start in range(begin, len(codes_NW), BLOCK):
        end = min(start + BLOCK, len(codes_NW))
        found = engine.search(codes_NW[start:end], top=top + 1)
        yield end, [_without(hits, row, top) for row, hits in zip(range(start, end), found, strict=True)]


def _without(hits: Hits, row: int, top: int) -> Hits:
    """The hits without a row itself, which need not be among them where others have the same code."""
    others = hits.rows != row
    return Hits(hits.rows[others][:top], hits.distances[others][:top])
