"""Images of near codes that, laid over each other, are not the same picture are not taken for near (`registration`).

Images are told apart by their reliefs, which indexing keeps. Images of one code may be of different pictures, too, so a
code may come to stand for several nodes; each has one image that is compared with those of other nodes. Which one, goes
by content alone, so that the order of the collection does not matter. An image without a relief (its code was made
elsewhere, or by an earlier version) is taken for what its code says, and so are those of a code that very many share.

Shapes: U different codes, V nodes of them, P pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, compress
from typing import NamedTuple

import numpy as np

from lookalike.database.lists import Ints, Lists
from lookalike.engines.hits import Pairs
from lookalike.registration import same_pictures

MOST = 100  # different images of one code that are told apart; of a code of more, the code alone counts

Relief = bytes | None
OnLaid = Callable[[int, int], object]  # pairs that were laid over each other, of how many


class Overlaid(NamedTuple):
    """What came of it."""

    differing: int  # near pairs whose pictures differ
    unknown: int  # images near another that went by code alone


OnOverlaid = Callable[[Overlaid], object]


class Reliefs(NamedTuple):
    """How the reliefs of rows are found, and how pictures may be laid over each other."""

    of: Callable[[Sequence[int]], Sequence[Relief]]
    turned: bool  # also mirrored, and turned by quarters
    on_laid: OnLaid
    on_overlaid: OnOverlaid


ReliefsOf = Callable[[Sequence[int] | Ints], Reliefs]  # of images with these ids, one a row


def by_id(
    ids: Sequence[int] | Ints,
    *,
    reliefs: Callable[[Sequence[int]], Mapping[int, bytes]],
    turned: bool = False,
    on_laid: OnLaid = lambda done, total: None,
    on_overlaid: OnOverlaid = lambda found: None,
) -> Reliefs:
    """The reliefs of rows that have these ids."""

    def of(rows: Sequence[int]) -> list[Relief]:
        wanted = [int(ids[row]) for row in rows]
        found = reliefs(wanted)
        return [found.get(id_) for id_ in wanted]

    return Reliefs(of, turned, on_laid, on_overlaid)


def overlaid(images: Lists, pairs: Pairs, reliefs: Reliefs) -> tuple[Lists, Pairs]:
    """The images of V nodes, and the pairs of nodes that show the same picture, of U codes and pairs of near ones."""
    wanted_U = np.diff(images.starts) > 1
    wanted_U[pairs.first] = wanted_U[pairs.second] = True
    nodes = np.flatnonzero(wanted_U).tolist()
    rows = [row for node in nodes for row in images.of(node).tolist()]
    known = dict(zip(rows, reliefs.of(rows), strict=True))
    parted, parts_U, shown = _parted(images, nodes, known, turned=reliefs.turned)
    candidates = _among_parts(pairs, parts_U)
    first, second = ([shown.get(node) for node in side.tolist()] for side in (candidates.first, candidates.second))
    same_P = np.ones(len(first), bool)
    done = 0
    for found in same_pictures(first, second, turned=reliefs.turned):
        same_P[done : done + len(found)] = found
        done += len(found)
        reliefs.on_laid(done, len(first))
    reliefs.on_overlaid(Overlaid(int((~same_P).sum() + (parts_U - 1).sum()), _unknown(parted, shown, known)))
    first_P, second_P, distances_P = candidates
    return parted, Pairs(first_P[same_P], second_P[same_P], distances_P[same_P])


def _unknown(parted: Lists, shown: Mapping[int, Relief], known: Mapping[int, Relief]) -> int:
    """How many images near another went by code alone."""
    by_code = {row for node, relief in shown.items() if relief is None for row in parted.of(node).tolist()}
    return sum(relief is None or row in by_code for row, relief in known.items())


def _parted(
    images: Lists, nodes: Sequence[int], known: Mapping[int, Relief], *, turned: bool
) -> tuple[Lists, Ints, dict[int, Relief]]:
    """Images by node, how many nodes each code has become, and the reliefs that stand for nodes."""
    rows, parts_U, inner = images.rows.copy(), np.ones(len(images.starts) - 1, np.int64), []
    leaders: dict[int, list[Relief]] = {}
    for node in nodes:
        parts = _by_picture(images.of(node).tolist(), known, turned=turned)
        start = int(images.starts[node])
        for relief, members in parts:
            leaders.setdefault(node, []).append(relief)
            inner.append(start)
            rows[start : start + len(members)] = members
            start += len(members)
        parts_U[node] = len(parts)
    starts = np.union1d(images.starts, np.array(inner, np.int64))
    begin_U = parts_U.cumsum() - parts_U
    shown = {int(begin_U[node]) + at: relief for node, some in leaders.items() for at, relief in enumerate(some)}
    return Lists(starts, rows), parts_U, shown


def _by_picture(rows: Iterable[int], known: Mapping[int, Relief], *, turned: bool) -> list[tuple[Relief, list[int]]]:
    """Rows of one code by what they show, each with the relief of one; those of which nothing is known come first."""
    by_relief: dict[Relief, list[int]] = {}
    for row in rows:
        by_relief.setdefault(known[row], []).append(row)
    unknown = by_relief.pop(None, [])
    rest = sorted(relief for relief in by_relief if relief is not None)
    if not rest or len(rest) > MOST:
        return [(None, unknown + [row for relief in rest for row in by_relief[relief]])]
    parts: list[tuple[Relief, list[int]]] = []
    while rest:
        same = list(chain.from_iterable(same_pictures([rest[0]] * len(rest), rest, turned=turned)))
        parts.append((rest[0], [row for relief in compress(rest, same) for row in by_relief[relief]]))
        rest = [relief for relief, is_same in zip(rest, same, strict=True) if not is_same]
    parts[0][1].extend(unknown)
    return parts


def _among_parts(pairs: Pairs, parts_U: Ints) -> Pairs:
    """Pairs of codes as pairs of their nodes, each with each."""
    begin_U = parts_U.cumsum() - parts_U
    seconds_P = parts_U[pairs.second]
    each_P = parts_U[pairs.first] * seconds_P
    pair = np.repeat(np.arange(len(each_P)), each_P)
    place = np.arange(len(pair)) - np.repeat(each_P.cumsum() - each_P, each_P)
    first = begin_U[pairs.first][pair] + place // seconds_P[pair]
    return Pairs(first, begin_U[pairs.second][pair] + place % seconds_P[pair], pairs.distances[pair])
