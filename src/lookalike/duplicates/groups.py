"""Groups of copies, without chains.

A group is a star: one image in its middle, and images at most the radius away from *it*. So two images of a group
differ by at most twice the radius, however many images there are; linking whatever is near something near would
let groups grow without end. Groups depend on images and names only, not on the order of the collection.

Most images are near no other, and a collection is large: names are asked for only of those that are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lookalike.duplicates.decisions import Marked
from lookalike.duplicates.graph import Graph, Neighbours, neighbours

Names = Callable[[Sequence[int]], Sequence[str | None]]  # the names of rows; None: removed a moment ago
Flags = npt.NDArray[np.bool_]
RowGroup = list[tuple[int, int]]  # (row of an image, distance in bits to the first image of the group)


def stars(graph: Graph, names: Names, marked: Marked | None = None) -> list[RowGroup]:
    """Groups of at least two images, each image in at most one; the largest stars are taken first."""
    near = neighbours(graph)
    sizes_U = np.diff(graph.images.starts)
    reach_U = np.add.reduceat(sizes_U[near.near.rows], near.near.starts[:-1]) if graph.size else sizes_U
    centres = np.flatnonzero(reach_U > 1)
    rows = graph.rows_of(centres)
    known = {row: name for row, name in zip(rows, names(rows), strict=True) if name is not None}
    members = {
        node: sorted((row for row in graph.images.of(node).tolist() if row in known), key=known.__getitem__)
        for node in centres.tolist()
    }
    first = {node: known[rows[0]] for node, rows in members.items() if rows}
    order = sorted(first, key=lambda node: (-reach_U[node], first[node]))
    taken_U, groups = np.zeros(graph.size, bool), []
    for centre in order:
        if not taken_U[centre]:
            nodes = _free(centre, near, taken_U, first, marked)
            taken_U[[node for node, _ in nodes]] = True
            group = [(row, distance) for node, distance in nodes for row in members[node]]
            if len(group) > 1:
                groups.append(sorted(group, key=lambda pair: (pair[1], known[pair[0]])))
    return sorted(groups, key=lambda group: known[group[0][0]])


def _free(
    centre: int, near: Neighbours, taken_U: Flags, first: Mapping[int, str], marked: Marked | None
) -> list[tuple[int, int]]:
    """The neighbours of a centre that are in no group yet, with distances; no two that were marked as different."""
    rows, distances = near.of(centre)
    free = ~taken_U[rows]
    nodes = list(zip(rows[free].tolist(), distances[free].tolist(), strict=True))
    if marked is None or not any(node in marked.contents for node, _ in nodes):
        return nodes
    chosen: list[tuple[int, int]] = []
    for node, distance in sorted(nodes, key=lambda one: (one[0] != centre, one[1], first.get(one[0], ""))):
        if not marked.differ(node, (other for other, _ in chosen)):
            chosen.append((node, distance))
    return chosen
