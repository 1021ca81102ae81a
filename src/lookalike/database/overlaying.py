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
from itertools import chain
from typing import NamedTuple

import numpy as np

from lookalike.database.lists import Ints, Lists
from lookalike.engines.hits import Pairs
from lookalike.registration import Mask, correlations, same_pictures

BUNDLED = 0.95  # correlation from which reliefs of one code are not told apart
MOST = 100  # bundles of one code that are told apart; of a code of more, the code alone counts
AT_ONCE = 1 << 18  # pairs

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


def overlaid(images: Lists, pairs: Pairs, reliefs: Reliefs) -> tuple[Lists, Pairs]:
    """The images of V nodes, and the pairs of nodes that show the same picture, of U codes and pairs of near ones."""
    wanted_U = np.diff(images.starts) > 1
    wanted_U[pairs.first] = wanted_U[pairs.second] = True
    rows = images.rows[np.repeat(wanted_U, np.diff(images.starts))].tolist()
    known = dict(zip(rows, reliefs.of(rows), strict=True))
    if not any(known.values()):  # codes that were made elsewhere
        reliefs.on_overlaid(Overlaid(0, len(known)))
        return images, pairs
    parted, parts_U, shown_V = _parted(images, np.flatnonzero(wanted_U), known)
    candidates = _among_parts(pairs, parts_U)
    same_P = _same(candidates, shown_V, reliefs)
    sizes_V, differ_P = np.diff(parted.starts), ~same_P
    differing = int((sizes_V[candidates.first[differ_P]] * sizes_V[candidates.second[differ_P]]).sum())
    unknown = sum(len(parted.of(node)) for node, relief in shown_V.items() if relief is None)
    reliefs.on_overlaid(Overlaid(differing, unknown))
    return parted, Pairs(candidates.first[same_P], candidates.second[same_P], candidates.distances[same_P])


def _same(candidates: Pairs, shown: Mapping[int, Relief], reliefs: Reliefs) -> Mask:
    """Whether nodes show the same picture, as far as that is known, (P,)."""
    known_V = np.zeros(max(shown, default=0) + 1, bool)
    known_V[[node for node, relief in shown.items() if relief is not None]] = True
    known = np.flatnonzero(known_V[candidates.first] & known_V[candidates.second])
    same_P, done = np.ones(len(candidates.first), bool), 0
    for start in range(0, len(known), AT_ONCE):
        some = known[start : start + AT_ONCE]
        first, second = ([shown[node] for node in side[some].tolist()] for side in candidates[:2])
        for found in same_pictures(first, second, in_any_turn=reliefs.in_any_turn):
            same_P[known[done : done + len(found)]] = found
            done += len(found)
            reliefs.on_laid(done, len(known))
    return same_P


def _parted(images: Lists, nodes: Ints, known: Mapping[int, Relief]) -> tuple[Lists, Ints, dict[int, Relief]]:
    """Images by node, how many nodes each code has become, and what nodes show: those that come from `nodes`."""
    rows, parts_U, inner = images.rows.copy(), np.ones(len(images.starts) - 1, np.int64), []
    shown: dict[int, list[Relief]] = {}
    for node in nodes.tolist():
        own = images.of(node).tolist()
        bundles = [(known[own[0]], own)] if len(own) == 1 else list(_bundles(own, known))
        start = int(images.starts[node])
        for _, members in bundles:
            inner.append(start)
            rows[start : start + len(members)] = members
            start += len(members)
        parts_U[node] = len(bundles)
        shown[node] = [relief for relief, _ in bundles]
    begin_U = parts_U.cumsum() - parts_U
    of_parts = {int(begin_U[node]) + at: one for node, some in shown.items() for at, one in enumerate(some)}
    return Lists(np.union1d(images.starts, np.array(inner, np.int64)), rows), parts_U, of_parts


def _bundles(rows: Sequence[int], known: Mapping[int, Relief]) -> Iterator[Bundle]:
    """Rows of one code by what they show."""
    by_relief: dict[bytes, list[int]] = {}
    unknown = []
    for row in rows:
        relief = known[row]
        if relief is None:
            unknown.append(row)
        else:
            by_relief.setdefault(relief, []).append(row)
    rest, bundles = sorted(by_relief), list[Bundle]()
    while rest:
        if len(bundles) == MOST:
            yield None, list(rows)
            return
        is_like = correlations(rest[0], rest) >= BUNDLED
        like = [relief for relief, one in zip(rest, is_like, strict=True) if one]
        bundles.append((rest[0], list(chain.from_iterable(map(by_relief.__getitem__, like)))))
        rest = [relief for relief, one in zip(rest, is_like, strict=True) if not one]
    yield from bundles
    if unknown:
        yield None, unknown


def _among_parts(pairs: Pairs, parts_U: Ints) -> Pairs:
    """Pairs of nodes: of near codes each with each, and those of one code."""
    begin_U = parts_U.cumsum() - parts_U
    seconds_P = parts_U[pairs.second]
    each_P = parts_U[pairs.first] * seconds_P
    pair = np.repeat(np.arange(len(each_P)), each_P)
    place = np.arange(len(pair)) - np.repeat(each_P.cumsum() - each_P, each_P)
    first = begin_U[pairs.first][pair] + place // seconds_P[pair]
    second = begin_U[pairs.second][pair] + place % seconds_P[pair]
    own = [begin_U[node] + np.stack(np.triu_indices(parts_U[node], 1)) for node in np.flatnonzero(parts_U > 1)]
    own_first, own_second = np.concatenate([np.empty((2, 0), np.int64), *own], axis=1)
    return Pairs(
        np.concatenate([first, own_first]),
        np.concatenate([second, own_second]),
        np.concatenate([pairs.distances[pair], np.zeros(len(own_first), np.int32)]),
    )
