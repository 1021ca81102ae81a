"""Whether two images show the same picture once they are aligned: the pixels' verdict on similar codes.

Codes are similar by chance where pictures look alike from afar, such as two towers against a sky. Such pictures differ
in where each edge lies. So indexing keeps an alignment thumbnail of each image: M × M pixels, each the difference from
its surroundings. Two images match if their thumbnails correlate in some alignment: as they are, one as a smaller part
of the other, rotated a little, squeezed in one direction, or but for a third that a band may cover. That is
registration by exhaustive search with normalised cross-correlation (Brown, "A survey of image registration techniques",
ACM Computing Surveys 1992, section 4.1). What was tried, and how `SAME` was chosen: docs/experiments.md.

Shapes: M = 16 pixels a side of a thumbnail, G = 12 a side of the one that is placed on it, T placements, U and V
thumbnails, P pairs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.imaging.decode import Array

SAME = 0.75  # correlation

SIDE = 16  # M
BYTES = SIDE * SIDE // 2  # of a thumbnail; two pixels each
AROUND = 2.0  # pixels; the standard deviation of the weights of a pixel's surroundings
LEVELS = 7  # of a pixel, above and below its surroundings
REACH = 2.5  # standard deviations that the last level stands for
FAINT = 0.5  # shades of 255; a deviation that is at least assumed, so that even images stay even

OVER = 12  # G
SHARES = (1.0, 0.89, 0.78, 0.67)  # of each side of the one that the other is placed on
SQUEEZED = (0.92, 0.84, 0.76, 0.68)  # of one side only
DEGREES = (-14.0, -7.0, 0.0, 7.0, 14.0)  # of rotation
STEP = 0.08  # of a side, between places
COVERED = 4  # of the G rows or columns, which a band of text may hide
LEAST = 0.55  # of what is placed that must lie on the other
TOGETHER = 8192  # pairs that are compared at once
HELD = 8192  # pairs, or images, times placements, that are held in memory at once

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# how one square lies on another: width and height, where its centre is to the right and down (in sides), degrees
_Square = tuple[float, float, float, float, float]


def alignment_thumbnail(pixels: Array) -> bytes | None:
    """The thumbnail of uint8 pixels (H, W) or (H, W, 3), `BYTES` bytes; None if there is nothing to see in it."""
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    grey_MM = np.asarray(grey, np.float32)
    around_MM = _around()
    from_around_MM = grey_MM - around_MM @ grey_MM @ around_MM.T
    deviation = max(float(from_around_MM.std()), FAINT)
    levels_MM = np.clip(np.rint(from_around_MM * (LEVELS / REACH / deviation)), -LEVELS, LEVELS)
    if not levels_MM.any():
        return None
    nibbles = (levels_MM.ravel() + LEVELS + 1).astype(np.uint8)
    return bytes(nibbles[0::2] << 4 | nibbles[1::2])


@functools.lru_cache(maxsize=1 << 14)  # a page asks for the same few again, with each decision
def same_picture(one: bytes | None, other: bytes | None, *, any_orientation: bool = False) -> bool:
    """What `same_pictures` says of one pair."""
    (same_1,) = same_pictures([one], [other], any_orientation=any_orientation)
    return bool(same_1.all())


def same_pictures(
    first: Sequence[bytes | None], second: Sequence[bytes | None], *, any_orientation: bool = False
) -> Iterator[Mask]:
    """Whether pairs of thumbnails are of the same picture, (P,), some thousand at a time.

    With `any_orientation` also if one is mirrored or turned by quarters. A pair of which one is unknown counts as same.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} thumbnails cannot be paired with {len(second)}")
    for start in range(0, len(first), TOGETHER):
        ones, others = (list(some[start : start + TOGETHER]) for some in (first, second))
        same_P = np.array([None in pair or pair[0] == pair[1] for pair in zip(ones, others, strict=True)], bool)
        rest = np.flatnonzero(~same_P).tolist()
        one_P, other_P = ([some[at] or b"" for at in rest] for some in (ones, others))
        same_P[rest] = agreements(one_P, other_P, any_orientation=any_orientation) >= SAME
        yield same_P


def agreements(first: Sequence[bytes], second: Sequence[bytes], *, any_orientation: bool = False) -> Floats:
    """The highest correlation of each pair of thumbnails over all placements, −1 to 1, (P,).

    The search ends at the first placement that reaches `SAME`, which need not be the best.
    """
    places: dict[bytes, int] = {}
    first_P, second_P = (
        np.array([places.setdefault(one, len(places)) for one in some], np.int64) for some in (first, second)
    )
    levels_UMM = _levels(b"".join(places)).reshape(-1, SIDE, SIDE)
    unit_UX = units(list(places))
    best_P = np.asarray((unit_UX[first_P] * unit_UX[second_P]).sum(axis=1), np.float32)
    for turned_UMM in _orientations(levels_UMM) if any_orientation else [levels_UMM]:
        rest = np.flatnonzero(best_P < SAME)
        if not len(rest):
            break
        one_P, other_P = (np.unique(rows_P[rest], return_inverse=True) for rows_P in (first_P, second_P))
        found = _best_placement(levels_UMM[one_P[0]], turned_UMM[other_P[0]], one_P[1], other_P[1])
        best_P[rest] = np.maximum(best_P[rest], found)
    return best_P


