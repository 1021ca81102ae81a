"""Manipulated copies of a photograph: what happens to pictures that are passed on.

Each function takes an RGB picture and gives an RGB picture, and changes nothing else. What is drawn at random comes
from the generator that is handed in, so the same seed gives the same copy.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Random = np.random.Generator
Picture = Image.Image

WATERMARK = "© lookalike demo"
BLACK = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Edit:
    """A manipulation and what it is called for people."""

    words: str
    apply: Callable[[Picture, Random], Picture]


def recompress(picture: Picture, *, quality: int) -> Picture:
    """The picture after it was saved as JPEG of a quality (1 to 95) and opened again."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def scale(picture: Picture, *, factor: float) -> Picture:
    """The picture with both sides multiplied by a factor, at least one pixel each."""
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def trim(picture: Picture, *, share: float) -> Picture:
    """The picture without a share of its width at the left and right, and of its height at the top and bottom."""
    x, y = (min(round(side * share), (side - 1) // 2) for side in picture.size)
    return picture.crop((x, y, picture.width - x, picture.height - y))


def grey(picture: Picture) -> Picture:
    """The picture without its colours."""
    return picture.convert("L").convert("RGB")


def blur(picture: Picture, *, share: float) -> Picture:
    """The picture blurred by a Gaussian whose standard deviation is a share of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(share * min(picture.size)))


def brighten(picture: Picture, *, factor: float) -> Picture:
    """The picture with all values multiplied by a factor, cut at white."""
    return ImageEnhance.Brightness(picture).enhance(factor)


def watermark(picture: Picture, random: Random) -> Picture:
    """The picture with a line of text over it, three quarters as wide, half transparent, at a random height."""
    width, height = picture.size
    font = ImageFont.load_default(max(4.0, 0.09 * width))
    layer = Image.new("L", picture.size, 0)
    y = height * random.uniform(0.3, 0.7)
    ImageDraw.Draw(layer).text((width / 2, y), WATERMARK, fill=150, font=font, anchor="mm")
    return Image.composite(Image.new("RGB", picture.size, "white"), picture, layer)


def rotate(picture: Picture, *, degrees: float) -> Picture:
    """The picture turned about its middle, of the same size; the corners that become empty are black."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=BLACK)


EDITS: dict[str, Edit] = {
    "jpeg": Edit("JPEG of quality 20", lambda picture, _: recompress(picture, quality=20)),
    "resize": Edit("reduced to a third of each side", lambda picture, _: scale(picture, factor=1 / 3)),
    "crop": Edit("10 % cut off at each side", lambda picture, _: trim(picture, share=0.1)),
    "grey": Edit("grey", lambda picture, _: grey(picture)),
    "blur": Edit("blurred by 1 % of the shorter side", lambda picture, _: blur(picture, share=0.01)),
    "brightness": Edit("30 % brighter", lambda picture, _: brighten(picture, factor=1.3)),
    "watermark": Edit("text over the picture", watermark),
    "rotation": Edit(
        "turned by 5°, corners black", lambda picture, random: rotate(picture, degrees=float(random.choice([-5, 5])))
    ),
}


def vary(picture: Picture, random: Random) -> Picture:
    """The picture after several manipulations of random strength, none of them a copy that is searched with."""
    if random.random() < 0.5:
        picture = rotate(picture, degrees=random.uniform(-8, 8))
    if random.random() < 0.5:
        picture = trim(picture, share=random.uniform(0.02, 0.15))
    if random.random() < 0.5:
        picture = brighten(picture, factor=random.uniform(0.6, 1.5))
    if random.random() < 0.25:
        picture = blur(picture, share=random.uniform(0.003, 0.015))
    return watermark(picture, random) if random.random() < 0.25 else picture
