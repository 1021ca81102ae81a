"""Confidence intervals (95 %) of the rate behind a count.

    Wilson           a proportion (1927)
    Poisson          few successes in many trials (Garwood 1936); with none, the one-sided 95 % bound
    Clopper-Pearson  exact binomial interval (1934)
    pairs            pairs of images are not independent trials, because each image is in many pairs. The variance of
                     their number is that of independent pairs plus the covariance of those that share an image, as far
                     as there are more of these than by chance; the interval is for a correspondingly smaller number

Shapes: N images.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Z = 1.959964  # quantile of the normal distribution for 95 %
DOUBT = 0.05  # probability that an upper bound is too low
TAIL = 0.025  # probability on each side
MANY = 1_000  # counts from which the normal distribution is accurate enough

Ints = npt.NDArray[np.int64]
Interval = tuple[float, float]


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


def poisson(found: float) -> Interval:
    """Bounds of the mean of a count; fractional counts are rounded to the wider interval.

    >>> [round(bound, 3) for bound in (*poisson(0), *poisson(4))]
    [0.0, 2.996, 1.09, 10.242]
    """
    if not found:
        return 0.0, rate_bound(0, 1_000_000) * 1_000_000
    if found > MANY:
        return found - Z * math.sqrt(found), found + Z * math.sqrt(found)
    fewest, most = math.floor(found), math.ceil(found)
    low = bisect(lambda mean: 1 - at_most(fewest - 1, mean) > TAIL, 0.0, float(most)) if fewest else 0.0
    return low, bisect(lambda mean: at_most(most, mean) < TAIL, found, most + 10 * math.sqrt(most + 1) + 10)


def clopper_pearson(found: int, total: int) -> Interval:
    """Bounds of a proportion.

    >>> [round(bound, 3) for bound in (*clopper_pearson(95, 100), *clopper_pearson(0, 0))]
    [0.887, 0.984, 0.0, 1.0]
    """
    if not total:
        return 0.0, 1.0
    low = bisect(lambda share: 1 - _binomial(found - 1, total, share) > TAIL, 0.0, 1.0) if found else 0.0
    high = bisect(lambda share: _binomial(found, total, share) < TAIL, 0.0, 1.0) if found < total else 1.0
    return low, high


def of_pairs(counts_N: Ints) -> Interval:
    """Bounds of the number of pairs, given the number of found pairs that each image is in.

    Poisson's bounds for the equivalent number of independent pairs.
    """
    found = int(counts_N.sum()) // 2
    effect = design_effect(counts_N)
    low, high = poisson(found / effect)
    return low * effect, high * effect


def design_effect(counts_N: Ints) -> float:
    """Variance of the number of pairs, relative to independent pairs; at least 1.

    >>> design_effect(np.array([1, 1, 1, 1, 0, 0, 0, 0])), design_effect(np.array([4, 1, 1, 1, 1, 0, 0, 0]))
    (1.0, 2.285...)
    """
    images, found = len(counts_N), float(counts_N.sum()) / 2
    if not found or images < 3:
        return 1.0
    shared = float((counts_N * (counts_N - 1.0)).sum())
    expected = 4 * found**2 * (images - 2) / (images * (images - 1))
    return 1.0 + max(0.0, shared - expected) / found


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


def _binomial(found: int, total: int, share: float) -> float:
    """Probability of at most `found` successes in `total` trials."""
    if share <= 0 or share >= 1:
        return 1.0 if share <= 0 or found >= total else 0.0
    k = np.arange(found + 1)
    choices = np.array([math.lgamma(total + 1) - math.lgamma(i + 1) - math.lgamma(total - i + 1) for i in k.tolist()])
    logs = choices + k * math.log(share) + (total - k) * math.log1p(-share)
    return float(np.exp(logs).sum())
