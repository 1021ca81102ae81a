"""Edits that change a picture's values but not its frame: codecs, reduction, blur, noise, light, colour.

Each function takes and returns an RGB picture of the same size.
Shapes: H, W pixels high and wide.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Picture = Image.Image
Random = np.random.Generator


def saved(picture: Picture, *, quality: float, codec: str = "JPEG", **options: int) -> Picture:
    """The picture saved at a quality (JPEG: 1 to 95, WebP and AVIF: 0 to 100) and decoded again."""
    file = io.BytesIO()
    picture.save(file, codec, quality=round(quality), **options)
    return Image.open(file).convert("RGB")


def reduce(picture: Picture, *, factor: float) -> Picture:
    """The picture reduced by a factor below 1 and enlarged again."""
    width, height = (max(1, round(side * factor)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS).resize(picture.size, Image.Resampling.BICUBIC)


def blur(picture: Picture, *, share: float) -> Picture:
    """The picture after a Gaussian blur; the standard deviation is a share of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(share * min(picture.size)))


def noise(picture: Picture, random: Random, *, deviation: float) -> Picture:
    """The picture with Gaussian noise on each channel; the standard deviation is in shades of 255."""
    values_HW3 = np.asarray(picture, np.float32)
    noisy_HW3 = values_HW3 + deviation * random.standard_normal(values_HW3.shape, np.float32)
    return Image.fromarray(np.clip(np.round(noisy_HW3), 0, 255).astype(np.uint8))


def gamma(picture: Picture, *, power: float) -> Picture:
    """The picture with its values, in [0, 1], raised to a power: below 1 is brighter."""
    table = np.round(255 * (np.arange(256) / 255) ** power).astype(int).tolist()
    return picture.point(3 * table)


def contrast(picture: Picture, *, factor: float) -> Picture:
    """The picture with the distance of each value from the mean grey scaled by a factor, clipped."""
    return ImageEnhance.Contrast(picture).enhance(factor)


def brighten(picture: Picture, *, factor: float) -> Picture:
    """The picture with all values scaled by a factor, clipped at white."""
    return ImageEnhance.Brightness(picture).enhance(factor)


def saturate(picture: Picture, *, factor: float) -> Picture:
    """The picture with each colour's distance from grey scaled by a factor."""
    return ImageEnhance.Color(picture).enhance(factor)


def grey(picture: Picture) -> Picture:
    """The picture in grey."""
    return picture.convert("L").convert("RGB")


def sharpen(picture: Picture, *, factor: float) -> Picture:
    """The picture sharpened: its difference from a slight blur is scaled by `factor`; 1 changes nothing."""
    return ImageEnhance.Sharpness(picture).enhance(factor)


def posterise(picture: Picture, *, bits: float) -> Picture:
    """The picture with only the highest `bits` bits of each value."""
    return ImageOps.posterize(picture, round(bits))


def warm(picture: Picture, *, share: float) -> Picture:
    """The picture with red scaled by 1 + share and blue by 1 − share, clipped at white."""
    values = np.arange(256)
    tables = [np.clip(np.round(values * factor), 0, 255) for factor in (1 + share, 1.0, 1 - share)]
    return picture.point(np.concatenate(tables).astype(int).tolist())


def cool(picture: Picture, *, share: float) -> Picture:
    """The picture with red scaled by 1 − share and blue by 1 + share, clipped at white."""
    return warm(picture, share=-share)
