"""Images of near codes that, laid over each other, are not the same picture are not taken for near (`registration`).

Images are told apart by their reliefs, which indexing keeps. Images of one code may be of different pictures, too, so a
code may come to stand for several nodes: one for each bundle of images whose reliefs hardly differ, and one for images
of which none is known, since their codes were made elsewhere or by an earlier version. These are near whatever their
code is near. Of a bundle one relief is compared; which one, goes by content alone, so that the order of the collection
does not matter. A code that very many different images share is one node of which nothing is known.

Shapes: U different codes, V nodes of them, P pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from lookalike.search.csr import Csr, Ints
from lookalike.search.hits import NO_PAIRS, Pairs, joined
from lookalike.verification.alignment import Mask, same_picture, same_pictures, units

BUNDLED = 0.95  # correlation from which reliefs of one code are not told apart
MOST = 100  # bundles of one code that are told apart; of a code of more, the code alone counts
AT_ONCE = 8192  # pairs of nodes that are compared at once
FEW = 64  # pairs that are remembered

Relief = bytes | None
Bundle = tuple[Relief, list[int]]  # the relief of some rows, and these
OnLaid = Callable[[int, int], object]  # pairs that were laid over each other, of how many


class Overlaid(NamedTuple):
    """What came of it."""

    differing: int  # pairs of images of near codes whose pictures differ
    unknown: int  # images near another that went by code alone


OnOverlaid = Callable[[Overlaid], object]


class Reliefs(NamedTuple):
    """How the reliefs of rows are found, and how pictures may be laid over each other."""

    of: Callable[[Sequence[int]], Sequence[Relief]]
    in_any_turn: bool  # also mirrored, and turned by quarters
    on_laid: OnLaid
    on_overlaid: OnOverlaid


ReliefsOf = Callable[[Sequence[int] | Ints], Reliefs]  # of images with these ids, one a row


def by_id(
    ids: Sequence[int] | Ints,
    *,
    reliefs: Callable[[Sequence[int]], Mapping[int, bytes]],
    in_any_turn: bool = False,
    on_laid: OnLaid = lambda done, total: None,
    on_overlaid: OnOverlaid = lambda found: None,
) -> Reliefs:
    """The reliefs of rows that have these ids."""

    def of(rows: Sequence[int]) -> list[Relief]:
        wanted = [int(ids[row]) for row in rows]
        found = reliefs(wanted)
        return [found.get(id_) for id_ in wanted]

    return Reliefs(of, in_any_turn, on_laid, on_overlaid)


def overlaid(images: Csr, pairs: Pairs, reliefs: Reliefs) -> tuple[Csr, Pairs]:
    """The images of V nodes, and the pairs of nodes that show the same picture, of U codes and pairs of near ones."""
    wanted_U = np.diff(images.starts) > 1
    wanted_U[pairs.first] = wanted_U[pairs.second] = True
    rows = images.rows[np.repeat(wanted_U, np.diff(images.starts))].tolist()
    known = dict(zip(rows, reliefs.of(rows), strict=True))
    if not any(known.values()):  # codes that were made elsewhere
        reliefs.on_laid(1, 1)
        reliefs.on_overlaid(Overlaid(0, len(known)))
        return images, pairs
    parted, parts_U, shown = _parted(images, np.flatnonzero(wanted_U), known)
    sizes_V, kept, differing = np.diff(parted.starts), [NO_PAIRS], 0
    done, total = 0, int((parts_U[pairs.first] * parts_U[pairs.second]).sum() + (parts_U * (parts_U - 1) // 2).sum())
    for some in _among_parts(pairs, parts_U):
        same_P = _same(some, shown, in_any_turn=reliefs.in_any_turn)
        kept.append(Pairs(some.first[same_P], some.second[same_P], some.distances[same_P]))
        differing += int((sizes_V[some.first[~same_P]] * sizes_V[some.second[~same_P]]).sum())
        done += len(same_P)
        reliefs.on_laid(done, total)
    reliefs.on_laid(total or 1, total or 1)
    unknown = sum(len(parted.of(node)) for node, relief in shown.items() if relief is None)
    reliefs.on_overlaid(Overlaid(differing, unknown))
    return parted, joined(kept)


def bundles(rows: Sequence[int], known: Mapping[int, Relief]) -> Iterator[Bundle]:
    """Rows of one code by what they show: those whose reliefs hardly differ, and those of which nothing is known."""
    by_relief: dict[bytes, list[int]] = {}
    unknown = []
    for row in rows:
        relief = known.get(row)
        if relief is None:
            unknown.append(row)
        else:
            by_relief.setdefault(relief, []).append(row)
    each = sorted(by_relief)
    found = list(_alike(each))
    if len(found) > MOST:
        yield None, list(rows)
        return
    for some in found:
        yield each[some[0]], [row for at in some for row in by_relief[each[at]]]
    if unknown:
        yield None, unknown


def _alike(reliefs: Sequence[bytes]) -> Iterator[list[int]]:
    """Which reliefs hardly differ from the first of them; no more than one more than are told apart."""
    if len(reliefs) < 2:
        yield from ([0] for _ in reliefs)
        return
    unit_UX, left_U = units(reliefs), np.ones(len(reliefs), bool)
    for _ in range(MOST + 1):
        if not left_U.any():
            return
        leader = int(left_U.argmax())
        like_U = left_U & ((unit_UX * unit_UX[leader]).sum(axis=1) >= BUNDLED)
        like_U[leader] = True
        yield np.flatnonzero(like_U).tolist()
        left_U &= ~like_U


def _same(some: Pairs, shown: Mapping[int, Relief], *, in_any_turn: bool) -> Mask:
    """Whether nodes show the same picture, as far as that is known, (P,)."""
    first, second = ([shown.get(node) for node in side.tolist()] for side in some[:2])
    if len(first) <= FEW:
        same = (same_picture(*pair, in_any_turn=in_any_turn) for pair in zip(first, second, strict=True))
        return np.fromiter(same, bool, len(first))
    return np.concatenate(list(same_pictures(first, second, in_any_turn=in_any_turn)))


def _parted(images: Csr, nodes: Ints, known: Mapping[int, Relief]) -> tuple[Csr, Ints, dict[int, Relief]]:
    """Images by node, how many nodes each code has become, and what nodes show: those that come from `nodes`."""
    rows, parts_U, inner = images.rows.copy(), np.ones(len(images.starts) - 1, np.int64), []
    shown: dict[int, list[Relief]] = {}
    for node in nodes.tolist():
        own = images.of(node).tolist()
        parts = [(known[own[0]], own)] if len(own) == 1 else list(bundles(own, known))
        start = int(images.starts[node])
        for _, members in parts:
            inner.append(start)
            rows[start : start + len(members)] = members
            start += len(members)
        parts_U[node] = len(parts)
        shown[node] = [relief for relief, _ in parts]
    begin_U = parts_U.cumsum() - parts_U
    of_parts = {int(begin_U[node]) + at: one for node, some in shown.items() for at, one in enumerate(some)}
    return Csr(np.union1d(images.starts, np.array(inner, np.int64)), rows), parts_U, of_parts


def _among_parts(pairs: Pairs, parts_U: Ints) -> Iterator[Pairs]:
    """Pairs of nodes, some thousand at a time: of near codes each with each, and those of one code."""
    begin_U = parts_U.cumsum() - parts_U
    up_to_P = (parts_U[pairs.first] * parts_U[pairs.second]).cumsum()
    start = 0
    while start < len(up_to_P):
        before = int(up_to_P[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(up_to_P, before + AT_ONCE, side="right")))
        here = slice(start, end)
        yield _each_with_each(Pairs(pairs.first[here], pairs.second[here], pairs.distances[here]), parts_U, begin_U)
        start = end
    own: list[Pairs] = []
    count = 0
    for node in np.flatnonzero(parts_U > 1).tolist():
        first, second = np.triu_indices(int(parts_U[node]), 1)
        own.append(Pairs(begin_U[node] + first, begin_U[node] + second, np.zeros(len(first), np.int32)))
        count += len(first)
        if count >= AT_ONCE:
            yield joined(own)
            own, count = [], 0
    if own:
        yield joined(own)


def _each_with_each(pairs: Pairs, parts_U: Ints, begin_U: Ints) -> Pairs:
    """Pairs of codes as pairs of their nodes."""
    seconds_P = parts_U[pairs.second]
    each_P = parts_U[pairs.first] * seconds_P
    pair = np.repeat(np.arange(len(each_P)), each_P)
    place = np.arange(len(pair)) - np.repeat(each_P.cumsum() - each_P, each_P)
    first = begin_U[pairs.first][pair] + place // seconds_P[pair]
    second = begin_U[pairs.second][pair] + place % seconds_P[pair]
    return Pairs(first, second, pairs.distances[pair])
