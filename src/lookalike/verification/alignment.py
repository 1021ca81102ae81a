"""The transform that aligns one picture with another.

It is estimated from matched keypoints (RANSAC: Fischler & Bolles 1981; for projective transforms MAGSAC++: Barath et
al. 2020) and refined by maximising the correlation of the aligned pixels (ECC: Evangelidis & Psarakis 2008). Pictures
with few keypoints, such as blurred ones, are aligned by correlation alone, assuming that they show the same frame.

Shapes: H, W pixels; M matches. A transform is a 3 × 3 matrix that maps points (x, y, 1) of the first picture, in
pixels, to points of the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.imaging import borders
from lookalike.imaging.borders import Box
from lookalike.verification.features import Array, Features, Floats, Ints

NEAR = 3.0  # maximum distance in pixels between a keypoint and its transformed match
FEWEST = 5  # minimum matches for estimating a transform
PROJECTIVE = 12  # minimum inliers for trying a projective transform, too
STEPS = 20  # of refinement
SMALLEST, LARGEST, SQUEEZED = 0.12, 8.0, 2.5  # limits of plausible scales, and of the ratio of the two
COARSE = 64  # longer side in pixels for alignment by correlation alone
SMALL, HINTED = 48, 0.35  # side of a frame's vector in pixels, and minimum similarity of two vectors for alignment
PROMISING, ALIGNED = 0.5, 0.9  # minimum correlations before and after alignment

Matrix = npt.NDArray[np.float64]
_STOP = cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT


class Alignment(NamedTuple):
    """A transform, and the number of distinct keypoints that support it."""

    matrix: Matrix
    inliers: int


class Frames(NamedTuple):
    """A grey picture: the whole, and what lies within its borders if it has any."""

    grey: Array
    boxes: Sequence[Box]
    vectors: Sequence[Floats]  # of length 1; frames whose vectors differ are not aligned


class Overlap(NamedTuple):
    """Two pictures in the frame of the one with fewer pixels in the overlap."""

    moved: Array  # the finer picture, on …
    still: Array  # … the coarser one
    inside: npt.NDArray[np.bool_]  # the overlap
    first_moves: bool


def by_features(first: Features, second: Features, pairs_M2: Ints) -> Alignment | None:
    """The transform supported by most matched keypoints (`features.matches`); None if none is plausible."""
    if len(pairs_M2) < FEWEST:
        return None
    from_M2, to_M2 = first.points_P2[pairs_M2[:, 0]], second.points_P2[pairs_M2[:, 1]]
    cv2.setRNGSeed(1)  # deterministic
    affine, inside = cv2.estimateAffine2D(from_M2, to_M2, ransacReprojThreshold=NEAR, maxIters=1000, confidence=0.999)
    if affine is None:
        return None
    matrix, inlier_M = np.vstack([affine, [0, 0, 1]]), inside.ravel().astype(bool)
    if inlier_M.sum() >= PROJECTIVE:
        other, inside = cv2.findHomography(from_M2, to_M2, cv2.USAC_MAGSAC, NEAR, maxIters=1000, confidence=0.999)
        if other is not None and inside.sum() > 1.15 * inlier_M.sum() + 2:
            matrix, inlier_M = other, inside.ravel().astype(bool)
    if not is_sensible(matrix):
        return None
    return Alignment(matrix, min(_places(from_M2[inlier_M]), _places(to_M2[inlier_M])))


def support(first: Features, second: Features, pairs_M2: Ints, matrix: Matrix) -> int:
    """Number of distinct matched keypoints that support a transform."""
    if not len(pairs_M2):
        return 0
    from_M2, to_M2 = first.points_P2[pairs_M2[:, 0]], second.points_P2[pairs_M2[:, 1]]
    taken_M2 = cv2.perspectiveTransform(from_M2[None].astype(np.float64), matrix)[0]
    near_M = np.linalg.norm(taken_M2 - to_M2, axis=1) <= NEAR
    return min(_places(from_M2[near_M]), _places(to_M2[near_M]))


def frames(grey: Array) -> Frames:
    """The frames of a grey picture, (H, W)."""
    boxes = list(dict.fromkeys((Box(0, 0, grey.shape[1], grey.shape[0]), borders.inside(grey))))
    return Frames(grey, boxes, [_vector(grey, box) for box in boxes])


def by_frame(first: Frames, second: Frames) -> Matrix | None:
    """The transform close to "the same frame" that aligns two pictures, with or without their borders."""
    scale, other_scale = (min(1.0, COARSE / max(one.grey.shape)) for one in (first, second))
    for here, there in dict.fromkeys(((0, 0), (len(first.boxes) - 1, len(second.boxes) - 1))):
        if float(first.vectors[here] @ second.vectors[there]) < HINTED:
            continue
        small, other = _reduced(first.grey, scale), _reduced(second.grey, other_scale)
        coarse = _scaled(_box_to_box(first.boxes[here], second.boxes[there]), scale, other_scale)
        if _correlation(overlap(small, other, coarse)) < PROMISING:
            continue
        coarse = refined(small, other, coarse)
        if is_sensible(coarse) and _correlation(overlap(small, other, coarse)) >= ALIGNED:
            return _scaled(coarse, 1 / scale, 1 / other_scale)
    return None


def refined(first: Array, second: Array, matrix: Matrix, *, projective: bool = False) -> Matrix:
    """The transform, refined to align pixels better if possible."""
    laid = overlap(first, second, matrix)
    if laid.inside.mean() < 0.05:
        return matrix
    kind = cv2.MOTION_HOMOGRAPHY if projective else cv2.MOTION_AFFINE
    step = np.eye(3 if projective else 2, 3, dtype=np.float32)
    moved, still = laid.moved.astype(np.float32), laid.still.astype(np.float32)
    inside = laid.inside.astype(np.uint8) * 255
    try:
        _, step = cv2.findTransformECC(moved, still, step, kind, (_STOP, STEPS, 1e-3), inside, 5)
    except cv2.error:  # no convergence
        return matrix
    whole = np.vstack([step, [[0, 0, 1]]])[:3].astype(np.float64)
    return whole @ matrix if laid.first_moves else matrix @ np.linalg.inv(whole)


def overlap(first: Array, second: Array, matrix: Matrix) -> Overlap:
    """Both pictures, grey or colour, in the frame of the one with fewer pixels in the overlap."""
    first_moves = scale_of(matrix) <= 1
    source, still = (first, second) if first_moves else (second, first)
    forth = np.asarray(matrix if first_moves else np.linalg.inv(matrix), np.float64)
    scale = scale_of(forth)
    if scale < 0.9:
        source = cv2.GaussianBlur(source, (0, 0), 0.5 * np.sqrt(1 / scale**2 - 1))
    size = (still.shape[1], still.shape[0])
    moved = cv2.warpPerspective(source, forth, size, flags=cv2.INTER_LINEAR)
    everywhere = np.full(source.shape[:2], 255, np.uint8)
    inside = cv2.warpPerspective(everywhere, forth, size, flags=cv2.INTER_NEAREST) > 0
    return Overlap(moved, still, inside, first_moves)


def scale_of(matrix: Matrix) -> float:
    """The scale of a transform."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:2, :2] / matrix[2, 2]))))


