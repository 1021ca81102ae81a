"""What the published "mAP" is, and possible explanations of figures far above the quality of the codes.

The first needs no codes: `hard_label_precision` follows from the printed precision and recall. The others are tried on
our own codes, and none is proven, since the paper gives neither code nor formulas. Meaningless codes are scored by the
same rules: a rule that gives them as much measures nothing.

Shapes: Q queries, N database images, C classes, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.metrics.counts import check, count, divide, rows
from lookalike.metrics.ranking import mean_average_precision, mean_of_counts
from research.results import Result

Codes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.integer]
CLOSE = 0.02  # largest difference from a printed figure that still counts as a match


class Collection(NamedTuple):
    """Codes and labels of a run, as stored in `codes.npz`."""

    query_codes: Codes
    query_labels: Labels
    database_codes: Codes
    database_labels: Labels
    train_codes: Codes | None = None  # of the training images, if they were stored
    train_labels: Labels | None = None

    @property
    def four(self) -> tuple[Codes, Labels, Codes, Labels]:
        """Queries and database, as arguments of the metrics."""
        return self[:4]


def collection(run: Result) -> Collection:
    """Codes and labels of a run."""
    return Collection(**run.codes())


class Explanation(NamedTuple):
    """A rule of evaluation, and its figure for given codes."""

    name: str
    what: str
    figure: Callable[[Collection], float | None]  # None if the codes that it needs were not stored


def hard_label_precision(precision: float, recall: float, prevalence: float) -> float:
    """Average precision of hard labels: P·R + (1 − R) · prevalence, as scikit-learn's for one-hot predictions.

    With scores of 1 and 0 a ranking has two steps: all that is predicted, at precision P up to recall R, then all the
    rest, at the share of relevant images.

    >>> round(hard_label_precision(0.663, 0.664, 0.1), 3)  # VAE, CIFAR-10, 64 bits; the paper prints 0.475
    0.474
    """
    return precision * recall + (1 - recall) * prevalence


def by_hard_labels(c: Collection) -> float:
    """`hard_label_precision` of the nearest image's label, averaged over classes; equally near images share a vote."""
    queries, database = (
        np.searchsorted(np.unique(c.database_labels), part) for part in (c.query_labels, c.database_labels)
    )
    problem = check(c.query_codes, queries, c.database_codes, database)
    classes = int(database.max()) + 1
    said_CC = np.zeros((classes, classes))  # by true and by predicted class
    for row, distances_N in rows(problem):
        nearest_N = np.flatnonzero(distances_N == distances_N.min())
        said_CC[queries[row]] += np.bincount(database[nearest_N], minlength=classes) / len(nearest_N)
    correct_C, true_C = np.diag(said_CC), said_CC.sum(axis=1)
    precision_C, recall_C = divide(correct_C, said_CC.sum(axis=0)), divide(correct_C, true_C)
    three = zip(precision_C, recall_C, true_C / len(queries), strict=True)
    return float(np.mean([hard_label_precision(*one) for one in three]))


def explain(collections: dict[str, Collection]) -> list[tuple[Explanation, dict[str, float | None]]]:
    """The figure of each explanation for each set of codes, by name of the set."""
    return [(one, {name: one.figure(codes) for name, codes in collections.items()}) for one in EXPLANATIONS]


def without_meaning(like: Collection, *, seed: int = 0) -> dict[str, Collection]:
    """Codes that know nothing of the images: random ones, and constant ones."""
    random = np.random.default_rng(seed)
    drawn, same = like, like
    for name in ("query_codes", "database_codes", "train_codes"):
        codes = getattr(like, name)
        if codes is not None:
            drawn = drawn._replace(**{name: random.integers(0, 256, codes.shape, dtype=np.uint8)})
            same = same._replace(**{name: np.zeros(codes.shape, np.uint8)})
    return {"random codes": drawn, "constant codes": same}


def by_length(c: Collection) -> tuple[float, float, float]:
    """mAP if each query finds itself first, for these codes and for random ones of their length; then honest mAP."""
    return _query_in_database_first(c), _query_in_database_first(without_meaning(c)["random codes"]), _honest(c)


def is_close(figure: float | None, printed: float) -> bool:
    """Whether a figure matches the one that the paper prints.

    >>> is_close(0.95, 0.96), is_close(0.89, 0.96), is_close(None, 0.96)
    (True, False, False)
    """
    return figure is not None and abs(figure - printed) <= CLOSE


def _honest(c: Collection) -> float:
    return float(mean_average_precision(*c.four))


def _with_queries(c: Collection) -> Collection:
    """The same with the queries added to the database."""
    codes = np.concatenate([c.query_codes, c.database_codes])
    labels = np.concatenate([c.query_labels, c.database_labels])
    return Collection(c.query_codes, c.query_labels, codes, labels)


