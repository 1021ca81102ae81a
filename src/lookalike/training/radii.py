"""How far apart the codes of different images lie, measured on images that did not train.

Shapes: N images, S pixels a side, W bytes, B images of a block, M pixels of a thumbnail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lookalike.core import codes
from lookalike.imaging.decode import Array
from lookalike.imaging.thumbnail_vector import SUSPECTED
from lookalike.metrics.retrieval_stats import threshold

NEAR, SIMILAR = 1e-4, 1e-2  # share of pairs of different images at most this near
_BLOCK = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class _Radii:
    """Distances, in bits, up to which pairs of different images are rare."""

    near: int  # at most 1 pair in 10,000 is this near or nearer; -1: more have equal codes
    similar: int  # at most 1 pair in 100; -1: more have equal codes
    pairs: int  # pairs that were measured, without those that may well show the same picture


def different(images_NSS: Array) -> npt.NDArray[np.int64]:
    """Rows of the first of each set of equal images, ascending."""
    flat = np.ascontiguousarray(images_NSS).reshape(len(images_NSS), -1)
    first = {row.tobytes(): index for index, row in reversed(list(enumerate(flat)))}
    return np.array(sorted(first.values()), np.int64)


def measure_radii(codes_NW: codes.Codes, thumbnails_NM: npt.NDArray[np.float32] | None = None) -> _Radii:
    """How near to each other the codes of different images come.

    Pairs whose thumbnails correlate so much that they may well show the same picture are left out: folders are full of
    copies, and a few of them would take the radii to nothing.
    """
    bits = 8 * codes_NW.shape[1]
    histogram = np.zeros(bits + 1, np.int64)
    for start in range(0, len(codes_NW), _BLOCK):
        distances = codes.hamming(codes_NW[start : start + _BLOCK], codes_NW)
        counted_BN = np.arange(len(codes_NW))[None, :] > np.arange(start, start + len(distances))[:, None]
        if thumbnails_NM is not None:
            counted_BN &= thumbnails_NM[start : start + _BLOCK] @ thumbnails_NM.T < SUSPECTED
        histogram += np.bincount(distances[counted_BN], minlength=bits + 1)
    near, similar = (threshold(histogram, rate).distance for rate in (NEAR, SIMILAR))
    return _Radii(near=near, similar=similar, pairs=int(histogram.sum()))
