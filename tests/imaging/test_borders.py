"""Borders of all kinds are found to the pixel, and nothing else is mistaken for a border."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lookalike.imaging import decode
from lookalike.imaging.borders import Box, inside
from lookalike.imaging.decode import Array, ImageSpec

INNER = (120, 90)  # width, height


@pytest.fixture
def picture() -> Image.Image:
    """A synthetic photograph: soft shapes in many colours, with details."""
    random = np.random.default_rng(3)
    coarse = Image.fromarray(random.integers(0, 256, (9, 12, 3), np.uint8)).resize(INNER, Image.Resampling.BICUBIC)
    fine = random.normal(0, 10, (INNER[1], INNER[0], 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8))


def framed(
    picture: Image.Image, left: int, top: int, right: int, bottom: int, colour: tuple[int, int, int] = (0, 0, 0)
) -> Image.Image:
    frame = Image.new("RGB", (picture.width + left + right, picture.height + top + bottom), colour)
    frame.paste(picture, (left, top))
    return frame


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def grey(picture: Image.Image) -> Array:
    return np.asarray(picture.convert("L"))


def whole(picture: Image.Image) -> Box:
    return Box(0, 0, picture.width, picture.height)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (30, 90, 160)])
@pytest.mark.parametrize("sides", [(20, 15, 20, 15), (0, 30, 0, 30), (25, 0, 25, 0), (0, 12, 0, 0), (7, 0, 40, 3)])
def test_a_border_is_found_to_the_pixel(
    picture: Image.Image, sides: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    left, top, _, _ = sides
    found = inside(grey(framed(picture, *sides, colour)))
    assert found == (left, top, left + INNER[0], top + INNER[1])


@pytest.mark.parametrize("tones", [lambda x: x * 0.4, lambda x: 90 + x * 0.3, lambda x: 255 - x])
def test_tones_mean_nothing(picture: Image.Image, tones: Callable[[Array], Array]) -> None:
    copy = np.asarray(tones(np.asarray(framed(picture, 20, 15, 20, 15).convert("L")))).astype(np.uint8)
    assert inside(copy) == (20, 15, 20 + INNER[0], 15 + INNER[1])


def test_a_border_in_a_border(picture: Image.Image) -> None:
    white = framed(picture, 6, 6, 6, 6, (255, 255, 255))
    assert inside(grey(framed(white, 0, 25, 0, 25))) == (6, 31, 6 + INNER[0], 31 + INNER[1])


@pytest.mark.parametrize("quality", [90, 50, 30])
def test_a_border_that_was_pressed_hard_is_found_to_some_pixels(picture: Image.Image, quality: int) -> None:
    found = inside(grey(jpeg(framed(picture, 40, 30, 40, 30), quality)))
    assert np.abs(np.subtract(found, (40, 30, 40 + INNER[0], 30 + INNER[1]))).max() <= 2


def test_a_picture_without_a_border_stays_whole(picture: Image.Image) -> None:
    assert inside(grey(picture)) == whole(picture)
    assert inside(grey(jpeg(picture, 30))) == whole(picture)


def test_what_stands_free_on_a_ground_has_no_border() -> None:
    picture = Image.new("RGB", (200, 150), (255, 255, 255))
    ImageDraw.Draw(picture).ellipse((60, 40, 140, 110), fill=(200, 30, 30))
    assert inside(grey(picture)) == whole(picture)


def test_what_a_sky_fades_into_is_not_a_border(picture: Image.Image) -> None:
    below = grey(framed(picture, 0, 60, 0, 0, (250, 250, 250)))
    share = np.clip((np.arange(150) - 60) / 60, 0, 1)[:, None]  # the image fades in gradually
    assert inside((share * below + (1 - share) * 250).astype(np.uint8)) == (0, 0, 120, 150)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (40, 60)])
def test_a_plain_image_is_left_whole(shape: tuple[int, ...]) -> None:
    assert inside(np.full(shape, 7, np.uint8)) == (0, 0, shape[1], shape[0])


def test_so_little_within_so_much_is_not_a_picture_in_a_border(picture: Image.Image) -> None:
    small = framed(picture.resize((8, 6)), 60, 50, 60, 50)
    assert inside(grey(small)) == whole(small)


def test_a_model_that_wants_it_sees_a_picture_as_if_it_had_no_border(picture: Image.Image) -> None:
    def seen(image: Image.Image, *, trim: bool) -> Array:
        file = io.BytesIO()
        image.save(file, "PNG")
        return decode.decode(file.getvalue(), ImageSpec(side=32, colour=True, trim=trim)).array

    border = framed(picture, 20, 15, 20, 15)
    assert (seen(border, trim=True) == seen(picture, trim=True)).all()
    assert (seen(picture, trim=True) == seen(picture, trim=False)).all()
    assert (seen(border, trim=False) != seen(picture, trim=False)).any()
