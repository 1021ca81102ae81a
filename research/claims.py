"""The paper's claims beside our figures: published, by the paper's own rule, mAP as the field defines it, chance.

Figures are of CIFAR-10; what a single seed cannot decide is said to be undecided.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from research import explanations, published
from research.results import Result, select, spread
from research.tables import NOT_RUN, Table

SMALL = 0.01  # differences of one seed up to this decide nothing
AGREES = 0.005  # largest difference between a printed figure and the rule


class Cell(NamedTuple):
    """A cell of Table I for CIFAR-10: what the paper prints, and what its mAP would be by hard labels."""

    model: str
    bits: int
    precision: float
    recall: float
    f1: float
    printed: float
    by_rule: float

    @property
    def is_inside(self) -> bool:
        """Whether F1 is near the harmonic mean of precision and recall; else the cell contradicts itself."""
        return abs(self.f1 - 2 * self.precision * self.recall / (self.precision + self.recall)) <= 2 * AGREES


def cells() -> list[Cell]:
    """The 16 cells of Table I for CIFAR-10, whose ten classes are a tenth of the images each."""
    found = []
    for model in published.MODELS:
        for bits in published.bits_of("table_1"):
            precision, recall, f1, printed = (
                published.of("table_1", model, name, dataset="cifar10", bits=bits) or 0.0
                for name in ("precision", "recall", "f1", "map")
            )
            by_rule = explanations.hard_label_precision(precision, recall, 0.1)
            found.append(Cell(model, bits, precision, recall, f1, printed, by_rule))
    return found


def hard_labels() -> Table:
    """The printed mAP of CIFAR-10 beside that of hard labels with the printed precision and recall."""
    rows = []
    for one in cells():
        numbers = [f"{value:.3f}" for value in (one.precision, one.recall, one.printed, one.by_rule)]
        remark = "" if one.is_inside else "F1 contradicts P and R"
        rows.append((published.TITLES[one.model], str(one.bits), *numbers, f"{one.by_rule - one.printed:+.3f}", remark))
    within = [one for one in cells() if abs(one.by_rule - one.printed) <= AGREES]
    greatest = max(abs(one.by_rule - one.printed) for one in cells() if one.model in ("vae", "cvae"))
    note = (
        f"Within {AGREES} of the printed mAP: {len(within)} of {len(rows)} cells; the greatest difference of VAE "
        f"and CVAE is {greatest:.4f}."
    )
    header = ("model", "bits", "P, printed", "R, printed", "mAP, printed", "P·R + (1 − R) · 0.1", "difference", "")
    return Table("The printed mAP from the printed precision and recall", header, tuple(rows), (note,))


def claims(results: Sequence[Result]) -> Table:
    """What the paper claims, and what we found."""
    rows = [_of_model(results, model) for model in published.MODELS]
    rows += [
        _compared(results, "convolution helps (CVAE above VAE)", ("vae", "cvae")),
        _compared(results, "SimAM helps (CSVAE above CVAE)", ("cvae", "csvae")),
        _best_length(results),
        _best_reconstruction(results),
        _fewest_collisions(results),
    ]
    header = (
        "claim, CIFAR-10, 64 bits",
        "published",
        "ours by the paper's rule",
        "our mAP",
        "chance of mAP",
        "verdict",
    )
    seeds = len({one.seed for one in results}) or 1
    note = (
        f"Seeds: {seeds}. The paper's rule is average precision of the nearest image's label; P@1 is the share of "
        "queries whose nearest image has their class."
    )
    return Table("What is claimed, and what we found", header, tuple(rows), (note,))


def _of_model(results: Sequence[Result], model: str) -> tuple[str, ...]:
    printed = published.of("table_1", model, "map", dataset="cifar10", bits=64) or 0.0
    found = select(results, dataset="cifar10", model=model, bits=64)
    title = f"mAP of {published.TITLES[model]}"
    if not found:
        return title, f"{printed:.3f}", *[NOT_RUN] * 4
    by_rule = [explanations.by_hard_labels(explanations.collection(one)) for one in found]
    ours, chance = _map(found), found[0].number("metrics", "map", "chance")
    verdict = "not reproduced" if printed - max(by_rule) > SMALL else "reproduced"
    return title, f"{printed:.3f}", spread(by_rule), spread(ours), f"{chance:.3f}", f"{verdict} by either rule"


def _compared(results: Sequence[Result], claim: str, models: tuple[str, str]) -> tuple[str, ...]:
    """Whether the second model is better than the first, by first hits and by mAP."""
    printed = [published.of("table_1", model, "precision", dataset="cifar10", bits=64) or 0.0 for model in models]
    found = [select(results, dataset="cifar10", model=model, bits=64) for model in models]
    said = f"P {printed[0]:.3f} → {printed[1]:.3f}"
    if not all(found):
        return claim, said, *[NOT_RUN] * 4
    first = [[one.number("metrics", "precision_at", "1") for one in some] for some in found]
    ours = [_map(some) for some in found]
    words = f"by first hits {_difference(*first)}, by mAP {_difference(*ours)}"
    return (
        claim,
        said,
        f"P@1 {spread(first[0])} → {spread(first[1])}",
        f"{spread(ours[0])} → {spread(ours[1])}",
        "–",
        words,
    )


def _best_length(results: Sequence[Result]) -> tuple[str, ...]:
    """Whether codes of 64 bits are the best of each model."""
    lengths = published.bits_of("table_1")
    said, ours = [], []
    for model in published.MODELS:
        printed = {bits: published.of("table_1", model, "map", dataset="cifar10", bits=bits) or 0.0 for bits in lengths}
        said.append(_longest(printed))
        found = {bits: select(results, dataset="cifar10", model=model, bits=bits) for bits in lengths}
        if not all(found.values()):
            return "64 bits are best", f"best: {_listed(said)}", *[NOT_RUN] * 4
        ours.append(_longest({bits: statistics.fmean(_map(some)) for bits, some in found.items()}))
    verdict = "holds" if set(ours) == {64} else "does not hold; the printed figures do not show it either"
    return "64 bits are best", f"best: {_listed(said)}", "–", f"best: {_listed(ours)}", "–", verdict


def _best_reconstruction(results: Sequence[Result]) -> tuple[str, ...]:
    printed = {model: published.mse(model)[0] for model in published.MODELS}
    found = {model: select(results, dataset="cifar10", model=model, bits=64) for model in published.MODELS}
    said = f"errors {' / '.join(f'{value:.2f}' for value in printed.values())}"
    if not all(found.values()):
        return "VTE reconstructs best", said, *[NOT_RUN] * 4
    errors = {
        model: statistics.fmean(1000 * one.number("reconstruction", "mse") for one in some)
        for model, some in found.items()
    }
    best = min(errors, key=lambda model: errors[model])
    verdict = "holds" if best == "vte" else f"does not hold: {published.TITLES[best]} does"
    return (
        "VTE reconstructs best",
        said,
        f"MSE × 1000: {' / '.join(f'{value:.1f}' for value in errors.values())}",
        "–",
        "–",
        verdict,
    )


def _fewest_collisions(results: Sequence[Result]) -> tuple[str, ...]:
    printed = {model: published.of("table_2", model, dataset="cifar10", bits=64) or 0.0 for model in published.MODELS}
    found = {model: select(results, dataset="cifar10", model=model, bits=64) for model in published.MODELS}
    said = f"{' / '.join(f'{value:.2f}' for value in printed.values())} % repeated"
    if not all(found.values()):
        return "fewer collisions than VAE", said, *[NOT_RUN] * 4
    ours = {
        model: statistics.fmean(one.number("metrics", "collisions", "ratio") for one in some)
        for model, some in found.items()
    }
    verdict = "holds" if all(ours[model] < ours["vae"] for model in ("cvae", "csvae", "vte")) else "does not hold"
    return (
        "fewer collisions than VAE",
        said,
        f"{' / '.join(f'{value:.2f}' for value in ours.values())} %",
        "–",
        "–",
        verdict,
    )


def _map(found: Sequence[Result]) -> list[float]:
    return [one.number("metrics", "map", "expected") for one in found]


def _difference(first: Sequence[float], second: Sequence[float]) -> str:
    """Whether the second is higher: by more than two standard errors, or with one seed by more than `SMALL`."""
    apart = statistics.fmean(second) - statistics.fmean(first)
    least = SMALL
    if min(len(first), len(second)) > 1:
        least = 2 * (statistics.variance(first) / len(first) + statistics.variance(second) / len(second)) ** 0.5
    if abs(apart) <= least:
        return f"undecided ({apart:+.3f})"
    return f"yes ({apart:+.3f})" if apart > 0 else f"no ({apart:+.3f})"


def _longest(figures: dict[int, float]) -> int:
    """The length with the highest figure."""
    return max(figures, key=lambda bits: figures[bits])


def _listed(lengths: Sequence[int]) -> str:
    return ", ".join(map(str, lengths)) + " bits"
