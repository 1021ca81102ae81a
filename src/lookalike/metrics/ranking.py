"""Metrics of rankings by Hamming distance, each with its tie rule in its name.

Formulas: `precision` for average precision; for the rest, with hits(k) the expected number of relevant images among the
first k, and N⁺ the number of relevant images in the database:

    P@k = hits(k) / k                       R@k = hits(k) / N⁺
    P@r = relevant within distance r / all within r; 0 if nothing is within r

Every mean is over queries; a query without relevant images counts as 0, and the number of those is reported.

Shapes: Q queries, N database images, W bytes a code, D distances, R ranks, O options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lookalike.core.errors import ConfigError
from lookalike.metrics import precision
from lookalike.metrics.counts import Counts, Floats, Integers, Problem, check, count, divide, rows
from lookalike.metrics.labels import Sharing
from lookalike.metrics.precision import Denominator, Ties, check_options


class Mean(float):
    """A mean over queries: a number, with the queries' own values and how many have nothing relevant.

    >>> mean = Mean.over(np.array([0.5, 0.0]), without_relevant=1)
    >>> mean == 0.25, mean.per_query.tolist(), mean.without_relevant
    (True, [0.5, 0.0], 1)
    """

    per_query: Floats  # (Q,)
    without_relevant: int  # queries without relevant images; they count as 0

    @classmethod
    def over(cls, values_Q: Floats, *, without_relevant: int) -> Self:
        """The mean of the queries' values."""
        mean = cls(values_Q.mean())
        mean.per_query, mean.without_relevant = values_Q, without_relevant
        return mean


class Curve(NamedTuple):
    """Precision and recall, averaged over queries, at ranks or radii."""

    at: Integers
    precision: Floats
    recall: Floats


def mean_average_precision(
    query_codes: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    database_codes: npt.ArrayLike,
    database_labels: npt.ArrayLike,
    *,
    cutoff: int | None = None,
    ties: Ties = "expected",
    denominator: Denominator = "relevant",
) -> Mean:
    """mAP, in [0, 1], of packed codes uint8 (Q, W) and (N, W).

    Two images are relevant to each other if they share a label: labels are integers (N,), or booleans (N, C).
    `cutoff` is the last rank that counts, `ties` the rule for equal distances, `denominator` the divisor of average
    precision (see `lookalike.metrics.precision`). The field's usual mAP@R is
    `cutoff=R, ties="row-order", denominator="retrieved"`; it depends on the order of the database.

    >>> query, database = np.array([[0]], np.uint8), np.array([[0], [0], [255]], np.uint8)
    >>> float(mean_average_precision(query, [1], database, [1, 2, 1]))  # (1/1 + 2/3)/2 or (1/2 + 2/3)/2
    0.7083333333333333

    Raises `CodeError`, `DataError` or `ConfigError` for invalid arguments.
    """
    check_options(ties, denominator, cutoff)
    problem = check(query_codes, query_labels, database_codes, database_labels)
    if ties == "row-order":
        return by_rows(problem, [(cutoff, denominator)])[0]
    return mean_of_counts(count(problem), cutoff=cutoff, ties=ties, denominator=denominator)


def mean_of_counts(
    counts: Counts, *, cutoff: int | None = None, ties: Ties = "expected", denominator: Denominator = "relevant"
) -> Mean:
    """mAP from counts by distance."""
    values_Q = precision.average_precision(counts, cutoff=cutoff, ties=ties, denominator=denominator)
    return Mean.over(values_Q, without_relevant=_without_relevant(counts))


def chance(counts: Counts, *, cutoff: int | None = None, denominator: Denominator = "relevant") -> Mean:
    """The mAP of meaningless codes: that of a random order of the same database."""
    relevant, inverse_Q = np.unique(counts.relevant_Q, return_inverse=True)
    values = precision.chance(counts.total, relevant, cutoff=cutoff, denominator=denominator)
    return Mean.over(values[inverse_Q], without_relevant=_without_relevant(counts))


def precision_at(counts: Counts, k: int) -> Mean:
    """P@k: the expected share of relevant images among the first k."""
    _check_rank(k)
    hits_Q1 = _hits(counts, np.array([k]))
    return Mean.over(hits_Q1[:, 0] / k, without_relevant=_without_relevant(counts))


