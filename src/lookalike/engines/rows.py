"""Which rows an engine has: they are numbered as they come, keep their numbers, and may be removed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lookalike.engines.hits import Mask


class Rows:
    """The rows of an engine, N of them, removed ones among them."""

    def __init__(self, count: int) -> None:
        self._alive_N = np.ones(count, bool)
        self._gone = 0

    def __len__(self) -> int:
        """How many there have been, removed ones too."""
        return len(self._alive_N)

    @property
    def left(self) -> int:
        """How many were not removed."""
        return len(self) - self._gone

    def add(self, count: int) -> npt.NDArray[np.int64]:
        """The numbers of so many further rows."""
        rows = np.arange(len(self), len(self) + count, dtype=np.int64)
        if count:
            self._alive_N = np.concatenate([self._alive_N, np.ones(count, bool)])
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Remove rows; unknown ones are passed over."""
        known = np.asarray(rows, np.int64).reshape(-1)
        known = known[(known >= 0) & (known < len(self))]
        self._alive_N[known] = False
        self._gone = int(len(self) - self._alive_N.sum())

    def allowed(self, among_N: Mask) -> Mask:
        """Which rows may be found: not removed, and among those that were asked for."""
        if not self._gone:
            return among_N
        return self._alive_N if among_N is None else self._alive_N & among_N
