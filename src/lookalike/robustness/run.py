"""How well the product and codes alone find edited copies of images.

Some of the images, drawn by the seed, are copied by all edits at all strengths (`imaging.edits`). The product says of
some of the copies whether they are copies of their originals (`product`). The codes of all copies are compared with
those of all images, at thresholds for stated rates of false pairs, which are measured on all pairs of different images.
Each thread holds no more than one image with its copies.

Shapes: N images, Q of which are edited, V variants (edits at one strength), P peers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lookalike.core.errors import ConfigError, DataError, Interrupted
from lookalike.core.parallel import cores, in_order
from lookalike.core.progress import Progress, silent
from lookalike.data import Item
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import Variant, variants
from lookalike.metrics import labels as labelling
from lookalike.metrics import retrieval_stats
from lookalike.metrics.measure import Evaluation, measure_among
from lookalike.metrics.retrieval_stats import Share, Threshold
from lookalike.robustness import originals, product
from lookalike.robustness.originals import Originals, Pair, Two, copies_of
from lookalike.robustness.peers import Distances, Peer, Row
from lookalike.robustness.product import UNCHANGED, Answers

RATES = (1e-4, 1e-5, 1e-6)
QUERIES = 500
VERIFIED = 2000  # copies; each takes about 0.2 s
FEWEST = 20  # different images; with fewer, thresholds mean nothing
TIMED = 30  # images that are encoded to see how long it takes


@dataclass(frozen=True, kw_only=True, slots=True)
class RobustnessOptions:
    """What is asked for."""

    edits: tuple[str, ...] = ()  # all that can be done here, if none are named
    queries: int = QUERIES  # images of which copies are made, at most
    verified: int = VERIFIED  # copies that are verified, at most, as many of each edit at each strength; 0: none
    seed: int = 0
    workers: int = 0  # threads; 0: one a core
    max_pixels: int = decode.MAX_PIXELS

    @property
    def threads(self) -> int:
        """How many there are."""
        return self.workers or cores()


@dataclass(frozen=True, kw_only=True)
class Method:
    """A peer, its thresholds, and how near the copies are to their originals."""

    peer: Peer
    thresholds: tuple[Threshold, ...]  # of each rate
    closest: list[Pair]  # of different images
    own_QV: Distances  # each copy's distance from its original
    labels: Evaluation | None = None  # how well its codes find images with the same label, if there are any

    def recall(self, rate: int) -> list[Share]:
        """The share of the copies of each variant within the threshold of a rate (its place in the list)."""
        found_V = (self.own_QV <= self.thresholds[rate].distance).sum(axis=0)
        return [retrieval_stats.share(int(found), len(self.own_QV)) for found in found_V]


@dataclass(frozen=True, kw_only=True)
class RobustnessResult:
    """All results of a run; the report is made of it."""

    settings: RobustnessOptions
    originals: Originals
    edited: list[int]  # rows of the originals of which copies were made
    variants: list[Variant]
    answers: Answers | None  # of the product with the codes of the first method, if that is a model
    methods: list[Method]  # in the order of the peers
    same: list[Two]  # pairs that were said to be the same picture
    suspected: list[Two]  # others that may be
    left_out: list[tuple[str, str]]  # peers that were not compared, and why
    milliseconds: dict[str, float]  # of a processor, for encoding one image


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
    if settings.verified < 0:
        raise ConfigError(f"verified is {settings.verified}; give a number of copies, or 0 for none")


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
    work = partial(_distances, found=found, peers=peers, chosen=chosen, settings=settings)
    own_QPV = []
    for own_PV in in_order(work, edited, workers=settings.threads):
        own_QPV.append(own_PV)
        progress("copies", len(own_QPV) * len(chosen), len(edited) * len(chosen))
    pairs = originals.pair_counts(found, peers, equal)
    answers = _answers(found, peers[0], edited, chosen, settings, equal, progress)
    suspected = dict.fromkeys([*(answers.false if answers else ()), *originals.suspected(found)])
    return RobustnessResult(
        settings=settings,
        originals=found,
        edited=edited,
        variants=chosen,
        answers=answers,
        methods=[
            Method(
                peer=peer,
                thresholds=tuple(retrieval_stats.threshold(counts.counts_D, rate) for rate in RATES),
                closest=counts.closest,
                own_QV=own_QV,
                labels=_by_labels(found, peer, rows_NX, settings),
            )
            for peer, rows_NX, counts, own_QV in zip(peers, found.rows, pairs, np.stack(own_QPV, axis=1), strict=True)
        ],
        same=sorted(equal),
        suspected=[pair for pair in suspected if pair not in equal],
        left_out=left_out,
        milliseconds=_milliseconds(found, peers, edited, settings),
    )


def _answers(
    found: Originals, peer: Peer, edited: Sequence[int], chosen: Sequence[Variant], settings: RobustnessOptions,
    same: set[Two], progress: Progress,
) -> Answers | None:  # fmt: skip
    """What the product says of copies of some of the edited images; None if no copies are to be verified."""
    if peer.hasher is None or not settings.verified:
        return None
    count = min(len(edited), max(1, settings.verified // len(chosen)))
    some = [edited[at * len(edited) // count] for at in range(count)]
    return product.answers(peer.hasher, peer.name, found, some, chosen, settings=settings, same=same, progress=progress)


def _by_labels(found: Originals, peer: Peer, rows_NX: Row, settings: RobustnessOptions) -> Evaluation | None:
    """How well codes find images with the same label; None without two labels, or for what are no codes."""
    names = [item.label for item in found.items]
    rows = [row for row, name in enumerate(names) if name]
    if peer.measure.unit != "bits" or len({names[row] for row in rows}) < 2:
        return None
    (labels,), _ = labelling.encode([names[row] for row in rows])
    return measure_among(rows_NX[rows], labels, seed=settings.seed)


def _rows_of(same: Sequence[tuple[str, str]], found: Originals) -> set[Two]:
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


def _distances(
    row: int, *, found: Originals, peers: Sequence[Peer], chosen: Sequence[Variant], settings: RobustnessOptions
) -> Distances:
    """How far all copies of an image are from it, (P, V)."""
    copies_V = copies_of(found, row, chosen, settings)
    return np.stack([
        peer.measure.distances(rows_NX[row][None], np.stack([peer.encode(copy) for copy in copies_V]))[0]
        for peer, rows_NX in zip(peers, found.rows, strict=True)
    ])  # fmt: skip


def _milliseconds(
    found: Originals, peers: Sequence[Peer], edited: Sequence[int], settings: RobustnessOptions
) -> dict[str, float]:
    """Processor time of encoding an image from its pixels, the median of some; nothing else runs meanwhile."""
    rows = edited[:TIMED]
    arrays = [copies_of(found, row, [UNCHANGED], settings)[0] for row in rows]
    return {peer.name: float(np.median([_time(peer, pixels_HW3) for pixels_HW3 in arrays])) for peer in peers}


def _time(peer: Peer, pixels_HW3: Array) -> float:
    began = time.process_time()
    peer.encode(pixels_HW3)
    return 1000 * (time.process_time() - began)
