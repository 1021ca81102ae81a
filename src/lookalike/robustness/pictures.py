"""The pictures in the report of a robustness run: copies that were missed, and different images that were confused.

Shapes: Q edited images, V variants.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from lookalike import reports
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import Variant
from lookalike.robustness.run import Method, RobustnessResult, copies_of

THUMBNAIL = 150  # pixels of a small picture's longer side
SHOWN = 12  # false pairs


class Confusion(NamedTuple):
    """A copy, and an image that is not its original and lies nearer than most."""

    distance: int  # in steps
    query: int  # place among the edited images
    variant: int
    other: int  # row of the originals


class Shown(NamedTuple):
    """Two pictures as data URIs, each with its alternative text, and what is said beneath."""

    pictures: list[tuple[str, str]]
    heading: str
    lines: list[str]


def worst(outcome: RobustnessResult, method: Method) -> list[tuple[int, int]]:
    """Of each edit, at the mildest strength that misses any copy, the furthest: its query and its variant, by place."""
    found: dict[str, tuple[int, int]] = {}
    for at, variant in enumerate(outcome.variants):
        own_Q = method.own_QV[:, at]
        if variant.edit not in found and own_Q.max() > method.thresholds[0].distance:
            found[variant.edit] = int(own_Q.argmax()), at
    return list(found.values())


def nearest(outcome: RobustnessResult, method: Method) -> list[Confusion]:
    """The nearest pairs of a copy and another image, each pair of images once, the nearest first."""
    found: dict[tuple[int, int], Confusion] = {}
    for place in np.argsort(method.nearest_QV, axis=None, kind="stable"):
        query, at = (int(one) for one in np.unravel_index(place, method.nearest_QV.shape))
        other = int(method.nearest_row_QV[query, at])
        first, second = sorted((outcome.edited[query], other))
        found.setdefault((first, second), Confusion(int(method.nearest_QV[query, at]), query, at, other))
        if len(found) == SHOWN:
            break
    return list(found.values())


def missed(outcome: RobustnessResult) -> list[Shown]:
    """The copies that the first method missed worst, with the distances by all methods."""
    shown = []
    for query, at in worst(outcome, outcome.methods[0]):
        variant, row = outcome.variants[at], outcome.edited[query]
        words = f"{variant.edit}: {variant.words}"
        lines = [_distance(method, int(method.own_QV[query, at])) for method in outcome.methods]
        shown.append(Shown([_original(outcome, row), (_copy(outcome, row, variant), words)], words, lines))
    return shown


def confused(outcome: RobustnessResult) -> list[Shown]:
    """The copies that lie nearest to an image that is not their original, by the first method."""
    method, names, shown = outcome.methods[0], outcome.originals.names, []
    for one in nearest(outcome, method):
        row, variant = outcome.edited[one.query], outcome.variants[one.variant]
        words = f"{names[row]}, {variant.edit}: {variant.words}; next to it {names[one.other]}"
        pair = [(_copy(outcome, row, variant), names[row]), _original(outcome, one.other)]
        shown.append(Shown(pair, "", [_distance(method, one.distance), words]))
    return shown


def closest(outcome: RobustnessResult) -> list[Shown]:
    """The closest pairs of different images by any of the methods: real duplicates, or the price of a threshold."""
    found: dict[tuple[int, int], list[str]] = {pair: ["suspected to be the same picture"] for pair in outcome.suspected}
    for method in outcome.methods:
        for pair in method.pairs.closest[: 12 if method is outcome.methods[0] else 4]:
            found.setdefault((pair.first, pair.second), []).append(_distance(method, pair.distance))
    names = outcome.originals.names
    return [
        Shown(
            [_original(outcome, first), _original(outcome, second)], "", [f"{names[first]} and {names[second]}", *said]
        )
        for (first, second), said in list(found.items())[:60]
    ]


def _distance(method: Method, distance: int) -> str:
    """A method's distance, and whether it lies within the first threshold."""
    verdict = "within" if distance <= method.thresholds[0].distance else "beyond"
    return f"{method.peer.name}: {method.peer.measure.in_words(distance)}, {verdict}"


def _original(outcome: RobustnessResult, row: int) -> tuple[str, str]:
    return _copy(outcome, row, Variant("none", 0)), outcome.originals.names[row]


def _copy(outcome: RobustnessResult, row: int, variant: Variant) -> str:
    found = outcome.originals
    pixels_HW3: Array = copies_of(found.items[row], found.seeds[row], [variant], outcome.settings)[0]
    small = Image.fromarray(pixels_HW3)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return reports.picture(small)
