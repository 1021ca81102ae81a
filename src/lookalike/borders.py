"""Borders around a picture: found, so that a picture and the same picture with a border are looked at alike.

Black bars above and below a film, a white frame, a ground that a program adds: lines of one colour up to a sharp edge.
What a picture fades into, or what stands free in it, is no border: where such a ground ends moves with every change.

Shapes: H, W pixels; C channels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint8]

ALIKE = 6.0  # of 255: by so much a line of a border may differ from its colour on average, as JPEG makes it
FAR = 24  # of 255: so far from it is what lies behind the edge
SHARP = 0.5  # of a line's pixels are far from the border's colour behind its edge
SAMPLED = 128  # pixels of a line are looked at, or up to twice as many
SOFT = 8  # lines that an edge may take: a block of JPEG
MOST = 0.45  # of a side, at either end
LEAST = 0.125  # of a side, that is left


class Box(NamedTuple):
    """Part of an image in pixels, as Pillow has it: right and bottom lie behind the last ones."""

    left: int
    top: int
    right: int
    bottom: int


def inside(pixels: Array) -> Box:
    """What is left of an image (H, W, C) or (H, W) without its borders, one inside the other; all if it has none."""
    image_HWC = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, _ = image_HWC.shape
    box = Box(0, 0, width, height)
    while (smaller := _without_one(image_HWC, box)) != box:
        if smaller.right - smaller.left < LEAST * width or smaller.bottom - smaller.top < LEAST * height:
            break
        box = smaller
    return box


def _without_one(image_HWC: Array, box: Box) -> Box:
    """The box without the outermost border above and below, then beside."""
    seen = image_HWC[box.top : box.bottom, box.left : box.right]
    top, bottom = _lines(seen), _lines(seen[::-1])
    seen = np.swapaxes(seen[top : len(seen) - bottom], 0, 1)
    left, right = _lines(seen), _lines(seen[::-1])
    return Box(box.left + left, box.top + top, box.right - right, box.bottom - bottom)


def _lines(image_HWC: Array) -> int:
    """How many of the first lines are a border."""
    height, width, _ = image_HWC.shape
    image_HWC = image_HWC[:, :: max(1, width // SAMPLED)]
    colour_C = np.median(image_HWC[0], axis=0).astype(np.int16)
    if _far(image_HWC[:1], colour_C).mean() > ALIKE:
        return 0
    far_HW = _far(image_HWC[: int(MOST * height) + 1], colour_C)
    sharp = np.flatnonzero((far_HW > FAR).mean(axis=1) >= SHARP)
    if not len(sharp):
        return 0
    edge = int(sharp[0])
    return edge if (far_HW[: max(1, edge - SOFT)].mean(axis=1) <= ALIKE).all() else 0


def _far(image_HWC: Array, colour_C: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """How far each pixel (H, W) is from a colour, in the channel where it is farthest."""
    far_HW: npt.NDArray[np.int16] = np.abs(image_HWC.astype(np.int16) - colour_C).max(axis=2)
    return far_HW
