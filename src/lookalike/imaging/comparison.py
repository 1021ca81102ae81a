"""Evidence from pairs of images of one picture: was one encoded from the other, framed, written on or recoloured?

Frames and colours are compared on the thumbnails of `Evidence`, encoding on samples of the full pixels.
Shapes: H, W pixels; h, w those of a part.
"""

from __future__ import annotations

import io
import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.imaging import detail
from lookalike.imaging.borders import Box
from lookalike.imaging.evidence import Evidence

Floats = npt.NDArray[np.float32]
Array = npt.NDArray[np.uint8]

BLOCK = 8  # pixels of a block of JPEG
TEXTURED = 2.0  # shades: flatter blocks are ignored, because any encoder reproduces them
EXACT = 0.15  # shades: mean difference up to which two blocks count as equal
MANY, CLEARLY_MORE = 0.35, 0.1  # shares of blocks
ALL = 0.95  # share of blocks
SAME_PIXELS = 0.05  # shades
ALIKE = 0.9  # correlation of two pictures with the same frame
ALIGNED = 0.95  # the same, if nothing is hidden and no edge is a pixel off
HALF_ALIKE, HIDDEN = 0.4, 0.3  # or HALF_ALIKE, if ALIKE is reached without the most different HIDDEN share
ASPECT = 0.03  # by how much the aspect ratios may differ
FOUND = 0.85  # correlation of a picture with the part of another that it shows
LEAST_AREA = 0.25  # of a picture: the smallest part that is searched for
COARSE, SCALE = 64, 1.04  # pixels of the longer side, and scale steps, of the coarse search
ORIENTATIONS = ((1, False), (2, False), (3, False), (0, True), (1, True), (2, True), (3, True))  # but for upright
FEW = (16, 16)  # pixels at which colours are compared, so that a shift of one pixel does not matter
WHITE, BRIGHT, VARIES = (
    253,
    85,
    20.0,
)  # shades: of a clipped pixel; the least, and the span, of what it was
LINES = 2  # tolerance in the position of an edge, lines
FLAT, FLAT_SHADES = 0.6, 14  # share of a margin that must have its colour, within so many shades
EDGE = 12.0  # shades between a margin and the picture
BLURRED = 0.3  # a margin that is a blurred copy has at most this share of the picture's steps between lines
OVERLAID, LEAST_OVERLAID, MOST_OVERLAID = 24.0, 0.01, 0.45  # shades; shares of a picture
UNIT = 4  # pixels a side of the blocks in which writing is searched for


class Frames(NamedTuple):
    """How two pictures overlap."""

    first: Box  # the part of the first that the second shows
    second: Box  # and where the second shows it


def is_encoded_from(child: Evidence, parent: Evidence) -> bool:
    """Whether encoding one image's pixels yields the other's, and not the other way round.

    If both directions fit, the more coarsely quantised image came first: lost detail cannot return.
    """
    forth, back = _share_encoded(child, parent), _share_encoded(parent, child)
    if forth is None:
        return child.lossless and back is not None and _has_pixels_of(child, parent, back)
    if back is None:
        return parent.lossless and forth >= MANY and not _has_pixels_of(parent, child, forth)
    return _came_second(child, parent, forth, back)


def _came_second(child: Evidence, parent: Evidence, forth: float, back: float) -> bool:
    """Whether one JPEG comes from the other, by the shares of blocks that encoding reproduces in both directions."""
    if forth >= ALL and back >= ALL:
        return sum(parent.table) > sum(child.table)
    if forth >= ALL:
        return forth > back
    return forth >= MANY and forth > back + CLEARLY_MORE


def is_turned_from(child: Evidence, parent: Evidence) -> bool:
    """Whether encoding one image's mirrored or turned pixels yields the other's, and not the other way round."""
    small = _grey(child.picture)
    for turns, mirrored in ORIENTATIONS:
        other = _reoriented(_grey(parent.picture), turns, mirrored)
        if other.shape != small.shape or _correlation(small, other) < ALIKE:
            continue
        forth = _share_encoded(child, parent, turns, mirrored)
        back = _share_encoded(parent, child, turns if mirrored else -turns, mirrored)  # the inverse
        if forth is not None and _came_second(child, parent, forth, back or 0.0):
            return True
    return False


