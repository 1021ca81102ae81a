"""Results of a robustness run: means over edits, `result.json`, `suspected.tsv` and the report.

The report is about what comes first: the product, or else the first method. Copies that are shown are made again from
the images, which gives the same pixels. Nothing of the machine is in `result.json`: no paths, no times.

Shapes: V variants.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from lookalike import reports
from lookalike.core import atomic
from lookalike.core.errors import ConfigError
from lookalike.imaging.edits.catalogue import EDITS, KINDS, Variant
from lookalike.metrics.retrieval_stats import Share, Threshold
from lookalike.reports import charts
from lookalike.robustness import originals
from lookalike.robustness.originals import copies_of
from lookalike.robustness.product import COPIES, UNCHANGED, Answers
from lookalike.robustness.run import RATES, Method, RobustnessResult

SUSPECTED = "suspected.tsv"  # pairs of images that may show the same picture
FORMAT = 4  # of result.json
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


class _Column(NamedTuple):
    """The share of the copies of each variant that a method finds."""

    name: str
    shares_V: list[Share]

    def mean(self, variants: Sequence[Variant], kind: str | None = None) -> float:
        """Mean over the variants of a kind, or over all; each counts the same, unchanged copies do not count."""
        kinds = [EDITS[variant.edit].kind for variant in variants]
        wanted = {kind} if kind else {*kinds} - {"control"} or {"control"}
        return float(np.mean([share.value for share, one in zip(self.shares_V, kinds, strict=True) if one in wanted]))


class _Grid(NamedTuple):
    """A table of recall for all variants (rows, by kind of edit) and methods."""

    title: str
    names: list[str]  # of the methods
    rows: list[tuple[str, list[tuple[Variant, list[Share]]]]]


class _Shown(NamedTuple):
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
        "left_out": [list(one) for one in outcome.left_out],
        "versions": _versions(outcome),
        "verified": outcome.answers and _verified(outcome, outcome.answers),
        "methods": [_method(outcome, method) for method in outcome.methods],
    }


def _versions(outcome: RobustnessResult) -> dict[str, str]:
    """Of the packages that had a part in it."""
    found = {name: version(name) for name in PACKAGES}
    for method in outcome.methods:
        found |= method.peer.versions
    return found


def columns(outcome: RobustnessResult, rate: int = 0) -> list[_Column]:
    """Each method at the threshold of a rate (its place in the list); before the first threshold the product."""
    found, places = outcome.answers, range(len(outcome.variants))
    first = [_Column(found.name, [found.recall(at) for at in places])] if found and not rate else []
    return first + [_Column(method.peer.name, method.recall(rate)) for method in outcome.methods]


def kinds_of(outcome: RobustnessResult) -> list[str]:
    """The kinds of edits that were made, but for none."""
    made = {EDITS[variant.edit].kind for variant in outcome.variants}
    return [kind for kind in KINDS if kind in made and kind != "control"]


def _headline(outcome: RobustnessResult) -> str:
    """What the first method found, in a sentence."""
    first = columns(outcome)[0]
    recall = f"{first.name}: {first.mean(outcome.variants):.1%} of edited copies found"
    if (found := outcome.answers) is None:
        return f"{recall}, at {one_in(RATES[0])} false pairs"
    return f"{recall}; {len(found.false)} of {found.pairs:,} pairs of different images called copies"


def _page(outcome: RobustnessResult) -> str:
    """The report as HTML."""
    kinds = kinds_of(outcome)
    return reports.render(
        "robustness",
        outcome=outcome, title=_headline(outcome), rates=[one_in(rate) for rate in RATES], side=originals.SIDE,
        kinds=kinds, kind_names=[KIND_WORDS[kind] for kind in kinds], columns=columns(outcome),
        versions=_versions(outcome), few=few(outcome), grids=list(_grids(outcome)), edit_charts=_by_edit(outcome),
        missed=missed(outcome), closest=_closest(outcome),
    )  # fmt: skip


def few(outcome: RobustnessResult) -> list[str]:
    """The rates that are less than one of the pairs."""
    return [one_in(one.rate) for one in outcome.methods[0].thresholds if not one.is_measured]


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
    atomic.write(report, _page(outcome).encode())
    return report


def _worst(outcome: RobustnessResult) -> list[tuple[int, int]]:
    """Of each edit, at the mildest strength that misses any copy: an edited image and the variant, by place.

    It is the first copy that the product misses, or else the one that is furthest by the first method.
    """
    found: dict[str, tuple[int, int]] = {}
    for at, variant in enumerate(outcome.variants):
        row = _missed(outcome, at) if variant.edit not in found else None
        if row is not None:
            found[variant.edit] = row, at
    return list(found.values())


def _missed(outcome: RobustnessResult, at: int) -> int | None:
    """The row of an image whose copy of one variant is missed."""
    if outcome.answers:
        return next((row for row, said_V in outcome.answers.said.items() if said_V[at] not in COPIES), None)
    method = outcome.methods[0]
    own_Q = method.own_QV[:, at]
    return outcome.edited[int(own_Q.argmax())] if own_Q.max() > method.thresholds[0].distance else None


def missed(outcome: RobustnessResult) -> list[_Shown]:
    """Copies that are missed, with what each method says of them."""
    shown = []
    for row, at in _worst(outcome):
        variant, query = outcome.variants[at], outcome.edited.index(row)
        words = f"{variant.edit}: {variant.words}"
        lines = [f"{outcome.answers.name}: {outcome.answers.said[row][at]}"] if outcome.answers else []
        lines += [_distance(method, int(method.own_QV[query, at])) for method in outcome.methods]
        shown.append(_Shown([_original(outcome, row), (_copy(outcome, row, variant), words)], words, lines))
    return shown


def _closest(outcome: RobustnessResult) -> list[_Shown]:
    """The closest pairs of different images: real duplicates, or the price of a threshold."""
    found: dict[tuple[int, int], list[str]] = {pair: ["suspected to be the same picture"] for pair in outcome.suspected}
    for pair in outcome.answers.false if outcome.answers else ():
        found.setdefault(pair, []).append(f"{outcome.answers.name if outcome.answers else ''}: a copy")
    for method in outcome.methods:
        for near in method.closest[: 12 if method is outcome.methods[0] else 4]:
            found.setdefault((near.first, near.second), []).append(_distance(method, near.distance))
    names = outcome.originals.names
    return [
        _Shown(
            [_original(outcome, first), _original(outcome, second)], "", [f"{names[first]} and {names[second]}", *said]
        )
        for (first, second), said in list(found.items())[:60]
    ]


def _distance(method: Method, distance: int) -> str:
    """A method's distance, and whether it lies within the first threshold."""
    verdict = "within" if distance <= method.thresholds[0].distance else "beyond"
    return f"{method.peer.name}: {method.peer.measure.in_words(distance)}, {verdict}"


