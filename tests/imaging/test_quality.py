"""Detection of low-information images, on synthetic images and photographs.

Shapes: S = 128 pixels a side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from lookalike.imaging import decode
from lookalike.imaging.decode import ImageSpec
from lookalike.imaging.quality import LOW_INFORMATION, quality

Array = npt.NDArray[np.uint8]
S = 128


def slow(array: Array) -> int:
    """The formula, in plain Python."""
    grey = Image.fromarray(array).convert("L").resize((64, 64), Image.Resampling.BOX)
    total = 0
    for y in range(64):
        for x in range(64):
            here = grey.getpixel((x, y))
            assert isinstance(here, int)
            for there in ((x + 1, y), (x, y + 1)):
                if max(there) < 64:
                    value = grey.getpixel(there)
                    assert isinstance(value, int)
                    total += abs(value - here) * 100 // 255
    return min(100, total // 90)


def ramp(low: int, high: int) -> Array:
    return np.tile(np.linspace(low, high, S).astype(np.uint8), (S, 1))


def page() -> Array:
    picture = Image.new("L", (S, S), 255)
    draw = ImageDraw.Draw(picture)
    for line in range(8, S - 8, 12):
        draw.text((8, line), "as it was said before", fill=0)
    return np.asarray(picture)


def noise(spread: int) -> Array:
    return np.random.default_rng(0).integers(128 - spread, 129 + spread, (S, S)).astype(np.uint8)


PLAIN_ONES = {
    "black": np.zeros((S, S), np.uint8),
    "white": np.full((S, S), 255, np.uint8),
    "one colour": np.tile(np.array([200, 30, 90], np.uint8), (S, S, 1)),
    "weak gradient": ramp(60, 180),
    "weak noise": noise(2),
}
OTHERS = {"page of text": page(), "noise": noise(100), "gradient from black to white": ramp(0, 255)}


@pytest.mark.parametrize("name", PLAIN_ONES)
def test_plain_images_are_reported(name: str) -> None:
    assert quality(PLAIN_ONES[name]) == slow(PLAIN_ONES[name]) < LOW_INFORMATION


@pytest.mark.parametrize("name", OTHERS)
def test_images_with_something_in_them_are_not_plain(name: str) -> None:
    assert quality(OTHERS[name]) == slow(OTHERS[name]) >= LOW_INFORMATION


def test_no_photograph_is_plain(pictures: list[Image.Image], photo_bytes: list[bytes]) -> None:
    assert min(quality(np.asarray(picture.resize((S, S)))) for picture in pictures) >= LOW_INFORMATION
    for colour in (False, True):
        spec = ImageSpec(side=S, colour=colour)
        found = [decode.decode(data, spec) for data in photo_bytes]
        assert min(quality(one.array, width=one.width, height=one.height) for one in found) >= LOW_INFORMATION


def test_the_formula_on_photographs(tiny_images: npt.NDArray[np.uint8]) -> None:
    for array in tiny_images[:100]:
        assert quality(array) == slow(array)
    assert sum(quality(array) < LOW_INFORMATION for array in tiny_images) == 0


@pytest.mark.parametrize(("width", "height", "expected"), [(15, 400, 0), (400, 1, 0), (16, 16, 100), (None, None, 100)])
def test_tiny_images_are_plain_whatever_is_in_them(width: int | None, height: int | None, expected: int) -> None:
    assert quality(noise(100), width=width, height=height) == expected


@pytest.mark.parametrize("side", [8, 50, 64, 96, 224])
def test_any_side_will_do(side: int) -> None:
    board = np.kron(np.indices((4, 4)).sum(0) % 2, np.ones((side // 2, side // 2), int)).astype(np.uint8)[:side, :side]
    assert quality(np.ascontiguousarray(board * 255)) > LOW_INFORMATION
    assert quality(np.zeros((side, side, 3), np.uint8)) == 0
