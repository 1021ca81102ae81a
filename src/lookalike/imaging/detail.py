"""Measures on one image's pixels that tell an original from its copies.

How much of its size is true detail, whether its colours are more than a tint, whether it shows JPEG blocks, and how
coarsely a JPEG is quantised. All are pure functions of pixels or tables.

Shapes: H, W pixels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]

TILE, TILES = 256, 3  # pixels a side, and tiles a side: the parts of a large image in which detail is measured
STEP = 2**0.5  # reduction from band to band
BANDS = 6
LEAST_SIDE = 24  # smallest side that is reduced further, pixels
EMPTY = 0.55  # a band with less than this share of the next band's deviation, or
EMPTY_OF_NEXT_BUT_ONE = 0.45  # of the one after that, holds nothing but traces of enlarging
HARDLY, ROUNDED = 0.55, 0.25  # share of the other's finest band; rounding of the number of bands
GRAIN = 1.4  # times the next band: a finest band with more is grain, and still finer bands would have even more
BLOCK = 8  # pixels of a block of JPEG
SAMPLE = 384  # pixels a side of the centre that is compared block by block
CLIPPED = 4.0  # shades: larger steps between pixels are clipped, so that edges in the picture do not dominate
SURE = 3.0  # standard errors by which steps between blocks must exceed those within

_STANDARD = (  # luminance at quality 50, row by row (ITU-T T.81, table K.1)
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29,
    51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120,
    101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


def bands(image: Image.Image) -> tuple[float, ...]:
    """Detail in bands of half an octave, finest first: standard deviations in shades.

    A band is what is lost when the image is reduced by one step.
    """
    tiles = _tiles(image)
    found = [_bands(tile.convert("L").convert("F")) for tile in tiles]
    return tuple(float(np.sqrt(np.mean(np.square(band)))) for band in zip(*found, strict=False))


def sharpness(bands: Sequence[float]) -> float:
    """Share of an image's side that is true detail, 0 to 1: an image enlarged to twice its size has 1/2.

    Natural pictures have similar detail in each band; in enlarged ones the finest bands are nearly empty.
    """
    empty = 0
    for band in range(len(bands) - 2):
        following, after = bands[band + 1 : band + 3]
        if bands[band] < EMPTY * following or bands[band] < EMPTY_OF_NEXT_BUT_ONE * after:
            empty = band + 1
    return float(STEP**-empty)


def has_no_more(larger: Sequence[float], smaller: Sequence[float], scale: float) -> bool:
    """Whether a picture has hardly any detail that a copy, smaller by the factor `scale`, lacks.

    Only the bands too fine for the smaller copy are examined.
    """
    beyond = larger[: max(1, int(2 * math.log2(scale) + ROUNDED))]
    if not smaller or not beyond:
        return False
    rise = smaller[0] / max(smaller[1], 1e-6) if len(smaller) > 1 else 1.0
    return max(beyond) < HARDLY * smaller[0] * (rise if rise > GRAIN else 1.0)


def _tiles(image: Image.Image) -> list[Image.Image]:
    """The image, or tiles from all over a large one."""
    if max(image.size) <= TILE * TILES:
        return [image]
    corners = [
        [round((at + 0.5) * length / TILES - TILE / 2) for at in range(TILES)] if length > TILE else [0]
        for length in image.size
    ]
    wide, high = (min(TILE, length) for length in image.size)
    return [image.crop((left, top, left + wide, top + high)) for top in corners[1] for left in corners[0]]


def _bands(image: Image.Image) -> list[float]:
    found: list[float] = []
    while len(found) < BANDS and min(image.size) >= LEAST_SIDE:
        smaller = image.resize(
            (round(image.width / STEP), round(image.height / STEP)), Image.Resampling.LANCZOS, reducing_gap=3.0
        )
        lost_HW = np.asarray(image) - np.asarray(smaller.resize(image.size, Image.Resampling.BICUBIC))
        found.append(float(np.sqrt(np.mean(np.square(lost_HW[2:-2, 2:-2])))))
        image = smaller
    return found


def colourfulness(rgb_HW3: npt.NDArray[np.uint8]) -> float:
    """Standard deviation of the colour differences that brightness does not predict, in shades.

    It is near 0 for grey images and single tints such as sepia; JPEG compression adds little to it.
    """
    values = rgb_HW3.reshape(-1, 3).astype(np.float64)
    light = values @ (0.299, 0.587, 0.114)
    powers = np.stack([np.ones_like(light), light / 255, (light / 255) ** 2, (light / 255) ** 3], axis=1)
    colour = np.stack([values[:, 2] - light, values[:, 0] - light], axis=1) * (0.564, 0.713)
    foretold, *_ = np.linalg.lstsq(powers, colour, rcond=None)
    return float(np.sqrt(np.mean(np.square(colour - powers @ foretold))))


def has_jpeg_blocks(image: Image.Image) -> bool:
    """Whether an image shows the edges of 8×8 blocks, a trace of earlier JPEG compression."""
    light = np.asarray(image.crop(_box(image.width, image.height, SAMPLE, BLOCK)).convert("L"), np.float32)
    if min(light.shape) < 4 * BLOCK:
        return False
    errors = [_steps_between_blocks(light), _steps_between_blocks(light.T)]
    return bool(sum(errors) / len(errors) ** 0.5 > SURE)


def _steps_between_blocks(light_HW: Floats) -> float:
    """By how many standard errors steps between columns are larger at block edges than elsewhere."""
    steps = np.abs(np.diff(light_HW, axis=1))
    excess = np.clip(steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2, -CLIPPED, CLIPPED).mean(axis=0)
    meet = (np.arange(len(excess)) + 2) % BLOCK == 0
    error = np.sqrt(excess[meet].var() / meet.sum() + excess[~meet].var() / (~meet).sum())
    return float((excess[meet].mean() - excess[~meet].mean()) / max(error, 1e-6))


def sample_box(width: int, height: int) -> tuple[int, int, int, int]:
    """The centre of an image that is compared block by block, aligned to JPEG blocks."""
    return _box(width, height, SAMPLE, 2 * BLOCK)


def is_standard(table: Sequence[int]) -> bool:
    """Whether a JPEG's luminance table is the standard one at some quality, as most programs write it."""
    return tuple(table) in _standard_tables()


@functools.cache
def _standard_tables() -> frozenset[tuple[int, ...]]:
    scales = [5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)]
    return frozenset(tuple(min(max((value * scale + 50) // 100, 1), 255) for value in _STANDARD) for scale in scales)


def coarseness(table: Sequence[int]) -> float:
    """Mean quantisation step of a JPEG's 15 lowest luminance frequencies; 1 is the finest possible."""
    low = [row * BLOCK + column for row in range(5) for column in range(5 - row)]
    return sum(table[at] for at in low) / len(low) if len(table) == BLOCK * BLOCK else 1.0


def _box(width: int, height: int, side: int, unit: int) -> tuple[int, int, int, int]:
    """The centre of an image, at most `side` pixels a side, with corner and sides in multiples of `unit`."""
    wide, high = (min(side, length) // unit * unit or length for length in (width, height))
    left, top = (width - wide) // 2 // unit * unit, (height - high) // 2 // unit * unit
    return left, top, left + wide, top + high
