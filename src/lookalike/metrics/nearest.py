"""Precision, recall and F1 of labels, as the paper's Table I gives them.

The paper (section IV): "returns the image with the shortest distance"; precision "evaluates whether the retrieved
image has the same label as the query"; F1 "is the harmonic average". It gives no formulas, and its recall, "the
percentage of relevant images retrieved out of all images in the data set", cannot be 0.98 where one image of 5,000 is
retrieved; there we depart from its words. Our reading: each query
takes the label of its nearest database image, and precision, recall and F1 are those of a classifier, averaged over
the classes (macro), as scikit-learn's functions of these names have them. Where several images are nearest, each
counts in equal parts, so nothing hangs on the order of the database. With several labels an image, each class is
judged for itself: whether the query has it and whether the nearest image has it.

Shapes: Q queries, N database images, M of them, C classes, W bytes a code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.metrics.counts import Floats, Integers, Problem, check, divide, rows
from lookalike.metrics.labels import Sharing


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
    classes = _Classes(problem)
    tally = _Tally(classes.count)
    for row, distances_N in rows(problem):
        nearest_N = np.flatnonzero(distances_N == distances_N.min())
        tally.add(classes.of_query(row), classes.share(nearest_N), classes.agreement(row, nearest_N))
    return tally.scores()


def chance(problem: Problem) -> NearestLabels:
    """What a random database image in the place of the nearest gives."""
    classes = _Classes(problem)
    tally = _Tally(classes.count)
    everything_C = classes.share(np.arange(len(problem.database_codes))) * len(problem.database_codes)
    relevant_Q = classes.relevant()
    for row in range(len(problem.query_codes)):
        labels = classes.of_query(row)
        others_C = everything_C.copy()
        if problem.own_Q is not None:
            others_C[labels] -= 1
        tally.add(labels, others_C / problem.size, relevant_Q[row] / problem.size)
    return tally.scores()


class _Classes:
    """The labels of a problem as class numbers, or as booleans where an image has several."""

    def __init__(self, problem: Problem) -> None:
        query, database = problem.query_labels, problem.database_labels
        self._own_Q, self._several = problem.own_Q, query.ndim == 2
        self.count = query.shape[1] if self._several else 0
        self._query, self._database = query, database
        if not self._several:
            names = np.unique(np.concatenate([query, database]))
            self.count = len(names)
            self._query, self._database = np.searchsorted(names, query), np.searchsorted(names, database)

    def of_query(self, row: int) -> Integers:
        """The classes that a query has."""
        return np.flatnonzero(self._query[row]) if self._several else np.asarray(self._query[[row]])

    def share(self, rows_M: Integers) -> Floats:
        """The share of some database images that each class has, (C,)."""
        if self._several:
            return np.asarray(self._database[rows_M].mean(axis=0))
        return np.bincount(self._database[rows_M], minlength=self.count) / len(rows_M)

    def agreement(self, row: int, rows_M: Integers) -> float:
        """The share of some database images that share a class with a query."""
        if self._several:
            return float(self._database[rows_M][:, self._query[row]].any(axis=1).mean())
        return float((self._database[rows_M] == self._query[row]).mean())

    def relevant(self) -> Integers:
        """The number of database images that share a class with each query, itself not counted."""
        own = int(self._own_Q is not None)
        if self._several:
            sharing = Sharing(self._database)
            found = [int(sharing.with_(labels).sum()) - own * bool(labels.any()) for labels in self._query]
            return np.array(found, np.int64)
        return np.bincount(self._database, minlength=self.count)[self._query] - own


class _Tally:
    """Sums over queries: how often each class is given, said, and said rightly."""

    def __init__(self, classes: int) -> None:
        self._given_C, self._said_C, self._right_C = np.zeros((3, classes))
        self._agree, self._queries = 0.0, 0

    def add(self, labels: Integers, said_C: Floats, agreement: float) -> None:
        """A query with its classes, what is said of it, and the share of that which agrees."""
        self._given_C[labels] += 1
        self._said_C += said_C
        self._right_C[labels] += said_C[labels]
        self._agree += agreement
        self._queries += 1

    def scores(self) -> NearestLabels:
        """Means over the classes that are given or said; 0 where there are none."""
        there = (self._given_C + self._said_C) > 0
        if not there.any():
            return NearestLabels(0.0, 0.0, 0.0, 0.0)
        right_C = self._right_C[there]
        precision_C, recall_C = divide(right_C, self._said_C[there]), divide(right_C, self._given_C[there])
        f1_C = divide(2 * precision_C * recall_C, precision_C + recall_C)
        precision, recall, f1 = (float(one_C.mean()) for one_C in (precision_C, recall_C, f1_C))
        return NearestLabels(precision, recall, f1, self._agree / self._queries)
