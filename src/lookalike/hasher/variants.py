"""Variants of a picture whose codes propose copies that its own code is too far from.

A code changes gradually when a picture is cropped, and abruptly when it is mirrored, turned or put among others. So
the variants of one picture are compared with the codes of others as they are: seen from farther away (the edges
mirrored outwards) it is like a picture that it was cropped from; its middle, and each part of half its size, are like
crops of it, and like pictures that it contains. The index does not grow.

Shapes: H, W pixels; V variants; S pixels a side of the model's array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.imaging import borders
from lookalike.imaging.spec import ImageSpec

Array = npt.NDArray[np.uint8]

FARTHER = (0.8, 0.62)  # share of each side that the picture takes
MIDDLES = (0.8, 0.62)  # share of each side that is left
TILTS = (20, -20)  # degrees
PARTS = (0.0, 0.25, 0.5)  # where parts of half the width and height begin


def variants(picture: Array, spec: ImageSpec, *, names: Iterable[str] | None = None) -> Array:
    """Variants of a picture, uint8 (H, W, 3), as a model takes them, (V, S, S[, 3]): all, or those named."""
    if spec.mode == "L":
        picture = np.asarray(Image.fromarray(picture).convert("L"))  # now, so that a third is moved about
    whole = fitted(picture, spec)
    return np.stack([
        TURNED[name](whole) if name in TURNED else fitted(PARTIAL[name](picture), spec)
        for name in (VARIANTS if names is None else names)
    ])  # fmt: skip


def fitted(picture: Array, spec: ImageSpec) -> Array:
    """A picture as a model takes it, (S, S[, 3])."""
    image = Image.fromarray(np.ascontiguousarray(picture)).convert(spec.mode)
    if spec.trim:
        image = image.crop(borders.inside(np.asarray(image.convert("L"))))
    return np.asarray(image.resize((spec.side, spec.side), Image.Resampling[spec.resampling.upper()]))


def _mirrored_and_turned(picture: Array, turns: int) -> Array:
    return np.rot90(np.fliplr(picture), k=-turns)


def _farther(picture: Array, share: float) -> Array:
    """The picture with its edges mirrored outwards, so that it takes a share of each side."""
    margins = [min(length - 1, round(length * (1 / share - 1) / 2)) for length in picture.shape[:2]]
    return np.pad(picture, [(margin, margin) for margin in margins] + [(0, 0)] * (picture.ndim - 2), mode="symmetric")


def _middle(picture: Array, share: float) -> Array:
    height, width = picture.shape[:2]
    return _cut(picture, (1 - share) / 2 * width, (1 - share) / 2 * height, share)


def _part(picture: Array, across: float, down: float) -> Array:
    height, width = picture.shape[:2]
    return _cut(picture, across * width, down * height, 0.5)


def _cut(picture: Array, left: float, top: float, share: float) -> Array:
    height, width = (max(1, round(length * share)) for length in picture.shape[:2])
    x, y = min(round(left), picture.shape[1] - width), min(round(top), picture.shape[0] - height)
    return picture[y : y + height, x : x + width]


def _tilted(picture: Array, degrees: float) -> Array:
    """The middle of the picture, tilted."""
    wide = Image.fromarray(_farther(picture, 0.62)).rotate(degrees, Image.Resampling.BILINEAR)
    return _middle(np.asarray(wide), 0.62)


TURNED: dict[str, Callable[[Array], Array]] = {  # of the square that a model takes
    "mirrored": np.fliplr,
    **{f"mirrored, turned {90 * turns}": partial(_mirrored_and_turned, turns=turns) for turns in (1, 2, 3)},
    **{f"turned {90 * turns}": partial(np.rot90, k=-turns) for turns in (1, 2, 3)},
}
PARTIAL: dict[str, Callable[[Array], Array]] = {
    **{f"farther {share:g}": partial(_farther, share=share) for share in FARTHER},
    **{f"middle {share:g}": partial(_middle, share=share) for share in MIDDLES},
    **{f"tilted {degrees}": partial(_tilted, degrees=degrees) for degrees in TILTS},
    **{f"part {x:g} {y:g}": partial(_part, across=x, down=y) for y in PARTS for x in PARTS},
}
VARIANTS = (*TURNED, *PARTIAL)
