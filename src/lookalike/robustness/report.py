"""What a robustness run came to: means over edits, `result.json`, `suspected.tsv` and the report.

The report is about the first method; the others are its peers. Copies that are shown are made again from the images,
which gives the same pixels. Nothing of the machine is in `result.json`: no paths, no times.

Shapes: D distances, V variants.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lookalike import reports
from lookalike.core import atomic
from lookalike.core.errors import ConfigError
from lookalike.imaging.edits.catalogue import EDITS, KINDS, Variant
from lookalike.imaging.thumbnail_vector import ALIKE
from lookalike.metrics.retrieval_stats import Share, Threshold, mean
from lookalike.reports import charts
from lookalike.robustness import originals
from lookalike.robustness.run import RATES, Cell, Method, RobustnessResult, copies_of

SUSPECTED = "suspected.tsv"  # pairs of images that may show the same picture
FORMAT = 2  # of result.json
DIGITS = 6  # kept of every number in it
PACKAGES = ("lookalike", "numpy", "Pillow", "onnxruntime")
THUMBNAIL = 150  # pixels of a small picture's longer side

Values = dict[str, Any]  # what JSON can hold
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
    "look-alikes": f"thumbnails correlate by {ALIKE:g} or more",
}


class Grid(NamedTuple):
    """A table of one value for all variants (rows, by kind of edit) and methods."""

    title: str
    rows: list[tuple[str, list[tuple[Variant, list[tuple[float, str, str]]]]]]  # share of green, text, tooltip


class Shown(NamedTuple):
    """Two pictures as data URIs, each with its alternative text, and what is said beneath."""

    pictures: list[tuple[str, str]]
    heading: str
    lines: list[str]


def one_in(rate: float) -> str:
    """A rate in words.

    >>> one_in(1e-4)
    '1 in 10,000'
    """
    return f"1 in {round(1 / rate):,}"


def values(outcome: RobustnessResult) -> Values:
    """All that was measured, for `result.json`."""
    found, settings = outcome.originals, outcome.settings
    names = found.names
    return {
        "format": FORMAT,
        "seed": settings.seed,
        "rates": list(RATES),
        "images": len(names),
        "edited": len(outcome.edited),
        "side": originals.SIDE,
        "unreadable": len(found.skipped),
        "repeated": [list(pair) for pair in found.repeated],
        "same": [[names[first], names[second]] for first, second in outcome.same],
        "suspected": [[names[first], names[second]] for first, second in outcome.suspected],
        "micro_chance": _rounded(outcome.micro_chance),
        "left_out": [list(one) for one in outcome.left_out],
        "versions": versions(outcome),
        "methods": [_method(method) for method in outcome.methods],
    }


def versions(outcome: RobustnessResult) -> dict[str, str]:
    """Of the packages that had a part in it."""
    found = {name: version(name) for name in PACKAGES}
    for method in outcome.methods:
        found |= method.peer.versions
    return found


def by_kind(method: Method, rate: int) -> dict[str, float]:
    """Mean recall at the threshold of a rate (its place in the list), over the copies of each kind of edit."""
    found = {}
    for kind in KINDS:
        cells = [cell for cell in method.cells if EDITS[cell.variant.edit].kind == kind]
        if cells:
            found[kind] = float(np.mean([cell.recall[rate].value for cell in cells]))
    return found


def recall(method: Method, rate: int) -> float:
    """Mean recall over all edits and strengths, each counting the same; unchanged copies do not count."""
    cells = edits_of(method)
    return float(np.mean([cell.recall[rate].value for cell in cells]))


def micro_ap(method: Method) -> float:
    """Mean µAP over all edits and strengths."""
    return float(np.mean([cell.micro_ap for cell in edits_of(method)]))


def edits_of(method: Method) -> list[Cell]:
    """The cells of copies that are changed; all of them where there are no others."""
    return [cell for cell in method.cells if EDITS[cell.variant.edit].kind != "control"] or method.cells


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
        missed=missed(outcome), closest=closest(outcome),
    )  # fmt: skip


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


def worst(outcome: RobustnessResult, method: Method) -> list[tuple[int, int]]:
    """Of each edit, at the mildest strength that misses any copy, the furthest: its query and its variant, by place."""
    found: dict[str, tuple[int, int]] = {}
    for at, variant in enumerate(outcome.variants):
        own_Q = method.own_QV[:, at]
        if variant.edit not in found and own_Q.max() > method.thresholds[0].distance:
            found[variant.edit] = int(own_Q.argmax()), at
    return list(found.values())


def missed(outcome: RobustnessResult) -> list[Shown]:
    """The copies that the first method missed worst, with the distances by all methods."""
    shown = []
    for query, at in worst(outcome, outcome.methods[0]):
        variant, row = outcome.variants[at], outcome.edited[query]
        words = f"{variant.edit}: {variant.words}"
        lines = [_distance(method, int(method.own_QV[query, at])) for method in outcome.methods]
        shown.append(Shown([_original(outcome, row), (_copy(outcome, row, variant), words)], words, lines))
    return shown


def closest(outcome: RobustnessResult) -> list[Shown]:
    """The closest pairs of different images by any of the methods: real duplicates, or the price of a threshold."""
    found: dict[tuple[int, int], list[str]] = {pair: ["suspected to be the same picture"] for pair in outcome.suspected}
    for method in outcome.methods:
        for pair in method.pairs.closest[: 12 if method is outcome.methods[0] else 4]:
            found.setdefault((pair.first, pair.second), []).append(_distance(method, pair.distance))
    names = outcome.originals.names
    return [
        Shown(
            [_original(outcome, first), _original(outcome, second)], "", [f"{names[first]} and {names[second]}", *said]
        )
        for (first, second), said in list(found.items())[:60]
    ]


def _distance(method: Method, distance: int) -> str:
    """A method's distance, and whether it lies within the first threshold."""
    verdict = "within" if distance <= method.thresholds[0].distance else "beyond"
    return f"{method.peer.name}: {method.peer.measure.in_words(distance)}, {verdict}"


