"""The ids of rows, which ascend, and most often follow each other: then they are told by arithmetic, not by memory.

Shapes: N rows, R runs of ids that follow each other, I ids.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class RowIds:
    """The id of each row: listed, or by the first id and the length of each run."""

    def __init__(self, ids_N: Ints | None = None, *, runs_R2: Ints | None = None) -> None:
        self._listed = ids_N
        self._first, self._lengths = np.empty((0, 2), np.int64).T if runs_R2 is None else runs_R2.T
        self._ends = self._lengths.cumsum()

    def __len__(self) -> int:
        if self._listed is not None:
            return len(self._listed)
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, row: int) -> int:
        if self._listed is not None:
            return int(self._listed[row])
        run = int(np.searchsorted(self._ends, row, side="right"))
        return int(self._first[run] + row - (self._ends[run] - self._lengths[run]))

    def of(self, rows_I: Ints) -> Ints:
        """The ids of some rows, (I,)."""
        if self._listed is not None:
            return np.asarray(self._listed[rows_I], np.int64)
        run_I = np.searchsorted(self._ends, rows_I, side="right")
        return np.asarray(self._first[run_I] + rows_I - (self._ends[run_I] - self._lengths[run_I]))

    def followed_by(self, ids_I: Ints) -> RowIds:
        """The ids of these rows and of further ones behind them, in any order."""
        if self._listed is not None:
            return RowIds(np.concatenate([self._listed, ids_I]))
        own_R2 = np.stack([self._first, self._lengths], axis=1)
        return RowIds(runs_R2=np.concatenate([own_R2, runs(ids_I)]))

    @functools.cached_property
    def all(self) -> Ints:
        """Ids (N,)."""
        if self._listed is not None:
            return self._listed
        starts_R = self._ends - self._lengths
        if len(starts_R) == 1:
            return np.arange(self._first[0], self._first[0] + len(self))
        return np.repeat(self._first - starts_R, self._lengths) + np.arange(len(self))

    def among(self, passes_I: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Of each row whether its id passes, (N,); ids behind those that are told of do not."""
        if self._listed is None:
            parts = [passes_I[first : first + length] for first, length in zip(self._first, self._lengths, strict=True)]
            padded = [
                np.pad(part, (0, int(length) - len(part))) for part, length in zip(parts, self._lengths, strict=True)
            ]
            return np.concatenate([np.empty(0, bool), *padded])
        known_N = self._listed < len(passes_I)
        return np.where(known_N, passes_I[np.where(known_N, self._listed, 0)], False)


def runs(ids_N: Ints) -> Ints:
    """First id and length of each run of ids that follow each other, (R, 2)."""
    starts_R = np.flatnonzero(np.diff(ids_N, prepend=ids_N[:1] - 2) != 1)
    return np.stack([ids_N[starts_R], np.diff(starts_R, append=len(ids_N))], axis=1)