def _original(outcome: RobustnessResult, row: int) -> tuple[str, str]:
    return _copy(outcome, row, UNCHANGED), outcome.originals.names[row]


def _copy(outcome: RobustnessResult, row: int, variant: Variant) -> str:
    small = Image.fromarray(copies_of(outcome.originals, row, [variant], outcome.settings)[0])
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return reports.picture(small)


def _verified(outcome: RobustnessResult, found: Answers) -> Values:
    names = outcome.originals.names
    return {
        "name": found.name,
        "edited": len(found.said),
        "pairs": found.pairs,
        "proposed": found.proposed,
        "false": [[names[first], names[second]] for first, second in found.false],
        "at_most": float(f"{found.bound:.4g}"),
        "copies": [
            {
                "edit": variant.edit,
                "strength": variant.strength,
                "recall": _rounded(found.recall(at).value),
                "missed": dict(Counter(said_V[at] for said_V in found.said.values() if said_V[at] not in COPIES)),
            }
            for at, variant in enumerate(outcome.variants)
        ],
    }


def _method(outcome: RobustnessResult, method: Method) -> Values:
    peer = method.peer
    by_rate = [_Column(peer.name, method.recall(rate)) for rate in range(len(RATES))]
    return {
        "name": peer.name,
        "bits": peer.measure.bits,
        "note": peer.note,
        "labels": method.labels
        and {name: _rounded(value) for name, value in method.labels.map.items() if isinstance(value, int | float)},
        "recall": [_rounded(column.mean(outcome.variants)) for column in by_rate],
        "recall_by_kind": [
            {kind: _rounded(column.mean(outcome.variants, kind)) for kind in kinds_of(outcome)} for column in by_rate
        ],
        "thresholds": [_threshold(one, method) for one in method.thresholds],
        "copies": [
            {"edit": variant.edit, "strength": variant.strength, "recall": [_rounded(share.value) for share in shares]}
            for variant, *shares in zip(outcome.variants, *(column.shares_V for column in by_rate), strict=True)
        ],
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


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)


def _grids(outcome: RobustnessResult) -> Iterator[_Grid]:
    """Recall at each rate, of each edit at each strength."""
    for at, rate in enumerate(RATES):
        shown, rows = columns(outcome, at), []
        for kind in KINDS:
            of_kind = [
                (variant, shares)
                for variant, *shares in zip(outcome.variants, *(column.shares_V for column in shown), strict=True)
                if EDITS[variant.edit].kind == kind
            ]
            rows += [(KIND_WORDS[kind], of_kind)] if of_kind else []
        yield _Grid(f"Recall at {one_in(rate)} false pairs", [column.name for column in shown], rows)


def _recall_chart(outcome: RobustnessResult, edit: str, places: Sequence[int]) -> str:
    series = {
        column.name: [(float(x), column.shares_V[at].value) for x, at in enumerate(places)]
        for column in columns(outcome)
    }
    names = [f"{outcome.variants[at].strength:g}" for at in places]
    ends = ", ".join(f"{name} {line[0][1]:.2f} to {line[-1][1]:.2f}" for name, line in series.items())
    words = f"{edit}: recall at {one_in(RATES[0])} false pairs, from the mildest strength to the hardest: {ends}"
    return charts.lines(series, across=edit, up="recall", words=words, highest=1, names=names)


def _by_edit(outcome: RobustnessResult) -> list[str]:
    """A chart of recall by strength for each edit that has several."""
    drawn = []
    for edit in dict.fromkeys(variant.edit for variant in outcome.variants):
        places = [at for at, variant in enumerate(outcome.variants) if variant.edit == edit]
        if len(places) > 1:
            drawn.append(_recall_chart(outcome, edit, places))
    return drawn
