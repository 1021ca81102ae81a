"""Similarity of two images without a model."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import perturb
from lookalike.imaging.thumbnail_vector import SUSPECTED, thumbnail_vector


@pytest.fixture
def photos(pictures: list[Image.Image]) -> list[Array]:
    return [np.array(picture.convert("RGB")) for picture in pictures[:20]]


def correlation(one: Array, other: Array) -> float:
    return float(thumbnail_vector(one) @ thumbnail_vector(other))


def test_a_thumbnail_vector_has_mean_0_and_length_1(photos: list[Array]) -> None:
    for photo in photos:
        mini = thumbnail_vector(photo)
        assert mini.shape == (256,)
        assert float(mini.mean()) == pytest.approx(0, abs=1e-6)
        assert float(np.linalg.norm(mini)) == pytest.approx(1, abs=1e-5)


def test_colour_and_grey_pixels_have_the_same(photos: list[Array]) -> None:
    for photo in photos:
        grey = np.array(Image.fromarray(photo).convert("L"))
        assert np.array_equal(thumbnail_vector(grey), thumbnail_vector(photo))


@pytest.mark.parametrize(("edit", "strength"), [("jpeg", 50), ("resize", 0.5), ("brighter", 1.1), ("grey", 1)])
def test_copies_that_keep_the_frame_are_suspected(photos: list[Array], edit: str, strength: float) -> None:
    found = [correlation(photo, perturb(photo, edit, strength, seed=1)) >= SUSPECTED for photo in photos]
    assert sum(found) >= 19


def test_different_pictures_are_not(photos: list[Array]) -> None:
    for one, first in enumerate(photos):
        assert all(correlation(first, other) < SUSPECTED for other in photos[one + 1 :])
