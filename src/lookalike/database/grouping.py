"""Groups of images that look alike, without chains.

A group is a star: one image in its middle, and images at most the radius away from *it*. So two images of a group
differ by at most twice the radius, however many images there are; linking whatever is near something near would
let groups grow without end. Groups depend on codes and names only, not on the order of the collection.

Shapes: N images, U different codes, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes
from lookalike.engines import whole

OnRows = Callable[[int, int], object]  # told how many codes were compared with all others, of how many
Group = list[tuple[int, int]]  # (image, distance in bits to the first image of the group)


class Neighbours(NamedTuple):
    """Which of U rows are near each other: those of row u are rows[starts[u] : starts[u + 1]], itself among them."""

    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    distances: npt.NDArray[np.int32]  # bits


def star(
    codes_NW: Codes, names: Sequence[str], *, radius: int, on_rows: OnRows = lambda done, total: None
) -> list[Group]:
    """Groups of at least two images, each image in at most one; the largest stars are taken first.

    `on_rows` is told how many of the different codes have been compared with all others.
    """
    if len(codes_NW) < 2:
        return []
    unique_UW, members = _members(codes_NW, names)
    near = _neighbours(unique_UW, radius, on_rows)
    sizes = np.array([len(rows) for rows in members])
    reach = np.add.reduceat(sizes[near.rows], near.starts[:-1])
    order = sorted(range(len(unique_UW)), key=lambda node: (-reach[node], names[members[node][0]]))
    taken = np.zeros(len(unique_UW), bool)
    groups: list[Group] = []
    for centre in order:
        if taken[centre]:
            continue
        here = slice(near.starts[centre], near.starts[centre + 1])
        rows, distances = near.rows[here], near.distances[here]
        free = ~taken[rows]
        taken[rows[free]] = True
        found = [(row, int(d)) for node, d in zip(rows[free], distances[free], strict=True) for row in members[node]]
        if len(found) > 1:
            groups.append(sorted(found, key=lambda pair: (pair[1], names[pair[0]])))
    return sorted(groups, key=lambda group: names[group[0][0]])


def _members(codes_NW: Codes, names: Sequence[str]) -> tuple[Codes, list[list[int]]]:
    """The different codes (U, W), and the images that have each, in the order of their names."""
    unique_UW, inverse_N = np.unique(codes_NW, axis=0, return_inverse=True)
    members: list[list[int]] = [[] for _ in unique_UW]
    for row in sorted(range(len(names)), key=names.__getitem__):
        members[inverse_N.reshape(-1)[row]].append(row)
    return unique_UW, members


def _neighbours(unique_UW: Codes, radius: int, on_rows: OnRows) -> Neighbours:
    """For each of the different codes the rows within the radius, itself first, nearest first."""
    count, parts = len(unique_UW), []
    for end, pairs in whole.pairs_within(unique_UW, radius=radius):
        parts.append(pairs)
        on_rows(end, count)
    first, second, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
    own = np.arange(count)
    centres = np.concatenate([own, first, second])
    rows = np.concatenate([own, second, first])
    bits = np.concatenate([np.zeros(count, np.int32), distances, distances])
    order = np.lexsort((rows, bits, centres))
    starts = np.zeros(count + 1, np.int64)
    starts[1:] = np.bincount(centres, minlength=count).cumsum()
    return Neighbours(starts, rows[order], bits[order])
