"""Counts of pairs, and exact bounds, in plain Python from their definitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from tests.references.bitcount import Code, distance


def histograms(codes: Sequence[Code]) -> list[list[int]]:
    """For each code, the number of others at each distance."""
    bits = 8 * len(codes[0])
    found = [[0] * (bits + 1) for _ in codes]
    for first, second in itertools.combinations(range(len(codes)), 2):
        apart = distance(codes[first], codes[second])
        found[first][apart] += 1
        found[second][apart] += 1
    return found


def near(codes: Sequence[Code], rate: float) -> int:
    """The largest distance reached by at most a given share of the pairs."""
    apart = [distance(one, other) for one, other in itertools.combinations(codes, 2)]
    allowed = [d for d in range(-1, 8 * len(codes[0]) + 1) if sum(a <= d for a in apart) <= rate * len(apart)]
    return max(allowed)


def poisson_at_most(found: int, mean: float) -> float:
    return sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(found + 1))


def binomial_at_most(found: int, total: int, share: float) -> float:
    return sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(found + 1))


def design_effect(pairs: Sequence[tuple[int, int]], images: int) -> float:
    """Variance of the number of pairs relative to independent pairs, computed pair by pair."""
    chance = len(pairs) / math.comb(images, 2)
    together = sum(1 for one, other in itertools.permutations(pairs, 2) if set(one) & set(other))
    ways = images * (images - 1) * (images - 2)  # ordered couples of pairs that share an image
    return 1 + max(0.0, together - ways * chance**2) / len(pairs)
