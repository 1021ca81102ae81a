"""Exact search by comparing a query with every code.

Shapes: N codes, Q queries, W bytes a code.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes, check_bits
from lookalike.core.parallel import cores, on_all_cores
from lookalike.search import check_codes, check_limits, check_mask, kernels, numpy_kernels
from lookalike.search.hits import NONE, Hits, Mask, merged
from lookalike.search.rows import Growing, Rows

KERNELS: Any = kernels if kernels.LIBRARY is not None else numpy_kernels
SMALL = 1 << 18  # fewer codes are not worth a second thread


class Scan:
    """Codes in order, followed by later ones. Removed rows stay in memory and are skipped."""

    def __init__(self, bits: int, *, codes_NW: Codes | None = None) -> None:
        """`codes_NW`, such as a memory-mapped file, is searched in place."""
        self.bits = check_bits(bits)
        none_0W = np.empty((0, bits // 8), np.uint8)
        self._codes_NW = none_0W if codes_NW is None else check_codes(codes_NW, bits)
        self._later = Growing(none_0W)
        self._rows = Rows(len(self._codes_NW))
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return self._rows.left

    def add(self, codes_NW: Codes) -> npt.NDArray[np.int64]:
        """Add codes; returns their rows."""
        codes_NW = check_codes(codes_NW, self.bits)
        with self._changing:
            rows = self._rows.add(len(codes_NW))  # first, so that a search has a flag for every code
            self._later.append(codes_NW)
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Remove rows; unknown ones are ignored."""
        with self._changing:
            self._rows.remove(rows)

    def search(
        self, queries_QW: Codes, *, top: int | None, radius: int | None = None, among: Mask = None
    ) -> list[Hits]:
        """The `top` nearest codes for each query, or all (`top=None`), within `radius` bits."""
        check_limits(top, radius)
        queries_QW = check_codes(queries_QW, self.bits)
        limit = self.bits if radius is None else min(int(radius), self.bits)
        later_TW, count = self._later.all, len(self._codes_NW)
        allowed_N = self._rows.allowed(check_mask(among, len(self._rows)))
        mask = None if allowed_N is None else allowed_N[:count]
        results = self._search_first(queries_QW, top, limit, mask)
        if not len(later_TW):
            return results
        mask = None if allowed_N is None else allowed_N[count : count + len(later_TW)]
        later = scan(later_TW, queries_QW, top=top, radius=limit, allowed_N=mask, first=count)
        return [merged(both, top=top) for both in zip(results, later, strict=True)]

    def _search_first(self, queries_QW: Codes, top: int | None, radius: int, mask: Mask) -> list[Hits]:
        """Hits among the codes that the engine was created with."""
        return scan(self._codes_NW, queries_QW, top=top, radius=radius, allowed_N=mask)


def scan(
    codes_NW: Codes, queries_QW: Codes, *, top: int | None, radius: int, allowed_N: Mask = None, first: int = 0
) -> list[Hits]:
    """The `top` nearest codes for each query within `radius`, or all; on all cores. Rows count from `first`."""
    if not len(codes_NW) or not len(queries_QW):
        return [NONE] * len(queries_QW)
    if top is None:
        look = functools.partial(KERNELS.within, codes_NW, radius=radius, allowed_N=allowed_N, first=first)
        return list(on_all_cores(look, list(queries_QW)))
    size = max(SMALL, -(-len(codes_NW) // cores()))
    starts = list(range(0, len(codes_NW), size))

    def one(start: int) -> list[Hits]:
        part = slice(start, start + size)
        mask = None if allowed_N is None else allowed_N[part]
        hits: list[Hits] = KERNELS.nearest(
            codes_NW[part], queries_QW, top=int(top), radius=radius, allowed_N=mask, first=first + start
        )
        return hits

    return [merged(parts, top=top) for parts in zip(*on_all_cores(one, starts), strict=True)]
