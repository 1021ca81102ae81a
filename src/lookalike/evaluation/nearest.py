"""Precision, recall and F1 of labels, as the paper's Table I gives them.

The paper (section IV): "returns the image with the shortest distance"; precision "evaluates whether the retrieved
image has the same label as the query"; F1 "is the harmonic average". It gives no formulas. Our reading: each query
takes the label of its nearest database image, and precision, recall and F1 are those of a classifier, averaged over
the classes (macro), as scikit-learn's functions of these names have them. Where several images are nearest, each
counts in equal parts, so nothing hangs on the order of the database. With several labels an image, each class is
judged for itself: whether the query has it and whether the nearest image has it.

Shapes: Q queries, N database images, C classes, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.evaluation.counts import Floats, Problem, check, divide, rows
from lookalike.evaluation.labels import one_hot


class NearestLabels(NamedTuple):
    """Precision, recall and F1 of the nearest image's labels, means over classes, and the share that agrees."""

    precision: float
    recall: float
    f1: float  # the mean of the classes' F1, so it may lie outside of precision and recall
    accuracy: float  # share of queries whose nearest image shares a label


def nearest_labels(
    query_codes: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    database_codes: npt.ArrayLike,
    database_labels: npt.ArrayLike,
) -> NearestLabels:
    """Agreement of queries with their nearest database image, of packed codes uint8 (Q, W) and (N, W).

    >>> query, database = np.array([[0], [255]], np.uint8), np.array([[1], [254]], np.uint8)
    >>> nearest_labels(query, [0, 1], database, [0, 1])
    NearestLabels(precision=1.0, recall=1.0, f1=1.0, accuracy=1.0)
    """
    return of_problem(check(query_codes, query_labels, database_codes, database_labels))


def of_problem(problem: Problem) -> NearestLabels:
    """The same, of codes and labels that are checked."""
    query_QC, database_NC = _classes(problem)
    weights_QC, agree = np.zeros(query_QC.shape), 0.0
    share_N = database_NC.astype(np.float64)
    for row, nearest_N in _nearest(problem):
        found_MC = share_N[nearest_N]
        weights_QC[row] = found_MC.mean(axis=0)
        agree += float((found_MC @ query_QC[row] > 0).mean())
    return _scores(query_QC, weights_QC, agree / len(query_QC))


def chance(problem: Problem) -> NearestLabels:
    """What a random database image in the place of the nearest gives."""
    query_QC, database_NC = _classes(problem)
    own_QC = query_QC if problem.own_Q is not None else np.zeros_like(query_QC)
    shares_QC = (database_NC.sum(axis=0) - own_QC) / problem.size
    own = problem.own_Q is not None
    relevant_Q = [int((database_NC @ query_C).sum()) - int(own and query_C.any()) for query_C in query_QC]
    return _scores(query_QC, shares_QC, float(np.mean(relevant_Q)) / problem.size)


def _scores(query_QC: npt.NDArray[np.bool_], weights_QC: Floats, accuracy: float) -> NearestLabels:
    """Scores of the classes that queries or their nearest images have."""
    true_C = (query_QC * weights_QC).sum(axis=0)
    given_C, said_C = query_QC.sum(axis=0), weights_QC.sum(axis=0)
    there = (given_C + said_C) > 0
    precision_C, recall_C = divide(true_C, said_C)[there], divide(true_C, given_C)[there]
    f1_C = divide(2 * precision_C * recall_C, precision_C + recall_C)
    return NearestLabels(float(precision_C.mean()), float(recall_C.mean()), float(f1_C.mean()), accuracy)


def _classes(problem: Problem) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Labels of queries (Q, C) and database (N, C) as booleans over the classes of both."""
    query, database = problem.query_labels, problem.database_labels
    if query.ndim == 2:
        return query.astype(bool), database.astype(bool)
    classes = np.union1d(query, database)
    return one_hot(query, classes), one_hot(database, classes)


def _nearest(problem: Problem) -> Iterator[tuple[int, npt.NDArray[np.intp]]]:
    """Each query's number and the database rows nearest to it."""
    for row, distances_N in rows(problem):
        yield row, np.flatnonzero(distances_N == distances_N.min())
