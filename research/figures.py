"""SVG figures: the paper's Figs. 5 and 6 with our measurements, and further figures of code quality.

Lines are dashed for published, solid for measured, dotted for chance. The same results give identical files.

Shapes: N images, K bits, S pixels a side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from lookalike.core.atomic import replacing
from lookalike.core.codes import unpack
from lookalike.core.errors import MissingExtra
from research import published
from research.results import Result, select

try:
    import matplotlib
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    raise MissingExtra(f"Figures need {error.name}", "research") from error

COLOURS = {
    "vae": "#777777", "cvae": "#1b6ca8", "csvae": "#c8553d", "vte": "#3a7d44", "dpn": "#8a5aa8", "hashnet": "#b8860b",
}  # fmt: skip
MAPPED = 1_500  # images on a map of codes
SETTINGS: Any = {"svg.hashsalt": "lookalike", "svg.fonttype": "none", "font.size": 9.0, "axes.spines.top": False,
            "axes.spines.right": False}  # fmt: skip


def figure_5(results: Sequence[Result], path: Path) -> bool:
    """Images, their reconstructions by the four models and the squared error below; False without results."""
    found = [one for model in published.MODELS for one in select(results, dataset="cifar10", model=model, bits=64)[:1]]
    if not found:
        return False
    with drawing(path, width=7.2, height=1.1 * (len(found) + 1)) as figure:
        axes = figure.subplots(len(found) + 1, 1)
        for ax, one in zip(axes[1:], found, strict=True):
            above, below = np.split(np.asarray(Image.open(one.folder / "pictures.png")), 2)
            mse, root = 1000 * one.number("reconstruction", "mse"), 100 * one.number("reconstruction", "root")
            printed, _ = published.mse(one.model)
            _picture(ax, below, f"{published.TITLES[one.model]}\n{mse:.1f}, {root:.1f} %\n({printed:.1f})")
        _picture(axes[0], above, "image")
        figure.suptitle(
            "MSE × 1000 and its root in % of the range (published, no unit); CIFAR-10, 64 bits", fontsize=8, y=0.995
        )
    return True


def figure_6(results: Sequence[Result], path: Path) -> bool:
    """mAP by bits on CIFAR-10: published CVAE, DPN and HashNet, measured CVAE, chance."""
    with drawing(path) as figure:
        ax = figure.subplots()
        for model in ("cvae", "dpn", "hashnet"):
            table, names = ("table_1", (model, "map")) if model == "cvae" else ("table_3", (model,))
            points = [(bits, published.of(table, *names, dataset="cifar10", bits=bits)) for bits in _bits()]
            drawn = [(bits, value) for bits, value in points if value is not None]
            name = f"{published.TITLES[model]}, published"
            ax.plot(*zip(*drawn, strict=True), "--o", color=COLOURS[model], label=name)
        measured = _map_line(ax, results, "cvae")
        _chance_line(ax, results)
        _label_bits(ax)
    return measured


def map_by_bits(results: Sequence[Result], path: Path) -> bool:
    """Measured mAP of all models by bits, and chance."""
    with drawing(path) as figure:
        ax = figure.subplots()
        drawn = [_map_line(ax, results, model) for model in published.MODELS]
        _chance_line(ax, results)
        _label_bits(ax)
        ax.set_ylim(bottom=0.09)
    return any(drawn)


def precision_recall(results: Sequence[Result], path: Path) -> bool:
    """Precision-recall curves by rank, 64 bits, all models on CIFAR-10."""
    found = _of_64_bits(results)
    with drawing(path) as figure:
        ax = figure.subplots()
        for one in found:
            curve = one.values["metrics"]["curve_by_rank"]
            ax.plot(curve["recall"], curve["precision"], color=COLOURS[one.model], label=published.TITLES[one.model])
        if found:
            ax.axhline(found[0].number("metrics", "precision_at", "chance"), ls=":", color="black", label="chance")
        ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, None))
        _legend(ax)
    return bool(found)


def distances(results: Sequence[Result], path: Path) -> bool:
    """Distances of relevant and of other pairs, 64 bits, all models on CIFAR-10."""
    found = _of_64_bits(results)
    with drawing(path, height=4.6) as figure:
        for ax, one in zip(np.ravel(figure.subplots(2, 2, sharex=True)), found, strict=False):
            pair = one.values["metrics"]["distances"]
            for name, colour in (("other", "#999999"), ("relevant", COLOURS[one.model])):
                counts = np.array(pair[name], float)
                ax.plot(counts / counts.sum(), color=colour, label=f"{name} pairs")
            ax.set(title=published.TITLES[one.model], xlabel="distance in bits", ylabel="share of pairs")
            ax.legend(frameon=False, fontsize=7, loc="upper left")
    return bool(found)


def maps(results: Sequence[Result], path: Path) -> bool:
    """Codes projected onto the first two principal components of the bits, coloured by class."""
    found = _of_64_bits(results)
    with drawing(path, width=7.2, height=7.2) as figure:
        for ax, one in zip(np.ravel(figure.subplots(2, 2)), found, strict=False):
            codes = one.codes()
            points_N2, share = principal(codes["query_codes"][:MAPPED])
            ax.scatter(*points_N2.T, c=codes["query_labels"][:MAPPED], cmap="tab10", s=4, linewidths=0, rasterized=True)
            ax.set(title=f"{published.TITLES[one.model]}: {share:.0%} of the variance", xticks=[], yticks=[])
    return bool(found)


def learning(results: Sequence[Result], path: Path) -> bool:
    """Validation loss after each epoch, all runs on CIFAR-10, to judge convergence."""
    with drawing(path, width=7.2, height=4.6) as figure:
        axes = np.ravel(figure.subplots(2, 2, sharex=True))
        drawn = 0
        for ax, model in zip(axes, published.MODELS, strict=True):
            for bits, style in zip(_bits(), (":", "-.", "--", "-"), strict=True):
                for one in select(results, dataset="cifar10", model=model, bits=bits)[:1]:
                    losses = [epoch["validation"]["total"] for epoch in one.values["history"]]
                    ax.plot(range(1, len(losses) + 1), losses, style, color=COLOURS[model], label=f"{bits} bits")
                    drawn += 1
            ax.set(title=published.TITLES[model], xlabel="epoch", ylabel="loss, nats an image")
            _legend(ax)
    return drawn > 0


def principal(codes_NW: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], float]:
    """Projections of the bits onto two principal components (N, 2), and their share of the variance."""
    bits_NK = unpack(codes_NW).astype(np.float64)
    centred_NK = bits_NK - bits_NK.mean(axis=0)
    left_NN, singular, _ = np.linalg.svd(centred_NK, full_matrices=False)
    total = float((singular**2).sum())
    return left_NN[:, :2] * singular[:2], float((singular[:2] ** 2).sum()) / max(total, 1e-12)


FIGURES: dict[str, tuple[Callable[[Sequence[Result], Path], bool], str]] = {
    "figure-5": (figure_5, "Fig. 5: images and their reconstructions by the four models"),
    "figure-6": (figure_6, "Fig. 6: mAP against bits, published (dashed) and measured (solid)"),
    "map-by-bits": (map_by_bits, "mAP against bits, all models, measured"),
    "precision-recall": (precision_recall, "Precision against recall, 64 bits"),
    "distances": (distances, "Distances of relevant and of other pairs, 64 bits"),
    "maps": (maps, "Codes of queries in two dimensions, coloured by class"),
    "learning": (learning, "Loss on held-out images"),
}


def draw_all(results: Sequence[Result], folder: Path) -> dict[str, str]:
    """Draw every figure that has results into a folder, and return the caption of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        f"{name}.svg": caption for name, (draw, caption) in FIGURES.items() if draw(results, folder / f"{name}.svg")
    }


