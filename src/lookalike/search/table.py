"""Tables of multi-index hashing: the rows of all codes, sorted by the value of some of their bits.

Norouzi, Punjani & Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012: a code that differs from a
query in r bits differs, in at least one of M disjoint parts, in at most r/M of them. So all codes within r are found by
looking up, in one table a part, the few values that close to the query's.

Shapes: N codes, W bytes a code, M tables, V = 2^bits values of a table.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEAST = 200_000  # codes; with fewer, a scan is as fast
LONGEST = 24  # most bits of a table: 64 MiB of starts


class Table(NamedTuple):
    """Rows by the value of the bits `begin` to `begin + bits`, most significant first."""

    begin: int
    bits: int
    starts: npt.NDArray[np.uint32]  # (V + 1,): the rows of value v are rows[starts[v] : starts[v + 1]], ascending
    rows: npt.NDArray[np.uint32]  # (N,)


def parts(bits: int, count: int) -> list[tuple[int, int]]:
    """First bit and length of each part of a code for `count` codes: about log2 N bits each, as even as possible.

    >>> parts(64, 10_000_000)
    [(0, 22), (22, 21), (43, 21)]
    """
    wanted = max(round(bits / max(1.0, math.log2(max(count, 2)))), math.ceil(bits / LONGEST), 1)
    ends = [math.ceil(bits * part / wanted) for part in range(wanted + 1)]
    return [(begin, end - begin) for begin, end in itertools.pairwise(ends)]


def masks(tables: Sequence[Table], width: int) -> npt.NDArray[np.uint8]:
    """The bits that each table covers, as codes (M, W)."""
    flags = np.zeros((len(tables), 8 * width), bool)
    for number, table in enumerate(tables):
        flags[number, table.begin : table.begin + table.bits] = True
    return np.packbits(flags, axis=1)
