"""Variants of a query: what each shows, in the shape that a model takes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.hasher import variants as module
from lookalike.hasher.variants import PARTIAL, VARIANTS, Array, variants
from lookalike.imaging.spec import ImageSpec

GREY, COLOUR = ImageSpec(side=32), ImageSpec(side=48, colour=True)


@pytest.fixture
def picture() -> Array:
    """A smooth picture of 120 × 160 pixels whose parts all look different."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    return np.asarray(Image.fromarray(noise).resize((160, 120), Image.Resampling.BICUBIC))


def fitted(picture: Array, spec: ImageSpec) -> Array:
    image = Image.fromarray(np.ascontiguousarray(picture)).convert(spec.mode)
    return np.asarray(image.resize((spec.side, spec.side), Image.Resampling[spec.resampling.upper()]))


def assert_alike(found: Array, expected: Array) -> None:
    """They may differ by the rounding of two resizings."""
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_they_have_the_shape_that_a_model_takes(picture: Array) -> None:
    assert len(VARIANTS) == 22
    assert variants(picture, GREY).shape == (22, 32, 32)
    assert variants(picture, COLOUR).shape == (22, 48, 48, 3)
    assert variants(picture, GREY).dtype == np.uint8


def test_they_are_mirrored_rotated_and_parts(picture: Array) -> None:
    found = dict(zip(VARIANTS, variants(picture, COLOUR), strict=True))
    assert_alike(found["mirrored"], fitted(picture[:, ::-1], COLOUR))
    assert_alike(found["mirrored, turned 180"], fitted(picture[::-1], COLOUR))
    assert_alike(found["turned 90"], fitted(np.rot90(picture, -1), COLOUR))
    assert_alike(found["turned 180"], fitted(picture[::-1, ::-1], COLOUR))
    assert_alike(found["turned 270"], fitted(np.rot90(picture), COLOUR))
    assert np.array_equal(found["part 0 0"], fitted(picture[:60, :80], COLOUR))
    assert np.array_equal(found["part 0.25 0.5"], fitted(picture[60:, 40:120], COLOUR))
    assert np.array_equal(found["part 0.5 0.5"], fitted(picture[60:, 80:], COLOUR))
    assert np.array_equal(found["middle 0.8"], fitted(picture[12:108, 16:144], COLOUR))


def test_one_seen_from_farther_away_has_the_picture_in_its_middle(picture: Array) -> None:
    for share in module.FARTHER:
        wide = PARTIAL[f"farther {share:g}"](picture)
        assert wide.shape[0] == pytest.approx(120 / share, abs=2)
        top, left = (wide.shape[0] - 120) // 2, (wide.shape[1] - 160) // 2
        assert np.array_equal(wide[top : top + 120, left : left + 160], picture)
        assert np.array_equal(wide[top - 1], wide[top])


def test_tilted_ones_keep_the_middle_in_place(picture: Array) -> None:
    right, left = (PARTIAL[f"tilted {degrees}"](picture) for degrees in module.TILTS)
    for tilted in (right, left):
        assert tilted.shape == pytest.approx(picture.shape, abs=2)
        middle = tilted[tilted.shape[0] // 2, tilted.shape[1] // 2].astype(int)
        assert np.abs(middle - picture[60, 80]).max() < 40
    assert not np.array_equal(right, left)


def test_borders_are_cut_off_where_the_model_wants_that(picture: Array) -> None:
    framed = np.zeros((160, 200, 3), np.uint8)
    framed[20:140, 20:180] = picture
    trimmed = ImageSpec(side=32, trim=True)
    with_border, without = variants(framed, trimmed)[0].astype(int), variants(picture, trimmed)[0]
    assert np.abs(with_border - without).mean() < 3


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3), (3000, 5)])
def test_tiny_and_narrow_pictures_have_all_of_them(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    assert variants(noise, GREY).shape == (22, 32, 32)
