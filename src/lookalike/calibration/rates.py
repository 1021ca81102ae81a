"""Distance thresholds of one collection, from the distances of its pairs and of edited copies.

Three tiers get a threshold each:

    same             the smallest distance that covers 95 % of the re-encoded and resized copies; at most the next one
    near-duplicate   the largest within which at most a stated share of the pairs of different images is found
    similar          the largest reached by at most 1 in 100 pairs

If there are so few images that the stated share is less than one pair, no false pair is allowed, and the threshold is
at most the model's own.

Shapes: N compared images, D distances from 0 to K bits, B images of a block, P pairs, W bytes a code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.core.codes import Codes, hamming
from lookalike.imaging.edits.catalogue import EDITS, Variant
from lookalike.metrics import intervals
from lookalike.metrics.counts import Integers
from lookalike.metrics.retrieval_stats import threshold
from lookalike.search import all_pairs
from lookalike.search.hits import NO_PAIRS, Pairs, joined

RATE = 1e-6
SIMILAR = 1e-2
SHARE = 0.95  # of the light copies that `same` must cover
BLOCK = 128  # images whose distances to all others are in memory at once
FEWEST = 20  # different images; with fewer, distances mean nothing

KINDS = ("re-encoded", "edited", "reshaped")
MIX: dict[str, tuple[Variant, ...]] = {
    "re-encoded": (Variant("jpeg", 80), Variant("jpeg", 60), Variant("webp", 80), Variant("resize", 0.5)),
    "edited": (
        Variant("jpeg", 20), Variant("blur", 0.01), Variant("noise", 10), Variant("brighter", 1.3),
        Variant("darker", 0.7), Variant("contrast-up", 1.5), Variant("contrast-down", 0.6), Variant("grey", 1),
        Variant("warm", 0.2), Variant("watermark", 0.6), Variant("crop", 0.05), Variant("messenger", 1),
    ),
    "reshaped": (
        Variant("crop", 0.1), Variant("crop", 0.25), Variant("rotate", 5), Variant("border", 0.1),
        Variant("letterbox", 0.125), Variant("text", 0.1), Variant("screenshot", 0.06), Variant("caption", 0.2),
    ),
}  # fmt: skip

OnRows = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Share:
    """Recall on copies of one kind; its interval treats images, not copies, as trials."""

    found: int
    copies: int
    images: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """found / copies."""
        return self.found / self.copies if self.copies else 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    """False matches within a distance; the interval is that of their share of all pairs."""

    distance: int  # bits; −1: no distance qualifies
    false: int
    pairs: int
    low: float
    high: float
    suspected: int  # pairs within it that may show the same picture; not counted as false

    @property
    def value(self) -> float:
        """false / pairs."""
        return self.false / self.pairs if self.pairs else 0.0

    @property
    def worst(self) -> float:
        """The rate if all suspected pairs were false."""
        return (self.false + self.suspected) / self.pairs if self.pairs else 0.0


def mix() -> list[tuple[str, Variant]]:
    """The edits that make copies, with their kinds; only those supported here."""
    return [(kind, one) for kind in KINDS for one in MIX[kind] if EDITS[one.edit].is_here]


def histograms(codes_NW: Codes, *, on_rows: OnRows = lambda done, total: None) -> Integers:
    """For each image, the number of others at each distance, (N, D); computed in blocks of rows."""
    count, size = len(codes_NW), 8 * codes_NW.shape[1] + 1
    counts_ND = np.zeros((count, size), np.int64)
    for start in range(0, count, BLOCK):
        block = slice(start, min(start + BLOCK, count))
        distances_BN = hamming(codes_NW[block], codes_NW)
        shifted_BN = distances_BN + size * np.arange(len(distances_BN), dtype=np.int32)[:, None]
        block_counts = np.bincount(shifted_BN.ravel(), minlength=len(distances_BN) * size)
        counts_ND[block] = block_counts.reshape(-1, size)
        on_rows(block.stop, count)
    counts_ND[:, 0] -= 1  # the image itself
    return counts_ND


def nearest_pairs(codes_NW: Codes, counts_D: Integers, *, most: int) -> tuple[int, Pairs]:
    """All pairs up to a distance, nearest first, and that distance: the largest that at most `most` pairs reach.

    It is −1 if more pairs have equal codes.
    """
    reach = int(np.searchsorted(np.cumsum(counts_D), most, side="right")) - 1
    blocks = [pairs for _end, pairs in all_pairs.pairs_within(codes_NW, radius=max(reach, 0))] if reach >= 0 else []
    first, second, distances = joined([NO_PAIRS, *blocks])
    order = np.lexsort((second, first, distances))
    return reach, Pairs(first[order], second[order], distances[order])


def by_distance(pairs: Pairs) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Sorted pairs grouped by distance."""
    for distance in np.unique(pairs.distances).tolist():
        at = pairs.distances == distance
        yield distance, list(zip(pairs.first[at].tolist(), pairs.second[at].tolist(), strict=True))


def without(counts_ND: Integers, pairs: Sequence[tuple[int, int]], distances: Sequence[int]) -> Integers:
    """The histograms without some pairs, given their distances."""
    left_ND = counts_ND.copy()
    for (first, second), distance in zip(pairs, distances, strict=True):
        left_ND[first, distance] -= 1
        left_ND[second, distance] -= 1
    return left_ND


def rate(counts_ND: Integers, distance: int, *, suspected: int = 0) -> Rate:
    """The rate of pairs within a distance, from the histograms of pairs of different images."""
    counts_N = counts_ND[:, : distance + 1].sum(axis=1) if distance >= 0 else np.zeros(len(counts_ND), np.int64)
    pairs = int(counts_ND.sum()) // 2
    low, high = intervals.of_pairs(counts_N)
    return Rate(distance, int(counts_N.sum()) // 2, pairs, low / max(pairs, 1), min(1, high / max(pairs, 1)), suspected)


def near(counts_ND: Integers, target: float, *, own: int) -> tuple[int, bool]:
    """The threshold of near-duplicates, and whether there are enough pairs to measure the target rate.

    `own` is the model's threshold: the upper limit if the rate cannot be measured, apart from equal codes.
    """
    measured = threshold(counts_ND.sum(axis=0) // 2, target)
    return (measured.distance, True) if measured.is_measured else (min(measured.distance, max(own, 0)), False)


def similar(counts_ND: Integers, *, own: int, least: int) -> int:
    """The threshold of similar images; the model's own if too few pairs are compared."""
    measured = threshold(counts_ND.sum(axis=0) // 2, SIMILAR)
    return max(least, measured.distance if measured.is_measured else own)


def same(own_D: Integers, *, most: int) -> int:
    """The threshold of the same picture, from the distances of light copies to their originals."""
    if most < 0 or not own_D.sum():
        return min(0, most)
    return min(most, int(np.searchsorted(np.cumsum(own_D), SHARE * own_D.sum() * (1 - 1e-12))))


def recall(distances_QV: Integers, distance: int) -> Share:
    """Recall on copies (of Q images, V each) within a distance."""
    images, copies = len(distances_QV), distances_QV.size
    found = int((distances_QV <= distance).sum())
    alike = found / copies * images if copies else 0.0
    low, high = (
        intervals.clopper_pearson(int(alike), images)[0],
        intervals.clopper_pearson(-int(-alike // 1), images)[1],
    )
    return Share(found, copies, images, low, high)
