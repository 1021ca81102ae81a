"""Precision, recall and F1 of labels, as in the paper's Table I.

The paper (section IV): "returns the image with the shortest distance"; precision "evaluates whether the retrieved image
has the same label as the query"; F1 "is the harmonic average". It gives no formulas, and its recall, "the percentage of
relevant images retrieved out of all images in the data set", cannot be 0.98 if one image of 5,000 is retrieved; there
we depart from its words. Our reading: each query is classified with the label of its nearest database image, and
precision, recall and F1 are those of this classifier, averaged over the classes (macro), as in scikit-learn. If several
images are nearest, each counts equally, so the order of the database does not matter. With several labels an image,
each class is a separate decision: whether the query has it and whether the nearest image has it.

Shapes: Q queries, N database images, M of them, C classes, W bytes a code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.metrics.counts import Floats, Integers, Problem, check, divide, rows
from lookalike.metrics.labels import Sharing


class NearestLabels(NamedTuple):
    """Precision, recall and F1 of the nearest images' labels, averaged over classes, and the accuracy."""

    precision: float
    recall: float
    f1: float  # the mean of the classes' F1, so it need not lie between precision and recall
    accuracy: float  # share of queries whose nearest image shares a label


def nearest_labels(
    query_codes: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    database_codes: npt.ArrayLike,
    database_labels: npt.ArrayLike,
) -> NearestLabels:
    """Agreement of queries with their nearest database images, for packed codes uint8 (Q, W) and (N, W).

    >>> query, database = np.array([[0], [255]], np.uint8), np.array([[1], [254]], np.uint8)
    >>> nearest_labels(query, [0, 1], database, [0, 1])
    NearestLabels(precision=1.0, recall=1.0, f1=1.0, accuracy=1.0)
    """
    return of_problem(check(query_codes, query_labels, database_codes, database_labels))


def of_problem(problem: Problem) -> NearestLabels:
    """The same, for validated codes and labels."""
    classes = _Classes(problem)
    tally = _Tally(classes.count)
    for row, distances_N in rows(problem):
        nearest_N = np.flatnonzero(distances_N == distances_N.min())
        tally.add(classes.of_query(row), classes.share(nearest_N), classes.agreement(row, nearest_N))
    return tally.scores()


def chance(problem: Problem) -> NearestLabels:
    """The scores of a random database image instead of the nearest one."""
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
    """A problem's labels as class numbers, or as booleans if an image has several."""

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
        """The classes of a query."""
        return np.flatnonzero(self._query[row]) if self._several else np.asarray(self._query[[row]])

    def share(self, rows_M: Integers) -> Floats:
        """The share of some database images that are in each class, (C,)."""
        if self._several:
            return np.asarray(self._database[rows_M].mean(axis=0))
        return np.bincount(self._database[rows_M], minlength=self.count) / len(rows_M)

    def agreement(self, row: int, rows_M: Integers) -> float:
        """The share of some database images that share a class with a query."""
        if self._several:
            return float(self._database[rows_M][:, self._query[row]].any(axis=1).mean())
        return float((self._database[rows_M] == self._query[row]).mean())

    def relevant(self) -> Integers:
        """Number of database images that share a class with each query, without the query itself."""
        own = int(self._own_Q is not None)
        if self._several:
            sharing = Sharing(self._database)
            counts = [int(sharing.with_(labels).sum()) - own * bool(labels.any()) for labels in self._query]
            return np.array(counts, np.int64)
        return np.bincount(self._database, minlength=self.count)[self._query] - own


class _Tally:
    """Sums over queries: how often each class is true, predicted, and both."""

    def __init__(self, classes: int) -> None:
        self._true_C, self._predicted_C, self._correct_C = np.zeros((3, classes))
        self._agree, self._queries = 0.0, 0

    def add(self, labels: Integers, predicted_C: Floats, agreement: float) -> None:
        """Add a query: its true classes, the predicted shares of classes, and the share that agrees."""
        self._true_C[labels] += 1
        self._predicted_C += predicted_C
        self._correct_C[labels] += predicted_C[labels]
        self._agree += agreement
        self._queries += 1

    def scores(self) -> NearestLabels:
        """Means over the classes that are true or predicted; 0 if there are none."""
        there = (self._true_C + self._predicted_C) > 0
        if not there.any():
            return NearestLabels(0.0, 0.0, 0.0, 0.0)
        correct_C = self._correct_C[there]
        precision_C, recall_C = divide(correct_C, self._predicted_C[there]), divide(correct_C, self._true_C[there])
        f1_C = divide(2 * precision_C * recall_C, precision_C + recall_C)
        precision, recall, f1 = (float(one_C.mean()) for one_C in (precision_C, recall_C, f1_C))
        return NearestLabels(precision, recall, f1, self._agree / self._queries)
