"""Whether two images show the same picture once one is laid over the other: a second opinion on near codes.

Codes that are near by chance are of pictures that look alike from afar: two towers before a sky. What these do not
share is where each edge lies. So an image's relief is kept, M × M pixels of how each differs from its surroundings. Two
images are the same picture if their reliefs correlate, one laid over the other: as it is, or over a part of it that is
smaller, or turned a little, or pressed in one direction, or but for a third that a band may cover. That is registration
by exhaustive search, with normalised cross-correlation (Brown, "A survey of image registration techniques", ACM
Computing Surveys 1992, section 4.1). What was tried, and how `SAME` was chosen: docs/experiments.md.

Shapes: M = 16 pixels a side of a relief, G = 12 a side of what is laid over it, T ways to lay it, U and V reliefs, P
pairs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.imaging.decode import Array

SAME = 0.75  # correlation

SIDE = 16  # M
BYTES = SIDE * SIDE // 2  # of a relief; two pixels each
AROUND = 2.0  # pixels; the standard deviation of the weights of a pixel's surroundings
LEVELS = 7  # of a pixel, above and below its surroundings
REACH = 2.5  # deviations of a relief that the last level stands for
FAINT = 0.5  # shades of 255; a deviation that is at least assumed, so that even images stay even

OVER = 12  # G
SHARES = (1.0, 0.89, 0.78, 0.67)  # of each side of the one that the other is laid over
PRESSED = (0.92, 0.84, 0.76, 0.68)  # of one side only
DEGREES = (-14.0, -7.0, 0.0, 7.0, 14.0)  # by which it is turned
STEP = 0.08  # of a side, between places
COVERED = 4  # of the G rows or columns, which a band of writing may hide
LEAST = 0.55  # of what is laid over that must lie on the other
TOGETHER = 8192  # pairs that are compared at once
HELD = 8192  # pairs, or images, times ways, that are held at a time

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Way(NamedTuple):
    """How one square is laid over another: shares of the sides, where its centre lies (sides), degrees."""

    width: float
    height: float
    right: float
    down: float
    degrees: float


def relief(pixels: Array) -> bytes | None:
    """The relief of uint8 pixels (H, W) or (H, W, 3), `BYTES` bytes; none if there is nothing to see in it."""
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
def same_picture(one: bytes | None, other: bytes | None, *, in_any_turn: bool = False) -> bool:
    """What `same_pictures` says of one pair."""
    (same_1,) = same_pictures([one], [other], in_any_turn=in_any_turn)
    return bool(same_1.all())


def same_pictures(
    first: Sequence[bytes | None], second: Sequence[bytes | None], *, in_any_turn: bool = False
) -> Iterator[Mask]:
    """Whether pairs of reliefs are of the same picture, (P,), some thousand at a time; `in_any_turn`: also if one is
    mirrored or turned by quarters. Where one is not known, nothing speaks against it.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} reliefs cannot be paired with {len(second)}")
    for start in range(0, len(first), TOGETHER):
        ones, others = (list(some[start : start + TOGETHER]) for some in (first, second))
        same_P = np.array([None in pair or pair[0] == pair[1] for pair in zip(ones, others, strict=True)], bool)
        rest = np.flatnonzero(~same_P).tolist()
        one_P, other_P = ([some[at] or b"" for at in rest] for some in (ones, others))
        same_P[rest] = agreements(one_P, other_P, in_any_turn=in_any_turn) >= SAME
        yield same_P


def agreements(first: Sequence[bytes], second: Sequence[bytes], *, in_any_turn: bool = False) -> Floats:
    """The highest correlation of each pair of reliefs over the ways to lay one over the other, −1 to 1, (P,). Of those
    that reach `SAME` some way is taken, not always the best.
    """
    places: dict[bytes, int] = {}
    first_P, second_P = (
        np.array([places.setdefault(one, len(places)) for one in some], np.int64) for some in (first, second)
    )
    levels_UMM = _levels(b"".join(places)).reshape(-1, SIDE, SIDE)
    unit_UX = units(list(places))
    best_P = np.asarray((unit_UX[first_P] * unit_UX[second_P]).sum(axis=1), np.float32)
    for turned_UMM in _orientations(levels_UMM) if in_any_turn else [levels_UMM]:
        rest = np.flatnonzero(best_P < SAME)
        if not len(rest):
            break
        one_P, other_P = (np.unique(rows_P[rest], return_inverse=True) for rows_P in (first_P, second_P))
        found = _laid_over(levels_UMM[one_P[0]], turned_UMM[other_P[0]], one_P[1], other_P[1])
        best_P[rest] = np.maximum(best_P[rest], found)
    return best_P


def units(reliefs: Sequence[bytes]) -> Floats:
    """Reliefs of mean 0 and length 1, (U, M · M), whose products are their correlations with nothing moved."""
    return _unit(_levels(b"".join(reliefs)).reshape(-1, SIDE * SIDE))


