"""One HTML page of an evaluation: the figures and the plots behind them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lookalike.core.errors import ConfigError
from lookalike.metrics.measure import Evaluation
from lookalike.reports.markup import text
from lookalike.reproduction.figures import drawing
from lookalike.reproduction.report import STYLE, inlined
from lookalike.training.outputs.files import write_aside


def check(path: Path) -> None:
    """Raise `ConfigError` unless a page can be written to a path."""
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"{path} cannot be written to; name a file in a folder that exists, such as report.html")


def write(found: Evaluation, path: Path, *, title: str, notes: Sequence[str] = ()) -> None:
    """Write the page of an evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        plots = [draw(found, Path(folder) / f"{name}.svg") for name, draw in PLOTS.items()]
        pictures = "\n".join(f"<figure>{inlined(plot)}</figure>" for plot in plots)
    rows = "\n".join(
        f"<tr><td>{text(name)}</td><td>{value}</td><td>{chance}</td></tr>" for name, value, chance in _rows(found)
    )
    said = "".join(f"<p>{text(note)}</p>\n" for note in notes)
    write_aside(
        path,
        (
            "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\n"
            f"<title>{text(title)}</title><style>{STYLE}</style>\n<h1>{text(title)}</h1>\n"
            f"<p>{found.queries} queries among {found.database} images, {found.bits} bits. Chance is what codes "
            f"without meaning have.</p>\n{said}<table><thead><tr><th>metric<th>measured<th>chance</tr></thead>\n"
            f"<tbody>{rows}</tbody></table>\n{pictures}\n</html>\n"
        ).encode(),
    )


def _rows(found: Evaluation) -> list[tuple[str, str, str]]:
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


def _by_rank(found: Evaluation, path: Path) -> Path:
    with drawing(path) as figure:
        ax = figure.subplots()
        for name, curve in (("by rank", found.curve_by_rank), ("by radius", found.curve_by_radius)):
            ax.plot(curve["recall"], curve["precision"], label=name)
        ax.axhline(found.precision_at["chance"], ls=":", color="black", label="chance")
        ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, None))
        ax.legend(frameon=False)
    return path


def _distances(found: Evaluation, path: Path) -> Path:
    with drawing(path) as figure:
        ax = figure.subplots()
        for name in ("relevant", "other"):
            counts = np.array(found.distances[name], float)
            ax.plot(counts / max(counts.sum(), 1), label=f"{name} pairs")
        ax.set(xlabel="distance in bits", ylabel="share of pairs")
        ax.legend(frameon=False)
    return path


PLOTS = {"precision-recall": _by_rank, "distances": _distances}
