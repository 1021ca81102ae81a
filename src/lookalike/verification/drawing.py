"""Visualises an alignment: the first picture, the aligned second one, and their difference.

Shapes: H, W pixels, those of the first picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.verification.agreement import toned
from lookalike.verification.features import Array, Floats
from lookalike.verification.verdict import Picture, Verdict

SIDE = 640  # pixels of the longer side of each part
GAP, GROUND = 8, 24  # pixels between the parts; shade of the gaps, and of areas that the second picture does not cover
AMBER = (255, 176, 0)
QUIET, LOUD = 16.0, 60.0  # differences in shades from which amber appears, and from which it is saturated

Mask = npt.NDArray[np.bool_]


def aligned(first: Array, second: Array, verdict: Verdict) -> Array:
    """Two pictures and their difference side by side; unaligned if alignment fails."""
    one, other = Picture(first).pixels, Picture(second).pixels
    if verdict.transform is None:
        return _in_a_row([one, other])
    height, width = one.shape[:2]
    sizes = [np.diag([picture.shape[1], picture.shape[0], 1.0]) for picture in (one, other)]
    back = sizes[0] @ np.linalg.inv(np.array(verdict.transform).reshape(3, 3)) @ np.linalg.inv(sizes[1])
    moved = np.asarray(cv2.warpPerspective(other, back, (width, height), borderValue=(GROUND,) * 3), np.uint8)
    inside = cv2.warpPerspective(np.full(other.shape[:2], 255, np.uint8), back, (width, height)) == 255
    has_colours = not {"grey", "colour"} & set(verdict.edits)
    return _in_a_row([one, moved, _difference(one, moved, inside, has_colours=has_colours)])


def _difference(one: Array, moved: Array, inside: Mask, *, has_colours: bool) -> Array:
    """The first picture in dim grey, amber where the second differs in more than tones."""
    grey, other = (np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) for picture in (one, moved))
    channels = [(grey, other)]
    if has_colours:
        channels = [(one[..., at].astype(np.float32), moved[..., at].astype(np.float32)) for at in range(3)]
    apart = np.max([_apart(here, there, inside) for here, there in channels], axis=0)
    strength_HW1 = np.clip((apart - QUIET) / (LOUD - QUIET), 0, 1)[..., None]
    dim_HW1 = np.where(inside, GROUND + grey * 0.4, GROUND)[..., None]
    return np.asarray(dim_HW1 + strength_HW1 * (np.array(AMBER, np.float32) - dim_HW1), np.uint8)


def _apart(one: Floats, other: Floats, inside: Mask) -> Floats:
    """Difference of two channels in shades after matching tones; tolerates edges that are a pixel off."""
    if not inside.any():
        return np.zeros_like(one)
    here, there = one[inside], other[inside]
    both = ((one, toned(other, there, here)), (toned(one, here, there), other))  # burnt out: only one fits
    return np.asarray(np.where(inside, np.min([_by(*pair) for pair in both], axis=0), 0), np.float32)


def _by(one: Floats, other: Floats) -> Floats:
    around = np.ones((3, 3), np.uint8)
    parts = [here - cv2.dilate(there, around) for here, there in ((one, other), (other, one))]
    parts += [cv2.erode(there, around) - here for here, there in ((one, other), (other, one))]
    return np.asarray(np.max(parts, axis=0), np.float32)


def _in_a_row(pictures: list[Array]) -> Array:
    """Pictures side by side, aligned at the top."""
    height = max(picture.shape[0] for picture in pictures)
    row = np.full((height, sum(picture.shape[1] + GAP for picture in pictures) - GAP, 3), GROUND, np.uint8)
    left = 0
    for picture in pictures:
        row[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + GAP
    return row
