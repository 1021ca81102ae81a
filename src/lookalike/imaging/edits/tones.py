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


def saved(picture: Picture, *, quality: float, codec: str = "JPEG", **options: int) -> Picture:
    """The picture after it was saved with a quality (JPEG: 1 to 95, WebP and AVIF: 0 to 100) and opened again."""
    file = io.BytesIO()
    picture.save(file, codec, quality=round(quality), **options)
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


def gamma(picture: Picture, *, power: float) -> Picture:
    """The picture with all values, in [0, 1], raised to a power: below 1 makes it lighter."""
    table = np.round(255 * (np.arange(256) / 255) ** power).astype(int).tolist()
    return picture.point(3 * table)


def contrast(picture: Picture, *, factor: float) -> Picture:
    """The picture with all values' distances from its mean grey multiplied by a factor, cut at black and white."""
    return ImageEnhance.Contrast(picture).enhance(factor)


def brighten(picture: Picture, *, factor: float) -> Picture:
    """The picture with all values multiplied by a factor, cut at white."""
    return ImageEnhance.Brightness(picture).enhance(factor)


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
    values = np.arange(256)
    tables = [np.clip(np.round(values * factor), 0, 255) for factor in (1 + share, 1.0, 1 - share)]
    return picture.point(np.concatenate(tables).astype(int).tolist())


def cool(picture: Picture, *, share: float) -> Picture:
    """The picture with less red and more blue, likewise."""
    return warm(picture, share=-share)
