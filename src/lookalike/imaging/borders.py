"""Border detection, so that a picture and its bordered copy get the same code.

Black bars above and below a film, a white frame, padding added by a program: lines of one colour up to a sharp edge.
A background that fades into the picture, or surrounds a cut-out, is not a border: its extent changes with every edit.
Colours are compared in units of the standard deviation of all pixels, so that a darker or flatter copy loses the same
lines as its original.

Images are in grey, so that colour and grey models see the same part of a picture.
Shapes: H, W pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.uint8]

ALIKE, LEAST_ALIKE = 0.05, 1.5  # deviations, shades: mean distance from its colour that a border's lines may have
BLURRED = 0.12  # deviations: the same for its last lines, which JPEG mixes with the picture
FAR, LEAST_FAR = 0.15, 6.0  # deviations, shades: distance from its colour that pixels behind the edge must have
STEP = 1.2  # times FAR: least rise in the mean distance across the edge
SHARP = 0.5  # share of a line's pixels that must differ from the border's colour behind its edge
SAMPLED = 128  # least number of pixels that are sampled from a line (at most twice as many)
BLOCK = 8  # lines of a JPEG block
EDGE = 2  # lines that an edge may span
MOST = 0.45  # largest border, as a share of the side, at either end
LEAST = 0.125  # smallest remaining picture, as a share of the side


class _Limits(NamedTuple):
    """In shades of 255."""

    alike: float
    blurred: float
    far: float


class Box(NamedTuple):
    """Part of an image in pixels, by Pillow's convention: right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int


def inside(image_HW: Array) -> Box:
    """The box of an image (H, W) that remains without its (nested) borders; the whole image if it has none."""
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
    """The box without its outermost border: first above and below, then left and right."""
    seen = image_HW[box.top : box.bottom, box.left : box.right]
    top, bottom = _lines(seen, limits), _lines(seen[::-1], limits)
    seen = seen[top : len(seen) - bottom].T
    left, right = _lines(seen, limits), _lines(seen[::-1], limits)
    return Box(box.left + left, box.top + top, box.right - right, box.bottom - bottom)


def _lines(image_HW: Array, limits: _Limits) -> int:
    """Thickness of the border at the top, in lines."""
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
    """Distance of each pixel (H, W) from a colour, in shades."""
    far_HW: npt.NDArray[np.int16] = np.abs(image_HW.astype(np.int16) - np.int16(colour))
    return far_HW
