"""The charts in the report of a robustness run, as SVG.

Shapes: D distances.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.reports import charts
from lookalike.reports.markup import text
from lookalike.robustness.result import edits_of
from lookalike.robustness.run import RATES, Outcome
from lookalike.robustness.tables import one_in

BINS = 17  # points of a line of distances


def by_edit(outcome: Outcome) -> dict[str, str]:
    """A chart of recall by strength for each edit that has several, by its name."""
    drawn = {}
    for edit in dict.fromkeys(variant.edit for variant in outcome.variants):
        places = [at for at, variant in enumerate(outcome.variants) if variant.edit == edit]
        if len(places) > 1:
            drawn[edit] = _chart(outcome, edit, places)
    return drawn


def _chart(outcome: Outcome, edit: str, places: Sequence[int]) -> str:
    series = {
        method.peer.name: [(float(x), method.cells[at].recall[0].value) for x, at in enumerate(places)]
        for method in outcome.methods
    }
    names = [f"{outcome.variants[at].strength:g}" for at in places]
    ends = ", ".join(f"{name} {line[0][1]:.2f} to {line[-1][1]:.2f}" for name, line in series.items())
    words = f"{edit}: recall at {one_in(RATES[0])} false pairs, from the mildest strength to the hardest: {ends}"
    return charts.lines(series, across=edit, up="recall", words=words, highest=1, names=names)


def _distance_chart(outcome: Outcome, edit: str) -> str:
    """How far the first method puts copies of an edit from their originals, a line for each strength."""
    method = outcome.methods[0]
    width = -(-len(method.cells[0].own_D) // BINS)  # distances a point of the line stands for
    starts, series = np.arange(0, len(method.cells[0].own_D), width), {}
    for cell in method.cells:
        if cell.variant.edit == edit:
            shares = np.add.reduceat(cell.own_D, starts) * (100 / cell.own_D.sum())
            places = ((starts + (width - 1) / 2) / method.peer.scale).tolist()
            series[f"{cell.variant.strength:g}"] = list(zip(places, shares.tolist(), strict=True))
    words = f"{edit}: distances of copies from their originals, by {method.peer.name}, for each strength"
    return charts.lines(series, across=f"{edit}: share of bits that differ", up="% of copies", words=words, highest=100)


def distances(outcome: Outcome) -> str:
    """How far copies and different images lie apart: of all methods, and of each edit by the first."""
    drawn = []
    for method in outcome.methods:
        own_D = np.sum([cell.own_D for cell in edits_of(method)], axis=0)
        different_D = method.pairs.by_kind["all"]
        across = "distance, bits"
        if not method.peer.bits:  # so many steps would be too fine to see
            own_D, different_D = (np.add.reduceat(one, np.arange(0, len(one), 25)) for one in (own_D, different_D))
            across = "(1 − cosine) · 40"
        words = f"{method.peer.name}: {own_D.sum():,} copies and {different_D.sum():,} pairs of different images"
        chart = charts.histogram_of_counts(own_D, different_D, words=words, across=across)
        drawn.append(f"<figure>{chart}<figcaption>{text(words)}</figcaption></figure>")
    edits = dict.fromkeys(variant.edit for variant in outcome.variants)
    each = "".join(f"<figure>{_distance_chart(outcome, edit)}</figure>" for edit in edits)
    return (
        f'<div class="charts">{"".join(drawn)}</div><details><summary>Copies of each edit, by '
        f'{text(outcome.methods[0].peer.name)}</summary><div class="charts">{each}</div></details>'
    )
