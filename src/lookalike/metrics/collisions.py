"""Codes that several images share.

The paper (section IV): collision rate = number of collided hashes / number of test images × 100. What a "collided hash"
is, it does not say, and its own example does not help: 0.11 % of 10,000 images it calls one image. Three readings are
computed; the first is ours, as it is what a hash table counts:

    repeated   images whose code an earlier image has: N − U, for U different codes
    sharing    images that share their code with another image
    shared     codes that more than one image has

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lookalike.metrics.counts import check_codes


class Collisions(NamedTuple):
    """How many of `images` collide, by three readings, and what else there is to say of codes in common."""

    images: int
    unique: int  # different codes
    repeated: int  # images whose code an earlier image has
    sharing: int  # images that share their code
    shared: int  # codes that more than one image has
    largest: int  # images of the code that most have
    chance: float  # expected `repeated` of as many codes drawn evenly from all there are

    @property
    def ratio(self) -> float:
        """The paper's collision ratio, in percent, with `repeated` for collided hashes."""
        return 100 * self.repeated / self.images

    @property
    def chance_ratio(self) -> float:
        """That ratio for codes drawn evenly, in percent."""
        return 100 * self.chance / self.images


def collisions(codes: npt.ArrayLike) -> Collisions:
    """Collisions among packed codes, uint8 (N, W).

    >>> collisions(np.array([[1], [1], [2], [1]], np.uint8))[:6]
    (4, 2, 2, 3, 1, 3)
    """
    codes_NW = check_codes(codes, "the")
    _, sizes = np.unique(codes_NW, axis=0, return_counts=True)
    several = sizes[sizes > 1]
    count, unique = len(codes_NW), len(sizes)
    return Collisions(
        images=count,
        unique=unique,
        repeated=count - unique,
        sharing=int(several.sum()),
        shared=len(several),
        largest=int(sizes.max()),
        chance=expected_repeated(count, codes_NW.shape[1] * 8),
    )


def expected_repeated(count: int, bits: int) -> float:
    """Expected number of images whose code an earlier one has: N − M·(1 − (1 − 1/M)^N) for codes drawn from M = 2^K.

    >>> round(expected_repeated(10_000, 16), 1), expected_repeated(10_000, 128) < 1e-30
    (725.5, True)
    """
    if count < 2.0 ** min(bits, 1000) * 1e-6:  # the difference below would be lost in rounding
        return count * (count - 1) / 2 * 2.0**-bits
    slots = 2.0**bits
    return count - slots * -math.expm1(count * math.log1p(-1 / slots))
