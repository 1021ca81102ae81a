"""Views: random augmentations of an image, which training treats as similar.

Random crop, mirroring, colour jitter, greyscale, blur, as in CIBHash (Qiu et al., IJCAI 2021), which takes them from
SimCLR (Chen et al., ICML 2020).

Shapes: S pixels a side, C channels.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from lookalike.imaging.decode import Array

PART = (0.5, 1.0)  # minimum and maximum share of the area in a crop
RATIO = (3 / 4, 4 / 3)  # range of its aspect ratio
MIRRORED, COLOURED, GREY, BLURRED = 0.5, 0.7, 0.2, 0.5  # probabilities
STRENGTH = 0.4  # brightness, contrast and saturation are multiplied by up to 1 ± this


def view(image_SSC: Array, random: np.random.Generator) -> Array:
    """A random view of a uint8 image (S, S, C) or (S, S), of the same size."""
    image = _part(Image.fromarray(image_SSC), random)
    if random.random() < MIRRORED:
        image = ImageOps.mirror(image)
    if random.random() < COLOURED:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            image = enhance(image).enhance(random.uniform(1 - STRENGTH, 1 + STRENGTH))
    if random.random() < GREY:
        image = ImageOps.grayscale(image).convert(image.mode)
    if random.random() < BLURRED:
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0) * image.width / 224))
    return np.asarray(image, np.uint8)


def _part(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A random crop of an image, scaled to the image's size."""
    side = image.width
    area, ratio = random.uniform(*PART) * side**2, np.exp(random.uniform(*np.log(RATIO)))
    width, height = min(side, np.sqrt(area * ratio)), min(side, np.sqrt(area / ratio))
    left, top = random.uniform(0, side - width), random.uniform(0, side - height)
    return image.resize(image.size, Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