def units(thumbnails: Sequence[bytes]) -> Floats:
    """Thumbnails of mean 0 and length 1, (U, M · M), whose products are their correlations with nothing moved."""
    return _unit(_levels(b"".join(thumbnails)).reshape(-1, SIDE * SIDE))


def _best_placement(one_UMM: Floats, other_VMM: Floats, first_P: Ints, second_P: Ints) -> Floats:
    """The highest correlation of pairs, one of which covers a part of the other, (P,); up to `SAME`."""
    best_P = np.full(len(first_P), -1, np.float32)
    at_once = max(1, HELD // max(len(one_UMM), len(other_VMM), len(first_P)))
    for placements in _placements():
        for start in range(0, placements.corners_4TX.shape[1], at_once):
            some, rest = placements.some(start, start + at_once), np.flatnonzero(best_P < SAME)
            for under_UMM, over_VMM, under_P, over_P in (
                (one_UMM, other_VMM, first_P[rest], second_P[rest]),
                (other_VMM, one_UMM, second_P[rest], first_P[rest]),
            ):
                below_UTX, above_VTX = _below(under_UMM, some), _above(over_VMM, some)
                found_PT = (below_UTX[under_P] * above_VTX[over_P]).sum(axis=2)
                best_P[rest] = np.maximum(best_P[rest], found_PT.max(axis=1))
    return best_P


def _below(levels_UMM: Floats, placements: _Placements) -> Floats:
    """The part of thumbnails below each placement, (U, T, G · G), of mean 0 and length 1; 0 outside."""
    pixels_UX = levels_UMM.reshape(-1, SIDE * SIDE)
    below_UTX = np.zeros((len(pixels_UX), *placements.corners_4TX.shape[1:]), np.float32)
    for corner_TX, weight_TX in zip(placements.corners_4TX, placements.weights_4TX, strict=True):
        corner_UTX = np.take(pixels_UX, corner_TX, axis=1)  # four times as fast as by an index
        corner_UTX *= weight_TX
        below_UTX += corner_UTX
    return _unit(below_UTX, placements.inside_TX)


def _above(levels_UMM: Floats, placements: _Placements) -> Floats:
    """The thumbnails that are placed, likewise; one for all placements that lie wholly on what is below."""
    small_UGG = np.asarray(_shrinking() @ levels_UMM @ _shrinking().T, np.float32)
    return _unit(small_UGG.reshape(-1, 1, OVER * OVER), placements.inside_TX)


def _unit(values_X: Floats, inside_X: Floats | None = None) -> Floats:
    """Values (…, X) of mean 0 and length 1 of what is inside, and 0 outside."""
    if inside_X is None:
        values_X = values_X - values_X.mean(axis=-1, keepdims=True)
    else:
        values_X = values_X * inside_X
        mean_1 = values_X.sum(axis=-1, keepdims=True) / inside_X.sum(axis=-1, keepdims=True)
        values_X = (values_X - mean_1) * inside_X
    length_1 = np.sqrt((values_X * values_X).sum(axis=-1, keepdims=True))
    return np.asarray(values_X / np.maximum(length_1, 1e-3), np.float32)


def _levels(thumbnails: bytes) -> Floats:
    """The pixels of a thumbnail (M, M), or of several in a row (U · M, M)."""
    packed = np.frombuffer(thumbnails, np.uint8)
    nibbles = np.stack([packed >> 4, packed & 15], axis=1)
    return nibbles.reshape(-1, SIDE).astype(np.float32) - (LEVELS + 1)


def _orientations(levels_UMM: Floats) -> Iterator[Floats]:
    """Thumbnails in their eight orientations, first as they are."""
    for mirrored_UMM in (levels_UMM, levels_UMM[:, :, ::-1]):
        for quarters in range(4):
            yield np.ascontiguousarray(np.rot90(mirrored_UMM, quarters, axes=(1, 2)))


class _Placements(NamedTuple):
    """For each placement and pixel: the four pixels below it, their weights, and if it lies on any."""

    corners_4TX: Ints
    weights_4TX: Floats
    inside_TX: Floats | None  # 1 or 0; none if all of it lies inside

    def some(self, begin: int, end: int) -> _Placements:
        """Some of them."""
        inside_TX = None if self.inside_TX is None else self.inside_TX[begin:end]
        return _Placements(self.corners_4TX[:, begin:end], self.weights_4TX[:, begin:end], inside_TX)


@functools.cache
def _placements() -> tuple[_Placements, _Placements]:
    """The placements that lie wholly inside, and those of which at least `LEAST` does."""
    every = np.array([*_squares(), *_squeezed(), *[(1, 1, 0, 0, 0)] * len(_bared())])
    width_T1, height_T1, right_T1, down_T1 = (column[:, None] for column in every[:, :4].T)
    angle_T1 = np.deg2rad(every[:, 4:])
    places_G = (np.arange(OVER) + 0.5) / OVER - 0.5
    down_X, right_X = (grid.ravel() for grid in np.meshgrid(places_G, places_G, indexing="ij"))
    across_TX = width_T1 * (np.cos(angle_T1) * right_X - np.sin(angle_T1) * down_X) + right_T1
    along_TX = height_T1 * (np.sin(angle_T1) * right_X + np.cos(angle_T1) * down_X) + down_T1
    column_TX, row_TX = ((place_TX + 0.5) * SIDE - 0.5 for place_TX in (across_TX, along_TX))
    inside_TX = (np.abs(across_TX) < 0.5 + 0.25 / SIDE) & (np.abs(along_TX) < 0.5 + 0.25 / SIDE)
    inside_TX[-len(_bared()) :] &= _bared()
    enough_T = inside_TX.mean(axis=1) >= LEAST
    column_TX, row_TX, inside_TX = (values[enough_T] for values in (column_TX, row_TX, inside_TX))
    left_TX, above_TX = (np.clip(np.floor(place_TX), 0, SIDE - 2) for place_TX in (column_TX, row_TX))
    to_right_TX, below_TX = np.clip(column_TX - left_TX, 0, 1), np.clip(row_TX - above_TX, 0, 1)
    first_TX = (above_TX * SIDE + left_TX).astype(np.int64)
    weights = (
        (1 - below_TX) * (1 - to_right_TX), (1 - below_TX) * to_right_TX, below_TX * (1 - to_right_TX),
        below_TX * to_right_TX,
    )  # fmt: skip
    corners_4TX = np.stack([first_TX, first_TX + 1, first_TX + SIDE, first_TX + SIDE + 1])
    weights_4TX = (np.stack(weights) * inside_TX).astype(np.float32)
    wholly_T = inside_TX.all(axis=1)
    parts = inside_TX[~wholly_T].astype(np.float32)
    return (
        _Placements(corners_4TX[:, wholly_T], weights_4TX[:, wholly_T], None),
        _Placements(corners_4TX[:, ~wholly_T], weights_4TX[:, ~wholly_T], parts),
    )


def _squares() -> Iterator[_Square]:
    """All of it, and smaller squares of it in all places, each rotated by some degrees."""
    for share in SHARES:
        for right, down, degrees in itertools.product(_places(share), _places(share), DEGREES):
            yield share, share, right, down, degrees


def _squeezed() -> Iterator[_Square]:
    """Parts as wide or as high as all of it: for bars above or below, or at the sides."""
    for share in SQUEEZED:
        for place in _places(share):
            yield 1, share, 0, place, 0
            yield share, 1, place, 0, 0


def _bared() -> Mask:
    """What is compared where a band covers the top, left, bottom or right of one, (4, G · G)."""
    row_GG = np.indices((OVER, OVER))[0]
    return np.stack([np.rot90(row_GG >= COVERED, turns).ravel() for turns in range(4)])


def _places(share: float) -> npt.NDArray[np.float64]:
    """Where the centre of a part may lie, in sides from the middle, at most about `STEP` apart."""
    room = (1 - share) / 2
    steps = round(room / STEP)
    return np.linspace(-room, room, 2 * steps + 1) if steps else np.zeros(1)


@functools.cache
def _around() -> Floats:
    """The weights of each pixel's surroundings, (M, M)."""
    row_M = np.arange(SIDE)
    weight_MM = np.exp(-((row_M[:, None] - row_M) ** 2) / (2 * AROUND**2))
    return np.asarray(weight_MM / weight_MM.sum(axis=1, keepdims=True), np.float32)


@functools.cache
def _shrinking() -> Floats:
    """The weights that reduce M rows to G, (G, M)."""
    size, row_M = SIDE / OVER, np.arange(SIDE)
    begin_G1 = size * np.arange(OVER)[:, None]
    weight_GM = np.minimum(begin_G1 + size, row_M + 1) - np.maximum(begin_G1, row_M)
    return np.asarray(weight_GM.clip(0) / size, np.float32)
