"""The report of a robustness run, `result.json` and `suspected.tsv`.

Every figure is computed from the `RobustnessResult`. The report is about the first method; the others are its peers.
Copies that are shown are made again from the images, which gives the same pixels.

Shapes: D distances.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lookalike import reports
from lookalike.core import atomic
from lookalike.core.errors import ConfigError
from lookalike.imaging import thumbnail
from lookalike.imaging.edits.catalogue import EDITS, KINDS, Variant
from lookalike.metrics.retrieval_stats import Share
from lookalike.reports import charts
from lookalike.robustness import originals, pictures
from lookalike.robustness.result import by_kind, edits_of, micro_ap, recall, values, versions
from lookalike.robustness.run import RATES, Cell, Method, RobustnessResult

SUSPECTED = "suspected.tsv"  # pairs of images that may show the same picture
BINS = 17  # points of a line of distances
KIND_WORDS = {
    "control": "unchanged",
    "codec": "recompressed or reduced",
    "tone": "values changed",
    "frame": "frame changed",
    "overlay": "overlaid or embedded",
    "chain": "chains of edits",
}
PAIR_WORDS = {
    "all": "all pairs of different images",
    "label": "pairs of one label",
    "neighbours": "neighbours in a folder",
    "look-alikes": f"thumbnails correlate by {thumbnail.ALIKE:g} or more",
}


class Grid(NamedTuple):
    """A table of one value for all variants (rows, by kind of edit) and methods."""

    title: str
    rows: list[tuple[str, list[tuple[Variant, list[tuple[float, str, str]]]]]]  # share of green, text, tooltip


def one_in(rate: float) -> str:
    """A rate in words.

    >>> one_in(1e-4)
    '1 in 10,000'
    """
    return f"1 in {round(1 / rate):,}"


def headline(outcome: RobustnessResult) -> str:
    """What the first method found, in a sentence."""
    method = outcome.methods[0]
    count = sum(cell.own_D.sum() for cell in edits_of(method))
    return f"{method.peer.name}: {recall(method, 0):.1%} of {count:,} copies found, at {one_in(RATES[0])} false pairs"


def page(outcome: RobustnessResult) -> str:
    """The report as HTML."""
    method = outcome.methods[0]
    kinds = [kind for kind in by_kind(method, 0) if kind != "control"]
    return reports.render(
        "robustness",
        outcome=outcome, title=headline(outcome), method=method, rates=[one_in(rate) for rate in RATES],
        side=originals.SIDE, kinds=kinds, kind_names=[KIND_WORDS[kind] for kind in kinds],
        pair_words=PAIR_WORDS, by_kind=by_kind, recall=recall, micro_ap=micro_ap, false_pairs=_false,
        versions=versions(outcome),
        few=[one_in(one.rate) for one in method.thresholds if not one.is_measured],
        grids=list(_grids(outcome)), edit_charts=_by_edit(outcome), pair_charts=_pair_charts(outcome),
        distance_charts=[_distance_chart(outcome, edit) for edit in _edits(outcome)],
        missed=pictures.missed(outcome), confused=pictures.confused(outcome), closest=pictures.closest(outcome),
    )  # fmt: skip


def _by_edit(outcome: RobustnessResult) -> list[str]:
    """A chart of recall by strength for each edit that has several."""
    drawn = []
    for edit in _edits(outcome):
        places = [at for at, variant in enumerate(outcome.variants) if variant.edit == edit]
        if len(places) > 1:
            drawn.append(_recall_chart(outcome, edit, places))
    return drawn


def check(folder: Path) -> None:
    """Raise `ConfigError` unless a report can be written into a folder, which need not exist yet."""
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; name a folder with --out")
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not (place.is_dir() and os.access(place, os.W_OK)):
        raise ConfigError(f"{folder} cannot be made, as {place} cannot be written to; name another folder with --out")


def write(outcome: RobustnessResult, folder: Path) -> Path:
    """Write suspected.tsv, result.json and report.html into a folder; the path of the last."""
    folder.mkdir(parents=True, exist_ok=True)
    names = outcome.originals.names
    pairs = "".join(f"{names[first]}\t{names[second]}\n" for first, second in outcome.suspected)
    atomic.write(folder / SUSPECTED, pairs.encode("utf-8", "surrogateescape"))
    atomic.write(folder / "result.json", (json.dumps(values(outcome), separators=(",", ":")) + "\n").encode())
    report = folder / "report.html"
    atomic.write(report, page(outcome).encode())
    return report


def _edits(outcome: RobustnessResult) -> list[str]:
    return list(dict.fromkeys(variant.edit for variant in outcome.variants))


def _false(shares: Sequence[Share]) -> str:
    """The share of pairs that are false, and how many that is."""
    found, total = (sum(share[at] for share in shares) for at in (0, 1))
    if not total:
        return "no such pairs"
    return f"{found / total:.1e}: {found:,} of {total:,}" if found else f"0 of {total:,}"


def _grids(outcome: RobustnessResult) -> Iterator[Grid]:
    """Recall at each rate, µAP and bit errors, of each edit at each strength."""
    yield _grid(outcome, f"Recall at {one_in(RATES[0])} false pairs", _recall_at(0), _recall_title)
    for at, rate in list(enumerate(RATES))[1:]:
        yield _grid(outcome, f"Recall at {one_in(rate)} false pairs", _recall_at(at))
    yield _grid(outcome, "µAP", lambda cell: cell.micro_ap)
    title = "Bit error rate (of vectors the mean of 1 − cosine)"
    yield _grid(outcome, title, lambda cell: cell.error, good=lambda error: max(0.0, 1 - 2 * error))


def _recall_at(at: int) -> Callable[[Cell], float]:
    return lambda cell: cell.recall[at].value


def _recall_title(cell: Cell) -> str:
    one = cell.recall[0]
    return (
        f"{one.found} of {one.total}, 95 % from {one.low:.3f} to {one.high:.3f}; error {cell.error:.3f}; "
        f"µAP {cell.micro_ap:.3f}"
    )


def _grid(
    outcome: RobustnessResult,
    title: str,
    value: Callable[[Cell], float],
    said: Callable[[Cell], str] = lambda _: "",
    good: Callable[[float], float] = lambda value: value,
) -> Grid:
    rows = []
    for kind in KINDS:
        of_kind = [
            (variant, [(good(value(cell)), f"{value(cell):.3f}", said(cell)) for cell in cells])
            for variant, *cells in zip(outcome.variants, *(method.cells for method in outcome.methods), strict=True)
            if EDITS[variant.edit].kind == kind
        ]
        rows += [(KIND_WORDS[kind], of_kind)] if of_kind else []
    return Grid(title, rows)


def _recall_chart(outcome: RobustnessResult, edit: str, places: Sequence[int]) -> str:
    series = {
        method.peer.name: [(float(x), method.cells[at].recall[0].value) for x, at in enumerate(places)]
        for method in outcome.methods
    }
    names = [f"{outcome.variants[at].strength:g}" for at in places]
    ends = ", ".join(f"{name} {line[0][1]:.2f} to {line[-1][1]:.2f}" for name, line in series.items())
    words = f"{edit}: recall at {one_in(RATES[0])} false pairs, from the mildest strength to the hardest: {ends}"
    return charts.lines(series, across=edit, up="recall", words=words, highest=1, names=names)


def _distance_chart(outcome: RobustnessResult, edit: str) -> str:
    """How far the first method puts copies of an edit from their originals, a line for each strength."""
    method: Method = outcome.methods[0]
    width = -(-len(method.cells[0].own_D) // BINS)  # distances a point of the line stands for
    starts, series = np.arange(0, len(method.cells[0].own_D), width), {}
    for cell in method.cells:
        if cell.variant.edit == edit:
            shares = np.add.reduceat(cell.own_D, starts) * (100 / cell.own_D.sum())
            places = ((starts + (width - 1) / 2) / method.peer.measure.scale).tolist()
            series[f"{cell.variant.strength:g}"] = list(zip(places, shares.tolist(), strict=True))
    words = f"{edit}: distances of copies from their originals, by {method.peer.name}, for each strength"
    return charts.lines(series, across=f"{edit}: share of bits that differ", up="% of copies", words=words, highest=100)


def _pair_charts(outcome: RobustnessResult) -> list[tuple[Any, str]]:
    """How far copies and different images lie apart by each method, with a caption."""
    drawn = []
    for method in outcome.methods:
        own_D = np.sum([cell.own_D for cell in edits_of(method)], axis=0)
        different_D = method.pairs.by_kind["all"]
        measure = method.peer.measure
        across = "distance, bits"
        if not measure.bits:  # so many steps would be too fine to see
            width = measure.greatest // 80
            own_D, different_D = (np.add.reduceat(one, np.arange(0, len(one), width)) for one in (own_D, different_D))
            across = "(1 − cosine) · 40" if measure.unit == "cosine" else f"distance ÷ {width}"
        words = f"{method.peer.name}: {own_D.sum():,} copies and {different_D.sum():,} pairs of different images"
        drawn.append((charts.histogram(own_D, different_D, words=words, across=across), words))
    return drawn
