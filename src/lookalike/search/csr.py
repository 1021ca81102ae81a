"""Compressed sparse rows: lists of rows, concatenated in one array."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Csr(NamedTuple):
    """Lists of rows for U rows: that of row u is rows[starts[u] : starts[u + 1]]."""

    starts: Ints
    rows: Ints

    def of(self, row: int) -> Ints:
        """The list of one row."""
        return self.rows[self.starts[row] : self.starts[row + 1]]


def starts_of(lists: Ints, count: int) -> Ints:
    """The start of each of `count` lists, given the sorted list numbers of their members."""
    starts = np.zeros(count + 1, np.int64)
    starts[1:] = np.bincount(lists, minlength=count).cumsum()
    return starts
