"""Groups of copies, without chaining.

A group is a star: a central image, and images within the radius of *it*. Two images of a group therefore differ by at
most twice the radius, whereas single linkage would let groups grow without limit. Groups depend only on images and
names, not on the order of the collection.

Most images have no neighbours, so names are looked up only for those that do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lookalike.duplicates.decisions import Marked
from lookalike.duplicates.graph import Graph, Neighbours, neighbours

Names = Callable[[Sequence[int]], Sequence[str | None]]  # names of rows; None if just removed
Flags = npt.NDArray[np.bool_]
RowGroup = list[tuple[int, int]]  # (row of an image, distance in bits from the group's first image)


def stars(graph: Graph, names: Names, marked: Marked | None = None) -> list[RowGroup]:
    """Disjoint groups of at least two images; the largest stars come first."""
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
    """A centre's ungrouped neighbours, with distances; no two of them were marked as different."""
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
