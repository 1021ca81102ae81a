"""Results of a query, and merging results of parts of a collection.

Shapes: N codes, T hits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_] | None  # codes that may be found, (N,); None: all


class Hits(NamedTuple):
    """Results of one query, nearest first."""

    rows: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int32]  # bits


class Pairs(NamedTuple):
    """Pairs of rows, the lower row first."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int32]  # bits


NONE = Hits(np.empty(0, np.int64), np.empty(0, np.int32))
NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int32))


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Pairs of one or more parts, concatenated.

    >>> joined([NO_PAIRS, NO_PAIRS]).first.tolist()
    []
    """
    first, second, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Pairs(first, second, distances)


def merged(parts: Sequence[Hits], *, top: int | None) -> Hits:
    """The nearest of several results, equal distances by ascending row; `top` of them or all.

    >>> merged([Hits(np.array([4]), np.array([1])), Hits(np.array([2, 9]), np.array([1, 3]))], top=2).rows.tolist()
    [2, 4]
    """
    if len(parts) == 1:
        return parts[0]
    rows_T, distances_T = (np.concatenate(part) for part in zip(*parts, strict=True))
    order_T = np.lexsort((rows_T, distances_T))[:top]
    return Hits(rows_T[order_T], distances_T[order_T])
