"""Exact search by comparing a query with every code.

Shapes: N codes, Q queries, W bytes a code.
"""

from __future__ import annotations

import functools
from typing import Any

from lookalike.core.codes import Codes, check_bits
from lookalike.core.parallel import cores, on_all_cores
from lookalike.search import check_codes, check_limits, check_mask, kernels, numpy_kernels
from lookalike.search.hits import NONE, Hits, Mask, merged

KERNELS: Any = kernels if kernels.LIBRARY is not None else numpy_kernels
SMALL = 1 << 18  # fewer codes are not worth a second thread


class Scan:
    """All codes, compared one by one where they are, such as in a memory-mapped file."""

    def __init__(self, bits: int, *, codes_NW: Codes) -> None:
        self.bits = check_bits(bits)
        self._codes_NW = check_codes(codes_NW, bits)

    def __len__(self) -> int:
        return len(self._codes_NW)

    def search(
        self, queries_QW: Codes, *, top: int | None, radius: int | None = None, among: Mask = None
    ) -> list[Hits]:
        """The `top` nearest codes for each query, or all (`top=None`), within `radius` bits."""
        check_limits(top, radius)
        limit = self.bits if radius is None else min(int(radius), self.bits)
        return self._found(check_codes(queries_QW, self.bits), top, limit, check_mask(among, len(self)))

    def _found(self, queries_QW: Codes, top: int | None, radius: int, mask: Mask) -> list[Hits]:
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