def recall_at(counts: Counts, k: int) -> Mean:
    """R@k: the expected share of the relevant images among the first k."""
    _check_rank(k)
    hits_Q = _hits(counts, np.array([k]))[:, 0]
    return Mean.over(divide(hits_Q, counts.relevant_Q), without_relevant=_without_relevant(counts))


def precision_within(counts: Counts, radius: int) -> Mean:
    """Share of relevant images among those within `radius` bits; 0 for a query with none there."""
    if radius < 0:
        raise ConfigError(f"radius is {radius}; it must be at least 0 bits")
    items_Q = counts.items_QD[:, : radius + 1].sum(axis=1)
    relevant_Q = counts.relevant_QD[:, : radius + 1].sum(axis=1)
    return Mean.over(divide(relevant_Q, items_Q), without_relevant=_without_relevant(counts))


def empty_within(counts: Counts, radius: int) -> int:
    """Number of queries with no image within `radius` bits."""
    return int((counts.items_QD[:, : radius + 1].sum(axis=1) == 0).sum())


def curve_by_rank(counts: Counts, ranks: npt.ArrayLike | None = None) -> Curve:
    """Precision and recall among the first k, for each k of `ranks`; by default about fifty from 1 to all."""
    last = counts.total
    ranks_R = np.unique(np.geomspace(1, last, 50).round().astype(np.int64) if ranks is None else np.asarray(ranks))
    if len(ranks_R) == 0 or ranks_R[0] < 1 or ranks_R[-1] > last:
        raise ConfigError(f"ranks must be between 1 and {last}, the size of the database")
    hits_QR = _hits(counts, ranks_R)
    return Curve(ranks_R, (hits_QR / ranks_R).mean(axis=0), divide(hits_QR, counts.relevant_Q[:, None]).mean(axis=0))


def curve_by_radius(counts: Counts) -> Curve:
    """Precision and recall among the images within r bits, for each r from 0 to K."""
    items_QD, relevant_QD = np.cumsum(counts.items_QD, axis=1), np.cumsum(counts.relevant_QD, axis=1)
    recall_QD = divide(relevant_QD, counts.relevant_Q[:, None])
    radii_D = np.arange(items_QD.shape[1])
    return Curve(radii_D, divide(relevant_QD, items_QD).mean(axis=0), recall_QD.mean(axis=0))


def _hits(counts: Counts, ranks_R: Integers) -> Floats:
    """Expected number of relevant images among the first k, (Q, R); a tie cut by k counts proportionally."""
    n, p = counts.items_QD, counts.relevant_QD
    hits_QR = np.empty((len(n), len(ranks_R)))
    for row, (n_D, p_D) in enumerate(zip(n, p, strict=True)):
        hits_QR[row] = np.interp(ranks_R, np.append(0, np.cumsum(n_D)), np.append(0, np.cumsum(p_D)))
    return hits_QR


def by_rows(problem: Problem, options: Sequence[tuple[int | None, Denominator]]) -> list[Mean]:
    """mAP with ties in the order of the database, for each cutoff and denominator, in one pass.

    This needs a stable sort.
    """
    values_OQ = np.zeros((len(options), len(problem.query_codes)))
    relevant_Q = np.zeros(len(problem.query_codes), np.int64)
    sharing = Sharing(problem.database_labels)
    for row, distances_N in rows(problem):
        relevant_N = sharing.with_(problem.query_labels[row])
        if problem.own_Q is not None:
            relevant_N[problem.own_Q[row]] = False  # it comes last, and is not an answer
        ranks_R = np.flatnonzero(relevant_N[np.argsort(distances_N, kind="stable")]) + 1  # of the relevant images
        relevant_Q[row] = len(ranks_R)
        for number, (cutoff, denominator) in enumerate(options):
            end = problem.size if cutoff is None else min(cutoff, problem.size)
            hits = int(np.searchsorted(ranks_R, end, side="right"))
            total = hits if denominator == "retrieved" else min(len(ranks_R), end)
            if total:
                values_OQ[number, row] = (np.arange(1, hits + 1) / ranks_R[:hits]).sum() / total
    without_relevant = int((relevant_Q == 0).sum())
    return [Mean.over(values_Q, without_relevant=without_relevant) for values_Q in values_OQ]


def _without_relevant(counts: Counts) -> int:
    return int((counts.relevant_Q == 0).sum())


def _check_rank(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k is {k}; it must be at least 1")
