"""Edits that change a picture's frame: crop, border, rotation, mirroring, perspective, stretching.

Each function takes and returns an RGB picture, of the same size unless stated otherwise.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageOps

Picture = Image.Image
Random = np.random.Generator

BLACK = (0, 0, 0)
TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


def scale(picture: Picture, *, factor: float) -> Picture:
    """The picture scaled by a factor, at least one pixel a side."""
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def crop(picture: Picture, *, share: float, across: float = 0.5, down: float = 0.5) -> Picture:
    """A crop that keeps 1 − `share` of the width and of the height.

    `across` and `down` are the parts of the cut made at the left and at the top: 0.5 and 0.5 keep the middle.
    """
    width, height = (max(1, round(side * (1 - share))) for side in picture.size)
    left, top = round((picture.width - width) * across), round((picture.height - height) * down)
    return picture.crop((left, top, left + width, top + height))


def crop_aside(picture: Picture, random: Random, *, share: float) -> Picture:
    """A crop at a random position that keeps 1 − `share` of the width and of the height."""
    return crop(picture, share=share, across=random.random(), down=random.random())


def border(picture: Picture, *, share: float, colour: tuple[int, int, int] = BLACK) -> Picture:
    """The picture with a border of a share of its width left and right, and of its height above and below."""
    x, y = (round(side * share) for side in picture.size)
    return ImageOps.expand(picture, (x, y, x, y), colour)


def letterbox(picture: Picture, *, share: float) -> Picture:
    """The picture with black bars above and below, each a share of its height."""
    bar = round(picture.height * share)
    return ImageOps.expand(picture, (0, bar, 0, bar), BLACK)


def _rotate(picture: Picture, *, degrees: float) -> Picture:
    """The picture rotated about its centre, with black corners."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=BLACK)


def rotate_either(picture: Picture, random: Random, *, degrees: float) -> Picture:
    """The picture rotated to the left or right at random."""
    return _rotate(picture, degrees=degrees if random.integers(2) else -degrees)


def straighten(picture: Picture, random: Random, *, degrees: float) -> Picture:
    """The picture rotated to either side, cropped to the largest centred rectangle without empty corners."""
    width, height = picture.size
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    kept = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    edge = 2 / min(width, height)  # leaves out half-empty pixels
    return crop(rotate_either(picture, random, degrees=degrees), share=1 - kept + edge)


def turn(picture: Picture, *, degrees: float) -> Picture:
    """The picture rotated by 90, 180 or 270 degrees; 90 and 270 swap width and height."""
    return picture.transpose(TURNS[round(degrees)])


def tilt(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture in random perspective: each corner moves inwards by up to a share of width and height."""
    width, height = picture.size
    corners_42 = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    inwards_42 = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * random.uniform(0.3, 1, (4, 2))
    source_42 = corners_42 + share * inwards_42 * (width, height)
    coefficients = _perspective(corners_42.tolist(), source_42.tolist())
    return picture.transform(picture.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)


def _perspective(here: list[list[float]], there: list[list[float]]) -> list[float]:
    """Pillow's eight coefficients of the perspective that maps positions in the copy to the picture."""
    rows, values = [], []
    for (x, y), (u, v) in zip(here, there, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()  # type: ignore[no-any-return]


def widen(picture: Picture, *, factor: float) -> Picture:
    """The picture with its width scaled by a factor."""
    return picture.resize((max(1, round(picture.width * factor)), picture.height), Image.Resampling.BICUBIC)


def shift(picture: Picture, *, share: float) -> Picture:
    """The picture shifted right and down by a share of its size; the uncovered area is black."""
    moved = Image.new("RGB", picture.size, BLACK)
    moved.paste(picture, (round(picture.width * share), round(picture.height * share)))
    return moved
