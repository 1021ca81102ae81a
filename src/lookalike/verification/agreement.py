"""Agreement of two aligned pictures, in detail, motion and colours.

Detail is compared block by block by normalised correlation, which is invariant to brightness and contrast. A block that
disagrees may be covered (by text or a sticker) in an edited copy. If its content is found a few pixels away instead,
something moved between two shots: the pictures show one scene, but are not copies.

Shapes: H, W pixels; B blocks of S × S pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lookalike.verification.alignment import Matrix, Overlap, overlap
from lookalike.verification.features import Array, Floats

SIDE = 12  # S
TEXTURED = 3.0  # shades; minimum standard deviation of a block with detail
SAME = 0.7  # minimum correlation of equal blocks
SLACK = 1  # pixels by which a block may be shifted
REACH, MOVED = 10, 0.85  # search radius in pixels, and minimum correlation, for blocks that moved
BLURS = (0.6, 0.9, 1.3, 1.8, 2.5, 3.5, 5.0)  # pixels, tried until both pictures are equally sharp
QUIET, LOUD = 8.0, 32.0  # shades up to which a pixel hardly differs, and above which it clearly differs …
CONTRAST = 50.0  # … in a picture with this standard deviation
BURNT_OUT, WHITE = (
    0.03,
    250.0,
)  # difference of the shares of clipped pixels, above which one is burnt out, and its shade
THICK = 3  # pixels; strokes of an overlay, where a document's own writing is thinner
FEWEST = 200  # pixels to measure tones or sharpness by
SHADES = 14  # within which pixels count as one shade
SOFT = 3.0  # pixels; blur before comparing colours
GREY = 6.0  # shades; mean distance from grey below which a picture has no colours
COLOURED, OTHER_HUE = 40.0, 0.6  # minimum distance of a colour from grey in shades, and cosine below which hues differ

Mask = npt.NDArray[np.bool_]
Shares = tuple[float, float, float, float]


class Agreement(NamedTuple):
    """The agreement of two aligned pictures where they overlap."""

    blocks: int  # with detail in both pictures
    same: float  # share of these blocks that correlate
    legible: float  # share of blocks with writing in either document that correlate, or where no pixel clearly differs
    differing: float  # share of blocks with detail in either picture that neither correlate nor are burnt out
    moved: float  # share of blocks with detail in both that are found elsewhere in the other picture instead
    quiet: float  # share of pixels that hardly differ after matching tones
    loud: float  # share of pixels that clearly differ
    painted: float  # share of the clearly different pixels that have one of two shades: text, stickers, bars
    added: float  # share of the clearly different pixels in thick strokes that only one of the pictures has: an overlay
    overlaps: tuple[float, float]  # share of each picture that the other one shows
    agreed: Mask  # where both agree, in the frame of `Overlap.still`


NOTHING = Agreement(0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, (0.0, 0.0), np.zeros((0, 0), bool))


class Correlated(NamedTuple):
    """Two aligned pictures, equally sharp, and the correlation of their blocks."""

    blocks: int  # with detail in both pictures
    same: float  # share of these that correlate
    moved: Floats
    still: Floats
    inside: Mask  # the overlap
    grid: tuple[int, int]  # rows and columns of blocks
    inside_B: Mask
    best_B: Floats  # correlation
    deviations_2B: Floats  # of `moved` and `still`


_NONE = np.zeros((0, 0), np.float32)
NO_BLOCKS = Correlated(0, 0.0, _NONE, _NONE, np.zeros((0, 0), bool), (0, 0), np.zeros(0, bool), _NONE, _NONE)


def correlated(first: Array, second: Array, matrix: Matrix) -> Correlated:
    """How blocks of two grey pictures correlate that are aligned by a transform."""
    laid = overlap(first, second, matrix)
    moved, still = _equally_sharp(laid)
    rows, columns = grid = (still.shape[0] // SIDE, still.shape[1] // SIDE)
    whole = (slice(rows * SIDE), slice(columns * SIDE))
    moved, still, inside = moved[whole], still[whole], laid.inside[whole]
    if min(grid) == 0:
        return NO_BLOCKS
    inside_B = _blocks(inside.astype(np.float32), grid).mean(axis=1) > 0.98
    still_BX, deviation_B = _centred(_blocks(still, grid))
    _, moved_deviation_B = _centred(_blocks(moved, grid))
    best_B = np.max([
        _correlations(np.roll(moved, (down, right), (0, 1)), still_BX, deviation_B, grid)
        for down in range(-SLACK, SLACK + 1) for right in range(-SLACK, SLACK + 1)
    ], axis=0)  # fmt: skip
    both_B = inside_B & (np.minimum(deviation_B, moved_deviation_B) > TEXTURED)
    same = float((best_B > SAME)[both_B].mean()) if both_B.any() else 0.0
    deviations_2B = np.stack([moved_deviation_B, deviation_B])
    return Correlated(int(both_B.sum()), same, moved, still, inside, grid, inside_B, best_B, deviations_2B)


def agreement(first: Array, second: Array, matrix: Matrix, found: Correlated | None = None) -> Agreement:
    """The agreement of two grey pictures aligned by a transform; `found`: how they correlate, if it is known."""
    found = found or correlated(first, second, matrix)
    if not found.blocks:
        return NOTHING
    moved, still, inside, inside_B = found.moved, found.still, found.inside, found.inside_B
    both_B, either_B = (inside_B & (of(found.deviations_2B, axis=0) > TEXTURED) for of in (np.min, np.max))
    same_B = found.best_B > SAME
    differ = np.flatnonzero(both_B & ~same_B)
    columns = found.grid[1]
    elsewhere = min(
        _elsewhere(moved, still, inside, differ, columns), _elsewhere(still, moved, inside, differ, columns)
    )
    agreed = np.kron((inside_B & same_B).reshape(found.grid), np.ones((SIDE, SIDE), bool))
    pixels, faint, lost = _pixels(moved, still, inside, agreed)
    written_B = inside_B & (_written(found.deviations_2B[0]) | _written(found.deviations_2B[1]))
    legible_B, kept_B = (
        same_B | (_blocks(where.astype(np.float32), found.grid).min(axis=1) > 0) for where in (faint, lost)
    )
    return Agreement(
        found.blocks,
        found.same,
        float(legible_B[written_B].mean()) if written_B.any() else 1.0,
        float((~kept_B[either_B]).mean()),
        elsewhere / found.blocks,
        *pixels,
        overlaps(first, second, matrix),
        agreed,
    )


def _written(deviation_B: Floats) -> Mask:
    """Which blocks of a document are written on: they have more detail than the noise of its paper."""
    return np.asarray(deviation_B > max(TEXTURED, 2 * float(np.median(deviation_B))))


def _correlations(moved: Floats, still_BX: Floats, deviation_B: Floats, grid: tuple[int, int]) -> Floats:
    block_BX, other_B = _centred(_blocks(moved, grid))
    return np.asarray((block_BX * still_BX).mean(axis=1) / np.maximum(other_B * deviation_B, 1e-3), np.float32)


def _pixels(moved: Floats, still: Floats, inside: Mask, agreed: Mask) -> tuple[Shares, Mask, Mask]:
    """Shares of pixels that hardly differ and that clearly differ, and the painted and added shares of the latter; a
    mask of pixels that do not clearly differ; and of those among them that are white in the burnt-out picture.
    """
    inside = cv2.erode(inside.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    agreed = agreed & inside
    if agreed.sum() < FEWEST:
        return (0.0, 1.0, 0.0, 0.0), np.zeros(inside.shape, bool), np.zeros(inside.shape, bool)
    shares = _burnt_out(moved, inside), _burnt_out(still, inside)
    if shares[0] > shares[1] + BURNT_OUT:  # its tones cannot be matched to the other's
        moved, still = still, moved
    fitted = toned(moved, moved[agreed], still[agreed])
    around = np.ones((2 * SLACK + 1, 2 * SLACK + 1), np.uint8)
    apart = np.maximum(still - cv2.dilate(fitted, around), cv2.erode(fitted, around) - still)
    apart *= CONTRAST / max(float(still[inside].std()), CONTRAST / 5)
    loud = inside & (apart > LOUD)
    painted = max(_two_shades(part[loud]) for part in (fitted, still))
    paper = float(np.bincount(still[inside].clip(0, 255).astype(np.int64), minlength=256).argmax())
    thick = cv2.morphologyEx(loud.astype(np.uint8), cv2.MORPH_OPEN, np.ones((THICK, THICK), np.uint8)) > 0
    ink, other_ink = (np.abs(part - paper)[thick] > LOUD for part in (fitted, still))
    added = max(int((ink & ~other_ink).sum()), int((other_ink & ~ink).sum())) / max(int(loud.sum()), 1)
    quiet, faint = float((apart[inside] <= QUIET).mean()), apart <= LOUD
    is_burnt_out = abs(shares[0] - shares[1]) > BURNT_OUT
    return (quiet, float(loud[inside].mean()), painted, added), faint, faint & is_burnt_out & (still > WHITE)


def _burnt_out(picture: Floats, inside: Mask) -> float:
    """Share of black or white pixels."""
    return float((np.abs(picture[inside] - 127.5) > 125).mean())


def toned(picture: Floats, here: Floats, there: Floats) -> Floats:
    """A picture with the tones of another: a monotonic map takes the shades `here` to those `there`."""
    steps = np.linspace(0, 1, 17)
    levels, wanted = np.rint(np.quantile(here, steps)), np.quantile(there, steps)
    shades = np.unique(levels)  # paper takes up many levels; the first may lie between ink and paper
    tones = [np.median(wanted[levels == shade]) for shade in shades]
    return np.asarray(np.interp(picture, shades, tones), np.float32)


def in_tones(first: Array, second: Array, matrix: Matrix, agreed: Mask) -> tuple[Array, Array] | None:
    """Both aligned RGB pictures, the less clipped one with the tones of the other, channel by channel.

    A tone curve of each channel is an edit (exposure, white balance, filters) that no map of grey shades undoes. The
    curves are estimated where the pictures agree; None if they hardly do.
    """
    laid = overlap(first, second, matrix)
    where = (slice(agreed.shape[0]), slice(agreed.shape[1]))
    parts = [part[where][agreed].astype(np.float32) for part in laid[:2]]
    if len(parts[0]) < FEWEST:
        return None
    here, there = parts if laid.first_moves else parts[::-1]
    if _clipped(here) <= _clipped(there):
        return _recoloured(first, here, there), second
    return first, _recoloured(second, there, here)


def _clipped(pixels_P3: Floats) -> float:
    """Share of pixels with a black or white channel."""
    return float((np.abs(pixels_P3 - 127.5) > 125).any(axis=1).mean())


def _recoloured(picture: Array, here_P3: Floats, there_P3: Floats) -> Array:
    """A picture with the tones of another, whose pixels `there_P3` lie where it has `here_P3`."""
    channels = [
        toned(picture[..., at].astype(np.float32), here_P3[:, at], there_P3[:, at]) for at in range(here_P3.shape[1])
    ]
    return np.rint(np.stack(channels, axis=-1)).clip(0, 255).astype(np.uint8)


def _two_shades(pixels: Floats) -> float:
    """Share of pixels near one of the two most common shades."""
    counts, share = np.bincount(pixels.clip(0, 255).astype(np.int64), minlength=256), 0
    for _ in range(2):
        near = np.convolve(counts, np.ones(2 * SHADES + 1, np.int64), "same")
        top = int(near.argmax())
        share += int(near[top])
        counts[max(0, top - SHADES) : top + SHADES + 1] = 0
    return share / max(len(pixels), 1)


def _elsewhere(source: Floats, target: Floats, inside: Mask, blocks: npt.NDArray[np.int64], columns: int) -> int:
    """Number of disagreeing blocks of the target that are found a few pixels away in the source."""
    found = 0
    for at in blocks.tolist():
        top, left = at // columns * SIDE, at % columns * SIDE
        rows, across = (slice(max(0, start - REACH), start + SIDE + REACH) for start in (top, left))
        around = source[rows, across]
        if not inside[rows, across].all() or min(around.shape) <= SIDE:
            continue
        scores = cv2.matchTemplate(around, target[top : top + SIDE, left : left + SIDE], cv2.TM_CCOEFF_NORMED)
        found += bool(scores.max() >= MOVED)
    return found


def _equally_sharp(laid: Overlap) -> tuple[Floats, Floats]:
    """Both pictures, the sharper one blurred to the sharpness of the other."""
    moved, still = laid.moved.astype(np.float32), laid.still.astype(np.float32)
    inside = cv2.erode(laid.inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if inside.sum() < FEWEST:
        return moved, still
    sharp, soft = sorted((moved, still), key=lambda one: -_sharpness(one, inside))
    wanted, blurred = _sharpness(soft, inside), sharp
    if _sharpness(sharp, inside) > 1.2 * wanted:
        for blur in BLURS:
            blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), blur), np.float32)
            if _sharpness(blurred, inside) <= wanted:
                break
    return (blurred, still) if sharp is moved else (moved, blurred)


def _sharpness(picture: Floats, inside: Mask) -> float:
    """Mean difference of neighbouring pixels, in standard deviations."""
    steps = np.abs(cv2.Sobel(picture, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(picture, cv2.CV_32F, 0, 1))
    return float(steps[inside].mean()) / max(float(picture[inside].std()), 1.0)


def _blocks(picture: Floats, grid: tuple[int, int]) -> Floats:
    rows, columns = grid
    whole = picture[: rows * SIDE, : columns * SIDE].reshape(rows, SIDE, columns, SIDE)
    return whole.transpose(0, 2, 1, 3).reshape(rows * columns, SIDE * SIDE)


def _centred(blocks_BX: Floats) -> tuple[Floats, Floats]:
    centred_BX = blocks_BX - blocks_BX.mean(axis=1, keepdims=True)
    return centred_BX, centred_BX.std(axis=1)


def overlaps(first: Array, second: Array, matrix: Matrix) -> tuple[float, float]:
    """Share of each picture's area that overlaps the other."""
    shares = []
    for here, there, forth in ((first, second, matrix), (second, first, np.linalg.inv(matrix))):
        corners = _corners(here)
        placed = cv2.perspectiveTransform(corners[None], forth)[0].astype(np.float32)
        common, _ = cv2.intersectConvexConvex(placed, _corners(there).astype(np.float32))
        shares.append(min(1.0, common / max(float(cv2.contourArea(placed)), 1e-6)))
    return shares[0], shares[1]


