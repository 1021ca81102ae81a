"""What was done to a picture to get its copy, by name and in words.

Shapes: H, W pixels.
"""

from __future__ import annotations

import math

import numpy as np

from lookalike.verification import alignment
from lookalike.verification.agreement import Colours
from lookalike.verification.verdict import OTHER_COLOURS, Aligned

WORDS = {
    "mirror": "mirrored",
    "rotate": "rotated",
    "crop": "cropped",
    "extend": "border, caption or other pictures added",
    "perspective": "in perspective",
    "resize": "resized",
    "stretch": "stretched",
    "overlay": "something written or pasted over it",
    "grey": "in grey",
    "colour": "in colour",
    "brighter": "brighter",
    "darker": "darker",
    "contrast": "other contrast",
    "saturation": "other saturation",
    "colours": "colours differ",
    "background": "transparent parts filled with black",
    "frame": "one frame of an animation or document",
    "recompress": "recompressed",
}  # fmt: skip

WHOLE = 0.97  # share of a picture that is all of it
TURNED = 1.5  # degrees
SCALED, STRETCHED = 0.03, 0.04  # relative changes of size and of the ratio of sides
TILTED = 0.03  # of a side, by how far corners lie from where an affine transform takes them
OVERLAID = 0.01  # share of the pixels that differ clearly
BRIGHTER, CONTRAST, SATURATION = 12.0, 1.2, 1.3  # shades; ratios


def of(best: Aligned, colours: Colours) -> tuple[str, ...]:
    """The names of the edits that lead from the first picture to the second, of `WORDS`."""
    return (*_frame(best), *_content(best, colours)) or ("recompress",)


def degrees(matrix: alignment.Matrix) -> float:
    """By how much a transform rotates, clockwise as seen, −180 to 180."""
    return math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))


def _frame(best: Aligned) -> tuple[str, ...]:
    matrix = best.matrix / best.matrix[2, 2]
    reflects = bool(np.linalg.det(matrix[:2, :2]) < 0)
    if reflects:
        matrix = matrix @ np.diag([-1.0, 1, 1])
    height, width = best.first.grey.shape
    across, down = (float(np.linalg.norm(matrix[:2, axis])) for axis in (0, 1))
    tilt = max(abs(matrix[2, 0]) * width, abs(matrix[2, 1]) * height)
    seen, shown = best.measured.overlaps
    found = {
        "mirror": best.mirrored != reflects,
        "rotate": abs(degrees(matrix)) > TURNED,
        "crop": seen < WHOLE,
        "extend": shown < WHOLE,
        "perspective": tilt > TILTED,
        "stretch": abs(math.log(max(across, 1e-6) / max(down, 1e-6))) > STRETCHED and tilt <= TILTED,
    }
    return tuple(name for name, is_so in found.items() if is_so)


def _content(best: Aligned, colours: Colours) -> tuple[str, ...]:
    lost, found_colour = not colours.grey[0] and colours.grey[1], colours.grey[0] and not colours.grey[1]
    found = {
        "overlay": best.measured.loud > OVERLAID,
        "grey": lost,
        "colour": found_colour,
        "brighter": colours.brightness > BRIGHTER,
        "darker": colours.brightness < -BRIGHTER,
        "contrast": abs(math.log(max(colours.contrast, 1e-3))) > math.log(CONTRAST),
        "saturation": not any(colours.grey) and abs(math.log(max(colours.saturation, 1e-3))) > math.log(SATURATION),
        "colours": colours.other > OTHER_COLOURS,
        "background": best.on_black,
    }
    return tuple(name for name, is_so in found.items() if is_so)