@contextmanager
def drawing(path: Path, *, width: float = 5.6, height: float = 3.6) -> Iterator[Figure]:
    """Context with a new figure, which is written to an SVG file on exit."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with replacing(path) as aside:
            figure.savefig(aside, format="svg", metadata={"Date": None}, dpi=150)


def _legend(ax: Axes) -> None:
    if ax.get_legend_handles_labels()[0]:
        ax.legend(frameon=False)


def _picture(ax: Axes, grey: npt.NDArray[Any], name: str) -> None:
    ax.imshow(grey, cmap="gray", vmin=0, vmax=255, aspect="equal")
    ax.set(xticks=[], yticks=[])
    ax.set_ylabel(name, rotation=0, ha="right", va="center")
    for spine in ax.spines.values():
        spine.set_visible(False)


def _map_line(ax: Axes, results: Sequence[Result], model: str) -> bool:
    points = []
    for bits in _bits():
        values = [
            one.number("metrics", "map", "expected")
            for one in select(results, dataset="cifar10", model=model, bits=bits)
        ]
        if values:
            points.append((bits, float(np.mean(values)), float(np.std(values))))
    if points:
        lengths, means, deviations = zip(*points, strict=True)
        name = f"{published.TITLES[model]}, measured"
        ax.errorbar(lengths, means, yerr=deviations, fmt="-s", color=COLOURS[model], label=name)
    return bool(points)


def _chance_line(ax: Axes, results: Sequence[Result]) -> None:
    found = [one for one in results if one.dataset == "cifar10"]
    if found:
        ax.axhline(found[0].number("metrics", "map", "chance"), ls=":", color="black", label="chance")


def _label_bits(ax: Axes) -> None:
    ax.set_xscale("log", base=2)
    ax.set(xlabel="bits", ylabel="mAP, CIFAR-10", xticks=_bits(), xticklabels=[str(bits) for bits in _bits()])
    _legend(ax)


def _of_64_bits(results: Sequence[Result]) -> list[Result]:
    return [one for model in published.MODELS for one in select(results, dataset="cifar10", model=model, bits=64)[:1]]


def _bits() -> list[int]:
    return published.bits_of("table_1")
