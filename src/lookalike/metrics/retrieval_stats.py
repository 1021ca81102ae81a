"""How well copies are separated from other images, from counts of pairs by distance.

Two lists of counts are enough: pairs of a copy and its original, and pairs of different images. A pair counts as a copy
and its original if its distance is at most a threshold; −1 means a threshold below all distances.

    recall            share of the pairs of copy and original within the threshold
    false positives   share of the pairs of different images within the threshold
    µAP               micro average precision: all pairs of all copies and all originals in one ranking by distance
                      (Douze et al. 2021, "The 2021 image similarity dataset and challenge"); the expectation over the
                      order of ties

Shapes: D distances, from 0 to the largest possible one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.metrics.counts import Counts, Integers
from lookalike.metrics.intervals import rate_bound, wilson
from lookalike.metrics.precision import average_precision, chance


class Share(NamedTuple):
    """A proportion, with its 95 % confidence interval."""

    found: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """found / total."""
        return self.found / self.total if self.total else 0.0


class Threshold(NamedTuple):
    """The largest distance at which at most a stated share of pairs of different images would count as copies."""

    rate: float  # the allowed share
    distance: int  # −1 if no distance satisfies it
    false: int  # pairs of different images within the distance
    pairs: int  # all pairs of different images
    bound: float  # upper bound of the true rate, with 95 % confidence, if pairs were independent

    @property
    def is_measured(self) -> bool:
        """Whether there are enough pairs for the rate to be at least one of them."""
        return self.pairs * self.rate >= 1


def threshold(others_D: Integers, rate: float) -> Threshold:
    """The threshold at which at most a share `rate` of the pairs of different images is false.

    If the rate is less than one pair, no false pair is allowed.

    >>> threshold(np.array([0, 0, 1, 5, 94]), 0.02)[:4]
    (0.02, 2, 1, 100)
    """
    false_D, pairs = np.cumsum(others_D), int(others_D.sum())
    distance = int(np.searchsorted(false_D, rate * pairs * (1 + 1e-12), side="right")) - 1
    false = int(false_D[distance]) if distance >= 0 else 0
    return Threshold(rate, distance, false, pairs, rate_bound(false, pairs))


def within(counts_D: Integers, distance: int) -> Share:
    """The share of pairs within a distance.

    >>> within(np.array([3, 0, 1]), 1)[:2]
    (3, 4)
    """
    found, total = int(counts_D[: distance + 1].sum()) if distance >= 0 else 0, int(counts_D.sum())
    return Share(found, total, *wilson(found, total))


def micro_average_precision(own_D: Integers, others_D: Integers) -> float:
    """µAP of the pairs of copies and their originals among all pairs of copies and images.

    >>> micro_average_precision(np.array([2, 0, 0]), np.array([0, 1, 7]))
    1.0
    """
    counts = Counts((own_D + others_D)[None], np.asarray(own_D)[None])
    return float(average_precision(counts)[0])


def micro_chance(own: int, others: int) -> float:
    """µAP of meaningless distances, for these numbers of pairs of the two kinds."""
    return float(chance(own + others, [own], cutoff=None, denominator="relevant")[0])


def mean(counts_D: Integers) -> float:
    """The mean distance.

    >>> mean(np.array([1, 0, 1]))
    1.0
    """
    return float(np.arange(len(counts_D)) @ counts_D / max(1, counts_D.sum()))
