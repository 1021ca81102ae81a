"""Keypoints, and transforms estimated from keypoints and pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from lookalike.imaging.edits.catalogue import perturb
from lookalike.verification import alignment, features
from lookalike.verification.alignment import Matrix
from lookalike.verification.features import Array

SIZES = [(1, 1), (1, 40), (40, 1), (2, 2), (3, 5), (3000, 5), (5, 3000)]


@pytest.fixture
def grey(photographs: list[Array]) -> Array:
    return np.asarray(Image.fromarray(photographs[2]).convert("L"))


def moved(picture: Array, matrix: Matrix, size: tuple[int, int]) -> Array:
    """A picture of (height, width) that a transform makes of another one."""
    return np.asarray(cv2.warpPerspective(picture, matrix, size[::-1], flags=cv2.INTER_LINEAR), np.uint8)


def test_mirrored_features_are_those_of_the_mirrored_picture(grey: Array) -> None:
    expected = features.features(np.ascontiguousarray(grey[:, ::-1]))
    found = features.mirrored(features.features(grey), grey.shape[1])
    apart = np.linalg.norm(found.points_P2[:, None] - expected.points_P2[None], axis=2)
    assert (apart.min(axis=1) < 0.1).mean() > 0.7  # the weakest of each are others
    pairs_M2 = features.matches(found, expected)
    assert np.median(apart[pairs_M2[:, 0], pairs_M2[:, 1]]) < 0.1
    same = (found.descriptors_PD[pairs_M2[:, 0]] == expected.descriptors_PD[pairs_M2[:, 1]]).all(axis=1)
    assert same.mean() > 0.5


@pytest.mark.parametrize("count", [2, 3, 4, 101])
def test_matches_are_nearest_by_far(count: int, grey: Array) -> None:
    whole = features.features(grey)
    some = features.Features(whole.points_P2[:count], whole.descriptors_PD[:count])
    pairs_M2 = features.matches(some, whole)
    assert (pairs_M2[:, 0] == pairs_M2[:, 1]).all()
    one_PD, other_PD = (part.descriptors_PD / features.STEPS for part in (some, whole))
    likeness = np.sort(one_PD @ other_PD.T, axis=1)
    squares = 2 - 2 * likeness[:, -2:]
    np.testing.assert_array_equal(pairs_M2[:, 0], np.flatnonzero(squares[:, 1] < features.RATIO**2 * squares[:, 0]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["plain", "noise"])
def test_degenerate_pictures_have_few_features_and_no_alignment(size: tuple[int, int], kind: str, grey: Array) -> None:
    picture = np.full(size, 90, np.uint8)
    if kind == "noise":
        picture = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    found, other = features.features(picture), features.features(grey)
    assert found.points_P2.shape[1:] == (2,)
    assert found.descriptors_PD.shape == (len(found.points_P2), 128)
    for pair in ((found, other), (other, found), (found, found)):
        assert features.matches(*pair).shape[1] == 2
        alignment.by_features(*pair, features.matches(*pair))
    assert alignment.by_features(found, other, features.matches(found, other)) is None
    for one, two in ((picture, grey), (grey, picture), (picture, picture)):
        matrix = alignment.by_frame(alignment.frames(one), alignment.frames(two))
        assert matrix is None or alignment.is_sensible(matrix)


def test_descriptors_have_length_one(grey: Array) -> None:
    found = features.features(grey)
    assert 50 < len(found.points_P2) <= features.MOST + 5
    assert np.linalg.norm(found.descriptors_PD / features.STEPS, axis=1) == pytest.approx(1, abs=0.02)


def test_a_picture_matches_itself(grey: Array) -> None:
    found = features.features(grey)
    pairs_M2 = features.matches(found, found)
    assert len(pairs_M2) > 0.5 * len(found.points_P2)
    here, there = (found.points_P2[pairs_M2[:, side]] for side in (0, 1))
    assert here == pytest.approx(there, abs=0.01)


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"), [(0, 1, (0, 0)), (0, 0.5, (30, 5)), (30, 0.8, (20, 60)), (180, 1, (300, 300))]
)
def test_features_find_the_transform(grey: Array, degrees: float, scale: float, shift: tuple[int, int]) -> None:
    expected = np.vstack([cv2.getRotationMatrix2D((0, 0), degrees, scale), [0, 0, 1]])
    expected[:2, 2] = shift
    copy = moved(grey, expected, grey.shape)
    first, second = features.features(grey), features.features(copy)
    found = alignment.by_features(first, second, features.matches(first, second))
    assert found is not None
    assert found.inliers >= 12
    assert found.matrix[:2, :2] == pytest.approx(expected[:2, :2], abs=0.02)
    assert found.matrix[:2, 2] == pytest.approx(expected[:2, 2], abs=3)
    assert alignment.support(first, second, features.matches(first, second), found.matrix) >= found.inliers - 3
    assert alignment.support(first, second, features.matches(first, second), np.diag([7.0, 7, 1])) == 0
    again = alignment.by_features(first, second, features.matches(first, second))
    assert again is not None
    assert np.array_equal(again.matrix, found.matrix)


def test_features_find_no_transform_between_different_pictures(photographs: list[Array]) -> None:
    all_of_them = [features.features(np.asarray(Image.fromarray(one).convert("L"))) for one in photographs]
    for number, first in enumerate(all_of_them):
        for second in all_of_them[:number]:
            found = alignment.by_features(first, second, features.matches(first, second))
            assert found is None or found.inliers < 8


def test_a_blurred_copy_is_aligned_by_its_frame(grey: Array) -> None:
    blurred = np.asarray(cv2.GaussianBlur(grey, (0, 0), 8), np.uint8)
    found = alignment.by_frame(alignment.frames(grey), alignment.frames(blurred))
    assert found is not None
    assert found == pytest.approx(np.eye(3), abs=2)
    bordered = perturb(np.repeat(grey[..., None], 3, 2), "border", 0.1)[..., 0]
    inside = alignment.by_frame(alignment.frames(grey), alignment.frames(np.ascontiguousarray(bordered)))
    assert inside is not None
    assert alignment.scale_of(inside) == pytest.approx(1, abs=0.05)
    flipped = np.ascontiguousarray(grey[::-1])
    assert alignment.by_frame(alignment.frames(grey), alignment.frames(flipped)) is None


def test_pixels_refine_a_transform(grey: Array) -> None:
    expected = np.array([[1.0, 0, 6.4], [0, 1, -3.3], [0, 0, 1]])
    copy = moved(grey, expected, grey.shape)
    found = alignment.refined(grey, copy, np.array([[1.0, 0, 5], [0, 1, -2], [0, 0, 1]]))
    assert found[:2, 2] == pytest.approx([6.4, -3.3], abs=0.2)
    far = np.array([[1.0, 0, 5000], [0, 1, 0], [0, 0, 1]])
    assert np.array_equal(alignment.refined(grey, copy, far), far)


def test_the_coarser_picture_stays_where_it_is(grey: Array) -> None:
    half = np.asarray(Image.fromarray(grey).resize((grey.shape[1] // 2, grey.shape[0] // 2)))
    matrix = np.diag([0.5, 0.5, 1])
    reduced = alignment.overlap(grey, half, matrix)
    assert reduced.first_moves
    assert reduced.still is half
    enlarged = alignment.overlap(half, grey, np.linalg.inv(matrix))
    assert not enlarged.first_moves
    for laid in (reduced, enlarged):
        assert laid.moved.shape == laid.still.shape == laid.inside.shape == half.shape
        assert laid.inside.mean() > 0.98
        assert np.abs(laid.moved.astype(int) - laid.still).mean() < 6


@pytest.mark.parametrize(
    "matrix",
    [
        np.full((3, 3), np.nan),
        np.zeros((3, 3)),
        np.diag([0.05, 0.05, 1]),
        np.diag([10.0, 10, 1]),
        np.diag([3.0, 1, 1]),
        np.array([[1, 0, 0], [0, 1, 0], [0.01, 0, 1.0]]),
    ],
)
def test_transforms_beyond_what_people_do_are_not_believed(matrix: Matrix) -> None:
    assert not alignment.is_sensible(matrix)


def test_transforms_that_people_make_are(grey: Array) -> None:
    for matrix in (np.eye(3), np.diag([0.3, 0.3, 1]), np.diag([4.0, 3, 1]), np.diag([-1.0, 1, 1])):
        assert alignment.is_sensible(matrix)
        assert alignment.is_sensible(5 * matrix)
