"""Row numbers of an engine: assigned in order of arrival, never reused, and removable.

Threads may read while another appends: they see what was there when they started.
Shapes: N rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.search.hits import Mask


class Growing:
    """An array (N, ...) with amortised appends."""

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self._room, self._count = rows, len(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def all(self) -> npt.NDArray[Any]:
        """The current rows, not copied."""
        count = self._count  # read before the buffer, which then has at least as many rows
        return self._room[:count]

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Append rows; only one thread at a time may."""
        count = self._count + len(rows)
        if count > len(self._room):
            room = np.empty((max(count, 2 * self._count), *self._room.shape[1:]), self._room.dtype)
            room[: self._count] = self._room[: self._count]
            self._room = room
        self._room[self._count : count] = rows
        self._count = count


class Rows:
    """An engine's rows, N of them, including removed ones."""

    def __init__(self, count: int) -> None:
        self._alive = Growing(np.ones(count, bool))
        self._gone = 0

    def __len__(self) -> int:
        """Number of rows ever added, including removed ones."""
        return len(self._alive)

    @property
    def left(self) -> int:
        """Number of rows that were not removed."""
        return len(self) - self._gone

    def add(self, count: int) -> npt.NDArray[np.int64]:
        """The numbers of `count` new rows."""
        rows = np.arange(len(self), len(self) + count, dtype=np.int64)
        self._alive.append(np.ones(count, bool))
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Remove rows; unknown ones are ignored."""
        known = np.asarray(rows, np.int64).reshape(-1)
        known = np.unique(known[(known >= 0) & (known < len(self))])
        alive_N = self._alive.all
        self._gone += int(alive_N[known].sum())
        alive_N[known] = False

    def allowed(self, among_N: Mask) -> Mask:
        """Which rows may be found: not removed, and in `among_N`."""
        if not self._gone:
            return among_N
        return self._alive.all if among_N is None else self._alive.all & among_N
