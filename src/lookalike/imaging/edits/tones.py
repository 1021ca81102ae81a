"""Copies of a picture whose values are changed and whose frame stays: codecs, reduction, blur, noise, light, colour.

Each function takes an RGB picture and gives an RGB picture of the same size, and changes nothing else.
Shapes: H, W pixels high and wide.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Picture = Image.Image
Random = np.random.Generator


def unchanged(picture: Picture) -> Picture:
    """The picture as it is."""
    return picture.copy()


def recompress(picture: Picture, *, quality: float) -> Picture:
    """The picture after it was saved as JPEG of a quality (1 to 95) and opened again."""
    return _through(picture, "JPEG", quality=round(quality))


def as_webp(picture: Picture, *, quality: float) -> Picture:
    """The picture after it was saved as lossy WebP of a quality (0 to 100) and opened again."""
    return _through(picture, "WEBP", quality=round(quality))


def as_avif(picture: Picture, *, quality: float) -> Picture:
    """The picture after it was saved as AVIF of a quality (0 to 100) and opened again."""
    return _through(picture, "AVIF", quality=round(quality), speed=8, max_threads=1)


def _through(picture: Picture, codec: str, **options: int) -> Picture:
    file = io.BytesIO()
    picture.save(file, codec, **options)
    return Image.open(file).convert("RGB")


def reduce(picture: Picture, *, factor: float) -> Picture:
    """The picture after both sides were multiplied by a factor below 1, and stretched back."""
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.BICUBIC)


def blur(picture: Picture, *, share: float) -> Picture:
    """The picture blurred by a Gaussian whose standard deviation is a share of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(share * min(picture.size)))


def noise(picture: Picture, random: Random, *, deviation: float) -> Picture:
    """The picture with Gaussian noise of a standard deviation, in values of 255, on each pixel and channel."""
    values_HW3 = np.asarray(picture, np.float32)
    noisy_HW3 = values_HW3 + deviation * random.standard_normal(values_HW3.shape, np.float32)
    return Image.fromarray(np.clip(np.round(noisy_HW3), 0, 255).astype(np.uint8))


def brighten(picture: Picture, *, factor: float) -> Picture:
    """The picture with all values multiplied by a factor, cut at white."""
    return ImageEnhance.Brightness(picture).enhance(factor)


def contrast(picture: Picture, *, factor: float) -> Picture:
    """The picture with all values' distances from its mean grey multiplied by a factor, cut at black and white."""
    return ImageEnhance.Contrast(picture).enhance(factor)


def gamma(picture: Picture, *, power: float) -> Picture:
    """The picture with all values, in [0, 1], raised to a power: below 1 makes it lighter."""
    table = np.round(255 * (np.arange(256) / 255) ** power).astype(int).tolist()
    return picture.point(3 * table)


def saturate(picture: Picture, *, factor: float) -> Picture:
    """The picture with its colours' distances from grey multiplied by a factor."""
    return ImageEnhance.Color(picture).enhance(factor)


def grey(picture: Picture) -> Picture:
    """The picture without its colours."""
    return picture.convert("L").convert("RGB")


def sharpen(picture: Picture, *, factor: float) -> Picture:
    """The picture with what a small blur takes from it multiplied by a factor; 1 leaves it as it is."""
    return ImageEnhance.Sharpness(picture).enhance(factor)


def posterise(picture: Picture, *, bits: float) -> Picture:
    """The picture with only the first so many of the 8 bits of each value."""
    return ImageOps.posterize(picture, round(bits))


def warm(picture: Picture, *, share: float) -> Picture:
    """The picture with red multiplied by 1 + share and blue by 1 − share, cut at white."""
    return _tinted(picture, 1 + share, 1 - share)


def cool(picture: Picture, *, share: float) -> Picture:
    """The picture with red multiplied by 1 − share and blue by 1 + share, cut at white."""
    return _tinted(picture, 1 - share, 1 + share)


def _tinted(picture: Picture, red: float, blue: float) -> Picture:
    values = np.arange(256)
    tables = [np.clip(np.round(values * factor), 0, 255).astype(int).tolist() for factor in (red, 1.0, blue)]
    return picture.point([value for table in tables for value in table])
