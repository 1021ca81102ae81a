"""Exact search in sublinear time: a multi-index of tables, and a scan where that costs less.

The tables (see `table`) find all codes within a growing radius; the search ends when nothing that is not yet seen can
be nearer than the hits. Near copies are found after a few look-ups, however many codes there are. Codes that are far
from everything would need too many: a search has a budget, and one that would exceed it scans instead, so that the
worst case costs little more than a scan.

Codes that come later lie in a tail that is scanned, rows that are removed are passed over. Once the tail is long, a
thread makes tables of all while searches go on with the old ones; `compact` does so at once.

Shapes: N codes in tables, Q queries, W bytes a code.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes, check_bits
from lookalike.core.parallel import cores, on_all_cores
from lookalike.search import check_codes, check_limits, check_mask
from lookalike.search.hits import Hits, Mask, merged
from lookalike.search.rows import Growing, Rows
from lookalike.search.scan import KERNELS, scan
from lookalike.search.table import LARGEST_TAIL, LEAST, Table, parts

BUDGET = 0.2  # of what a scan costs, after which a search scans
LEAST_BUDGET = 10_000  # codes of a scan, which cost nothing to speak of
TOGETHER = 16  # queries that one thread takes at a time, at most
TRIED = 16  # queries of a call that are looked up first
MOST_FAILED = 0.75  # share of them that may cost too much; else all others are far from everything too, and scanned


class State(NamedTuple):
    """What a search looks at, all of one time."""

    codes_NW: Codes
    tables: list[Table]
    tail: Growing  # of codes


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
        codes_NW = np.empty((0, bits // 8), np.uint8) if codes_NW is None else check_codes(codes_NW, bits)
        self._rows = Rows(len(codes_NW))
        self._state = self._made(codes_NW) if tables is None else State(codes_NW, list(tables), self._no_codes())
        self._changing = threading.Lock()  # held while rows, or the state, change
        self._rebuilding = threading.Lock()  # held by the one that makes tables

    def __len__(self) -> int:
        return self._rows.left

    @property
    def tables(self) -> Sequence[Table]:
        """The tables, which can be given to another engine of the same codes."""
        return self._state.tables

    def add(self, codes_NW: Codes) -> npt.NDArray[np.int64]:
        """Take codes in; their rows. Once those outside of tables are many, a thread begins to make tables anew."""
        codes_NW = check_codes(codes_NW, self.bits)
        with self._changing:
            rows = self._rows.add(len(codes_NW))  # first, so that a search knows of each code whether it may be found
            self._state.tail.append(codes_NW)
        if self._is_long() and not self._rebuilding.locked():
            threading.Thread(target=self._rebuild, name="lookalike-tables", daemon=True).start()
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Let rows be found no more; unknown ones are passed over."""
        with self._changing:
            self._rows.remove(rows)

    def compact(self) -> None:
        """Make tables of all codes, after those that a thread is making; rows keep their numbers."""
        with self._rebuilding:
            self._make_anew()

    def search(
        self, queries_QW: Codes, *, top: int | None, radius: int | None = None, among: Mask = None
    ) -> list[Hits]:
        """The `top` nearest codes of each query, or all (`top=None`), at distances up to `radius` bits.

        Of equally distant codes at the end of `top` hits any may be among them.
        """
        check_limits(top, radius)
        queries_QW = check_codes(queries_QW, self.bits)
        limit = self.bits if radius is None else min(int(radius), self.bits)
        state = self._state
        later_TW, count = state.tail.all, len(state.codes_NW)
        allowed_N = self._rows.allowed(check_mask(among, len(self._rows)))
        mask = None if allowed_N is None else allowed_N[:count]
        found = self._by_tables(state, queries_QW, top, limit, mask)
        if not len(later_TW):
            return found
        mask = None if allowed_N is None else allowed_N[count : count + len(later_TW)]
        later = scan(later_TW, queries_QW, top=top, radius=limit, allowed_N=mask, first=count)
        return [merged(both, top=top) for both in zip(found, later, strict=True)]

    @staticmethod
    def table(codes_NW: Codes, begin: int, bits: int) -> Table:
        """The table over some bits of all codes."""
        made: Table = KERNELS.build(codes_NW, begin, bits)
        return made

    def _no_codes(self) -> Growing:
        return Growing(np.empty((0, self.bits // 8), np.uint8))

    def _made(self, codes_NW: Codes) -> State:
        """Codes and their tables; none if they are few."""
        if len(codes_NW) < max(1, self._least):
            return State(codes_NW, [], self._no_codes())
        tables = [self.table(codes_NW, begin, bits) for begin, bits in parts(self.bits, len(codes_NW))]
        return State(codes_NW, tables, self._no_codes())

    def _is_long(self) -> bool:
        """Whether so many codes are in no table that making them anew is worth it."""
        codes_NW, _, tail = self._state
        return len(tail) > max(self._least, LARGEST_TAIL * len(codes_NW))

    def _rebuild(self) -> None:
        """Make tables anew unless a thread is at it; again if many codes have come meanwhile."""
        if not self._rebuilding.acquire(blocking=False):
            return
        try:
            while self._is_long():
                self._make_anew()
        finally:
            self._rebuilding.release()

    def _make_anew(self) -> None:
        codes_NW, _, tail = self._state
        taken_TW = tail.all
        made = self._made(np.concatenate([codes_NW, taken_TW]))
        with self._changing:
            made.tail.append(tail.all[len(taken_TW) :])
            self._state = made

    def _by_tables(self, state: State, queries_QW: Codes, top: int | None, radius: int, mask: Mask) -> list[Hits]:
        """Of the codes in tables: by tables within the budget, the rest of the queries by one scan."""
        codes_NW, tables, _ = state
        if not tables:
            return scan(codes_NW, queries_QW, top=top, radius=radius, allowed_N=mask)
        share = min(1.0, len(queries_QW) / cores())  # one core looks a query up, all scan
        budget = max(LEAST_BUDGET, int(share * BUDGET * codes_NW.size / 8))
        look = functools.partial(KERNELS.multi, codes_NW, tables, top=top, radius=radius, allowed_N=mask, budget=budget)
        found = _looked_up(look, queries_QW[:TRIED])
        if found.count(None) <= MOST_FAILED * len(found):
            found += _looked_up(look, queries_QW[TRIED:])
        found += [None] * (len(queries_QW) - len(found))
        left = [number for number, hits in enumerate(found) if hits is None]
        scanned = iter(scan(codes_NW, queries_QW[left], top=top, radius=radius, allowed_N=mask))
        return [next(scanned) if hits is None else hits for hits in found]


def _looked_up(look: Callable[[Codes], list[Hits | None]], queries_QW: Codes) -> list[Hits | None]:
    """What tables give for each query, by all cores."""
    size = min(TOGETHER, -(-len(queries_QW) // cores()))
    parts = [queries_QW[start : start + size] for start in range(0, len(queries_QW), max(1, size))]
    return list(itertools.chain.from_iterable(on_all_cores(look, parts)))
