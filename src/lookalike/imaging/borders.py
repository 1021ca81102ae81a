"""Borders around a picture: found, so that a picture and the same picture with a border are looked at alike.

Black bars above and below a film, a white frame, a ground that a program adds: lines of one colour up to a sharp edge.
What a picture fades into, or what stands free in it, is no border: where such a ground ends moves with every change.
So that a darker or flatter copy loses the same lines as its picture, colours are compared in units of the deviation of
all pixels.

Images are in grey, so that a model sees the same part of a picture whether it takes colours or not.

Shapes: H, W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint8]

ALIKE, LEAST_ALIKE = 0.05, 1.5  # deviations, and shades: so far from its colour a line of a border may be, on average
BLURRED = 0.12  # deviations: and so far its last lines, into which JPEG carries what lies behind
FAR, LEAST_FAR = 0.15, 6.0  # as above: so far from its colour is what lies behind the edge
STEP = 1.2  # of that: by so much lines are farther behind the edge than before it, on average
SHARP = 0.5  # of a line's pixels are far from the border's colour behind its edge
SAMPLED = 128  # pixels of a line are looked at, or up to twice as many
BLOCK = 8  # lines of a block of JPEG
EDGE = 2  # lines that an edge may take
MOST = 0.45  # of a side, at either end
LEAST = 0.125  # of a side, that is left


class _Limits(NamedTuple):
    """In shades of 255."""

    alike: float
    blurred: float
    far: float


class Box(NamedTuple):
    """Part of an image in pixels, as Pillow has it: right and bottom lie behind the last ones."""

    left: int
    top: int
    right: int
    bottom: int


def inside(image_HW: Array) -> Box:
    """What is left of an image (H, W) without its borders, one inside the other; all if it has none."""
    height, width = image_HW.shape
    box, limits = Box(0, 0, width, height), _limits(image_HW)
    while (smaller := _without_one(image_HW, box, limits)) != box:
        if smaller.right - smaller.left < LEAST * width or smaller.bottom - smaller.top < LEAST * height:
            break
        box = smaller
    return box


def _limits(image_HW: Array) -> _Limits:
    height, width = image_HW.shape
    deviation = float(image_HW[:: max(1, height // SAMPLED), :: max(1, width // SAMPLED)].std())
    alike = max(LEAST_ALIKE, ALIKE * deviation)
    return _Limits(alike, max(alike, BLURRED * deviation), max(LEAST_FAR, FAR * deviation))


def _without_one(image_HW: Array, box: Box, limits: _Limits) -> Box:
    """The box without the outermost border above and below, then beside."""
    seen = image_HW[box.top : box.bottom, box.left : box.right]
    top, bottom = _lines(seen, limits), _lines(seen[::-1], limits)
    seen = seen[top : len(seen) - bottom].T
    left, right = _lines(seen, limits), _lines(seen[::-1], limits)
    return Box(box.left + left, box.top + top, box.right - right, box.bottom - bottom)


def _lines(image_HW: Array, limits: _Limits) -> int:
    """How many of the first lines are a border."""
    height, width = image_HW.shape
    image_HW = image_HW[:, :: max(1, width // SAMPLED)]
    colour = round(float(np.median(image_HW[0])))
    if _far(image_HW[:1], colour).mean() > limits.alike:
        return 0
    far_HW = _far(image_HW[: int(MOST * height) + 1], colour)
    sharp = np.flatnonzero((far_HW > limits.far).mean(axis=1) >= SHARP)
    if not len(sharp):
        return 0
    edge, mean_H = int(sharp[0]), far_HW.mean(axis=1)
    is_even = (mean_H[: max(1, edge - BLOCK)] <= limits.alike).all()
    fades = (mean_H[: max(1, edge - EDGE)] > limits.blurred).any()
    step = mean_H[min(edge + 1, len(mean_H) - 1)] - mean_H[max(0, edge - EDGE - 1)]
    return edge if is_even and not fades and step >= STEP * limits.far else 0


def _far(image_HW: Array, colour: int) -> npt.NDArray[np.int16]:
    """How far each pixel (H, W) is from a colour."""
    far_HW: npt.NDArray[np.int16] = np.abs(image_HW.astype(np.int16) - np.int16(colour))
    return far_HW
