"""Groups of images that look alike, without chains.

A group is a star: one image in its middle, and images at most the radius away from *it*. So two images of a group
differ by at most twice the radius, however many images there are; linking whatever is near something near would
let groups grow without end. Groups depend on images and names only, not on the order of the collection.

Most images are near no other. Names are asked for only of those that are, since a collection is large.

Shapes: N images, U different codes, C of them with another image near, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes
from lookalike.duplicates import verification
from lookalike.duplicates.verification import Reliefs
from lookalike.search import all_pairs
from lookalike.search.csr import Csr, Ints, starts_of
from lookalike.search.hits import Pairs, joined

OnRows = Callable[[int, int], object]  # told how many codes were compared with all others, of how many
Names = Callable[[Sequence[int]], Sequence[str | None]]  # the names of rows; none for what is there no more
PairsWithin = Callable[[Codes, int], Iterator[tuple[int, Pairs]]]  # of codes within a radius, in blocks up to a row
PairsOf = Callable[[Sequence[int]], PairsWithin]  # what finds the pairs of images with these ids
Group = list[tuple[int, int]]  # (image, distance in bits to the first image of the group)


class Neighbours(NamedTuple):
    """Which of U rows are near each other, itself among them, nearest first, and at which distances."""

    near: Csr
    distances: npt.NDArray[np.int32]  # bits


def compared(codes_NW: Codes, radius: int) -> Iterator[tuple[int, Pairs]]:
    """The pairs of codes within a radius, by comparing them."""
    return all_pairs.pairs_within(codes_NW, radius=radius)


def comparing(ids: Sequence[int]) -> PairsWithin:
    """What finds pairs of some images: whichever they are, their codes are compared."""
    return compared


def star(
    codes_NW: Codes,
    names: Sequence[str],
    *,
    radius: int,
    on_rows: OnRows = lambda done, total: None,
    pairs: PairsWithin = compared,
    reliefs: Reliefs | None = None,
) -> list[Group]:
    """Groups of at least two images, each image in at most one; the largest stars are taken first.

    `on_rows` is told how many of the different codes have been compared with all others. With `reliefs`, images of
    near codes that are not the same picture are not near.
    """

    def named(rows: Sequence[int]) -> list[str | None]:
        return [names[row] for row in rows]

    return star_of(codes_NW, named, radius=radius, on_rows=on_rows, pairs=pairs, reliefs=reliefs)


def star_of(
    codes_NW: Codes,
    names: Names,
    *,
    radius: int,
    on_rows: OnRows = lambda done, total: None,
    pairs: PairsWithin = compared,
    reliefs: Reliefs | None = None,
) -> list[Group]:
    """The groups that `star` gives, with names asked for, and pairs of the different codes."""
    if len(codes_NW) < 2:
        return []
    unique_UW, images = _images(codes_NW)
    near = _all_pairs(len(unique_UW), pairs(unique_UW, radius), on_rows)
    if reliefs is not None:
        images, near = verification.overlaid(images, near, reliefs)
    found = _neighbours(len(images.starts) - 1, near)
    reach_U = np.add.reduceat(np.diff(images.starts)[found.near.rows], found.near.starts[:-1])
    centres_C = np.flatnonzero(reach_U > 1)
    known = _named(images, centres_C, names)
    members = {node: sorted(_there(images.of(node), known), key=known.__getitem__) for node in centres_C.tolist()}
    first = {node: known[rows[0]] for node, rows in members.items() if rows}
    order = sorted(first, key=lambda node: (-reach_U[node], first[node]))
    groups = list(_take(order, found, members, known))
    return sorted(groups, key=lambda group: known[group[0][0]])


def _take(order: Sequence[int], found: Neighbours, members: dict[int, list[int]], known: dict[int, str]) -> list[Group]:
    """A group around each centre, in this order, of what is near it and in no group yet."""
    taken_U = np.zeros(len(found.near.starts) - 1, bool)
    groups = []
    for centre in order:
        if taken_U[centre]:
            continue
        here = slice(found.near.starts[centre], found.near.starts[centre + 1])
        rows, distances = found.near.rows[here], found.distances[here]
        free = ~taken_U[rows]
        taken_U[rows[free]] = True
        nodes = zip(rows[free].tolist(), distances[free].tolist(), strict=True)
        group = [(row, distance) for node, distance in nodes for row in members[node]]
        if len(group) > 1:
            groups.append(sorted(group, key=lambda pair: (pair[1], known[pair[0]])))
    return groups


def _images(codes_NW: Codes) -> tuple[Codes, Csr]:
    """The different codes (U, W), and the images that have each."""
    unique_UW, inverse_N = np.unique(codes_NW, axis=0, return_inverse=True)
    inverse_N = inverse_N.reshape(-1)
    return unique_UW, Csr(starts_of(inverse_N, len(unique_UW)), np.argsort(inverse_N, kind="stable"))


def _named(images: Csr, nodes: Ints, names: Names) -> dict[int, str]:
    """The names of all images that have one of these codes, by row."""
    rows = [row for node in nodes for row in images.of(node).tolist()]
    return {row: name for row, name in zip(rows, names(rows), strict=True) if name is not None}


def _there(rows: Ints, known: dict[int, str]) -> list[int]:
    return [row for row in rows.tolist() if row in known]


def _all_pairs(count: int, blocks: Iterator[tuple[int, Pairs]], on_rows: OnRows) -> Pairs:
    """The pairs of all blocks of so many codes."""
    parts = []
    for end, pairs in blocks:
        parts.append(pairs)
        on_rows(end, count)
    return joined(parts)


def _neighbours(count: int, pairs: Pairs) -> Neighbours:
    """For each of so many nodes the rows that are near it, itself first, nearest first."""
    own = np.arange(count)
    centres = np.concatenate([own, pairs.first, pairs.second])
    rows = np.concatenate([own, pairs.second, pairs.first])
    bits = np.concatenate([np.zeros(count, np.int32), pairs.distances, pairs.distances])
    order = np.lexsort((rows, bits, centres))
    return Neighbours(Csr(starts_of(centres, count), rows[order]), bits[order])
