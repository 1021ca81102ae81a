"""The codes of an image in its eight orientations.

Shapes: S pixels a side, W bytes a code, O = 8 orientations.
"""

from __future__ import annotations

import numpy as np

from lookalike.core.codes import Codes
from lookalike.hasher import Hasher
from lookalike.imaging.decode import Array

TURNS = (  # what must be done to the query to look like the hit
    "upright", "turned right", "upside down", "turned left",
    "mirrored", "mirrored, turned right", "mirrored, upside down", "mirrored, turned left",
)  # fmt: skip


def orientations(array: Array) -> Array:
    """A square image (S, S, …) in all orientations (O, S, S, …), in the order of `TURNS`."""
    mirrored = array[:, ::-1]
    return np.stack([np.rot90(one, -quarter) for one in (array, mirrored) for quarter in range(4)])


def encode(hasher: Hasher, array: Array, *, turned: bool = True) -> Codes:
    """The codes (O, W) of an image of the model's shape in all orientations, or (1, W) as it is."""
    return hasher.encode_arrays(np.ascontiguousarray(orientations(array) if turned else array[None]))
