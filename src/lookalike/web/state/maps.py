"""The map of a database.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.database import Database
from lookalike.web.state import layout
from lookalike.web.state.jobs import Job, Report

MOST = 20_000  # maximum images on a map
GRID = 9_999


def make(database: Database, report: Report) -> dict[str, Any]:
    """Ids, positions and labels of the images, or of a sample with a fixed seed."""
    ids_N, codes_NW = database.codes()
    drawn = np.sort(np.random.default_rng(0).permutation(len(ids_N))[:MOST])
    chosen_N, shown_NW = np.asarray(ids_N[drawn]), np.asarray(codes_NW[drawn])
    position_N2 = np.round(GRID * layout.positions(shown_NW, report=report)).astype(np.int64)
    labels, label_N = _labels(database, chosen_N)
    return {
        "ids": chosen_N.tolist(),
        "x": position_N2[:, 0].tolist(),
        "y": position_N2[:, 1].tolist(),
        "labels": labels,
        "label": label_N,
        "total": len(ids_N),
    }


def _labels(database: Database, ids_N: npt.NDArray[np.int64]) -> tuple[list[str], list[int]]:
    """All labels, sorted, and the index of each image's first label; −1: none."""
    records = database.records_of(ids_N.tolist())
    first = []
    for id_ in ids_N.tolist():
        label = records[id_].label if id_ in records else None
        first.append(label[0] if isinstance(label, tuple) and label else label)
    names = sorted({label for label in first if isinstance(label, str)})
    number = {name: place for place, name in enumerate(names)}
    return names, [number.get(label, -1) if isinstance(label, str) else -1 for label in first]


JOB = Job("map.json", make, lambda value: json.dumps(value).encode(), json.loads)
