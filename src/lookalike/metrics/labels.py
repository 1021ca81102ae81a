"""Labels, and the relevance they define.

Two images are relevant to each other if they share a label. Label names and numbers do not matter: published code that
takes the product of two class numbers for relevance makes class 0 relevant to nothing and all other classes relevant to
each other.

Shapes: N images, C classes, X words of 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lookalike.core.codes import words
from lookalike.core.errors import DataError

Labels = npt.NDArray[np.integer | np.bool_]  # integers (N,), or booleans (N, C)
Names = Sequence[str | int | Sequence[str | int] | None]


def check(labels: npt.ArrayLike, count: int, what: str) -> Labels:
    """Labels as an array: integers (N,), or booleans (N, C). Raises `DataError` for anything else.

    >>> check([[0, 1], [1, 1]], 2, "query").dtype
    dtype('bool')
    """
    array = np.asarray(labels)
    expected = f"{count} integers, or booleans of shape ({count}, classes)"
    if array.ndim not in (1, 2) or len(array) != count:
        raise DataError(f"{what} labels have shape {array.shape}; for {count} codes they must be {expected}")
    if array.ndim == 1 and np.issubdtype(array.dtype, np.integer):
        if len(array) and int(array.max()) > np.iinfo(np.int64).max:
            raise DataError(f"{what} labels reach {array.max()}; as integers they must be below 2**63")
        return array.astype(np.int64)
    if array.ndim == 2 and (
        array.dtype == bool or (np.issubdtype(array.dtype, np.integer) and np.isin(array, (0, 1)).all())
    ):
        return array.astype(bool)
    raise DataError(f"{what} labels are {array.dtype} of shape {array.shape}; they must be {expected}")


class Sharing:
    """Finds the database images that share a label with an image; several labels are compared 64 at a time.

    >>> Sharing(np.array([0, 1, 0])).with_(np.array(0)).tolist()
    [True, False, True]
    >>> Sharing(np.array([[True, True], [True, False]])).with_(np.array([False, True])).tolist()
    [True, False]
    """

    def __init__(self, database: Labels) -> None:
        self._labels = database
        self._sets_XN = words(np.packbits(database, axis=1)) if database.ndim == 2 else None

    def with_(self, label: npt.NDArray[np.integer | np.bool_]) -> npt.NDArray[np.bool_]:
        """For each database image, whether it has this label (an integer), or one of these labels (booleans (C,))."""
        if self._sets_XN is None:
            return np.asarray(self._labels == label)
        shared_N = np.zeros(len(self._labels), bool)
        for set_1, sets_N in zip(words(np.packbits(label)[None]), self._sets_XN, strict=True):
            if set_1[0]:
                shared_N |= (sets_N & set_1[0]) != 0
        return shared_N


def encode(*groups: Names) -> tuple[list[Labels], list[str]]:
    """Labels as arrays over common classes, and the names of the classes.

    If any image has a list of labels, all become booleans (N, C), and an image without labels is relevant to none.
    Raises `DataError` if an image has no label where each needs one.

    >>> encode(["cat", "dog"], ["dog"])
    ([array([0, 1]), array([1])], ['cat', 'dog'])
    >>> [labels.tolist() for labels in encode([["cat", "dog"], []])[0]]
    [[[True, True], [False, False]]]
    """
    multiple = any(isinstance(label, list | tuple) for group in groups for label in group)
    as_lists = [[_as_list(label) for label in group] for group in groups]
    names = sorted({name for group in as_lists for label in group for name in label})
    place = {name: number for number, name in enumerate(names)}
    if not multiple:
        unlabelled = sum(not label for group in as_lists for label in group)
        if unlabelled:
            raise DataError(f"{unlabelled} images have no label; each must have one, or a list of labels")
        return [np.array([place[label[0]] for label in group], np.int64) for group in as_lists], names
    matrices: list[Labels] = []
    for group in as_lists:
        matrix = np.zeros((len(group), len(names)), bool)
        for row, label in enumerate(group):
            matrix[row, [place[name] for name in label]] = True
        matrices.append(matrix)
    return matrices, names


def _as_list(label: str | int | Sequence[str | int] | None) -> list[str]:
    if label is None:
        return []
    return [str(one) for one in label] if isinstance(label, list | tuple) else [str(label)]
