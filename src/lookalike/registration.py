"""Whether two images show the same picture once one is laid over the other: a second opinion on near codes.

Codes that are near by chance are of pictures that look alike from afar: two towers before a sky. What these do not
share is where each edge lies. So an image's relief is kept, M × M pixels of how each differs from its surroundings. Two
images are the same picture if their reliefs correlate, one laid over the other: as it is, or over a part of it that is
smaller, or turned a little, or pressed in one direction. That is registration by exhaustive search, with normalised
cross-correlation (Brown, "A survey of image registration techniques", ACM Computing Surveys 1992, section 4.1). What
was tried, and how `SAME` was chosen: docs/experiments.md.

Shapes: M = 16 pixels a side of a relief, G = 12 a side of what is laid over it, T ways to lay it, P pairs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.images import Array

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
TURNED = (-14.0, -7.0, 0.0, 7.0, 14.0)  # degrees
STEP = 0.08  # of a side, between places
LEAST = 0.55  # of what is laid over that must lie on the other
TOGETHER = 4096  # pairs that are compared as they are at once

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Way(NamedTuple):
    """How one square is laid over another: shares of the sides, where its centre lies (sides), degrees."""

    width: float
    height: float
    right: float
    down: float
    turned: float


def relief(pixels: Array) -> bytes:
    """The relief of uint8 pixels (H, W) or (H, W, 3): `BYTES` bytes, all 0x88 if there is nothing to see."""
    grey = Image.fromarray(pixels).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    grey_MM = np.asarray(grey, np.float32)
    around_MM = _around()
    from_around_MM = grey_MM - around_MM @ grey_MM @ around_MM.T
    deviation = max(float(from_around_MM.std()), FAINT)
    levels_MM = np.clip(np.rint(from_around_MM * (LEVELS / REACH / deviation)), -LEVELS, LEVELS)
    nibbles = (levels_MM.ravel() + LEVELS + 1).astype(np.uint8)
    return bytes(nibbles[0::2] << 4 | nibbles[1::2])


def same_picture(one: bytes | None, other: bytes | None, *, turned: bool = False) -> bool:
    """Whether two reliefs are of the same picture; with `turned`, also if one is mirrored or turned by quarters.

    Where a relief is unknown, or of an image in which there is nothing to see, nothing speaks against it.
    """
    if one is None or other is None or one == other:
        return True
    return agreement(*sorted((one, other)), turned=turned) >= SAME


def same_pictures(
    first: Sequence[bytes | None], second: Sequence[bytes | None], *, turned: bool = False
) -> Iterator[Mask]:
    """What `same_picture` says of many pairs (P,), some thousand at a time."""
    for start in range(0, len(first), TOGETHER):
        ones, others = (list(some[start : start + TOGETHER]) for some in (first, second))
        same_P = _alike_as_they_are(ones, others)
        for pair in np.flatnonzero(~same_P).tolist():
            same_P[pair] = same_picture(ones[pair], others[pair], turned=turned)
        yield same_P


@functools.lru_cache(maxsize=1 << 17)  # a page asks for the same groups again
def agreement(one: bytes, other: bytes, *, turned: bool = False) -> float:
    """The highest correlation of two reliefs, −1 to 1, over all ways to lay one over the other; 1 if one is even."""
    one_MM, other_MM = _levels(one), _levels(other)
    if not one_MM.any() or not other_MM.any():
        return 1.0
    orientations = _orientations(other_MM) if turned else iter((other_MM,))
    best = -1.0
    for other_MM in orientations:
        best = max(best, _laid_over(one_MM, other_MM), _laid_over(other_MM, one_MM))
        if best >= SAME:
            break
    return best


def _alike_as_they_are(first: Sequence[bytes | None], second: Sequence[bytes | None]) -> Mask:
    """Whether pairs correlate so much with nothing moved, (P,); also where one is unknown."""
    same_P = np.array([one is None or other is None for one, other in zip(first, second, strict=True)], bool)
    known = np.flatnonzero(~same_P).tolist()
    one_PX, other_PX = (_centred(b"".join(some[pair] or b"" for pair in known)) for some in (first, second))
    lengths_P = np.sqrt((one_PX * one_PX).sum(axis=1) * (other_PX * other_PX).sum(axis=1))
    same_P[known] = (one_PX * other_PX).sum(axis=1) >= SAME * np.maximum(lengths_P, 1e-6)
    return same_P


def _centred(reliefs: bytes) -> Floats:
    """The pixels of several reliefs, each of mean 0, (P, M · M)."""
    levels_PX = _levels(reliefs).reshape(-1, SIDE * SIDE)
    return np.asarray(levels_PX - levels_PX.mean(axis=1, keepdims=True), np.float32)


def _levels(reliefs: bytes) -> Floats:
    """The pixels of a relief (M, M), or of several in a row (P · M, M)."""
    packed = np.frombuffer(reliefs, np.uint8)
    nibbles = np.stack([packed >> 4, packed & 15], axis=1)
    return nibbles.reshape(-1, SIDE).astype(np.float32) - (LEVELS + 1)


def _orientations(levels_MM: Floats) -> Iterator[Floats]:
    """A relief in its eight orientations, the first as it is."""
    for mirrored_MM in (levels_MM, levels_MM[:, ::-1]):
        for quarters in range(4):
            yield np.rot90(mirrored_MM, quarters)


def _laid_over(one_MM: Floats, other_MM: Floats) -> float:
    """The highest correlation of a relief with another one of which it covers a part, in all ways."""
    ways, shrink_GM = _ways(), _shrinking()
    pixels = one_MM.ravel()
    seen_TX = (pixels[ways.corners_4TX] * ways.weights_4TX).sum(axis=0)  # 0 outside
    over_TX = (shrink_GM @ other_MM @ shrink_GM.T).ravel() * ways.inside_TX
    seen_T, over_T = seen_TX.sum(axis=1), over_TX.sum(axis=1)
    together_T = (seen_TX * over_TX).sum(axis=1) - seen_T * over_T / ways.count_T
    spread_T = ((seen_TX * seen_TX).sum(axis=1) - seen_T * seen_T / ways.count_T).clip(1e-3)
    spread_T = spread_T * ((over_TX * over_TX).sum(axis=1) - over_T * over_T / ways.count_T).clip(1e-3)
    return float((together_T / np.sqrt(spread_T)).max())


class _Ways(NamedTuple):
    """For each way and pixel of what is laid over: the four pixels below it, their weights, and if it lies on any."""

    corners_4TX: npt.NDArray[np.int64]
    weights_4TX: Floats
    inside_TX: Floats  # 1 or 0
    count_T: Floats  # pixels inside


@functools.cache
def _ways() -> _Ways:
    all_ways = np.array([*_squares(), *_pressed()])
    width_T1, height_T1, right_T1, down_T1 = (column[:, None] for column in all_ways[:, :4].T)
    angle_T1 = np.deg2rad(all_ways[:, 4:])
    places_G = (np.arange(OVER) + 0.5) / OVER - 0.5
    down_X, right_X = (grid.ravel() for grid in np.meshgrid(places_G, places_G, indexing="ij"))
    across_TX = width_T1 * (np.cos(angle_T1) * right_X - np.sin(angle_T1) * down_X) + right_T1
    along_TX = height_T1 * (np.sin(angle_T1) * right_X + np.cos(angle_T1) * down_X) + down_T1
    column_TX, row_TX = ((place_TX + 0.5) * SIDE - 0.5 for place_TX in (across_TX, along_TX))
    inside_TX = (np.abs(across_TX) < 0.5 + 0.25 / SIDE) & (np.abs(along_TX) < 0.5 + 0.25 / SIDE)
    enough_T = inside_TX.mean(axis=1) >= LEAST
    column_TX, row_TX, inside_TX = (values[enough_T] for values in (column_TX, row_TX, inside_TX))
    left_TX, above_TX = (np.clip(np.floor(place_TX), 0, SIDE - 2) for place_TX in (column_TX, row_TX))
    to_right_TX, below_TX = np.clip(column_TX - left_TX, 0, 1), np.clip(row_TX - above_TX, 0, 1)
    first_TX = (above_TX * SIDE + left_TX).astype(np.int64)
    weights = (
        (1 - below_TX) * (1 - to_right_TX), (1 - below_TX) * to_right_TX, below_TX * (1 - to_right_TX),
        below_TX * to_right_TX,
    )  # fmt: skip
    return _Ways(
        np.stack([first_TX, first_TX + 1, first_TX + SIDE, first_TX + SIDE + 1]),
        (np.stack(weights) * inside_TX).astype(np.float32),
        inside_TX.astype(np.float32),
        inside_TX.sum(axis=1).astype(np.float32),
    )


def _squares() -> Iterator[Way]:
    """All of it, and smaller squares of it in all places, each turned by some degrees."""
    for share in SHARES:
        for right in _places(share):
            for down in _places(share):
                for degrees in TURNED:
                    yield Way(share, share, right, down, degrees)


def _pressed() -> Iterator[Way]:
    """Parts as wide or as high as all of it: what has bars above or below, or at the sides."""
    for share in PRESSED:
        for place in _places(share):
            yield Way(1, share, 0, place, 0)
            yield Way(share, 1, place, 0, 0)


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
