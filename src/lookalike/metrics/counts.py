"""Counts of database images at each distance from a query, and of the relevant ones among them.

K bits give K + 1 distances, so a ranking by Hamming distance is a list of ties, and these counts are all there is to
know about it: every metric that ignores the order of the database follows from them, without sorting.

Shapes: Q queries, N database images, W bytes a code, K = 8·W bits, D = K + 1 distances, M relevant images, C classes,
X words of 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import Codes, words
from lookalike.core.errors import CodeError, DataError
from lookalike.metrics import labels as labelling
from lookalike.metrics.labels import Labels, Sharing

PART = 2**16  # database codes processed at once, small enough for a processor's cache
PAIRED = 2**14  # largest number of pairs of distances that are counted as pairs
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Distances = npt.NDArray[np.uint8 | np.uint16]


class Counts(NamedTuple):
    """For each query and distance, the numbers of all and of relevant database images."""

    items_QD: Integers
    relevant_QD: Integers

    @property
    def total(self) -> int:
        """Number of database images."""
        return int(self.items_QD[0].sum())

    @property
    def relevant_Q(self) -> Integers:
        """Number of relevant images for each query."""
        return np.asarray(self.relevant_QD.sum(axis=1))

    def without_own(self) -> Counts:
        """The counts without one relevant image at distance 0: the query itself, if it is in the database."""
        items_QD, relevant_QD = self.items_QD.copy(), self.relevant_QD.copy()
        items_QD[:, 0] -= 1
        relevant_QD[:, 0] = np.maximum(relevant_QD[:, 0] - 1, 0)  # an image without labels is not relevant to itself
        return Counts(items_QD, relevant_QD)


class Problem(NamedTuple):
    """Validated codes and labels of queries and database."""

    query_codes: Codes
    query_labels: Labels
    database_codes: Codes
    database_labels: Labels
    own_Q: Integers | None = None  # the database row that is the query itself, which is excluded

    @property
    def size(self) -> int:
        """Number of images that each query is compared with."""
        return len(self.database_codes) - (self.own_Q is not None)

    @property
    def bits(self) -> int:
        """Length of a code, bits."""
        return 8 * int(self.query_codes.shape[1])


def check(
    query_codes: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    database_codes: npt.ArrayLike,
    database_labels: npt.ArrayLike,
) -> Problem:
    """Validated codes and labels. Raises `CodeError` or `DataError` if they do not match."""
    queries, database = check_codes(query_codes, "query"), check_codes(database_codes, "database")
    if queries.shape[1] != database.shape[1]:
        raise CodeError(
            f"query codes have {queries.shape[1] * 8} bits, database codes {database.shape[1] * 8}; "
            "both must come from the same model"
        )
    query = labelling.check(query_labels, len(queries), "query")
    other = labelling.check(database_labels, len(database), "database")
    if query.shape[1:] != other.shape[1:]:
        raise DataError(
            f"query labels have shape {query.shape}, database labels {other.shape}; "
            "both must be integers, or booleans over the same classes"
        )
    return Problem(queries, query, database, other)


def check_among(codes: npt.ArrayLike, labels: npt.ArrayLike, *, queries: npt.ArrayLike | None = None) -> Problem:
    """Codes of one collection, each searched among the others; `queries` are the query rows, if not all."""
    whole = check(codes, labels, codes, labels)
    own_Q = np.arange(len(whole.query_codes)) if queries is None else np.asarray(queries, np.int64)
    if len(whole.query_codes) < 2 or not len(own_Q):
        images = len(whole.query_codes)
        raise DataError(f"each image is searched for among the others: expected 2 or more, got {images}")
    return whole._replace(query_codes=whole.query_codes[own_Q], query_labels=whole.query_labels[own_Q], own_Q=own_Q)


def check_codes(codes: npt.ArrayLike, what: str) -> Codes:
    """Packed codes (N, W), at least one. Raises `CodeError` for anything else."""
    array = np.asarray(codes)
    if array.ndim != 2 or array.dtype != np.uint8 or 0 in array.shape:
        raise CodeError(
            f"{what} codes are {array.dtype} of shape {array.shape}; they must be packed codes, uint8 (N, K/8), "
            "at least one; pack bits with lookalike.core.codes.pack"
        )
    return array


def count(problem: Problem) -> Counts:
    """Counts by distance; the database is processed in parts, so memory does not grow with it."""
    shape = (len(problem.query_codes), problem.bits + 1)
    counts = Counts(np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    add = _add_by_class if problem.query_labels.ndim == 1 else _add_by_overlap
    for start in range(0, len(problem.database_codes), PART):
        part = slice(start, start + PART)
        add(counts, problem, problem.database_codes[part], problem.database_labels[part])
    return counts if problem.own_Q is None else counts.without_own()


def _add_by_class(counts: Counts, problem: Problem, codes_NW: Codes, labels_N: Labels) -> None:
    """Count with one label an image: sorting by label makes each query's relevant images contiguous."""
    order = np.argsort(labels_N, kind="stable")
    labels_N = labels_N[order]
    first_Q = np.searchsorted(labels_N, problem.query_labels, side="left")
    last_Q = np.searchsorted(labels_N, problem.query_labels, side="right")
    for row, distances_N in _distances(problem.query_codes, codes_NW[order]):
        counts.items_QD[row] += _histogram(distances_N, problem.bits + 1)
        relevant_M = distances_N[first_Q[row] : last_Q[row]]
        counts.relevant_QD[row] += np.bincount(relevant_M, minlength=problem.bits + 1)


