"""Search for mirrored and turned copies: the query is encoded in its eight orientations, and the nearest counts.

Shapes: S pixels a side, W bytes a code, O = 8 orientations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lookalike.core.codes import Codes
from lookalike.hasher import Hasher
from lookalike.imaging.decode import Array
from lookalike.store.derived.results import Hit

TURNS = (  # what must be done to the query to look like the hit
    "upright", "turned right", "upside down", "turned left",
    "mirrored", "mirrored, turned right", "mirrored, upside down", "mirrored, turned left",
)  # fmt: skip


class TurnedHit(NamedTuple):
    """An image that a search found, and how the query is turned to look like it."""

    hit: Hit
    turn: str  # one of `TURNS`; empty if only the query as it is was searched for


def orientations(array: Array) -> Array:
    """A square image (S, S, …) in all orientations (O, S, S, …), in the order of `TURNS`."""
    mirrored = array[:, ::-1]
    return np.stack([np.rot90(one, -quarter) for one in (array, mirrored) for quarter in range(4)])


def encode(hasher: Hasher, array: Array, *, turned: bool = True) -> Codes:
    """The codes (O, W) of an image of the model's shape in all orientations, or (1, W) as it is."""
    return hasher.encode_arrays(np.ascontiguousarray(orientations(array) if turned else array[None]))


def merged(found: Sequence[Sequence[Hit]], *, top: int | None, turned: bool = True) -> list[list[TurnedHit]]:
    """What searches by such codes found for each query: each image once, in the turn in which it is nearest."""
    if not turned:
        return [[TurnedHit(hit, "") for hit in hits] for hits in found]
    return [_merged(found[start : start + len(TURNS)])[:top] for start in range(0, len(found), len(TURNS))]


def _merged(found: Sequence[Sequence[Hit]]) -> list[TurnedHit]:
    """The nearest first; of equal distances that with the fewest turns, then in the order of indexing."""
    best: dict[int, tuple[int, int, int, Hit]] = {}
    for turn, hits in enumerate(found):
        for place, hit in enumerate(hits):
            if hit.id not in best or hit.distance < best[hit.id][0]:
                best[hit.id] = (hit.distance, turn, place, hit)
    return [TurnedHit(hit, TURNS[turn]) for _, turn, _, hit in sorted(best.values(), key=lambda one: one[:3])]
