"""Candidate copies as a graph: a node holds images with equal codes, a pair joins two nodes within the radius.

`split` and `split_pairs` split nodes whose images turn out to differ.

Shapes: N images, U nodes before and V nodes after a split, P pairs, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.core.progress import Progress, silent
from lookalike.search.all_pairs import pairs_within
from lookalike.search.csr import Csr, Ints, starts_of
from lookalike.search.hits import NO_PAIRS, Pairs, joined

AT_ONCE = 8192  # pairs of nodes in one block

Mask = npt.NDArray[np.bool_]


class Graph(NamedTuple):
    """Nodes of images, and pairs of nodes with their distances in bits."""

    images: Csr  # rows of images, by node
    pairs: Pairs

    @property
    def size(self) -> int:
        """Number of nodes."""
        return len(self.images.starts) - 1

    def with_neighbours(self) -> Ints:
        """Nodes with several images or in a pair, ascending."""
        several_U = np.diff(self.images.starts) > 1
        several_U[self.pairs.first] = several_U[self.pairs.second] = True
        return np.flatnonzero(several_U)

    def rows_of(self, nodes: Ints) -> list[int]:
        """Rows of all images of some nodes."""
        return [row for node in nodes.tolist() for row in self.images.of(node).tolist()]


class Neighbours(NamedTuple):
    """For each node, the nodes within the radius, including itself, nearest first, and their distances in bits."""

    near: Csr
    distances: npt.NDArray[np.int32]

    def of(self, node: int) -> tuple[Ints, npt.NDArray[np.int32]]:
        """The neighbours of a node and their distances."""
        here = slice(self.near.starts[node], self.near.starts[node + 1])
        return self.near.rows[here], self.distances[here]


def candidates(codes_NW: Codes, radius: int | None, *, progress: Progress = silent) -> Graph:
    """The graph of distinct codes and their pairs within the radius; None: no pairs."""
    if not len(codes_NW):
        return Graph(Csr(np.zeros(1, np.int64), np.empty(0, np.int64)), NO_PAIRS)
    unique_UW, inverse_N = np.unique(codes_NW, axis=0, return_inverse=True)
    inverse_N, parts = inverse_N.reshape(-1), [NO_PAIRS]
    for end, pairs in () if radius is None else pairs_within(unique_UW, radius):
        parts.append(pairs)
        progress("comparing codes", end, len(unique_UW))
    images = Csr(starts_of(inverse_N, len(unique_UW)), np.argsort(inverse_N, kind="stable"))
    return Graph(images, joined(parts))


def neighbours(graph: Graph) -> Neighbours:
    """The neighbours of each node within the radius."""
    own, pairs = np.arange(graph.size), graph.pairs
    centres = np.concatenate([own, pairs.first, pairs.second])
    rows = np.concatenate([own, pairs.second, pairs.first])
    bits = np.concatenate([np.zeros(graph.size, np.int32), pairs.distances, pairs.distances])
    order = np.lexsort((rows, bits, centres))
    return Neighbours(Csr(starts_of(centres, graph.size), rows[order]), bits[order])


def split(images: Csr, parts: Mapping[int, Sequence[Sequence[int]]]) -> tuple[Csr, Ints]:
    """Images by new node, and the first new node of each old one, (U + 1,); `parts` are the rows of a node's parts."""
    rows, counts_U, inner = images.rows.copy(), np.ones(len(images.starts) - 1, np.int64), []
    for node, members in parts.items():
        start = int(images.starts[node])
        for some in members:
            inner.append(start)
            rows[start : start + len(some)] = some
            start += len(some)
        counts_U[node] = len(members)
    return Csr(np.union1d(images.starts, np.array(inner, np.int64)), rows), np.append(0, counts_U.cumsum())


def split_pairs(pairs: Pairs, starts: Ints) -> Iterator[Pairs]:
    """Pairs of new nodes, some thousand at a time: all combinations of each old pair, then those within old nodes."""
    counts_U = np.diff(starts)
    ends_P = (counts_U[pairs.first] * counts_U[pairs.second]).cumsum()
    start = 0
    while start < len(ends_P):
        before = int(ends_P[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends_P, before + AT_ONCE, side="right")))
        yield _combinations(chosen(pairs, slice(start, end)), starts)
        start = end
    own, count = [], 0
    for node in np.flatnonzero(counts_U > 1).tolist():
        first, second = np.triu_indices(int(counts_U[node]), 1)
        own.append(Pairs(starts[node] + first, starts[node] + second, np.zeros(len(first), np.int32)))
        count += len(first)
        if count >= AT_ONCE:
            yield joined(own)
            own, count = [], 0
    if own:
        yield joined(own)


def chosen(pairs: Pairs, which: slice | Ints | Mask) -> Pairs:
    """A selection of the pairs."""
    return Pairs(pairs.first[which], pairs.second[which], pairs.distances[which])


def _combinations(pairs: Pairs, starts: Ints) -> Pairs:
    """Pairs of old nodes, expanded to all pairs of their new ones."""
    counts_U = np.diff(starts)
    seconds_P = counts_U[pairs.second]
    each_P = counts_U[pairs.first] * seconds_P
    pair = np.repeat(np.arange(len(each_P)), each_P)
    place = np.arange(len(pair)) - np.repeat(each_P.cumsum() - each_P, each_P)
    first = starts[pairs.first][pair] + place // seconds_P[pair]
    second = starts[pairs.second][pair] + place % seconds_P[pair]
    return Pairs(first, second, pairs.distances[pair])