def is_sensible(matrix: Matrix) -> bool:
    """Whether a transform is plausible as an edit: no folding, no extreme squeezing or scaling."""
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
        return False
    if np.abs(matrix[2, :2] / matrix[2, 2]).max() > 4e-3:  # the vanishing line would be within 250 pixels
        return False
    scales = np.linalg.svd(matrix[:2, :2] / matrix[2, 2], compute_uv=False)
    return bool(scales[1] > SMALLEST and scales[0] < LARGEST and scales[0] / scales[1] < SQUEEZED)


def _vector(picture: Array, box: Box) -> Floats:
    """The detail of a part of a picture, as if it were square."""
    part = np.ascontiguousarray(picture[box.top : box.bottom, box.left : box.right])
    values = cv2.resize(part, (SMALL, SMALL), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = cv2.GaussianBlur(values, (0, 0), 0.75) - cv2.GaussianBlur(values, (0, 0), 9)
    detail -= detail.mean()
    return np.asarray(detail / max(float(np.linalg.norm(detail)), 1e-3), np.float32).ravel()


def _box_to_box(here: Box, there: Box) -> Matrix:
    across, down = ((there[at + 2] - there[at]) / (here[at + 2] - here[at]) for at in (0, 1))
    return np.array([[across, 0, there[0] - across * here[0]], [0, down, there[1] - down * here[1]], [0, 0, 1.0]])


def _scaled(matrix: Matrix, first: float, second: float) -> Matrix:
    """The transform for scaled pictures."""
    return np.diag([second, second, 1]) @ matrix @ np.diag([1 / first, 1 / first, 1])


def _reduced(picture: Array, scale: float) -> Array:
    if scale >= 1:
        return picture
    height, width = (max(1, round(length * scale)) for length in picture.shape)  # keeps at least a pixel of thin strips
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _correlation(laid: Overlap) -> float:
    """Correlation of two pictures in their overlap, without low-frequency changes of brightness."""
    if laid.inside.mean() < 0.2:
        return 0.0
    one, other = (_detail(part)[laid.inside] for part in (laid.moved, laid.still))
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).mean() / max(float(one.std() * other.std()), 1e-3))


def _detail(picture: Array) -> Floats:
    values = picture.astype(np.float32)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), 1) - cv2.GaussianBlur(values, (0, 0), 12), np.float32)


def _places(points_M2: Floats) -> int:
    """Number of distinct points; those within 2 pixels count as one."""
    return len(np.unique(np.floor(points_M2 / 2).astype(np.int64), axis=0))
