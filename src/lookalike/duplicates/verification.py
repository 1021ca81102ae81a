"""Verification of candidate pairs: images with similar codes whose pictures do not match are no copies.

Pictures are compared by their alignment thumbnails, which indexing keeps (`verification.reliefs`). Images of one code
may show different pictures, so a node is split into bundles of images whose thumbnails hardly differ, plus one of those
without a thumbnail (codes made elsewhere or by an earlier version), which match whatever their code is near. One
thumbnail of a bundle is compared; which one depends on content alone, so the order of the collection does not matter.
A code that very many different images share stays one node, which goes by its code.

Shapes: V nodes, P pairs, S sides of a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lookalike.core.progress import Progress, silent
from lookalike.duplicates.graph import Graph, chosen, split, split_pairs
from lookalike.search.csr import Csr, Ints
from lookalike.search.hits import NO_PAIRS, Pairs, joined
from lookalike.verification.reliefs import Mask, same_picture, same_pictures, units

BUNDLED = 0.95  # correlation from which thumbnails of one code are not told apart
MOST = 100  # bundles of one code that are told apart; beyond that the code alone counts
FEW = 64  # pairs whose results are cached

Thumbnail = bytes | None
Bundle = tuple[Thumbnail, list[int]]  # a thumbnail, and the rows it stands for
Thumbnails = Callable[[Sequence[int]], Sequence[Thumbnail]]  # of rows


class Verified(NamedTuple):
    """A graph without the pairs that do not match, and what came of it."""

    graph: Graph
    rejected: int = 0  # pairs of images whose pictures do not match
    unverified: int = 0  # images next to another that went by code alone


def verify(
    graph: Graph,
    thumbnails: Thumbnails,
    *,
    any_orientation: bool = False,
    reference_N: Mask | None = None,
    progress: Progress = silent,
) -> Verified:
    """The graph whose nodes and pairs show the same picture.

    With `reference_N` only pairs of an image that it marks and one that it does not are looked at.
    """
    nodes = graph.with_neighbours()
    rows = graph.rows_of(nodes)
    known = dict(zip(rows, thumbnails(rows), strict=True))
    bundled = {node: list(_bundles(graph.images.of(node).tolist(), known)) for node in nodes.tolist()}
    images, starts = split(graph.images, {node: [rows for _, rows in some] for node, some in bundled.items()})
    shown = {int(starts[node]) + at: one for node, some in bundled.items() for at, (one, _) in enumerate(some)}
    sizes_VS = _sizes(images, reference_N)
    compared_V = _image_pairs(sizes_VS, sizes_VS) > 0
    kept, rejected, done = [NO_PAIRS], 0, 0
    counts_U = np.diff(starts)
    total = (counts_U[graph.pairs.first] * counts_U[graph.pairs.second]).sum() + (counts_U * (counts_U - 1) // 2).sum()
    for block in split_pairs(graph.pairs, starts):
        counts_P = _image_pairs(sizes_VS[block.first], sizes_VS[block.second])
        some = chosen(block, counts_P > 0)
        compared_V[some.first] = compared_V[some.second] = True
        same_P = _same(some, shown, any_orientation=any_orientation)
        kept.append(chosen(some, same_P))
        rejected += int(counts_P[counts_P > 0][~same_P].sum())
        done += len(counts_P)
        progress("verifying", done, int(total))
    progress("verifying", int(total) or 1, int(total) or 1)
    unverified = sum(len(images.of(node)) for node, one in shown.items() if one is None and compared_V[node])
    return Verified(Graph(images, joined(kept)), rejected, unverified)


def _bundles(rows: Sequence[int], known: Mapping[int, Thumbnail]) -> Iterator[Bundle]:
    """Rows of one code by what they show: those whose thumbnails hardly differ, and those without one."""
    by_thumbnail: dict[bytes, list[int]] = {}
    unknown = []
    for row in rows:
        thumbnail = known.get(row)
        if thumbnail is None:
            unknown.append(row)
        else:
            by_thumbnail.setdefault(thumbnail, []).append(row)
    each = sorted(by_thumbnail)
    found = list(_alike(each))
    if len(found) > MOST:
        yield None, list(rows)
        return
    for some in found:
        yield each[some[0]], [row for at in some for row in by_thumbnail[each[at]]]
    if unknown:
        yield None, unknown


def _alike(thumbnails: Sequence[bytes]) -> Iterator[list[int]]:
    """Which thumbnails hardly differ from the first of them; at most one bundle more than are told apart."""
    if len(thumbnails) < 2:
        yield from ([0] for _ in thumbnails)
        return
    unit_UX, left_U = units(thumbnails), np.ones(len(thumbnails), bool)
    for _ in range(MOST + 1):
        if not left_U.any():
            return
        leader = int(left_U.argmax())
        like_U = left_U & ((unit_UX * unit_UX[leader]).sum(axis=1) >= BUNDLED)
        like_U[leader] = True
        yield np.flatnonzero(like_U).tolist()
        left_U &= ~like_U


def _sizes(images: Csr, reference_N: Mask | None) -> Ints:
    """Images of each node, (V, 1), or of the reference and of the others, (V, 2)."""
    if reference_N is None:
        return np.diff(images.starts)[:, None]
    sides_N2 = np.stack([reference_N, ~reference_N], axis=1)[images.rows].astype(np.int64)
    return np.asarray(np.add.reduceat(sides_N2, images.starts[:-1]) if len(sides_N2) else sides_N2, np.int64)


def _image_pairs(first_PS: Ints, second_PS: Ints) -> Ints:
    """Pairs of images that pairs of nodes stand for: of the reference and of the others, if there are two sides."""
    return np.asarray((first_PS * second_PS[:, ::-1]).sum(axis=1), np.int64)


def _same(some: Pairs, shown: Mapping[int, Thumbnail], *, any_orientation: bool) -> Mask:
    """Whether nodes show the same picture, as far as that is known, (P,)."""
    first, second = ([shown.get(node) for node in side.tolist()] for side in some[:2])
    if len(first) <= FEW:
        same = (same_picture(*pair, any_orientation=any_orientation) for pair in zip(first, second, strict=True))
        return np.fromiter(same, bool, len(first))
    return np.concatenate(list(same_pictures(first, second, any_orientation=any_orientation)))
