"""How well codes find manipulated copies of images: thresholds at measured rates, recall, bit errors, µAP.

Of some of the images, drawn by the seed, copies are made by all edits at all strengths (`perturbations`). Each copy is
compared with all images: with its original, and with the others, the distractors. The threshold of a rate comes from
the distances of all pairs of different images (`copies.threshold`); what share of the pairs of copies and other
images lies within it, is told beside. No more than one image with its copies is held by each thread.

Shapes: N images, Q of which are edited, V variants (edits at one strength), P peers, D distances.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from lookalike.core.errors import ConfigError, DataError, ImageError, Interrupted
from lookalike.core.parallel import cores, in_order
from lookalike.core.progress import Progress, silent
from lookalike.data import Item
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import Variant, perturb, variants
from lookalike.metrics import retrieval_stats
from lookalike.metrics.counts import Integers
from lookalike.metrics.retrieval_stats import Share, Threshold
from lookalike.robustness import originals
from lookalike.robustness.originals import Originals, PairCounts
from lookalike.robustness.peers import Distances, Peer

RATES = (1e-4, 1e-5, 1e-6)
QUERIES = 500
FEWEST = 20  # different images; with fewer, thresholds mean nothing
TIMED = 30  # images that are encoded to see how long it takes


@dataclass(frozen=True, kw_only=True, slots=True)
class RobustnessOptions:
    """What is asked for."""

    edits: tuple[str, ...] = ()  # all that can be done here, if none are named
    queries: int = QUERIES  # images of which copies are made, at most
    seed: int = 0
    workers: int = 0  # threads; 0: one a core
    max_pixels: int = decode.MAX_PIXELS

    @property
    def threads(self) -> int:
        """How many there are."""
        return self.workers or cores()


class Cell(NamedTuple):
    """What a method made of the copies of one variant."""

    variant: Variant
    own_D: Integers  # how many copies lie at each distance from their original
    others_D: Integers  # how many pairs of a copy and another image
    recall: tuple[Share, ...]  # at the threshold of each rate
    false: tuple[Share, ...]  # of the pairs of a copy and another image
    error: float  # mean distance from the original, as a share of the bits; 1 − cosine of vectors
    micro_ap: float


@dataclass(frozen=True, kw_only=True)
class Method:
    """A peer, its thresholds, and what it made of all copies."""

    peer: Peer
    thresholds: tuple[Threshold, ...]  # of each rate
    pairs: PairCounts  # of different images
    false: dict[str, tuple[Share, ...]]  # of each kind of pairs of different images, at each threshold
    cells: list[Cell]  # of each variant
    own_QV: Distances  # each copy's distance from its original


@dataclass(frozen=True, kw_only=True)
class RobustnessResult:
    """All that a run came to; the report is made of it."""

    settings: RobustnessOptions
    originals: Originals
    edited: list[int]  # rows of the originals of which copies were made
    variants: list[Variant]
    methods: list[Method]  # in the order of the peers
    same: list[tuple[int, int]]  # pairs that were said to be the same picture
    suspected: list[tuple[int, int]]  # others that may be
    micro_chance: float  # µAP of distances that mean nothing
    left_out: list[tuple[str, str]]  # peers that were not compared, and why
    milliseconds: dict[str, float]  # of a processor, for encoding one image


class _Copies(NamedTuple):
    """What each peer made of the copies of one image."""

    own_PV: Distances  # from their original
    others: list[Integers]  # (V, D) of each peer: how many other images lie at each distance


def run(
    items: Sequence[Item],
    peers: Sequence[Peer],
    *,
    settings: RobustnessOptions = RobustnessOptions(),
    same: Sequence[tuple[str, str]] = (),
    left_out: Sequence[tuple[str, str]] = (),
    progress: Progress = silent,
) -> RobustnessResult:
    """Measure peers on the same decoded images and copies; the result does not depend on the number of threads.

    `same` names pairs of images that show the same picture. Raises `DataError`, `ConfigError`, and `Interrupted`
    after Ctrl-C.
    """
    chosen = list(variants(settings.edits))
    _check(peers, settings)
    try:
        found = originals.read(
            items, peers, workers=settings.threads, max_pixels=settings.max_pixels, progress=progress
        )
        return _run(found, peers, chosen, settings, same, list(left_out), progress)
    except KeyboardInterrupt:
        raise Interrupted("Stopped; nothing was written") from None


def _check(peers: Sequence[Peer], settings: RobustnessOptions) -> None:
    names = [peer.name for peer in peers]
    twice = next((name for name in names if names.count(name) > 1), None)
    if not peers or twice:
        raise ConfigError(
            f"{twice} is named twice; name each once, and give model files different names"
            if twice
            else "there is nothing to measure"
        )
    if settings.queries < 1:
        raise ConfigError(f"queries is {settings.queries}; copies of at least one image must be made")


def _run(
    found: Originals,
    peers: Sequence[Peer],
    chosen: list[Variant],
    settings: RobustnessOptions,
    same: Sequence[tuple[str, str]],
    left_out: list[tuple[str, str]],
    progress: Progress,
) -> RobustnessResult:
    count = len(found.items)
    if count < FEWEST:
        raise DataError(f"{count} different images are too few to measure thresholds on; {FEWEST} are the least")
    equal = _rows_of(same, found)
    edited = np.sort(np.random.default_rng((settings.seed, 0)).permutation(count)[: settings.queries]).tolist()
    work = partial(_of_image, found=found, peers=peers, chosen=chosen, settings=settings, same=equal)
    made = []
    others = [np.zeros((len(chosen), peer.measure.greatest + 1), np.int64) for peer in peers]
    for done, one in enumerate(in_order(work, edited, workers=settings.threads), 1):
        made.append(one._replace(others=[]))
        for sum_VD, of_it_VD in zip(others, one.others, strict=True):
            sum_VD += of_it_VD
        progress("copies", done * len(chosen), len(edited) * len(chosen))
    pairs = originals.pair_counts(found, peers, equal)
    return RobustnessResult(
        settings=settings,
        originals=found,
        edited=edited,
        variants=chosen,
        methods=[_method(peer, at, chosen, pairs[at], made, others[at]) for at, peer in enumerate(peers)],
        same=sorted(equal),
        suspected=[pair for pair in originals.suspected(found) if pair not in equal],
        micro_chance=retrieval_stats.micro_chance(len(edited), int(others[0][0].sum())),
        left_out=left_out,
        milliseconds=_milliseconds(found, peers, edited, settings),
    )


def _rows_of(same: Sequence[tuple[str, str]], found: Originals) -> set[tuple[int, int]]:
    """Pairs of names as pairs of rows, the smaller first. Names of images that count once already are passed over."""
    rows = {name: row for row, name in enumerate(found.names)}
    known = {name for name, _ in [*found.repeated, *found.skipped]}
    pairs = set()
    for names in same:
        absent = next((name for name in names if name not in rows and name not in known), None)
        if absent is not None:
            raise DataError(f"{absent!r} is said to be the same as another image, but is not among the images")
        first, second = (rows.get(name, -1) for name in names)
        if -1 not in (first, second) and first != second:
            pairs.add((min(first, second), max(first, second)))
    return pairs


def copies_of(item: Item, seed: int, chosen: Sequence[Variant], settings: RobustnessOptions) -> list[Array]:
    """The copies of an image, uint8 (H, W, 3) each. Raises `DataError` if it has become unreadable."""
    try:
        pixels_HW3 = originals.pixels(item, max_pixels=settings.max_pixels)
    except (ImageError, OSError) as error:
        raise DataError(f"{item.name} has become unreadable since it was first read: {error}") from error
    return [perturb(pixels_HW3, *variant, seed=seed ^ settings.seed) for variant in chosen]


def _of_image(
    row: int,
    *,
    found: Originals,
    peers: Sequence[Peer],
    chosen: Sequence[Variant],
    settings: RobustnessOptions,
    same: set[tuple[int, int]],
) -> _Copies:
    """Make all copies of an image, encode them and compare them with all images."""
    equal = [first + second - row for first, second in same if row in (first, second)]
    copies_V = copies_of(found.items[row], found.seeds[row], chosen, settings)
    own, others = [], []
    for peer, rows_NX in zip(peers, found.rows, strict=True):
        distances_VN = peer.measure.distances(np.stack([peer.encode(copy) for copy in copies_V]), rows_NX)
        own.append(distances_VN[:, row])
        others.append(_histograms(np.delete(distances_VN, [row, *equal], axis=1), peer.measure.greatest + 1))
    return _Copies(np.stack(own), others)


def _histograms(distances_VN: Distances, size: int) -> Integers:
    """How often each distance occurs in each row, (V, D)."""
    count = len(distances_VN)
    shifted_VN = distances_VN + size * np.arange(count)[:, None]
    return np.bincount(shifted_VN.ravel(), minlength=count * size).reshape(count, size)


def _method(
    peer: Peer, at: int, chosen: Sequence[Variant], pairs: PairCounts, made: Sequence[_Copies], others_VD: Integers
) -> Method:
    thresholds = tuple(retrieval_stats.threshold(pairs.by_kind["all"], rate) for rate in RATES)
    own_QV = np.stack([one.own_PV[at] for one in made])
    own_VD = _histograms(own_QV.T, peer.measure.greatest + 1)
    return Method(
        peer=peer,
        thresholds=thresholds,
        pairs=pairs,
        false={kind: _at(counts_D, thresholds) for kind, counts_D in pairs.by_kind.items()},
        cells=[
            Cell(
                variant=variant,
                own_D=own_D,
                others_D=others_D,
                recall=_at(own_D, thresholds),
                false=_at(others_D, thresholds),
                error=retrieval_stats.mean(own_D) / peer.measure.scale,
                micro_ap=retrieval_stats.micro_average_precision(own_D, others_D),
            )
            for variant, own_D, others_D in zip(chosen, own_VD, others_VD, strict=True)
        ],
        own_QV=own_QV,
    )


def _at(counts_D: Integers, thresholds: Sequence[Threshold]) -> tuple[Share, ...]:
    return tuple(retrieval_stats.within(counts_D, one.distance) for one in thresholds)


def _milliseconds(
    found: Originals, peers: Sequence[Peer], edited: Sequence[int], settings: RobustnessOptions
) -> dict[str, float]:
    """Processor time of encoding an image from its pixels, the median of some; nothing else runs meanwhile."""
    rows = edited[:TIMED]
    arrays = [copies_of(found.items[row], 0, [Variant("none", 0)], settings)[0] for row in rows]
    return {peer.name: float(np.median([_time(peer, pixels_HW3) for pixels_HW3 in arrays])) for peer in peers}


def _time(peer: Peer, pixels_HW3: Array) -> float:
    began = time.process_time()
    peer.encode(pixels_HW3)
    return 1000 * (time.process_time() - began)
