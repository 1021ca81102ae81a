"""The paper's tables with what we measured: published / measured ± spread / chance in every cell.

A row is a run, since a run gives all metrics of a model at a length: its command and the time it took stand at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lookalike.reproduction import published
from lookalike.reproduction.results import STAND_INS, Result, select, spread

METRICS = ("f1", "precision", "recall", "map")
NOT_RUN = "not run yet"


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people; notes stand beneath it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """As GitHub's Markdown has it."""
        lines = [f"### {self.title}", "", _line(self.header), _line(["---"] * len(self.header)), *map(_line, self.rows)]
        return "\n".join([*lines, "", *(f"{note}\n" for note in self.notes)])


def table_1(results: Sequence[Result]) -> list[Table]:
    """F1, precision, recall and mAP of the four models, a table for each data set."""
    return [_by_run(results, dataset, "Table I", METRICS, _metric_cell) for dataset in published.DATASETS]


def table_2(results: Sequence[Result]) -> list[Table]:
    """Collision ratios of the four models, a table for each data set, by each reading of the word."""
    readings = ("ratio", "sharing", "shared")
    return [_by_run(results, dataset, "Table II", readings, _collision_cell) for dataset in published.DATASETS]


def table_3(results: Sequence[Result]) -> Table:
    """mAP of the supervised methods and of the paper's, as Table III prints it."""
    methods = (*published.SUPERVISED, "ours")
    rows = []
    for method in methods:
        for dataset in published.DATASETS:
            for bits in published.bits_of("table_3"):
                model = "csvae" if method == "ours" else method
                found = select(results, dataset=dataset, model=model, bits=bits)
                printed = published.of("table_3", method, dataset=dataset, bits=bits)
                rows.append((
                    published.TITLES[method] + (" (CSVAE)" if method == "ours" else ""),
                    _dataset_title(dataset, found), str(bits), _three(printed, found, _expected_map, _map_chance),
                    _run(found, dataset, model, bits),
                ))  # fmt: skip
    header = ("method", "data set", "bits", "mAP: published / measured / chance", "command, time")
    return Table("Table III: mAP beside supervised methods", header, tuple(rows))


def reconstruction(results: Sequence[Result]) -> Table:
    """Errors of reconstruction, as the paper gives them beneath Fig. 5."""
    rows = []
    for model in published.MODELS:
        found = select(results, dataset="cifar10", model=model, bits=64)
        mean, deviation = published.mse(model)
        measured = [_deviating(found, scale) if found else NOT_RUN for scale in (1_000.0, 255.0**2)]
        rows.append((published.TITLES[model], f"{mean:.3f} ± {deviation:.3f}", *measured, _grey(found),
                     _run(found, "cifar10", model, 64)))  # fmt: skip
    header = (
        "model", "published, no unit", "MSE × 1000, pixels to 1", "MSE, pixels to 255", "its root", "command, time",
    )  # fmt: skip
    notes = (
        "± is the standard deviation over images, 1,000 queries of CIFAR-10, codes of 64 bits. The paper says neither "
        "on which images nor at which length of codes it measured.",
    )
    return Table("Errors of reconstruction (beneath Fig. 5)", header, tuple(rows), notes)


def use_of_bits(results: Sequence[Result]) -> Table:
    """What else there is to say of the codes: ties, bits, the first hits."""
    rows = []
    for one in (run for run in results if run.seed == min(other.seed for other in results)):
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
    """In words, by how much the loss still fell in the last epoch."""
    losses = [[epoch["validation"]["total"] for epoch in one.values["history"]] for one in results]
    falls = [100 * (one[-2] - one[-1]) / one[-2] for one in losses if len(one) > 1]
    if not falls:
        return "Not run yet: `lookalike reproduce`"
    return (
        f"In the last epoch the loss on held-out images still fell by {min(falls):.1f} to {max(falls):.1f} %\n"
        f"({len(falls)} runs), at a learning rate that had come down to a hundredth: the runs\n"
        "were short. `--epochs` makes longer ones."
    )


def _by_run(
    results: Sequence[Result],
    dataset: str,
    title: str,
    columns: Sequence[str],
    cell: Callable[[Sequence[Result], str, str, int, str], str],
) -> Table:
    rows = []
    for model in published.MODELS:
        for bits in published.bits_of("table_1"):
            found = select(results, dataset=dataset, model=model, bits=bits)
            cells = [cell(found, dataset, model, bits, column) for column in columns]
            rows.append((published.TITLES[model], str(bits), *cells, _run(found, dataset, model, bits)))
    measured_on = {one.values["settings"]["title"] for one in results if one.dataset == STAND_INS.get(dataset, dataset)}
    where = f"; measured on {measured_on.pop()}" if len(measured_on) == 1 else ""
    names = {"map": "mAP", "f1": "F1", "ratio": "repeated, %", "sharing": "sharing, %", "shared": "shared, %"}
    header = ("model", "bits", *(names.get(column, column) for column in columns), "command, time")
    return Table(f"{title}, {published.TITLES[dataset]}{where}", header, tuple(rows))


def _metric_cell(found: Sequence[Result], dataset: str, model: str, bits: int, metric: str) -> str:
    printed = published.of("table_1", model, metric, dataset=dataset, bits=bits)
    if metric == "map":
        return _three(printed, found, _expected_map, _map_chance)
    return _three(
        printed,
        found,
        lambda one: one.number("metrics", "nearest", metric),
        lambda one: one.number("metrics", "nearest_chance", metric),
    )


def _collision_cell(found: Sequence[Result], dataset: str, model: str, bits: int, reading: str) -> str:
    if reading == "ratio":
        printed = published.of("table_2", model, dataset=dataset, bits=bits)
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
) -> str:
    """published / measured / chance."""
    first = "–" if printed is None else f"{printed:.{digits}f}"
    if not found:
        return f"{first} / {NOT_RUN} / –"
    return f"{first} / {spread([measured(one) for one in found], digits)} / {chance(found[0]):.{digits}f}"


def _run(found: Sequence[Result], dataset: str, model: str, bits: int) -> str:
    """The command that makes a row, and the time it took."""
    name = found[0].dataset if found else STAND_INS.get(dataset, dataset)
    command = f"`lookalike reproduce --dataset {name} --models {model} --bits {bits}`"
    if not found:
        return f"{NOT_RUN}: {command}"
    minutes = sum(one.number("seconds", "training") + one.number("seconds", "rest") for one in found) / 60
    return f"{command}, {minutes:.0f} min"


def _dataset_title(dataset: str, found: Sequence[Result]) -> str:
    title = published.TITLES[dataset]
    return title if not found or found[0].dataset == dataset else f"{title}: {found[0].dataset}"


def _deviating(found: Sequence[Result], scale: float) -> str:
    mean, deviation = (found[0].number("reconstruction", name) for name in ("mse", "deviation"))
    return f"{mean * scale:.3f} ± {deviation * scale:.3f}"


def _grey(found: Sequence[Result]) -> str:
    return f"{255 * found[0].number('reconstruction', 'mse') ** 0.5:.2f}" if found else NOT_RUN


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