def _share_encoded(child: Evidence, parent: Evidence, turns: int = 0, mirrored: bool = False) -> float | None:
    """Share of a JPEG's blocks that are reproduced by encoding the other image's pixels with its table.

    The other image is first mirrored, and then turned by 90° anticlockwise as often as `turns` says.
    """
    if child.plane is None or not child.table:
        return None
    left, top, *_ = detail.sample_box(child.width, child.height)
    x, y = _corner(parent, turns, mirrored)
    plane, sample = child.plane, _reoriented(parent.sample, turns, mirrored)
    column, row = (-(-max(one, other) // BLOCK) * BLOCK for one, other in ((left, x), (top, y)))  # a block's corner
    sample, plane = sample[row - y :, column - x :], plane[row - top :, column - left :]
    height, width = (min(lengths) // BLOCK * BLOCK for lengths in zip(sample.shape, plane.shape, strict=True))
    if not (height and width):
        return None
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(sample[:height, :width])).save(out, "JPEG", qtables=[list(child.table)])
    made = np.asarray(Image.open(out), np.float32)
    return _share_equal(made, np.asarray(plane[:height, :width], np.float32), EXACT)


def _corner(image: Evidence, turns: int, mirrored: bool) -> tuple[int, int]:
    """Left and top of an image's sample in the image as it is mirrored and turned."""
    (left, top, right, bottom), width, height = (
        detail.sample_box(image.width, image.height), image.width, image.height,
    )  # fmt: skip
    if mirrored:
        left, right = width - right, width - left
    for _ in range(turns % 4):
        left, top, right, bottom, width, height = top, width - right, bottom, width - left, height, width
    return left, top


def _reoriented(array: Array, turns: int, mirrored: bool) -> Array:
    return np.rot90(array[:, ::-1] if mirrored else array, turns)


def _has_pixels_of(copy: Evidence, original: Evidence, encoded: float) -> bool:
    """Whether a lossless copy has the pixels of a JPEG; `encoded` is the share of its blocks that the copy reproduces.

    If it reproduces all of them, the JPEG may be so fine, or the picture so flat, that most blocks match either way.
    """
    if copy.sample.shape != original.sample.shape or not copy.sample.size:
        return False
    share = _share_equal(np.asarray(copy.sample, np.float32), np.asarray(original.sample, np.float32), SAME_PIXELS)
    return share is not None and share >= (ALL if encoded >= ALL else MANY)


def _share_equal(made_HW: Floats, there_HW: Floats, shades: float) -> float | None:
    """Share of the textured blocks that are equal; None if there are fewer than four."""
    blocks, others = _blocks(there_HW, BLOCK), _blocks(made_HW, BLOCK)
    textured = blocks.std(axis=(1, 3)) > TEXTURED
    if textured.sum() < 4:
        return None
    return float((np.abs(blocks - others).mean(axis=(1, 3)) <= shades)[textured].mean())


def _blocks(values_HW: Floats, side: int) -> Floats:
    """The complete blocks of `side` pixels a side: (rows, side, columns, side)."""
    rows, columns = (length // side for length in values_HW.shape)
    return values_HW[: rows * side, : columns * side].reshape(rows, side, columns, side)


def frames(one: Evidence, other: Evidence) -> Frames | None:
    """How two pictures overlap; None if neither contains the other, or it is unclear."""
    first, second = one.picture, other.picture
    if _have_one_aspect(first, second) and _are_alike(_grey(first), _grey(_resized(second, first.shape))):
        return Frames(_whole(first), _whole(second))
    found = _part(first, second)
    if found is not None:
        return Frames(found, _whole(second))
    found = _part(second, first)
    return None if found is None else Frames(_whole(first), found)


def is_whole(box: Box, picture: Array) -> bool:
    """Whether a box covers the whole picture, give or take a line or two."""
    height, width = map(int, picture.shape[:2])
    return box.left + box.top + (width - box.right) + (height - box.bottom) <= 2 * LINES


def has_border(picture: Array, box: Box) -> bool:
    """Whether the surroundings of a box were added: they have one colour, or end at a straight edge."""
    height, width = picture.shape[:2]
    light = np.asarray(_grey(picture), np.float32)
    turned, turned_light = picture.swapaxes(0, 1), light.T
    sides = (
        (picture, light, box.top, (box.left, box.right)),
        (picture[::-1], light[::-1], height - box.bottom, (box.left, box.right)),
        (turned, turned_light, box.left, (box.top, box.bottom)),
        (turned[::-1], turned_light[::-1], width - box.right, (box.top, box.bottom)),
    )
    return any(_was_added(*side) for side in sides)


def _was_added(picture: Array, light: Floats, lines: int, along: tuple[int, int]) -> bool:
    """Whether the first `lines` lines were added."""
    if lines <= LINES:
        return False
    flat = _flat(picture[: max(1, lines - 1)].reshape(-1, 3).astype(np.float32))
    steps = np.abs(np.diff(light[: lines + 12, slice(*along)], axis=0)).mean(axis=1)
    edge = float(steps[max(0, lines - 1 - LINES) : lines + LINES].max(initial=0.0))
    before, behind = (float(np.median(part)) if len(part) else 0.0 for part in (
        steps[: max(0, lines - 1 - LINES)], steps[lines + LINES :],
    ))  # fmt: skip
    is_flat = flat >= FLAT and edge >= max(EDGE, 2.5 * before)
    is_blurred = before < BLURRED * behind and edge >= 3 * behind + 8
    return is_flat or is_blurred


def colours_apart(one: Evidence, other: Evidence, frames: Frames) -> float:
    """Mean difference between the colours of two pictures where they overlap, in shades."""
    parts = _same_parts(one, other, frames)
    first, second = (np.asarray(_resized(part.astype(np.uint8), FEW), np.float32) for part in parts)
    return float(np.abs(first - second).mean())


def burnt_out(one: Evidence, other: Evidence, frames: Frames) -> float:
    """Share of the overlap in which the first picture is clipped where the other has shades, less the reverse.

    Brightening loses shades, which no edit brings back; where a darkened copy is flat, its original was clipped. It
    means nothing if only one of them is in grey.
    """
    first, second = _same_parts(one, other, frames)
    return _clipped(first, second) - _clipped(second, first)


def _clipped(part: Floats, other: Floats) -> float:
    """Share of a picture's pixels that are white in a channel in which the other varies there, at most."""
    shares = [0.0]
    for here, there in zip(np.moveaxis(part, 2, 0), np.moveaxis(other, 2, 0), strict=True):
        white = here >= WHITE
        if 0 < white.mean() < 1 and _were_bright(there[white]) and _correlation(here[~white], there[~white]) >= ALIGNED:
            shares.append(float(white.mean()))
    return max(shares)


def _were_bright(shades: Floats) -> bool:
    """Whether pixels had several shades, all bright; edges that are a pixel off do not count."""
    least, most = np.quantile(shades, (0.1, 0.9))
    return bool(most - least >= VARIES and least >= BRIGHT)


def writing(one: Evidence, other: Evidence, frames: Frames) -> float | None:
    """Which of two pictures seems to have writing or a sticker on it: the first if > 0; None if they do not differ so.

    Letters have more edges than the picture they hide, bars have fewer.
    """
    first, second = _same_parts(one, other, frames)
    apart_HW = np.abs(_toned(first, second) - second).max(axis=2)
    units = _blocks(apart_HW, UNIT).mean(axis=(1, 3))
    differ = units > max(OVERLAID, 5 * float(np.median(units)))
    if not LEAST_OVERLAID <= differ.mean() <= MOST_OVERLAID:
        return None
    mask = np.kron(differ, np.ones((UNIT, UNIT), bool))
    one_edges, other_edges = (_edges(part, mask) for part in (first, second))
    one_flat, other_flat = (_flat(part[: mask.shape[0], : mask.shape[1]][mask]) for part in (first, second))
    if max(one_flat, other_flat) >= FLAT:  # a bar, or a sticker
        return one_flat - other_flat
    return math.log(max(one_edges, 1.0) / max(other_edges, 1.0))


def _edges(part: Floats, mask: npt.NDArray[np.bool_]) -> float:
    """Mean step between neighbouring pixels inside a mask, in shades."""
    light = part.mean(axis=2)
    steps = np.abs(np.diff(light, axis=0))[:, :-1] + np.abs(np.diff(light, axis=1))[:-1]
    inside = mask[: steps.shape[0], : steps.shape[1]]
    return float(steps[: inside.shape[0], : inside.shape[1]][inside].mean())


def _flat(pixels: Floats) -> float:
    """Share of pixels that have the most common colour."""
    return float((np.abs(pixels - np.median(pixels, axis=0)).max(axis=1) <= FLAT_SHADES).mean())


def _toned(first: Floats, second: Floats) -> Floats:
    """The first picture in the tones of the second: one linear fit a channel."""
    out = np.empty_like(first)
    for channel in range(3):
        x, y = first[..., channel], second[..., channel]
        slope = float(((x - x.mean()) * (y - y.mean())).mean()) / max(float(x.var()), 1.0)
        out[..., channel] = y.mean() + slope * (x - x.mean())
    return out


def _same_parts(one: Evidence, other: Evidence, frames: Frames) -> tuple[Floats, Floats]:
    """The overlap of two pictures, at the size of the smaller one."""
    parts = [
        picture[box.top : box.bottom, box.left : box.right]
        for picture, box in ((one.picture, frames.first), (other.picture, frames.second))
    ]
    shape = min((part.shape for part in parts), key=lambda shape: shape[0] * shape[1])
    first, second = (np.asarray(_resized(part, shape), np.float32) for part in parts)
    return first, second


def _part(whole: Array, part: Array) -> Box | None:
    """Where a picture contains all of another, smaller one; None if it does not."""
    steps = math.ceil(math.log(LEAST_AREA**0.5) / math.log(1 / SCALE))
    best = _best_place(whole, part, COARSE, [SCALE**-step for step in range(steps + 1)])
    if best is None or best[0] < FOUND - 0.1:
        return None
    side = max(whole.shape[:2])
    near = [best[1] * SCALE ** (step / 3) for step in range(-3, 4)]
    best = _best_place(whole, part, side, near)
    return None if best is None or best[0] < FOUND else best[2]


def _best_place(whole: Array, part: Array, side: int, scales: list[float]) -> tuple[float, float, Box] | None:
    """The best correlation, its scale (1: as large as fits) and its box, in pixels of the whole picture."""
    shrink = side / max(whole.shape[:2])
    height, width = (max(8, round(length * shrink)) for length in whole.shape[:2])
    ground = np.asarray(_grey(_resized(whole, (height, width))), np.float32)
    fits = min(height / part.shape[0], width / part.shape[1])
    found: tuple[float, float, Box] | None = None
    for scale in scales:
        high, wide = (round(length * fits * scale) for length in part.shape[:2])
        if not (8 <= high <= height and 8 <= wide <= width):
            continue
        score, top, left = _match(ground, np.asarray(_grey(_resized(part, (high, wide))), np.float32))
        if found is None or score > found[0]:
            place = [round(value / shrink) for value in (left, top, left + wide, top + high)]
            found = score, scale, Box(place[0], place[1], min(place[2], whole.shape[1]), min(place[3], whole.shape[0]))
    return found


def _match(ground_HW: Floats, part_hw: Floats) -> tuple[float, int, int]:
    """The best correlation of a part over all positions, and that position (row, column)."""
    if np.ptp(part_hw) == 0:  # which OpenCV finds everywhere
        return 0.0, 0, 0
    _, score, _, (left, top) = cv2.minMaxLoc(cv2.matchTemplate(ground_HW, part_hw, cv2.TM_CCOEFF_NORMED))
    return score, top, left


def _have_one_aspect(first: Array, second: Array) -> bool:
    ratio = (first.shape[0] * second.shape[1]) / (first.shape[1] * second.shape[0])
    return abs(math.log(ratio)) <= ASPECT


def _are_alike(first: Array, second: Array) -> bool:
    """Whether two pictures of one size correlate, possibly after leaving out a part that may be covered by writing."""
    found = _correlation(first, second)
    if found >= ALIKE or found < HALF_ALIKE:
        return found >= ALIKE
    apart = np.abs(first.astype(np.float32) - second - (float(first.mean()) - float(second.mean())))
    units = _blocks(apart, UNIT).mean(axis=(1, 3))
    mask = np.kron(units <= np.quantile(units, 1 - HIDDEN), np.ones((UNIT, UNIT), bool))
    parts = [picture[: mask.shape[0], : mask.shape[1]][mask] for picture in (first, second)]
    return _correlation(*parts) >= ALIKE


def _correlation(first: Array | Floats, second: Array | Floats) -> float:
    one, other = (values - values.mean() for values in (first.astype(np.float32), second.astype(np.float32)))
    return float((one * other).mean() / max(float(one.std() * other.std()), 1e-6))


def _whole(picture: Array) -> Box:
    return Box(0, 0, picture.shape[1], picture.shape[0])


def _grey(picture: Array) -> Array:
    return np.asarray(Image.fromarray(picture).convert("L"))


def _resized(picture: Array, shape: tuple[int, ...]) -> Array:
    if picture.shape[:2] == tuple(shape[:2]):
        return picture
    way = Image.Resampling.BOX if shape[1] < picture.shape[1] else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((shape[1], shape[0]), way))