def _original(outcome: RobustnessResult, row: int) -> tuple[str, str]:
    return _copy(outcome, row, Variant("none", 0)), outcome.originals.names[row]


def _copy(outcome: RobustnessResult, row: int, variant: Variant) -> str:
    found = outcome.originals
    small = Image.fromarray(copies_of(found.items[row], found.seeds[row], [variant], outcome.settings)[0])
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return reports.picture(small)


def _method(method: Method) -> Values:
    peer = method.peer
    return {
        "name": peer.name,
        "bits": peer.measure.bits,
        "note": peer.note,
        "recall": [_rounded(recall(method, at)) for at in range(len(RATES))],
        "recall_by_kind": [
            {kind: _rounded(value) for kind, value in by_kind(method, at).items()} for at in range(len(RATES))
        ],
        "micro_ap": _rounded(micro_ap(method)),
        "thresholds": [_threshold(one, method) for one in method.thresholds],
        "false": {kind: [[one.found, one.total] for one in shares] for kind, shares in method.false.items()},
        "copies": [_cell(cell) for cell in method.cells],
    }


def _threshold(one: Threshold, method: Method) -> Values:
    return {
        "rate": one.rate,
        "distance": one.distance,
        "shown": _rounded(method.peer.measure.shown(one.distance)) if one.distance >= 0 else None,
        "false": one.false,
        "pairs": one.pairs,
        "measured": one.is_measured,
        "at_most": float(f"{one.bound:.4g}"),
    }


def _cell(cell: Cell) -> Values:
    return {
        "edit": cell.variant.edit,
        "strength": cell.variant.strength,
        "bit_error": _rounded(cell.error),
        "micro_ap": _rounded(cell.micro_ap),
        "mean_other": _rounded(mean(cell.others_D)),
        "recall": [_rounded(share.value) for share in cell.recall],
    }


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)


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


def _by_edit(outcome: RobustnessResult) -> list[str]:
    """A chart of recall by strength for each edit that has several."""
    drawn = []
    for edit in _edits(outcome):
        places = [at for at, variant in enumerate(outcome.variants) if variant.edit == edit]
        if len(places) > 1:
            drawn.append(_recall_chart(outcome, edit, places))
    return drawn


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
