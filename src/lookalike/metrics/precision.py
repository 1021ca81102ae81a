"""Average precision from counts by distance, in closed form.

At distance d a query has n_d database images, p_d of them relevant; N_d and P_d come before them. The order within a
distance is undefined. Four rules deal with such ties:

- expected: the mean over all orders (McSherry & Najork 2008; He et al. 2018, "Hashing as tie-aware learning to rank",
  eq. 7). An image at position t of its tie is relevant with probability p/n, and then (t − 1)(p − 1)/(n − 1) of the
  images before it in its tie are expected to be relevant.
- optimistic, pessimistic: the relevant images of each tie come first, or last.
- row-order: the order of the database (`ranking`, which sorts).

With a cutoff R only ranks up to R count, and two denominators are in use: `relevant`, the number of relevant images but
at most R, and `retrieved`, the number of relevant images among the first R, as in papers on hashing. The latter is not
monotone: finding one more image can lower it.

Sums over ranks become differences of harmonic numbers H: Σ_{t=1..m} 1/(N + t) = H(N + m) − H(N).

Shapes: Q queries, D distances, X possible numbers of relevant images in a cut tie.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ConfigError
from lookalike.metrics.counts import Counts, Floats, Integers, divide

Ties = Literal["expected", "optimistic", "pessimistic", "row-order"]
Denominator = Literal["relevant", "retrieved"]

BLOCK = 1024  # queries processed at once
_EXACT = 256  # smaller harmonic numbers come from a table, larger ones from the asymptotic series (error below 1e-16)
_TABLE = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, _EXACT + 1))])


def check_options(ties: str, denominator: str, cutoff: int | None) -> None:
    """Raise `ConfigError` for options that no metric has."""
    if ties not in get_args(Ties):
        raise ConfigError(f"ties is {ties!r}; it must be one of {', '.join(get_args(Ties))}")
    if denominator not in get_args(Denominator):
        raise ConfigError(f"denominator is {denominator!r}; it must be one of {', '.join(get_args(Denominator))}")
    if cutoff is not None and (cutoff < 1 or cutoff != int(cutoff)):
        raise ConfigError(f"cutoff is {cutoff}; it must be an integer of at least 1, or None for the whole database")


def average_precision(
    counts: Counts, *, cutoff: int | None = None, ties: Ties = "expected", denominator: Denominator = "relevant"
) -> Floats:
    """Average precision of each query, (Q,); 0 for one without relevant images."""
    check_options(ties, denominator, cutoff)
    if ties == "row-order":
        raise ConfigError("counts do not have the order of rows; use ranking.mean_average_precision")
    parts = [
        _block(Counts(counts.items_QD[at : at + BLOCK], counts.relevant_QD[at : at + BLOCK]), cutoff, ties, denominator)
        for at in range(0, len(counts.items_QD), BLOCK)
    ]
    return np.concatenate(parts)


def chance(total: int, relevant: npt.ArrayLike, *, cutoff: int | None, denominator: Denominator) -> Floats:
    """Expected average precision of a random order, for each number of relevant images among `total`.

    A random order is a single tie.
    >>> chance(4, [1], cutoff=None, denominator="relevant").round(4).tolist()  # (1 + 1/2 + 1/3 + 1/4) / 4
    [0.5208]
    """
    relevant_Q1 = np.asarray(relevant, np.int64).reshape(-1, 1)
    counts = Counts(np.full_like(relevant_Q1, total), relevant_Q1)
    return average_precision(counts, cutoff=cutoff, denominator=denominator)


def _harmonic(n: npt.ArrayLike) -> Floats:
    """Harmonic numbers H(n) = 1 + 1/2 + … + 1/n.

    >>> _harmonic([0, 1, 2, 1000]).round(6).tolist()
    [0.0, 1.0, 1.5, 7.485471]
    """
    whole = np.asarray(n, np.int64)
    x = np.maximum(whole, 1).astype(np.float64)
    series = np.log(x) + np.euler_gamma + 1 / (2 * x) - 1 / (12 * x**2) + 1 / (120 * x**4)
    return np.where(whole <= _EXACT, _TABLE[np.minimum(whole, _EXACT)], series)


def _block(counts: Counts, cutoff: int | None, ties: Ties, denominator: Denominator) -> Floats:
    n, p = counts.items_QD, counts.relevant_QD
    before_n, before_p = np.cumsum(n, axis=1) - n, np.cumsum(p, axis=1) - p
    end = counts.total if cutoff is None else min(cutoff, int(n.sum(axis=1).max(initial=0)))
    if ties == "expected" and denominator == "retrieved":
        return _expected_over_retrieved(n, p, before_n, before_p, end)
    if ties == "expected":
        slots = np.clip(end - before_n, 0, n)  # of the tie, before the cutoff
        sums = _expected_sum(n, p, before_n, before_p, slots).sum(axis=1)
        hits = np.minimum(p.sum(axis=1), end)
    else:
        ahead = before_n if ties == "optimistic" else before_n + n - p
        counted = np.clip(end - ahead, 0, p)
        # Σ_{t=1..counted} (P + t)/(A + t), for A images ahead of the tie's relevant ones
        sums = (counted - (ahead - before_p) * (_harmonic(ahead + counted) - _harmonic(ahead))).sum(axis=1)
        hits = np.minimum(p.sum(axis=1), end) if denominator == "relevant" else counted.sum(axis=1)
    return divide(sums, hits)


def _expected_sum(n: Integers, p: Integers, before_n: Integers, before_p: Integers, slots: Integers) -> Floats:
    """Σ_{t=1..slots} p/n · [P + 1 + (t − 1)(p − 1)/(n − 1)] / (N + t)   (He et al. 2018, eq. 7)."""
    first = _harmonic(before_n + slots) - _harmonic(before_n)  # Σ 1/(N + t)
    second = slots - (before_n + 1) * first  # Σ (t − 1)/(N + t)
    share = divide(p, n)
    among = divide(np.maximum(p - 1, 0), n - 1)
    return np.asarray(share * ((before_p + 1) * first + among * second))


def _expected_over_retrieved(n: Integers, p: Integers, before_n: Integers, before_p: Integers, end: int) -> Floats:
    """The expectation of sum / (relevant before the cutoff), where both depend on the one tie that the cutoff cuts.

    Of its n images m come before the cutoff, and of its p relevant ones x, with hypergeometric probability. Given x,
    the sum over the tie is that of a tie of m images with x relevant ones, and the denominator is P + x.
    """
    slots = np.clip(end - before_n, 0, n)
    whole = slots == n
    sums = np.where(whole, _expected_sum(n, p, before_n, before_p, slots), 0).sum(axis=1)
    hits = np.where(whole, p, 0).sum(axis=1)
    result = divide(sums, hits)
    for row, at in zip(*np.nonzero(~whole & (slots > 0)), strict=True):
        m = int(slots[row, at])
        x_X, chance_X = _hypergeometric(int(n[row, at]), int(p[row, at]), m)
        full_X = np.full_like(x_X, m)
        ahead_X, found_X = np.full_like(x_X, before_n[row, at]), np.full_like(x_X, before_p[row, at])
        sums_X = sums[row] + _expected_sum(full_X, x_X, ahead_X, found_X, full_X)
        result[row] = float(chance_X @ divide(sums_X, hits[row] + x_X))
    return result


def _hypergeometric(n: int, p: int, m: int) -> tuple[Integers, Floats]:
    """Possible numbers of images from among p, when m are drawn from n, and their probabilities."""
    low, high = max(0, m - (n - p)), min(p, m)
    x_X = np.arange(low, high + 1)
    x = x_X[:-1]
    logs = np.log((p - x) * (m - x) / ((x + 1) * (n - p - m + x + 1.0)))  # of the ratios of successive terms
    logs_X = np.concatenate([[0.0], np.cumsum(logs)])
    weights_X = np.exp(logs_X - logs_X.max())
    return x_X, weights_X / math.fsum(weights_X)
