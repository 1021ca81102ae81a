"""Rates of answers with their confidence intervals, the edits that are tried, and the distance of similar images.

Shapes: N images, Q queries, D distances from 0 to K bits, W bytes a code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable

import numpy as np

from lookalike.calibration.stored import Rate
from lookalike.core.codes import Codes, hamming
from lookalike.imaging.edits.catalogue import EDITS, Variant
from lookalike.metrics import intervals
from lookalike.metrics.counts import Integers
from lookalike.metrics.retrieval_stats import threshold

SIMILAR = 1e-2  # share of pairs of images that count as similar
BLOCK = 128  # images whose distances to all others are in memory at once

MIX: dict[str, tuple[Variant, ...]] = {
    "re-encoded": (Variant("jpeg", 80), Variant("jpeg", 60), Variant("webp", 80), Variant("resize", 0.5)),
    "edited": (
        Variant("jpeg", 20), Variant("blur", 0.01), Variant("noise", 10), Variant("brighter", 1.3),
        Variant("darker", 0.7), Variant("contrast-up", 1.5), Variant("contrast-down", 0.6), Variant("grey", 1),
        Variant("warm", 0.2), Variant("watermark", 0.6), Variant("crop", 0.05), Variant("messenger", 1),
    ),
    "reshaped": (
        Variant("crop", 0.1), Variant("crop", 0.25), Variant("rotate", 5), Variant("border", 0.1),
        Variant("letterbox", 0.125), Variant("text", 0.1), Variant("screenshot", 0.06), Variant("caption", 0.2),
    ),
}  # fmt: skip


def edits(turn: int) -> dict[str, Variant]:
    """One edit of each kind, a different one every turn; only those that the installed Pillow supports."""
    here = {kind: [one for one in variants if EDITS[one.edit].is_here] for kind, variants in MIX.items()}
    return {kind: variants[turn % len(variants)] for kind, variants in here.items()}


def of_trials(count: int, total: int, *, suspected: int = 0) -> Rate:
    """The rate of independent trials, by Clopper and Pearson.

    >>> found = of_trials(0, 1000)
    >>> found.value, round(found.high, 4)
    (0.0, 0.0037)
    """
    low, high = intervals.clopper_pearson(count, total)[0], intervals.clopper_pearson(count + suspected, total)[1]
    return Rate(count, total, low, high, suspected)


def of_pairs(
    wrong: Collection[tuple[Hashable, Hashable]], suspected: Collection[tuple[Hashable, Hashable]], *,
    queries: int, images: int,
) -> Rate:  # fmt: skip
    """The rate of wrong matches, pairs of a query and an image, among all pairs."""
    low, _ = _bounds(wrong, queries, images)
    _, high = _bounds([*wrong, *suspected], queries, images)
    return Rate(len(wrong), queries * images, low, high, len(suspected))


def _bounds(matches: Collection[tuple[Hashable, Hashable]], queries: int, images: int) -> intervals.Interval:
    of_query, of_image = (list(Counter(ends).values()) for ends in zip(*matches, strict=True)) if matches else ([], [])
    return intervals.of_matches(of_query, of_image, queries=queries, images=images)


def similar(codes_NW: Codes, *, own: int, least: int) -> int:
    """The distance, in bits, that at most 1 in 100 pairs of images reach; the model's own if there are too few.

    Pairs within `least`, the distance of copies, do not count: a collection may have many copies.
    """
    counts_D = _histogram(codes_NW)
    counts_D[: least + 1] = 0
    measured = threshold(counts_D, SIMILAR)
    return max(least, measured.distance if measured.is_measured else own)


def _histogram(codes_NW: Codes) -> Integers:
    """The number of pairs at each distance, (D,); computed in blocks of rows."""
    counts_D = np.zeros(8 * codes_NW.shape[1] + 1, np.int64)
    for start in range(0, len(codes_NW), BLOCK):
        distances = hamming(codes_NW[start : start + BLOCK], codes_NW)
        counts_D += np.bincount(distances.ravel(), minlength=len(counts_D))
    counts_D[0] -= len(codes_NW)  # each image itself
    return counts_D // 2
