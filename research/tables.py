"""The paper's tables with our measurements: published / measured ± spread / chance in every cell.

A row is a run, which gives all metrics of a model at a length; it ends with the run's command and duration.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lookalike.metrics.collisions import expected_repeated
from research import published
from research.experiments import OTHER_AUTOENCODERS, PIXEL_BASELINES
from research.results import MEASURED_ON, Result, select, spread

METRICS = ("f1", "precision", "recall", "map")
NOT_RUN = "not run yet"
CONVERGED = 0.2  # largest fall of the loss in the last epoch of a converged run, percent
EVALUATED = 10_000  # images whose codes can collide
OTHERS = (*OTHER_AUTOENCODERS, *PIXEL_BASELINES)  # of the same grey pixels
TITLES = published.TITLES | {
    "vit": "ViT", "scae": "SCAE", "pixel-pca": "PCA of the pixels", "pixel-itq": "ITQ of the pixels",
    "pixel-lsh": "LSH of the pixels", "pixel-phash": "pHash",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Table:
    """A table with notes below it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table as GitHub-flavoured Markdown."""
        lines = [f"### {self.title}", "", _line(self.header), _line(["---"] * len(self.header)), *map(_line, self.rows)]
        return "\n".join([*lines, "", *(f"{note}\n" for note in self.notes)])


def table_1(results: Sequence[Result]) -> list[Table]:
    """F1, precision, recall and mAP of the four models, a table for each data set."""
    return [_by_run(results, dataset, "Table I", METRICS, _metric_cell) for dataset in published.DATASETS]


def table_2(results: Sequence[Result]) -> list[Table]:
    """Collision ratios of the four models by each interpretation of the term, a table for each data set."""
    readings = ("ratio", "sharing", "shared")
    return [_by_run(results, dataset, "Table II", readings, _collision_cell) for dataset in published.DATASETS]


def table_3(results: Sequence[Result]) -> Table:
    """mAP of the supervised methods and the paper's model, in the layout of Table III."""
    methods = (*published.SUPERVISED, "ours")
    rows = []
    for method in methods:
        for dataset in published.DATASETS:
            for bits in published.bits_of("table_3"):
                model = "csvae" if method == "ours" else method
                found = select(results, dataset=dataset, model=model, bits=bits)
                others = [one for one in results if one.dataset in MEASURED_ON[dataset]]
                printed = published.of("table_3", method, dataset=dataset, bits=bits)
                rows.append((
                    published.TITLES[method] + (" (CSVAE)" if method == "ours" else ""),
                    _dataset_title(dataset, found), str(bits),
                    _three(printed, found, _expected_map, _map_chance, others=others),
                    _run(found, dataset, model, bits),
                ))  # fmt: skip
    header = ("method", "data set", "bits", "mAP: published / measured / chance", "command, time")
    return Table("Table III: mAP compared with supervised methods", header, tuple(rows))


def reconstruction(results: Sequence[Result]) -> Table:
    """Reconstruction errors, as printed below Fig. 5, with those of a mean image."""
    rows = []
    for model in published.MODELS:
        found = select(results, dataset="cifar10", model=model, bits=64)
        mean, deviation = published.mse(model)
        forms = [_error(found, "root", "root_deviation", 100), _error(found, "mse", "deviation", 1000)]
        rows.append(
            (published.TITLES[model], f"{mean:.3f} ± {deviation:.3f}", *forms, _run(found, "cifar10", model, 64))
        )
    of_mean = [f"{scale * found[0].number('reconstruction', name):.3f}" if found else NOT_RUN
               for name, scale in (("root_of_mean", 100), ("mse_of_mean", 1000))]  # fmt: skip
    rows.append(("the mean image for each", "–", *of_mean, "–"))
    header = ("model", "published, no unit", "root of the MSE, % of the range", "MSE × 1000", "command, time")
    notes = (
        "± is the standard deviation over 1,000 queries of CIFAR-10, codes of 64 bits. The paper says neither on which "
        "images nor at which length of codes it measured.",
    )
    return Table("Errors of reconstruction (beneath Fig. 5)", header, tuple(rows), notes)


