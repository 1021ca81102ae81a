"""Views have the image's size, are the same for the same seed, and change as specified.

Shapes: S pixels a side, C channels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lookalike.imaging.decode import Array
from research.hashing import views

SIDE = 48  # S


def image(channels: int = 3) -> Array:
    fields = np.random.default_rng(0).integers(0, 256, (6, 6, channels), dtype=np.uint8)
    return fields.repeat(8, axis=0).repeat(8, axis=1).squeeze()


def seen(array: Array, seed: int) -> Array:
    return views.view(array, np.random.default_rng(seed))


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Views without any change, until one kind is enabled."""
    for name in ("MIRRORED", "COLOURED", "GREY", "BLURRED"):
        monkeypatch.setattr(views, name, 0.0)
    monkeypatch.setattr(views, "PART", (1.0, 1.0))
    monkeypatch.setattr(views, "RATIO", (1.0, 1.0))
    return monkeypatch


@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_has_the_size_of_its_image_and_is_that_of_its_seed(channels: int) -> None:
    before = image(channels).copy()
    found = [seen(image(channels), seed) for seed in range(8)]
    assert all(one.shape == before.shape and one.dtype == np.uint8 for one in found)
    assert all(np.array_equal(one, seen(before, seed)) for seed, one in enumerate(found))
    assert len({one.tobytes() for one in found}) == 8
    assert np.array_equal(before, image(channels))


def test_a_picture_of_one_colour_stays_one(untouched: pytest.MonkeyPatch) -> None:
    untouched.setattr(views, "COLOURED", 1.0)
    untouched.setattr(views, "BLURRED", 1.0)
    plain = np.full((SIDE, SIDE, 3), (200, 100, 50), np.uint8)
    found = [seen(plain, seed) for seed in range(5)]
    assert all(len(np.unique(one.reshape(-1, 3), axis=0)) == 1 for one in found)
    assert len({one.tobytes() for one in found}) > 1


def test_without_changes_a_view_is_the_image(untouched: pytest.MonkeyPatch) -> None:
    assert np.array_equal(seen(image(), 0), image())


def test_mirrored(untouched: pytest.MonkeyPatch) -> None:
    untouched.setattr(views, "MIRRORED", 1.0)
    assert np.array_equal(seen(image(), 0), image()[:, ::-1])


def test_grey_has_three_equal_channels(untouched: pytest.MonkeyPatch) -> None:
    untouched.setattr(views, "GREY", 1.0)
    found = seen(image(), 0)
    assert np.array_equal(found[..., 0], found[..., 1])
    assert np.array_equal(found[..., 0], found[..., 2])
    assert np.allclose(found[..., 0], image() @ np.array([0.299, 0.587, 0.114]), atol=1)


def test_blurred_keeps_the_mean_and_lowers_the_contrast(untouched: pytest.MonkeyPatch) -> None:
    untouched.setattr(views, "BLURRED", 1.0)
    found = seen(image(), 1)
    assert found.mean() == pytest.approx(image().mean(), abs=1)
    assert 0.5 * image().std() < found.std() < image().std()


def test_brightness_changes_by_no_more_than_it_may(untouched: pytest.MonkeyPatch) -> None:
    untouched.setattr(views, "COLOURED", 1.0)
    plain = np.full((SIDE, SIDE, 3), 100, np.uint8)  # no contrast and no saturation
    levels = [seen(plain, seed).mean() for seed in range(40)]
    assert 60 <= min(levels) < 75
    assert 125 < max(levels) <= 140


def test_parts_are_half_of_the_image_or_more(untouched: pytest.MonkeyPatch) -> None:
    untouched.setattr(views, "PART", (0.5, 1.0))
    untouched.setattr(views, "RATIO", (3 / 4, 4 / 3))
    ramp: npt.NDArray[np.uint8] = np.linspace(0, 235, SIDE).astype(np.uint8)
    across, down = np.meshgrid(ramp, ramp)
    picture = np.stack([across, down, across], axis=2)
    areas = []
    for seed in range(40):
        found = seen(picture, seed).astype(int)
        width, height = (found[SIDE // 2, -1, 0] - found[SIDE // 2, 0, 0], found[-1, 0, 1] - found[0, 0, 1])
        assert 0.7 < width / height < 1.42
        areas.append(width * height / 235**2)
    assert 0.45 < min(areas) < 0.65
    assert 0.85 < max(areas) <= 1
