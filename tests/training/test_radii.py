"""Distances of different images, as a model file states them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lookalike.core import codes
from lookalike.imaging.thumbnail_vector import thumbnail_vector
from lookalike.training.radii import different, measure_radii


@pytest.fixture
def bits() -> codes.Bits:
    return np.random.default_rng(0).random((200, 64)) < 0.5


def test_equal_images_count_once() -> None:
    images = np.zeros((5, 2, 2), np.uint8)
    images[[1, 3]] = 7
    images[4] = 9
    assert different(images).tolist() == [0, 1, 4]


def test_radii_are_those_of_all_pairs(bits: codes.Bits) -> None:
    distances = sorted(int((a != b).sum()) for a, b in itertools.combinations(bits, 2))
    radii = measure_radii(codes.pack(bits))
    assert radii.pairs == len(distances) == 19_900
    for radius, share in ((radii.near, 1e-4), (radii.similar, 1e-2)):
        assert sum(d <= radius for d in distances) <= share * len(distances)
        assert sum(d <= radius + 1 for d in distances) > share * len(distances)


def test_where_different_images_have_equal_codes_there_are_no_radii() -> None:
    radii = measure_radii(np.zeros((10, 2), np.uint8))
    assert (radii.near, radii.similar, radii.pairs) == (-1, -1, 45)


def test_equal_codes_that_are_rare_leave_a_radius(bits: codes.Bits) -> None:
    bits[:10] = bits[0]  # 45 of 19,900 pairs: more than 1 in 10,000, fewer than 1 in 100
    radii = measure_radii(codes.pack(bits))
    assert radii.near == -1
    assert radii.similar > 10


def test_pairs_that_may_well_show_the_same_picture_are_not_pairs_of_different_images(bits: codes.Bits) -> None:
    pictures = np.random.default_rng(1).integers(0, 200, (200, 32, 32), np.uint8)
    bits[100:110], pictures[100:110] = bits[:10], pictures[:10] + 5  # ten copies, a little brighter, with equal codes
    minis = np.stack([thumbnail_vector(picture) for picture in pictures])
    with_copies, radii = measure_radii(codes.pack(bits)), measure_radii(codes.pack(bits), minis)
    assert (with_copies.near, with_copies.pairs) == (-1, 19_900)
    assert radii.pairs == 19_890
    assert radii.near > 10


def test_pictures_of_one_grey_are_copies_of_nothing(bits: codes.Bits) -> None:
    minis = np.stack([thumbnail_vector(np.full((8, 8), value, np.uint8)) for value in range(200)])
    assert measure_radii(codes.pack(bits), minis) == measure_radii(codes.pack(bits))
