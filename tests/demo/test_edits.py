"""Each edit does what its name says, and the same under the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike.demo import edits
from lookalike.demo.edits import EDITS
from lookalike.imaging.edits import geometry, overlays, tones

SIZES = [(1, 1), (3, 200), (200, 3), (120, 90)]


@pytest.fixture
def photo(pictures: list[Image.Image]) -> Image.Image:
    return pictures[0].resize((120, 90))


def values(picture: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.asarray(picture, np.float64)


@pytest.mark.parametrize("name", EDITS)
def test_same_seed_same_copy_and_the_picture_stays(photo: Image.Image, name: str) -> None:
    before = photo.tobytes()
    one, two = (EDITS[name].apply(photo, np.random.default_rng((5, 1))) for _ in range(2))
    assert (one.mode, one.size, one.tobytes()) == ("RGB", two.size, two.tobytes())
    assert photo.tobytes() == before != one.tobytes()


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("size", SIZES)
def test_any_size_can_be_edited(photo: Image.Image, name: str, size: tuple[int, int]) -> None:
    copy = EDITS[name].apply(photo.resize(size), np.random.default_rng(0))
    assert min(copy.size) >= 1


@pytest.mark.parametrize("name", ["jpeg", "grey", "blur", "brightness", "watermark", "rotation"])
def test_size_stays(photo: Image.Image, name: str) -> None:
    assert EDITS[name].apply(photo, np.random.default_rng(0)).size == photo.size


def test_recompress_keeps_less_at_less_quality(photo: Image.Image) -> None:
    errors = [np.abs(values(tones.recompress(photo, quality=q)) - values(photo)).mean() for q in (90, 20)]
    assert 0 < errors[0] < errors[1]


def test_resize_and_crop_give_the_sizes_they_say(photo: Image.Image) -> None:
    random = np.random.default_rng(0)
    assert EDITS["resize"].apply(photo, random).size == (40, 30)
    cropped = EDITS["crop"].apply(photo, random)
    assert cropped.size == (96, 72)
    assert cropped.tobytes() == photo.crop((12, 9, 108, 81)).tobytes()


def test_grey_has_equal_channels(photo: Image.Image) -> None:
    pixels = values(tones.grey(photo))
    assert (pixels == pixels[..., :1]).all()


def test_blur_and_brightness(photo: Image.Image) -> None:
    assert values(tones.blur(photo, share=0.05)).std() < values(photo).std()
    flat = Image.new("RGB", (8, 8), (100, 50, 250))
    assert tones.brighten(flat, factor=1.3).getpixel((0, 0)) == (130, 65, 255)


def test_watermark_writes_over_a_part_of_the_picture() -> None:
    black = Image.new("RGB", (200, 150))
    marked = values(overlays.watermark(black, np.random.default_rng(0))).max(axis=-1)
    rows, columns = np.nonzero(marked)
    assert 0.02 < (marked > 0).mean() < 0.3
    assert np.ptp(columns) > 100
    assert np.ptp(rows) < 30
    assert marked.max() == 150


@pytest.mark.parametrize("seed", range(4))
def test_rotation_turns_five_degrees_either_way_with_black_corners(seed: int) -> None:
    white = Image.new("RGB", (100, 100), "white")
    turned = EDITS["rotation"].apply(white, np.random.default_rng(seed))
    corners = [turned.getpixel((x, y)) for x in (0, 99) for y in (0, 99)]
    assert corners == [(0, 0, 0)] * 4
    assert turned.getpixel((50, 50)) == (255, 255, 255)
    angles = [geometry.rotate(white, degrees=degrees).tobytes() for degrees in (-5, 5)]
    assert turned.tobytes() in angles


def test_rotation_goes_both_ways(photo: Image.Image) -> None:
    copies = {EDITS["rotation"].apply(photo, np.random.default_rng(seed)).tobytes() for seed in range(12)}
    assert copies == {geometry.rotate(photo, degrees=degrees).tobytes() for degrees in (-5, 5)}


@pytest.mark.parametrize("size", SIZES)
def test_variants_are_seeded_and_differ(photo: Image.Image, size: tuple[int, int]) -> None:
    small = photo.resize(size)
    variants = [edits.vary(small, np.random.default_rng(seed)) for seed in (*range(8), 0)]
    assert variants[0].tobytes() == variants[-1].tobytes()
    assert {variant.mode for variant in variants} == {"RGB"}
    if min(size) > 10:
        assert len({variant.tobytes() for variant in variants}) > 5
