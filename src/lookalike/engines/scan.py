"""Exact search that compares a query with every code, by FAISS."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes, check_bits
from lookalike.engines import Hits, check_codes, check_limits


class Scan:
    """A flat scan. FAISS holds the codes that are left; `_rows` tells which rows they are, in ascending order."""

    def __init__(self, bits: int) -> None:
        self.bits = check_bits(bits)
        self._index = _flat(bits)
        self._rows = np.empty(0, np.int64)
        self._next = 0

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, codes_NW: Codes) -> npt.NDArray[np.int64]:
        """Take codes in; their rows."""
        codes_NW = check_codes(codes_NW, self.bits)
        rows = np.arange(self._next, self._next + len(codes_NW), dtype=np.int64)
        self._index.add(codes_NW)
        self._rows = np.concatenate([self._rows, rows])
        self._next += len(rows)
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Let rows be found no more; unknown ones are passed over."""
        gone = np.isin(self._rows, np.asarray(rows, np.int64))
        if gone.any():
            self._index.remove_ids(np.flatnonzero(gone))  # keeps the order of the rest
            self._rows = self._rows[~gone]

    def search(self, queries_QW: Codes, *, top: int | None, radius: int | None = None) -> list[Hits]:
        """The `top` nearest codes of each query, or all (`top=None`), at distances up to `radius` bits."""
        check_limits(top, radius)
        radius = None if radius is None else min(int(radius), self.bits)
        queries_QW = check_codes(queries_QW, self.bits)
        if not len(self) or not len(queries_QW):
            return [Hits(np.empty(0, np.int64), np.empty(0, np.int32)) for _ in queries_QW]
        if top is None:
            return self._within(queries_QW, radius if radius is not None else self.bits)
        return self._nearest(queries_QW, top, radius)

    def _nearest(self, queries_QW: Codes, top: int, radius: int | None) -> list[Hits]:
        distances_QT, found_QT = self._index.search(queries_QW, min(int(top), len(self)))
        rows_QT = self._rows[found_QT]
        return [
            _cut(Hits(rows, distances.astype(np.int32)), radius)
            for rows, distances in zip(rows_QT, distances_QT, strict=True)
        ]

    def _within(self, queries_QW: Codes, radius: int) -> list[Hits]:
        starts, distances, found = self._index.range_search(queries_QW, radius + 1)  # FAISS: strictly below
        hits = []
        for start, end in itertools.pairwise(starts):
            rows, bits = self._rows[found[start:end]], distances[start:end].astype(np.int32)
            order = np.lexsort((rows, bits))
            hits.append(Hits(rows[order], bits[order]))
        return hits


def _cut(hits: Hits, radius: int | None) -> Hits:
    end = len(hits.rows) if radius is None else int(np.searchsorted(hits.distances, radius, side="right"))
    return Hits(hits.rows[:end], hits.distances[:end])


def _flat(bits: int) -> Any:
    import faiss  # takes a tenth of a second, so not before something is searched

    index = faiss.IndexBinaryFlat(bits)
    # Counting keeps, among equal distances, the rows that come first; FAISS's heap does not promise that.
    index.use_heap = False  # type: ignore[attr-defined]
    return index
