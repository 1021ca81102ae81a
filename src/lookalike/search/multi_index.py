"""Exact search in sublinear time: multi-index hashing, with a scan where that is cheaper.

The tables (see `table`) find all codes within a growing radius; the search ends when no unseen code can be nearer than
the hits. Near copies are found after a few look-ups, whatever the number of codes. Queries far from everything would
need too many, so each search has a budget, and falls back to a scan if it would exceed it: the worst case costs little
more than a scan.

Shapes: N codes in tables, Q queries, W bytes a code.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

from lookalike.core.codes import Codes
from lookalike.core.parallel import cores, on_all_cores
from lookalike.search.hits import Hits, Mask
from lookalike.search.scan import KERNELS, Scan, scan
from lookalike.search.table import LEAST, Table, parts

BUDGET = 0.2  # of a scan's cost, after which a search scans
LEAST_BUDGET = 10_000  # codes; scanning them costs next to nothing
TOGETHER = 16  # queries that one thread processes at a time, at most
TRIED = 16  # queries of a call that are looked up first
MOST_FAILED = 0.75  # share of those that may exceed the budget; otherwise all others are scanned, too


class MultiIndex(Scan):
    """Codes in tables. Among equally distant codes at the end of `top` hits, any may be found."""

    def __init__(self, bits: int, *, codes_NW: Codes, least: int = LEAST) -> None:
        """Below `least` codes no tables are made, and all are scanned."""
        super().__init__(bits, codes_NW=codes_NW)
        wanted = [] if len(self) < max(1, least) else parts(bits, len(self))
        self.tables: list[Table] = [KERNELS.build(self._codes_NW, begin, length) for begin, length in wanted]

    def _found(self, queries_QW: Codes, top: int | None, radius: int, mask: Mask) -> list[Hits]:
        """Hits by tables within the budget; the other queries are scanned together."""
        codes_NW = self._codes_NW
        if not self.tables:
            return super()._found(queries_QW, top, radius, mask)
        share = min(1.0, len(queries_QW) / cores())  # a look-up uses one core, a scan uses all
        budget = max(LEAST_BUDGET, int(share * BUDGET * codes_NW.size / 8))
        look = functools.partial(
            KERNELS.multi, codes_NW, self.tables, top=top, radius=radius, allowed_N=mask, budget=budget
        )
        results = _looked_up(look, queries_QW[:TRIED])
        if results.count(None) <= MOST_FAILED * len(results):
            results += _looked_up(look, queries_QW[TRIED:])
        results += [None] * (len(queries_QW) - len(results))
        left = [number for number, hits in enumerate(results) if hits is None]
        scanned = iter(scan(codes_NW, queries_QW[left], top=top, radius=radius, allowed_N=mask))
        return [next(scanned) if hits is None else hits for hits in results]


def _looked_up(look: Callable[[Codes], list[Hits | None]], queries_QW: Codes) -> list[Hits | None]:
    """Results by tables for each query, on all cores."""
    size = min(TOGETHER, -(-len(queries_QW) // cores()))
    parts = [queries_QW[start : start + size] for start in range(0, len(queries_QW), max(1, size))]
    return list(itertools.chain.from_iterable(on_all_cores(look, parts)))