def _add_by_overlap(counts: Counts, problem: Problem, codes_NW: Codes, labels_NC: Labels) -> None:
    """Count with several labels an image, as overlapping bit sets."""
    sharing = Sharing(labels_NC)
    for row, distances_N in _distances(problem.query_codes, codes_NW):
        counts.items_QD[row] += _histogram(distances_N, problem.bits + 1)
        relevant_M = distances_N[sharing.with_(problem.query_labels[row])]
        counts.relevant_QD[row] += np.bincount(relevant_M, minlength=problem.bits + 1)


def rows(problem: Problem) -> Iterator[tuple[int, Distances]]:
    """Each query's number and its distances (N,) to the whole database, in a buffer that the next step overwrites.

    If the query itself is in the database, its own distance is larger than any other.
    """
    for row, distances_N in _distances(problem.query_codes, problem.database_codes):
        if problem.own_Q is not None:
            distances_N[problem.own_Q[row]] = np.iinfo(distances_N.dtype).max
        yield row, distances_N


def _distances(query_codes: Codes, database_codes: Codes) -> Iterator[tuple[int, Distances]]:
    """Each query's number and distances (N,), in a reused buffer: allocating takes longer than filling it."""
    query_QX, database_XN = words(query_codes).T, words(database_codes)
    differ_N, bits_N = np.empty(len(database_codes), np.uint64), np.empty(len(database_codes), np.uint8)
    distances_N: Distances = np.empty(len(database_codes), np.uint8 if query_codes.shape[1] * 8 < 255 else np.uint16)
    for row, query_X in enumerate(query_QX):
        np.bitwise_count(np.bitwise_xor(database_XN[0], query_X[0], out=differ_N), out=distances_N)
        for query, database_N in zip(query_X[1:], database_XN[1:], strict=True):
            np.bitwise_count(np.bitwise_xor(database_N, query, out=differ_N), out=bits_N)
            np.add(distances_N, bits_N, out=distances_N)
        yield row, distances_N


def _histogram(distances_N: Distances, size: int) -> Integers:
    """Histogram of distances; counted in pairs where possible, which takes half the steps."""
    half = len(distances_N) // 2
    if not half or size * size > PAIRED:
        return np.bincount(distances_N, minlength=size)
    pairs_N = distances_N[:half] * np.uint16(size) + distances_N[half : 2 * half]
    pairs_DD = np.bincount(pairs_N, minlength=size * size).reshape(size, size)
    histogram_D = pairs_DD.sum(axis=0) + pairs_DD.sum(axis=1)
    if len(distances_N) % 2:
        histogram_D[distances_N[-1]] += 1
    return np.asarray(histogram_D)


def divide(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """a / b, and 0 where b is 0.

    >>> divide([1, 1], [2, 0]).tolist()
    [0.5, 0.0]
    """
    above, below = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below > 0)
