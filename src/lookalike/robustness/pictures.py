"""The pictures in the report of a robustness run: copies that were missed, and different images that were confused.

Shapes: Q edited images, V variants.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import Variant
from lookalike.reports.markup import figure, picture, text
from lookalike.robustness.run import Method, Outcome, copies_of

THUMBNAIL = 150  # pixels of a small picture's longer side
SHOWN = 12  # false pairs


class Miss(NamedTuple):
    """A copy that lies further from its original than the threshold."""

    query: int  # place among the edited images
    variant: int


class Confusion(NamedTuple):
    """A copy, and an image that is not its original and lies nearer than most."""

    distance: int  # in steps
    query: int
    variant: int
    other: int  # row of the originals


def worst(outcome: Outcome, method: Method) -> list[Miss]:
    """Of each edit, at the mildest strength at which any copy is missed, the copy furthest from its original."""
    found: dict[str, Miss] = {}
    for at, variant in enumerate(outcome.variants):
        own_Q = method.own_QV[:, at]
        if variant.edit not in found and own_Q.max() > method.thresholds[0].distance:
            found[variant.edit] = Miss(int(own_Q.argmax()), at)
    return list(found.values())


def nearest(outcome: Outcome, method: Method) -> list[Confusion]:
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


def missed(outcome: Outcome) -> str:
    """The copies that the first method missed worst, next to their originals, with the distances of the peers."""
    shown = [_missed(outcome, miss) for miss in worst(outcome, outcome.methods[0])]
    return _row(shown) if shown else "<p>Nothing: all copies were found.</p>"


def _missed(outcome: Outcome, miss: Miss) -> str:
    variant, row = outcome.variants[miss.variant], outcome.edited[miss.query]
    distances = [_distance(method, int(method.own_QV[miss.query, miss.variant])) for method in outcome.methods]
    words = f"{variant.edit}: {variant.words}"
    return _two(
        (_original(outcome, row), outcome.originals.names[row]),
        (_copy(outcome, row, variant), words),
        f"<b>{text(words)}</b><br>{'<br>'.join(distances)}",
    )


def false(outcome: Outcome) -> str:
    """The copies that lie nearest to an image that is not their original, by the first method."""
    method, shown = outcome.methods[0], []
    for one in nearest(outcome, method):
        row, variant = outcome.edited[one.query], outcome.variants[one.variant]
        name, other = outcome.originals.names[row], outcome.originals.names[one.other]
        words = f"{name}, {variant.edit}: {variant.words}; compared with {other}"
        said = f"{_distance(method, one.distance)}<br>{text(words)}"
        shown.append(_two((_copy(outcome, row, variant), name), (_original(outcome, one.other), other), said))
    return _row(shown)


def closest(outcome: Outcome) -> str:
    """The closest pairs of different images by any of the methods: real duplicates, or the price of a threshold."""
    found: dict[tuple[int, int], list[str]] = {pair: ["suspected to be the same picture"] for pair in outcome.suspected}
    for method in outcome.methods:
        for pair in method.pairs.closest[: 12 if method is outcome.methods[0] else 4]:
            found.setdefault((pair.first, pair.second), []).append(_distance(method, pair.distance))
    names = outcome.originals.names
    shown = [
        _two(
            (_original(outcome, first), names[first]),
            (_original(outcome, second), names[second]),
            f"{text(names[first])} and {text(names[second])}<br>{'<br>'.join(said)}",
        )
        for (first, second), said in list(found.items())[:60]
    ]
    return _row(shown)


def _distance(method: Method, distance: int) -> str:
    """A method's distance, and whether it lies within the first threshold."""
    verdict = "within" if distance <= method.thresholds[0].distance else "beyond"
    return f"{text(method.peer.name)}: {method.peer.in_words(distance)}, {verdict}"


def _original(outcome: Outcome, row: int) -> Array:
    return _copy(outcome, row, Variant("none", 0))


def _copy(outcome: Outcome, row: int, variant: Variant) -> Array:
    found = outcome.originals
    return copies_of(found.items[row], found.seeds[row], [variant], outcome.settings)[0]


def _two(one: tuple[Array, str], other: tuple[Array, str], said: str) -> str:
    frames = "".join(figure(picture(_small(pixels_HW3), words), "") for pixels_HW3, words in (one, other))
    return f'<div><div class="two">{frames}</div><p class="soft">{said}</p></div>'


def _small(pixels_HW3: Array) -> Image.Image:
    small = Image.fromarray(pixels_HW3)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return small


def _row(parts: list[str]) -> str:
    return f'<div class="pairs">{"".join(parts)}</div>'
