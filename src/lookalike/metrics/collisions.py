"""Collisions: codes shared by several images.

The paper (section IV): collision rate = number of collided hashes / number of test images × 100. It does not define a
"collided hash", and its example does not help: it calls 0.11 % of 10,000 images one image. Three readings are computed;
ours is the first, because it is what a hash table counts:

    repeated   images whose code an earlier image has: N − U, for U distinct codes
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
    """Number of collisions among `images` by three readings, and related statistics."""

    images: int
    unique: int  # distinct codes
    repeated: int  # images whose code an earlier image has
    sharing: int  # images that share their code
    shared: int  # codes that more than one image has
    largest: int  # images with the most common code
    chance: float  # expected `repeated` for the same number of uniformly random codes

    @property
    def ratio(self) -> float:
        """The paper's collision ratio in percent, with `repeated` as collided hashes."""
        return 100 * self.repeated / self.images

    @property
    def chance_ratio(self) -> float:
        """That ratio for uniformly random codes, in percent."""
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
    """Expected number of images with an earlier image's code: N − M·(1 − (1 − 1/M)^N) for M = 2^K possible codes.

    >>> round(expected_repeated(10_000, 16), 1), expected_repeated(10_000, 128) < 1e-30
    (725.5, True)
    """
    if count < 2.0 ** min(bits, 1000) * 1e-6:  # otherwise the difference below would be lost in rounding
        return count * (count - 1) / 2 * 2.0**-bits
    slots = 2.0**bits
    return count - slots * -math.expm1(count * math.log1p(-1 / slots))
