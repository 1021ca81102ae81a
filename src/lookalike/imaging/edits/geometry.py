"""Copies of a picture whose frame is changed: cut, bordered, turned, mirrored, tilted, stretched.

Each function takes an RGB picture and gives an RGB picture, of the same size where nothing else is said.
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
    """The picture with both sides multiplied by a factor, at least one pixel each."""
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def crop(picture: Picture, *, share: float, across: float = 0.5, down: float = 0.5) -> Picture:
    """The part of a picture that keeps 1 − `share` of its width and of its height: the middle, unless told otherwise.

    `across` of what goes is taken at the left, and `down` of it at the top.
    """
    width, height = (max(1, round(side * (1 - share))) for side in picture.size)
    left, top = round((picture.width - width) * across), round((picture.height - height) * down)
    return picture.crop((left, top, left + width, top + height))


def crop_aside(picture: Picture, random: Random, *, share: float) -> Picture:
    """The part of a picture that keeps 1 − `share` of its width and of its height, anywhere in it."""
    return crop(picture, share=share, across=random.random(), down=random.random())


def border(picture: Picture, *, share: float, colour: tuple[int, int, int] = BLACK) -> Picture:
    """The picture with a border: a share of its width at left and right, of its height at top and bottom."""
    x, y = (round(side * share) for side in picture.size)
    return ImageOps.expand(picture, (x, y, x, y), colour)


def letterbox(picture: Picture, *, share: float) -> Picture:
    """The picture with a black bar above and one below it, each a share of its height."""
    bar = round(picture.height * share)
    return ImageOps.expand(picture, (0, bar, 0, bar), BLACK)


def rotate(picture: Picture, *, degrees: float) -> Picture:
    """The picture turned about its middle; the corners that become empty are black."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=BLACK)


def rotate_either(picture: Picture, random: Random, *, degrees: float) -> Picture:
    """The picture turned to the left or to the right."""
    return rotate(picture, degrees=degrees if random.integers(2) else -degrees)


def straighten(picture: Picture, random: Random, *, degrees: float) -> Picture:
    """The picture turned to either side, and of that the greatest middle part of its shape without empty corners."""
    width, height = picture.size
    sine, cosine = abs(math.sin(math.radians(degrees))), abs(math.cos(math.radians(degrees)))
    kept = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    edge = 2 / min(width, height)  # of half-empty pixels
    return crop(rotate_either(picture, random, degrees=degrees), share=1 - kept + edge)


def turn(picture: Picture, *, degrees: float) -> Picture:
    """The picture turned by 90, 180 or 270 degrees; width and height change places at 90 and 270."""
    return picture.transpose(TURNS[round(degrees)])


def tilt(picture: Picture, random: Random, *, share: float) -> Picture:
    """The picture in perspective: each corner comes from inside, by up to a share of width and height, at random."""
    width, height = picture.size
    corners_42 = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    inwards_42 = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * random.uniform(0.3, 1, (4, 2))
    source_42 = corners_42 + share * inwards_42 * (width, height)
    coefficients = _perspective(corners_42.tolist(), source_42.tolist())
    return picture.transform(picture.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)


def _perspective(here: list[list[float]], there: list[list[float]]) -> list[float]:
    """The eight numbers by which Pillow finds for a place of the copy its place in the picture."""
    rows, values = [], []
    for (x, y), (u, v) in zip(here, there, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()  # type: ignore[no-any-return]


def widen(picture: Picture, *, factor: float) -> Picture:
    """The picture with its width multiplied by a factor."""
    return picture.resize((max(1, round(picture.width * factor)), picture.height), Image.Resampling.BICUBIC)


def shift(picture: Picture, *, share: float) -> Picture:
    """The picture moved right and down by a share of width and height; what becomes empty is black."""
    moved = Image.new("RGB", picture.size, BLACK)
    moved.paste(picture, (round(picture.width * share), round(picture.height * share)))
    return moved