def _query_in_database(c: Collection) -> float:
    return _honest(_with_queries(c))


def _query_in_database_first(c: Collection) -> float:
    return float(mean_average_precision(*_with_queries(c).four, cutoff=1))


def _train_is_database(c: Collection) -> float | None:
    if c.train_codes is None or c.train_labels is None:
        return None
    return _honest(c._replace(database_codes=c.train_codes, database_labels=c.train_labels))


def _train_is_both(c: Collection) -> float | None:
    """mAP of searching the training images among themselves, counting only the first hit."""
    if c.train_codes is None or c.train_labels is None:
        return None
    count = len(c.query_codes)
    searched = Collection(c.train_codes[:count], c.train_labels[:count], c.train_codes, c.train_labels)
    return float(mean_average_precision(*searched.four, cutoff=1))


def _at(cutoff: int) -> Callable[[Collection], float]:
    return lambda c: float(mean_average_precision(*c.four, cutoff=cutoff, denominator="retrieved"))


def _sorted_by_class(c: Collection, *, cutoff: int | None = None, drop: bool = False) -> float:
    order = np.argsort(c.database_labels, kind="stable")
    found = mean_average_precision(*_in_order(c, order).four, cutoff=cutoff, ties="row-order", denominator="retrieved")
    return _without_zeros(found.per_query) if drop else float(found)


def _shuffled(c: Collection, *, seed: int = 0) -> Collection:
    """The same with the database shuffled, so that ties broken by row mean nothing."""
    return _in_order(c, np.random.default_rng(seed).permutation(len(c.database_codes)))


def _in_order(c: Collection, order: npt.NDArray[np.intp]) -> Collection:
    return c._replace(database_codes=c.database_codes[order], database_labels=c.database_labels[order])


def _dropped(cutoff: int) -> Callable[[Collection], float]:
    """mAP over the queries with any relevant hit; needs ties in a fixed order."""

    def figure(c: Collection) -> float:
        four = _shuffled(c).four
        found = mean_average_precision(*four, cutoff=cutoff, ties="row-order", denominator="retrieved")
        return _without_zeros(found.per_query)

    return figure


def _without_zeros(values_Q: npt.NDArray[np.float64]) -> float:
    return float(values_Q[values_Q > 0].mean()) if (values_Q > 0).any() else 0.0


def _product(first: int) -> Callable[[Collection], float]:
    """mAP with the product of two class numbers as relevance, where the first class has the number `first`.

    With 0, images of the first class are relevant to nothing, and all others are relevant to each other; queries of the
    first class then have no hits and are dropped. With 1, everything is relevant to everything.
    """

    def figure(c: Collection) -> float:
        classes = np.unique(np.concatenate([c.query_labels, c.database_labels]))
        query, database = (np.searchsorted(classes, labels) + first for labels in (c.query_labels, c.database_labels))
        counts = count(check(c.query_codes, (query > 0)[:, None], c.database_codes, (database > 0)[:, None]))
        return _without_zeros(mean_of_counts(counts).per_query)

    return figure


EXPLANATIONS: Sequence[Explanation] = (
    Explanation("none", "mAP over the whole database, expected ties: the honest figure", _honest),
    Explanation(
        "hard labels", "average precision of the nearest image's label, a yes or no for each class", by_hard_labels
    ),
    Explanation("query in the database", "each query is searched, too; mAP over all of it", _query_in_database),
    Explanation(
        "query in the database, rank 1", "each query is also searched, and only the first hit counts: it finds itself",
        _query_in_database_first,
    ),
    Explanation("database = training set", "queries are searched among the training images", _train_is_database),
    Explanation(
        "queries = database = training set, rank 1", "training images are searched among themselves, first hit only",
        _train_is_both,
    ),
    *(
        Explanation(f"retrieved, cutoff {cutoff}", f"divided by what is relevant in the first {cutoff}", _at(cutoff))
        for cutoff in (5, 10, 100, 1_000)
    ),
    *(
        Explanation(
            f"zero-hit queries dropped, cutoff {cutoff}",
            f"the same at {cutoff}, of a shuffled database, without queries that find nothing",
            _dropped(cutoff),
        )
        for cutoff in (2, 5, 10, 100)
    ),
    Explanation(
        "database sorted by class", "ties by row, of a database that lists class after class; whole database",
        lambda c: _sorted_by_class(c),
    ),
    Explanation(
        "sorted by class, cutoff 1,000, zero-hit queries dropped", "at 1,000, without queries that find nothing",
        lambda c: _sorted_by_class(c, cutoff=1_000, drop=True),
    ),
    Explanation(
        "product of class numbers, from 0", "relevant if the product of two class numbers, 0 to 9, is above 0; "
        "queries of class 0 find nothing and are dropped", _product(0),
    ),
    Explanation("product of class numbers, from 1", "the same with classes 1 to 10", _product(1)),
)  # fmt: skip