def _laid_over(one_UMM: Floats, other_VMM: Floats, first_P: Ints, second_P: Ints) -> Floats:
    """The highest correlation of pairs, one of which covers a part of the other, (P,); those that reach `SAME` go no
    further.
    """
    best_P = np.full(len(first_P), -1, np.float32)
    at_once = max(1, HELD // max(len(one_UMM), len(other_VMM), len(first_P)))
    for ways in _ways():
        for start in range(0, ways.corners_4TX.shape[1], at_once):
            some, rest = ways.some(start, start + at_once), np.flatnonzero(best_P < SAME)
            for under_UMM, over_VMM, under_P, over_P in (
                (one_UMM, other_VMM, first_P[rest], second_P[rest]),
                (other_VMM, one_UMM, second_P[rest], first_P[rest]),
            ):
                seen_UTX, laid_VTX = _seen(under_UMM, some), _laid(over_VMM, some)
                found_PT = (seen_UTX[under_P] * laid_VTX[over_P]).sum(axis=2)
                best_P[rest] = np.maximum(best_P[rest], found_PT.max(axis=1))
    return best_P


def _seen(levels_UMM: Floats, ways: _Ways) -> Floats:
    """What of reliefs lies below, in each way, (U, T, G · G), of mean 0 and length 1; 0 outside."""
    pixels_UX = levels_UMM.reshape(-1, SIDE * SIDE)
    seen_UTX = np.zeros((len(pixels_UX), *ways.corners_4TX.shape[1:]), np.float32)
    for corner_TX, weight_TX in zip(ways.corners_4TX, ways.weights_4TX, strict=True):
        corner_UTX = np.take(pixels_UX, corner_TX, axis=1)  # four times as fast as by an index
        corner_UTX *= weight_TX
        seen_UTX += corner_UTX
    return _unit(seen_UTX, ways.inside_TX)


def _laid(levels_UMM: Floats, ways: _Ways) -> Floats:
    """What of reliefs lies above, likewise; once for all ways if all of it lies on what is below."""
    small_UGG = np.asarray(_shrinking() @ levels_UMM @ _shrinking().T, np.float32)
    return _unit(small_UGG.reshape(-1, 1, OVER * OVER), ways.inside_TX)


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


def _levels(reliefs: bytes) -> Floats:
    """The pixels of a relief (M, M), or of several in a row (U · M, M)."""
    packed = np.frombuffer(reliefs, np.uint8)
    nibbles = np.stack([packed >> 4, packed & 15], axis=1)
    return nibbles.reshape(-1, SIDE).astype(np.float32) - (LEVELS + 1)


def _orientations(levels_UMM: Floats) -> Iterator[Floats]:
    """Reliefs in their eight orientations, first as they are."""
    for mirrored_UMM in (levels_UMM, levels_UMM[:, :, ::-1]):
        for quarters in range(4):
            yield np.ascontiguousarray(np.rot90(mirrored_UMM, quarters, axes=(1, 2)))


class _Ways(NamedTuple):
    """For each way and pixel of what is laid over: the four pixels below it, their weights, and if it lies on any."""

    corners_4TX: Ints
    weights_4TX: Floats
    inside_TX: Floats | None  # 1 or 0; none if all of it lies inside

    def some(self, begin: int, end: int) -> _Ways:
        """Some of them."""
        inside_TX = None if self.inside_TX is None else self.inside_TX[begin:end]
        return _Ways(self.corners_4TX[:, begin:end], self.weights_4TX[:, begin:end], inside_TX)


@functools.cache
def _ways() -> tuple[_Ways, _Ways]:
    """Those in which all of what is laid over lies inside, and those in which at least `LEAST` of it does."""
    all_ways = np.array([*_squares(), *_pressed(), *[Way(1, 1, 0, 0, 0)] * len(_bared())])
    width_T1, height_T1, right_T1, down_T1 = (column[:, None] for column in all_ways[:, :4].T)
    angle_T1 = np.deg2rad(all_ways[:, 4:])
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
        _Ways(corners_4TX[:, wholly_T], weights_4TX[:, wholly_T], None),
        _Ways(corners_4TX[:, ~wholly_T], weights_4TX[:, ~wholly_T], parts),
    )


def _squares() -> Iterator[Way]:
    """All of it, and smaller squares of it in all places, each turned by some degrees."""
    for share in SHARES:
        for right in _places(share):
            for down in _places(share):
                for degrees in DEGREES:
                    yield Way(share, share, right, down, degrees)


def _pressed() -> Iterator[Way]:
    """Parts as wide or as high as all of it: what has bars above or below, or at the sides."""
    for share in PRESSED:
        for place in _places(share):
            yield Way(1, share, 0, place, 0)
            yield Way(share, 1, place, 0, 0)


def _bared() -> Mask:
    """What of both is compared where a band covers a side of one of them, top, left, bottom or right, (4, G · G)."""
    row_GG = np.indices((OVER, OVER))[0]
    return np.stack([np.rot90(row_GG >= COVERED, turns).ravel() for turns in range(4)])


def _places(share: float) -> npt.NDArray[np.float64]:
    """Where the centre of a part may lie, in sides from the middle, at most about `STEP` apart."""
    room = (1 - share) / 2
    steps = round(room / STEP)
    return np.linspace(-room, room, 2 * steps + 1) if steps else np.zeros(1)


@functools.cache
def _around() -> Floats:
    """A pixel's surroundings as weighed rows, (M, M)."""
    row_M = np.arange(SIDE)
    weight_MM = np.exp(-((row_M[:, None] - row_M) ** 2) / (2 * AROUND**2))
    return np.asarray(weight_MM / weight_MM.sum(axis=1, keepdims=True), np.float32)


@functools.cache
def _shrinking() -> Floats:
    """The rows of what is laid over as weighed rows of a relief, (G, M)."""
    size, row_M = SIDE / OVER, np.arange(SIDE)
    begin_G1 = size * np.arange(OVER)[:, None]
    weight_GM = np.minimum(begin_G1 + size, row_M + 1) - np.maximum(begin_G1, row_M)
    return np.asarray(weight_GM.clip(0) / size, np.float32)
