"""Local features of a picture, which survive cropping, rotation, scaling and overlays.

SIFT (Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004) with the square root of its
descriptors (Arandjelović & Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012).

Shapes: H, W pixels; P keypoints, M matches; descriptors are (P, 128).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

MOST = 400  # maximum keypoints of a picture
CONTRAST = 0.02  # SIFT's threshold; its default of 0.04 finds too few keypoints in small thumbnails
STEPS = 400  # of a descriptor's values, which hardly exceed 0.6: a byte each, so that many are held in memory
ROWS = 4  # of descriptors in one product: OpenBLAS takes one thread up to 2^18 multiplications
HALF = 0.5  # pixel: OpenCV's keypoints lie a quarter of a pixel to the right, because it doubles the picture first
RATIO = 0.85  # maximum ratio of the distances to the nearest and second nearest descriptor

Array = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

cv2.setNumThreads(1)  # callers compare pairs in parallel


class Features(NamedTuple):
    """Keypoints (x, y) in pixels, (P, 2), and their unit-length descriptors, (P, 128), in steps of 1 / `STEPS`."""

    points_P2: Floats
    descriptors_PD: Array


def features(grey_HW: Array) -> Features:
    """The keypoints and descriptors of a grey picture, uint8."""
    found, raw = cv2.SIFT_create(nfeatures=MOST, contrastThreshold=CONTRAST).detectAndCompute(grey_HW, None)
    if raw is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))
    roots = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6))
    steps_PD = np.rint(roots * STEPS).clip(0, 255).astype(np.uint8)
    return Features(np.array([point.pt for point in found], np.float32), steps_PD)


def mirrored(found: Features, width: int) -> Features:
    """The features of the mirrored picture, `width` pixels wide: SIFT's cells and directions in reverse order."""
    points_P2 = found.points_P2 * np.array((-1, 1), np.float32) + np.array((width - HALF, 0), np.float32)
    cells_P448 = found.descriptors_PD.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8]
    return Features(points_P2, np.ascontiguousarray(cells_P448.reshape(-1, 128)))


def matches(first: Features, second: Features) -> Ints:
    """Pairs of keypoints, (M, 2): the nearest descriptor of the second picture is much nearer than the next (Lowe)."""
    if len(first.points_P2) < 2 or len(second.points_P2) < 2:
        return np.zeros((0, 2), np.int64)
    likeness = _products(first.descriptors_PD, second.descriptors_PD)
    rows, best = np.arange(len(likeness)), likeness.argmax(axis=1)
    nearest = likeness[rows, best]
    likeness[rows, best] = -1
    squares = [np.maximum(2 - 2 * found, 0) for found in (nearest, likeness.max(axis=1))]  # squared Euclidean distances
    kept = np.flatnonzero(squares[0] < RATIO**2 * squares[1])
    return np.stack([kept, best[kept]], axis=1).astype(np.int64)


def _products(one_PD: Array, other_QD: Array) -> Floats:
    """Scalar products of descriptors, (P, Q), a few rows at a time: for larger ones, BLAS wakes threads that spin."""
    blocks = np.zeros((-(-len(one_PD) // ROWS), ROWS, one_PD.shape[1]), np.float32)
    blocks.reshape(-1, one_PD.shape[1])[: len(one_PD)] = one_PD / np.float32(STEPS)
    products = blocks @ (other_QD.T / np.float32(STEPS))
    return np.asarray(products.reshape(-1, len(other_QD))[: len(one_PD)], np.float32)
