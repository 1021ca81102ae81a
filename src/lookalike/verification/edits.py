"""Edits that lead from a picture to its copy, as names and in words.

They lead from the first picture to the second, and so they describe the second compared with the first: in a search a
hit compared with the query, among duplicates a copy compared with the best one.

Shapes: H, W pixels.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from lookalike.verification.agreement import Colours
from lookalike.verification.alignment import Matrix
from lookalike.verification.verdict import CLIPPED, OTHER_COLOURS, Aligned, Relation, Verdict

Size = tuple[int, int]  # width and height, pixels

WORDS = {
    "mirror": "mirrored",
    "rotate": "rotated",
    "crop": "cropped",
    "extend": "border, caption or more picture added",
    "perspective": "in perspective",
    "resize": "resized",
    "stretch": "stretched",
    "overlay": "text or a sticker over it",
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

WHOLE = 0.97  # share above which a picture counts as whole
TURNED = 1.5  # degrees; minimum rotation
SCALED, STRETCHED = 0.03, 0.04  # minimum relative changes of size and of the aspect ratio
TILTED = 0.03  # share of a side; minimum deviation of corners from an affine transform
OVERLAID, UNTOUCHED = 0.003, 0.98  # minimum share of clearly different pixels, and maximum agreement, of an overlay
BRIGHTER, CONTRAST, SATURATION = 12.0, 1.2, 1.3  # shades; ratios
MIDDLE = 0.05  # share of a side by which a central crop may be off-centre
AMONG_OTHERS = 0.6  # share of a picture below which it counts as part of a larger picture
SAME_FRAME = 0.05  # maximum difference of the overlap shares, for a picture rotated within its frame
QUARTER = 3.0  # degrees; tolerance of quarter turns


def of(best: Aligned, colours: Colours, *, overlays: bool = True) -> tuple[str, ...]:
    """Names (keys of `WORDS`) of the edits that lead from the first picture to the second; maybe none is an overlay."""
    names = (name for name in (*_frame(best), *_content(best, colours)) if overlays or name != "overlay")
    return tuple(names) or ("recompress",)


def words(verdict: Verdict, sizes: tuple[Size, Size] | None = None) -> list[str]:
    """The edits that lead from the first picture to the second, in words; with `sizes`, including the scale."""
    matrix = np.eye(3) if verdict.transform is None else np.array(verdict.transform).reshape(3, 3)
    turned = _rotated(matrix) if "rotate" in verdict.edits else ""
    here, there = verdict.overlaps
    said = {"crop": _cropped(matrix, here), "rotate": turned, "resize": _scaled(verdict, sizes)}
    if there <= AMONG_OTHERS:
        said["extend"] = "within a larger picture"
    if turned.startswith("rotated") and abs(here - there) <= SAME_FRAME:  # its corners were cut off, and filled
        said |= {"crop": "", "extend": ""}
    return [text for name in verdict.edits if (text := said.get(name, WORDS[name]))]


def with_sizes(verdict: Verdict, sizes: tuple[Size, Size]) -> Verdict:
    """The verdict, with the edit "resize" if the sizes of an edited copy and its original show it."""
    if verdict.relation is not Relation.EDITED or not _scaled(verdict, sizes):
        return verdict
    return replace(verdict, edits=(*(name for name in verdict.edits if name != "recompress"), "resize"))


def _cropped(matrix: Matrix, share: float) -> str:
    """The part of the first picture that the second shows, by area."""
    unit = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    part = cv2.perspectiveTransform(unit[None].astype(np.float64), np.linalg.inv(matrix))[0].astype(np.float32)
    _, common = cv2.intersectConvexConvex(unit, part)
    centre = np.full(2, 0.5) if common is None else (common.reshape(-1, 2).min(0) + common.reshape(-1, 2).max(0)) / 2
    where = "the middle " if np.abs(centre - 0.5).max() <= MIDDLE else ""
    return f"cropped to {where}{max(1, round(100 * share))} %"


def _rotated(matrix: Matrix) -> str:
    """The rotation in words, from a transform of points in shares of the sides."""
    if np.linalg.det(matrix[:2, :2]) < 0:
        matrix = matrix @ np.diag([-1.0, 1, 1])
    (a, b), (c, d) = matrix[:2, :2]
    angle = math.degrees(math.atan2(math.sqrt(max(-b * c, 0)), math.sqrt(max(a * d, 0))))
    angle = 180 - angle if a + d < 0 else angle
    quarters = round(angle / 90)
    if quarters and abs(angle - 90 * quarters) <= QUARTER:
        return f"turned {90 * quarters}°"
    return f"rotated {max(1, round(angle))}°"


def _scaled(verdict: Verdict, sizes: tuple[Size, Size] | None) -> str:
    """The scale of the second picture in words; empty if unchanged."""
    if sizes is None:
        return WORDS["resize"]
    areas = [share * width * height for share, (width, height) in zip(verdict.overlaps, sizes, strict=True)]
    scale = math.sqrt(areas[1] / max(areas[0], 1e-6))
    if abs(math.log(max(scale, 1e-6))) <= SCALED:
        return ""
    if scale > 1:
        return f"enlarged {scale:.2g} ×"
    return "reduced to half" if abs(scale - 0.5) < 0.01 else f"reduced to {max(1, round(100 * scale))} %"


def degrees(matrix: Matrix) -> float:
    """The clockwise rotation of a transform in degrees, −180 to 180."""
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
    has_contrast = abs(math.log(max(colours.contrast, 1e-3))) > math.log(CONTRAST)
    is_burnt_out = best.measured.painted >= CLIPPED and (abs(colours.brightness) > BRIGHTER or has_contrast)
    found = {
        "overlay": best.measured.loud > OVERLAID and best.measured.same < UNTOUCHED and not is_burnt_out,
        "grey": lost,
        "colour": found_colour,
        "brighter": colours.brightness > BRIGHTER,
        "darker": colours.brightness < -BRIGHTER,
        "contrast": has_contrast,
        "saturation": not any(colours.grey) and abs(math.log(max(colours.saturation, 1e-3))) > math.log(SATURATION),
        "colours": colours.other > OTHER_COLOURS,
        "background": best.on_black,
    }
    return tuple(name for name, is_so in found.items() if is_so)
