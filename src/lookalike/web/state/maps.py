"""The map of a database, kept on disk from one server to the next.

Shapes: N images, W bytes a code.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike.core import atomic
from lookalike.core.cache_dir import cache_dir
from lookalike.core.codes import Codes
from lookalike.opening import AnyDatabase
from lookalike.web.state import layout
from lookalike.web.state.jobs import Report

MOST = 20_000  # images that are placed
GRID = 9_999
KEPT = 20  # maps on disk
FORMAT = 1  # changes when maps are made in another way


def make(database: AnyDatabase, report: Report) -> dict[str, Any]:
    """Ids, places and labels of the images, or of some drawn under a fixed seed."""
    ids_N, codes_NW = database.codes()
    drawn = np.sort(np.random.default_rng(0).permutation(len(ids_N))[:MOST])
    chosen_N, shown_NW = np.asarray(ids_N[drawn]), np.asarray(codes_NW[drawn])
    place_N2 = _placed(shown_NW, report)
    labels, label_N = _labels(database, chosen_N)
    return {
        "ids": chosen_N.tolist(),
        "x": place_N2[:, 0].tolist(),
        "y": place_N2[:, 1].tolist(),
        "labels": labels,
        "label": label_N,
        "total": len(ids_N),
    }


def _placed(codes_NW: Codes, report: Report) -> npt.NDArray[np.int64]:
    """Places (N, 2) on a grid, of an earlier map of the same codes if there is one."""
    digest = hashlib.blake2b(codes_NW.tobytes(), digest_size=16, salt=bytes([FORMAT, codes_NW.shape[1]])).hexdigest()
    file = folder() / f"{digest}.json"
    with suppress(OSError, ValueError):
        held = np.array(json.loads(file.read_text(encoding="ascii")), np.int64)
        if held.shape == (len(codes_NW), 2):
            return held
    place_N2 = np.round(GRID * layout.places(codes_NW, report=report)).astype(np.int64)
    with suppress(OSError):  # a full disk costs time, no more
        _keep(file, json.dumps(place_N2.tolist()))
    return place_N2


def folder() -> Path:
    """Where maps are kept: in $LOOKALIKE_CACHE, or the system's folder for such things."""
    return cache_dir() / "maps"


def _keep(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(file, text.encode("ascii"), durable=False)  # a cache: one that cannot be read is made again
    held = sorted(file.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)
    for old in held[:-KEPT]:
        old.unlink(missing_ok=True)


def _labels(database: AnyDatabase, ids_N: npt.NDArray[np.int64]) -> tuple[list[str], list[int]]:
    """All labels of images by name, and which of them is the first of each image; −1: none."""
    records = database.records_of(ids_N.tolist())
    first = []
    for id_ in ids_N.tolist():
        label = records[id_].label if id_ in records else None
        first.append(label[0] if isinstance(label, tuple) and label else label)
    names = sorted({label for label in first if isinstance(label, str)})
    number = {name: place for place, name in enumerate(names)}
    return names, [number.get(label, -1) if isinstance(label, str) else -1 for label in first]
