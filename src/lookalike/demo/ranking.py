"""How often the right picture comes first, from distances.

K bits give only K + 1 distances, so pictures often share one; every figure here is the expectation over the order of
such ties. Shapes: Q queries, C candidates.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Distances = npt.NDArray[np.int32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def first(distances_QC: Distances, right_Q: Rows) -> Floats:
    """Chance, (Q,), that the right candidate comes first: 0 if any is nearer, else 1 over those at its distance.

    >>> first(np.array([[3, 3, 9], [2, 1, 1]], np.int32), np.array([0, 0])).tolist()
    [0.5, 0.0]
    """
    nearer_Q, equal_Q = _counts(distances_QC, right_Q)
    return np.where(nearer_Q > 0, 0.0, 1.0 / equal_Q)


def rank(distances_QC: Distances, right_Q: Rows) -> Floats:
    """Mean rank, (Q,), of the right candidate over all orders of ties; 1 is the best.

    >>> rank(np.array([[3, 3, 9], [2, 1, 1]], np.int32), np.array([0, 0])).tolist()
    [1.5, 3.0]
    """
    nearer_Q, equal_Q = _counts(distances_QC, right_Q)
    return nearer_Q + (equal_Q + 1) / 2


def _counts(distances_QC: Distances, right_Q: Rows) -> tuple[Rows, Rows]:
    """How many candidates are nearer than the right one, and how many, itself among them, are as near."""
    own_Q1 = np.take_along_axis(distances_QC, right_Q[:, None], axis=1)
    return (distances_QC < own_Q1).sum(axis=1), (distances_QC == own_Q1).sum(axis=1)
