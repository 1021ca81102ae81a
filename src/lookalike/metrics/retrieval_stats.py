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

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lookalike.metrics.counts import Counts, Integers
from lookalike.metrics.precision import average_precision, chance

Z = 1.959964  # quantile of the normal distribution for 95 %
DOUBT = 0.05  # probability that an upper bound is too low


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


def wilson(found: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a proportion (Wilson 1927).

    >>> [round(bound, 3) for bound in wilson(95, 100)]
    [0.888, 0.978]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not total:
        return 0.0, 1.0
    share, spread = found / total, Z * Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, middle - half) if found else 0.0, min(1.0, middle + half) if found < total else 1.0


def rate_bound(found: int, total: int) -> float:
    """Upper bound of a small rate, with 95 % confidence: the exact bound of a Poisson count, divided by the total.

    >>> round(rate_bound(0, 124_750) * 124_750, 3), rate_bound(0, 0)
    (2.996, 1.0)
    """
    if not total:
        return 1.0
    highest = found + 10 * math.sqrt(found + 1) + 10
    return min(1.0, bisect(lambda mean: at_most(found, mean) <= DOUBT, float(found), highest) / total)


def bisect(is_beyond: Callable[[float], bool], low: float, high: float) -> float:
    """The point between two values at which a condition begins to hold.

    >>> round(bisect(lambda x: x * x > 2, 0.0, 2.0), 6)
    1.414214
    """
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return high


def at_most(found: int, mean: float) -> float:
    """Probability that a Poisson count with this mean is at most `found`."""
    logs = -mean + np.concatenate([[0.0], np.cumsum(math.log(mean) - np.log(np.arange(1, found + 1)))])
    return float(np.exp(logs).sum())


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