def against_pca(results: Sequence[Result]) -> Table:
    """Held-out errors of reconstruction compared with those of as many principal components; flags what is worse."""
    rows, worse = [], []
    for dataset in dict.fromkeys(name for several in MEASURED_ON.values() for name in several):
        here = [one for one in results if one.dataset == dataset]
        for model in (*published.MODELS, *OTHER_AUTOENCODERS):
            for bits in published.bits_of("table_1"):
                found, linear = (
                    [
                        1000 * one.number("reconstruction", "mse")
                        for one in here
                        if (one.model, one.bits) == (name, bits)
                    ]
                    for name in (model, "pixel-pca")
                )
                if not found:
                    continue
                ratio = statistics.fmean(found) / statistics.fmean(linear) if linear else None
                if ratio is not None and ratio > 1:
                    worse.append(f"{TITLES[model]} ({dataset}, {bits} bits, {ratio:.2f} ×)")
                rows.append((
                    dataset, TITLES[model], str(bits), spread(found, 2), spread(linear, 2) if linear else NOT_RUN,
                    "–" if ratio is None else f"**{ratio:.2f}**" if ratio > 1 else f"{ratio:.2f}",
                ))  # fmt: skip
    header = ("data set", "model", "bits", "MSE × 1000", "of PCA, as many components", "ratio")
    note = f"Worse than PCA: {', '.join(worse) or 'none'}. A model above 1 has not learnt what a linear one has."
    return Table("Errors compared with PCA", header, tuple(rows), (note,))


def use_of_bits(results: Sequence[Result]) -> Table:
    """Further properties of the codes: ties, bits, first hits."""
    rows = []
    first: dict[str, int] = {}
    for one in results:
        first[one.dataset] = min(one.seed, first.get(one.dataset, one.seed))
    for one in (run for run in results if run.seed == first[run.dataset]):
        use, bounds = one.values["metrics"]["bit_use"], one.values["metrics"]["map"]
        at = one.values["metrics"]["map_at_cutoff"]["retrieved"]
        rows.append((
            one.dataset, published.TITLES.get(one.model, one.model), str(one.bits), str(one.epochs),
            f"{bounds['pessimistic']:.3f} to {bounds['optimistic']:.3f}", f"{at['expected']:.3f} ({at['chance']:.3f})",
            f"{one.number('metrics', 'precision_at', '1'):.3f}", f"{use['effective']:.1f}", f"{use['correlation']:.3f}",
            str(use["constant"]), str(one.values["split"]["near_duplicates"]),
        ))  # fmt: skip
    header = (
        "data set", "model", "bits", "epochs", "mAP, worst to best order of ties", "mAP@1000, retrieved (chance)",
        "P@1", "effective bits", "correlation of bits", "constant bits", "queries with a near-duplicate",
    )  # fmt: skip
    rows.sort(key=lambda row: (row[0], row[1], int(row[2])))
    return Table("Ties, bits and first hits", header, tuple(rows))


