"""Which rows an engine has: they are numbered as they come, keep their numbers, and may be removed.

What grows here may be read by threads while another adds to it: they see what was there when they looked.

Shapes: N rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.search.hits import Mask


class Growing:
    """An array (N, ...) that further rows are appended to, mostly without copying it."""

    def __init__(self, rows: npt.NDArray[Any]) -> None:
        self._room, self._count = rows, len(rows)

    def __len__(self) -> int:
        return self._count

    @property
    def all(self) -> npt.NDArray[Any]:
        """The rows that there are, not copied."""
        count = self._count  # before the room, which has at least so many rows, whatever is appended meanwhile
        return self._room[:count]

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Take rows in. One thread at a time may."""
        count = self._count + len(rows)
        if count > len(self._room):
            room = np.empty((max(count, 2 * self._count), *self._room.shape[1:]), self._room.dtype)
            room[: self._count] = self._room[: self._count]
            self._room = room
        self._room[self._count : count] = rows
        self._count = count


class Rows:
    """The rows of an engine, N of them, removed ones among them."""

    def __init__(self, count: int) -> None:
        self._alive = Growing(np.ones(count, bool))
        self._gone = 0

    def __len__(self) -> int:
        """How many there have been, removed ones too."""
        return len(self._alive)

    @property
    def left(self) -> int:
        """How many were not removed."""
        return len(self) - self._gone

    def add(self, count: int) -> npt.NDArray[np.int64]:
        """The numbers of so many further rows."""
        rows = np.arange(len(self), len(self) + count, dtype=np.int64)
        self._alive.append(np.ones(count, bool))
        return rows

    def remove(self, rows: npt.ArrayLike) -> None:
        """Remove rows; unknown ones are passed over."""
        known = np.asarray(rows, np.int64).reshape(-1)
        known = np.unique(known[(known >= 0) & (known < len(self))])
        alive_N = self._alive.all
        self._gone += int(alive_N[known].sum())
        alive_N[known] = False

    def allowed(self, among_N: Mask) -> Mask:
        """Which rows may be found: not removed, and among those that were asked for."""
        if not self._gone:
            return among_N
        return self._alive.all if among_N is None else self._alive.all & among_N
