"""Exact search in sublinear time: a multi-index of tables, and a scan where that costs less.

The tables (see `table`) find all codes within a growing radius; the search ends when nothing that is not yet seen can
be nearer than the hits. Near copies are found after a few look-ups, however many codes there are. Codes that are far
from everything would need too many: a search has a budget, and one that would exceed it scans instead, so that the
worst case costs little more than a scan.

Codes that come later lie in a tail that is scanned, rows that are removed are passed over; `compact` makes tables of
all.

Shapes: N codes in tables, Q queries, W bytes a code.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes, check_bits
from lookalike.engines import check_codes, check_limits, check_mask
from lookalike.engines.hits import Hits, Mask, merged
from lookalike.engines.rows import Rows
from lookalike.engines.scan import KERNELS, in_threads, scan
from lookalike.engines.table import Table, parts

BUDGET = 0.3  # of what a scan costs, after which a search scans
LARGEST_TAIL = 0.05  # of all codes; a larger one is worth new tables
LEAST_BUDGET = 10_000  # codes of a scan, which cost nothing to speak of
TOGETHER = 16  # queries that one thread takes at a time
LEAST = 50_000  # codes, below which a scan is as fast as anything


class MultiIndex:
    """Codes in tables, and a tail of later ones."""

    def __init__(
        self,
        bits: int,
        *,
        codes_NW: Codes | None = None,
        tables: Sequence[Table] | None = None,
        least: int = LEAST,
    ) -> None:
        """With `codes_NW`, such as a file that is mapped, these are searched where they are, by `tables` if given.

        `least` is the number of codes below which there are no tables.
        """
        self.bits, self._least = check_bits(bits), least
        self._codes = np.empty((0, bits // 8), np.uint8) if codes_NW is None else check_codes(codes_NW, bits)
        self._tables = self._build() if tables is None else list(tables)
        self._tail: list[Codes] = []
        self._rows = Rows(len(self._codes))

    def __len__(self) -> int:
        return self._rows.left

    @property
    def tables(self) -> Sequence[Table]:
        """The tables, which can be given to another engine of the same codes."""
        return self._tables

    def add(self, codes_NW: Codes) -> npt.NDArray[np.int64]:
        """Take codes in; their rows. Tables are made anew once those outside of them are too many."""
        codes_NW = check_codes(codes_NW, self.bits)
        rows = self._rows.add(len(codes_NW))
        if len(codes_NW):
            self._tail.append(codes_NW.copy())
        if len(self._rows) - len(self._codes) > max(self._least, LARGEST_TAIL * len(self._codes)):
            self.compact()
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Let rows be found no more; unknown ones are passed over."""
        self._rows.remove(rows)

    def compact(self) -> None:
        """Make tables of all codes; rows keep their numbers."""
        self._codes, self._tail = np.concatenate([self._codes, *self._tail]), []
        self._tables = self._build()

    def search(
        self, queries_QW: Codes, *, top: int | None, radius: int | None = None, among: Mask = None
    ) -> list[Hits]:
        """The `top` nearest codes of each query, or all (`top=None`), at distances up to `radius` bits.

        Of equally distant codes at the end of `top` hits any may be among them.
        """
        check_limits(top, radius)
        queries_QW = check_codes(queries_QW, self.bits)
        limit = self.bits if radius is None else min(int(radius), self.bits)
        allowed_N = self._rows.allowed(check_mask(among, len(self._rows)))
        count = len(self._codes)
        mask = None if allowed_N is None else allowed_N[:count]
        found = self._by_tables(queries_QW, top, limit, mask)
        if not self._tail:
            return found
        self._tail = [np.concatenate(self._tail)]
        mask = None if allowed_N is None else allowed_N[count:]
        later = scan(self._tail[0], queries_QW, top=top, radius=limit, allowed_N=mask, first=count)
        return [merged(both, top=top) for both in zip(found, later, strict=True)]

    @staticmethod
    def table(codes_NW: Codes, begin: int, bits: int) -> Table:
        """The table over some bits of all codes."""
        made: Table = KERNELS.build(codes_NW, begin, bits)
        return made

    def _build(self) -> list[Table]:
        """The tables of the codes; none if these are few."""
        if len(self._codes) < max(1, self._least):
            return []
        return [self.table(self._codes, begin, bits) for begin, bits in parts(self.bits, len(self._codes))]

    def _by_tables(self, queries_QW: Codes, top: int | None, radius: int, mask: Mask) -> list[Hits]:
        """Of the codes in tables: by tables within the budget, the rest of the queries by one scan."""
        if not self._tables:
            return scan(self._codes, queries_QW, top=top, radius=radius, allowed_N=mask)
        budget = max(LEAST_BUDGET, int(BUDGET * self._codes.size / 8))
        look = functools.partial(
            KERNELS.multi, self._codes, self._tables, top=top, radius=radius, allowed_N=mask, budget=budget
        )
        parts = np.array_split(queries_QW, -(-len(queries_QW) // TOGETHER)) if len(queries_QW) else []
        found: list[Hits | None] = list(itertools.chain.from_iterable(in_threads(look, parts)))
        left = [number for number, hits in enumerate(found) if hits is None]
        scanned = iter(scan(self._codes, queries_QW[left], top=top, radius=radius, allowed_N=mask))
        return [next(scanned) if hits is None else hits for hits in found]
