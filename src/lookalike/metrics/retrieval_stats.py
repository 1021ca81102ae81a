"""How well copies are separated from other images, from counts of pairs by distance.

A pair counts as copy and original if its distance is at most a threshold; −1 means a threshold below all distances.

Shapes: D distances, from 0 to the largest possible one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lookalike.metrics.counts import Integers
from lookalike.metrics.intervals import rate_bound, wilson


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


def share(found: int, total: int) -> Share:
    """A proportion and its interval.

    >>> share(3, 4)[:2]
    (3, 4)
    """
    return Share(found, total, *wilson(found, total))
