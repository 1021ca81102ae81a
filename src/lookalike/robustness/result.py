"""A robustness run as values that JSON can hold, and the few means by which methods are compared.

Nothing of the machine is among them: no paths, no times. A distance is in steps of the peer's measure: bits, levels,
or 1/1000 of 1 − cosine, with the cosine next to thresholds.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np

from lookalike.imaging.edits.catalogue import EDITS, KINDS
from lookalike.metrics.retrieval_stats import Threshold, mean
from lookalike.robustness import originals
from lookalike.robustness.run import RATES, Cell, Method, RobustnessResult

DIGITS = 6  # kept of every number
FORMAT = 2
PACKAGES = ("lookalike", "numpy", "Pillow", "onnxruntime")

Values = dict[str, Any]


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
