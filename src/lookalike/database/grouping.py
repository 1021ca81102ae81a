"""Groups of images that look alike, without chains.

A group is a star: one image in its middle, and images at most the radius away from *it*. So two images of a group
differ by at most twice the radius, however many images there are; linking whatever is near something near would
let groups grow without end. Groups depend on codes and names only, not on the order of the collection.

Shapes: N images, U different codes, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.codes import Codes
from lookalike.engines.multi_index import MultiIndex

BLOCK = 1024  # queries at a time, so that memory stays bounded

Neighbours = list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]]
Group = list[tuple[int, int]]  # (image, distance in bits to the first image of the group)


def star(codes_NW: Codes, names: Sequence[str], *, radius: int) -> list[Group]:
    """Groups of at least two images, each image in at most one; the largest stars are taken first."""
    if len(codes_NW) < 2:
        return []
    unique_UW, members = _members(codes_NW, names)
    neighbours = _neighbours(unique_UW, radius)
    sizes = np.array([len(rows) for rows in members])
    reach = [int(sizes[rows].sum()) for rows, _ in neighbours]
    order = sorted(range(len(unique_UW)), key=lambda node: (-reach[node], names[members[node][0]]))
    taken = np.zeros(len(unique_UW), bool)
    groups: list[Group] = []
    for centre in order:
        if taken[centre]:
            continue
        rows, distances = neighbours[centre]
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


def _neighbours(unique_UW: Codes, radius: int) -> Neighbours:
    """For each of the different codes the rows within the radius (itself too) and their distances."""
    engine = MultiIndex(unique_UW.shape[1] * 8, codes_NW=unique_UW)
    return [
        (hits.rows, hits.distances)
        for start in range(0, len(unique_UW), BLOCK)
        for hits in engine.search(unique_UW[start : start + BLOCK], top=None, radius=radius)
    ]
