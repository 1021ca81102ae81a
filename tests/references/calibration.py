"""Counts of pairs, and exact bounds, in plain Python from their definitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from tests.references.bitcount import Code, distance


def near(codes: Sequence[Code], rate: float) -> int:
    """The largest distance reached by at most a given share of the pairs."""
    apart = [distance(one, other) for one, other in itertools.combinations(codes, 2)]
    allowed = [d for d in range(-1, 8 * len(codes[0]) + 1) if sum(a <= d for a in apart) <= rate * len(apart)]
    return max(allowed)


def binomial_at_most(found: int, total: int, share: float) -> float:
    return sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(found + 1))


def design_effect(pairs: Sequence[tuple[int, int]], *, queries: int, images: int) -> float:
    """Variance of the number of matches relative to independent pairs, computed pair by pair."""
    ordered = list(itertools.permutations(pairs, 2))
    together = sum((one[0] == other[0]) + (one[1] == other[1]) for one, other in ordered)
    return 1 + max(0.0, together - len(ordered) * (1 / queries + 1 / images)) / len(pairs)