def convergence(results: Sequence[Result]) -> str:
    """A sentence on how much the loss fell in the last epoch."""
    losses = [[epoch["validation"]["total"] for epoch in one.values["history"]] for one in results]
    falls = [100 * (one[-2] - one[-1]) / one[-2] for one in losses if len(one) > 1]
    if not falls:
        return "Not run yet: `python -m research run`"
    judged = "most had not converged" if sorted(falls)[len(falls) // 2] > CONVERGED else "most had about converged"
    return (
        f"In the last epoch, at a hundredth of the highest learning rate, the loss on held-out images still fell by\n"
        f"{min(falls):.1f} to {max(falls):.1f} % ({len(falls)} runs): {judged}. For longer runs: "
        "`python -m research run --epochs`."
    )


def _by_run(
    results: Sequence[Result],
    dataset: str,
    title: str,
    columns: Sequence[str],
    cell: Callable[[Sequence[Result], Sequence[Result], str, str, int, str], str],
) -> Table:
    rows = []
    shown = [one for model in published.MODELS for bits in published.bits_of("table_1")
             for one in select(results, dataset=dataset, model=model, bits=bits)]  # fmt: skip
    for model in published.MODELS:
        for bits in published.bits_of("table_1"):
            found = select(results, dataset=dataset, model=model, bits=bits)
            cells = [cell(found, shown, dataset, model, bits, column) for column in columns]
            rows.append((TITLES[model], str(bits), *cells, _run(found, dataset, model, bits)))
    for model in OTHERS:
        for bits in published.bits_of("table_1"):
            if found := select(results, dataset=dataset, model=model, bits=bits):
                cells = [cell(found, shown, dataset, model, bits, column) for column in columns]
                rows.append((TITLES[model], str(bits), *cells, _run(found, dataset, model, bits)))
    where = "; measured on " + " and ".join(sorted({one.values["settings"]["title"] for one in shown})) if shown else ""
    names = {"map": "mAP", "f1": "F1", "ratio": "repeated, %", "sharing": "sharing, %", "shared": "shared, %"}
    header = ("model", "bits", *(names.get(column, column) for column in columns), "command, time")
    return Table(f"{title}, {published.TITLES[dataset]}{where}", header, tuple(rows))


def _metric_cell(
    found: Sequence[Result], others: Sequence[Result], dataset: str, model: str, bits: int, metric: str
) -> str:
    known = model in published.MODELS
    printed = published.of("table_1", model, metric, dataset=dataset, bits=bits) if known else None
    if metric == "map":
        return _three(printed, found, _expected_map, _map_chance, others=others)
    return _three(
        printed,
        found,
        lambda one: one.number("metrics", "nearest", metric),
        lambda one: one.number("metrics", "nearest_chance", metric),
        others=others,
    )


def _collision_cell(
    found: Sequence[Result], others: Sequence[Result], dataset: str, model: str, bits: int, reading: str
) -> str:
    if reading == "ratio":
        printed = published.of("table_2", model, dataset=dataset, bits=bits) if model in published.MODELS else None
        if not found:
            return f"{printed or 0:.2f} / {NOT_RUN} / {100 * expected_repeated(EVALUATED, bits) / EVALUATED:.2f}"
        return _three(
            printed,
            found,
            lambda one: one.number("metrics", "collisions", "ratio"),
            lambda one: one.number("metrics", "collisions", "chance_ratio"),
            digits=2,
        )
    if not found:
        return NOT_RUN
    shares = [
        100 * one.number("metrics", "collisions", reading) / one.number("metrics", "collisions", "images")
        for one in found
    ]
    return spread(shares, 2)


def _expected_map(one: Result) -> float:
    return one.number("metrics", "map", "expected")


def _map_chance(one: Result) -> float:
    return one.number("metrics", "map", "chance")


def _three(
    printed: float | None,
    found: Sequence[Result],
    measured: Callable[[Result], float],
    chance: Callable[[Result], float],
    *,
    digits: int = 3,
    others: Sequence[Result] = (),
) -> str:
    """published / measured / chance; without measurements, chance is that of `others` on the same data set."""
    first = "–" if printed is None else f"{printed:.{digits}f}"
    if not found:
        return f"{first} / {NOT_RUN} / " + (f"{chance(others[0]):.{digits}f}" if others else "–")
    return f"{first} / {spread([measured(one) for one in found], digits)} / {_mean(found, chance):.{digits}f}"


def _mean(found: Sequence[Result], value: Callable[[Result], float]) -> float:
    return sum(map(value, found)) / len(found)


def _run(found: Sequence[Result], dataset: str, model: str, bits: int) -> str:
    """The command and duration of a row."""
    name = found[0].dataset if found else MEASURED_ON[dataset][-1]
    command = f"python -m research run --dataset {name} --models {model} --bits {bits}"
    if not found:
        return f"{NOT_RUN}: `{command}`"
    seeds = ",".join(str(one.seed) for one in found)
    device = found[0].values["settings"]["device"]
    command += f" --epochs {found[0].epochs} --seeds {seeds}" + (f" --device {device}" if device != "cpu" else "")
    minutes = sum(one.number("seconds", "training") + one.number("seconds", "rest") for one in found) / 60
    return f"`{command}`, {minutes:.0f} min"


def _dataset_title(dataset: str, found: Sequence[Result]) -> str:
    title = published.TITLES[dataset]
    return title if not found or found[0].dataset == dataset else f"{title}: {found[0].dataset}"


def _error(found: Sequence[Result], name: str, deviation: str, scale: float) -> str:
    """Error ± its standard deviation over images, each averaged over seeds."""
    if not found:
        return NOT_RUN
    values = [[scale * one.number("reconstruction", part) for one in found] for part in (name, deviation)]
    mean, over_images = (sum(part) / len(part) for part in values)
    return f"{mean:.3f} ± {over_images:.3f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
