"""Confidence intervals (95 %) of the rate behind a count.

Wilson           a proportion (1927)
Poisson          few successes in many trials (Garwood 1936): the one-sided upper bound
Clopper-Pearson  exact binomial interval (1934)
matches          pairs of a query and an image are not independent trials, because each is in many pairs. The
                 variance of the number of matches is that of independent pairs plus the covariance of those that
                 share a query or an image, as far as there are more of these than by chance; the interval is for
                 a correspondingly smaller number
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Z = 1.959964  # quantile of the normal distribution for 95 %
DOUBT = 0.05  # probability that an upper bound is too low
TAIL = 0.025  # probability on each side

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
    return min(1.0, _bisect(lambda mean: _at_most(found, mean) <= DOUBT, float(found), highest) / total)


def clopper_pearson(found: int, total: int) -> Interval:
    """Bounds of a proportion.

    >>> [round(bound, 3) for bound in (*clopper_pearson(95, 100), *clopper_pearson(0, 0))]
    [0.887, 0.984, 0.0, 1.0]
    """
    if not total:
        return 0.0, 1.0
    low = _bisect(lambda share: 1 - _binomial(found - 1, total, share) > TAIL, 0.0, 1.0) if found else 0.0
    high = _bisect(lambda share: _binomial(found, total, share) < TAIL, 0.0, 1.0) if found < total else 1.0
    return low, high


def of_matches(of_query: Sequence[int], of_image: Sequence[int], *, queries: int, images: int) -> Interval:
    """Bounds of the share of pairs of a query and an image that match, from the numbers of matches of each.

    Clopper and Pearson's for the equivalent numbers of independent pairs. Queries and images without a match may be
    omitted.

    >>> [round(bound * 300_000, 2) for bound in of_matches([1, 1], [1, 1], queries=1000, images=300)]
    [0.24, 7.22]
    """
    effect = _design_effect(of_query, of_image, queries=queries, images=images)
    found, total = sum(of_query) / effect, round(queries * images / effect)
    return clopper_pearson(math.floor(found), total)[0], clopper_pearson(math.ceil(found), total)[1]


def _design_effect(of_query: Sequence[int], of_image: Sequence[int], *, queries: int, images: int) -> float:
    """Variance of the number of matches, relative to independent pairs; at least 1.

    >>> _design_effect([1, 1], [1, 1], queries=9, images=9), _design_effect([5], [1] * 5, queries=1000, images=300)
    (1.0, 4.98...)
    """
    found = sum(of_query)
    if not found:
        return 1.0
    shared = sum(count * (count - 1) for count in (*of_query, *of_image))
    expected = found * (found - 1) * (1 / queries + 1 / images)
    return 1.0 + max(0.0, shared - expected) / found


def _bisect(is_beyond: Callable[[float], bool], low: float, high: float) -> float:
    """The point between two values at which a condition begins to hold.

    >>> round(_bisect(lambda x: x * x > 2, 0.0, 2.0), 6)
    1.414214
    """
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return high


def _at_most(found: int, mean: float) -> float:
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