def _corners(picture: Array) -> npt.NDArray[np.float64]:
    height, width = picture.shape[:2]
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


class Colours(NamedTuple):
    """How the colours of two aligned pictures differ, from the first to the second."""

    grey: tuple[bool, bool]  # whether each picture is grey
    brightness: float  # change of the mean, shades
    contrast: float  # ratio of the deviations
    saturation: float  # ratio
    other: float  # share of the overlap with another hue


def colours(first: Array, second: Array, matrix: Matrix, agreed: Mask) -> Colours:
    """Differences in colour between two aligned RGB pictures where their detail agrees."""
    laid = overlap(first, second, matrix)
    where = (slice(agreed.shape[0]), slice(agreed.shape[1]))
    parts = [cv2.GaussianBlur(part, (0, 0), SOFT)[where][agreed].astype(np.float32) for part in laid[:2]]
    one_P3, other_P3 = (part[:: max(1, len(part) // 4000)] for part in (parts if laid.first_moves else parts[::-1]))
    if not len(one_P3):
        return Colours((False, False), 0.0, 1.0, 1.0, 0.0)
    strength = [float(np.abs(_chroma(part)).mean()) for part in (one_P3, other_P3)]
    is_grey = (strength[0] < GREY, strength[1] < GREY)
    light = [part.mean(axis=1) for part in (one_P3, other_P3)]
    return Colours(
        is_grey,
        float(light[1].mean() - light[0].mean()),
        float(light[1].std() / max(float(light[0].std()), 1.0)),
        strength[1] / max(strength[0], 1.0),
        0.0 if any(is_grey) else _of_other_hue(one_P3, other_P3),
    )


def _of_other_hue(one_P3: Floats, other_P3: Floats) -> float:
    """Share of pixels whose hue differs after matching the white balance."""
    gain_3 = np.clip(np.median((other_P3 + 8) / (one_P3 + 8), axis=0), 0.5, 2.0)
    chroma, other = _chroma(one_P3 * (gain_3 / gain_3.mean())), _chroma(other_P3)
    lengths = np.linalg.norm(chroma, axis=1), np.linalg.norm(other, axis=1)
    cosine = (chroma * other).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1.0)
    return float(((np.minimum(*lengths) > COLOURED) & (cosine < OTHER_HUE)).mean())


def _chroma(pixels_P3: Floats) -> Floats:
    return np.asarray(pixels_P3 - pixels_P3.mean(axis=1, keepdims=True), np.float32)
