"""The report of `lookalike evaluate`: all metrics with their chance levels, precision-recall curve, distances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lookalike import reports
from lookalike.core.errors import ConfigError
from lookalike.metrics.measure import Evaluation
from lookalike.reports import charts


def check(path: Path) -> None:
    """Raise `ConfigError` unless a report can be written to a path."""
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"{path} is not writable; choose a file in an existing folder, such as report.html")


def write(found: Evaluation, path: Path, *, title: str, notes: Sequence[str] = ()) -> None:
    """Write the report of an evaluation."""
    drawn = [_precision(found), _distances(found)]
    reports.write(path, "evaluation", title=title, found=found, notes=notes, rows=_rows(found), charts=drawn)


def _rows(found: Evaluation) -> list[tuple[str, str, str]]:
    """Name, value and chance level of each metric."""
    bounds, at = found.map, found.map_at_cutoff
    rows = [("mAP, expected ties", bounds["expected"], bounds["chance"])]
    rows += [
        (f"mAP, {name} ties", bounds[name], bounds["chance"]) for name in ("pessimistic", "optimistic", "row-order")
    ]
    rows += [
        (f"mAP@{at['cutoff']}, {name} in the denominator", at[name]["expected"], at[name]["chance"])
        for name in ("relevant", "retrieved")
    ]
    rows += [
        (f"P@{k}", value, found.precision_at["chance"]) for k, value in found.precision_at.items() if k != "chance"
    ]
    rows += [
        (f"nearest image's label: {name}", found.nearest[name], found.nearest_chance[name]) for name in found.nearest
    ]
    shown = [(name, f"{value:.4f}", f"{chance:.4f}") for name, value, chance in rows]
    shown += [(f"P within {r} bits", f"{value:.4f}", "") for r, value in found.precision_within.items()]
    ratio, chance = found.collisions["ratio"], found.collisions["chance_ratio"]
    shown.append(("collision ratio, %", f"{ratio:.2f}", f"{chance:.2f}"))
    shown.append((f"effective bits of {found.bits}", f"{found.bit_use['effective']:.1f}", f"{found.bits}"))
    return shown


def _precision(found: Evaluation) -> str:
    series = {
        name: list(zip(curve["recall"], curve["precision"], strict=True))
        for name, curve in (("by rank", found.curve_by_rank), ("by radius", found.curve_by_radius))
    }
    chance = found.precision_at["chance"]
    series["chance"] = [(0.0, chance), (1.0, chance)]
    return charts.lines(series, across="recall", up="precision", words="Precision against recall")


def _distances(found: Evaluation) -> str:
    relevant, other = (np.array(found.distances[name], np.int64) for name in ("relevant", "other"))
    words = "Distances of relevant and of other pairs"
    names = ("relevant pairs", "other pairs")
    return charts.histogram(relevant, other, words=words, names=names)
