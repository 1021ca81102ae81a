"""Edited copies found by bits alone, and by bits that count as the copy is sure of them (`search --asymmetric`).

    python benchmarks/asymmetric.py FOLDER_OF_DATA_SETS [--model NAME|FILE ...] [--quick]

The images are the photographs that the recipe of the built-in models keeps: the part `val` of Imagenette and every
third of food. Copies of 500 of them are searched for among all. For both distances the threshold is the one that at
most 1 in 10,000 pairs of a photograph, as it is, and another one reach.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import record

from lookalike import Hasher
from lookalike.imaging import decode
from lookalike.imaging.decode import Array
from lookalike.imaging.edits.catalogue import perturb
from lookalike.robustness.originals import SIDE
from lookalike.robustness.peers import as_read
from research import builtin_models as default
from research.builtin_models import kept

RATE, COPIES = 1e-4, 500
EDITS = (
    ("jpeg", 20), ("resize", 0.125), ("blur", 0.01), ("blur", 0.02), ("noise", 40), ("brighter", 1.6), ("darker", 0.5),
    ("contrast-up", 2), ("contrast-down", 0.4), ("grey", 1), ("crop", 0.1), ("crop", 0.25), ("crop", 0.4),
    ("rotate", 15), ("rotate", 30), ("letterbox", 0.5), ("caption", 0.2), ("text", 0.1), ("perspective", 0.1),
)  # fmt: skip
Floats = npt.NDArray[np.float32]


def photographs(folder: Path) -> list[Array]:
    """Pixels of the photographs that no training has seen, at most 512 a side."""
    files = [
        column[int(row)].as_py()
        for source in default.default().sources
        if source.parts  # of the photographs
        for column in [pq.read_table(folder / source.file, columns=["image"]).column("image")]
        for row in kept(source, folder)
    ]
    return [np.asarray(decode.thumbnail(file, SIDE)) for file in files]


def above(hasher: Hasher, pixels: list[Array]) -> Floats:
    """How far latents lie above the threshold, (N, K)."""
    assert hasher.theta is not None
    arrays = [as_read(one, hasher.spec) for one in pixels]
    return np.concatenate([hasher.latents(array[None]) for array in arrays]) - hasher.theta


def distances(query_NK: Floats, signs_MK: Floats) -> Floats:
    """Weighted distances, bits, (N, M); Hamming's if the queries are signs."""
    weights_NK = np.abs(query_NK)
    bits, total_N = query_NK.shape[1], weights_NK.sum(axis=1)
    found: Floats = (bits * (1 - query_NK @ signs_MK.T / total_N[:, None]) / 2).astype(np.float32)
    return found


def measure(hasher: Hasher, pixels: list[Array], edits: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    """Share of copies found by both distances."""
    above_NK = above(hasher, pixels)
    signs_NK = np.where(above_NK > 0, 1, -1).astype(np.float32)
    others = ~np.eye(len(pixels), dtype=bool)
    ways: dict[str, Callable[[Floats], Floats]] = {"bits": np.sign, "asymmetric": np.asarray}
    found: dict[str, Any] = {name: {} for name in ways}
    limits = {}
    for name, values in ways.items():
        between = np.sort(distances(values(above_NK), signs_NK)[others])
        allowed = int(RATE * len(between))
        limits[name] = float(np.nextafter(between[allowed], -np.inf, dtype=np.float32))  # below the first too many
        found[name]["threshold"] = limits[name]
    drawn = np.random.default_rng(0).permutation(len(pixels))[:COPIES]
    for edit, strength in edits:
        copies_NK = above(hasher, [perturb(pixels[row], edit, strength, seed=0) for row in drawn])
        for name, values in ways.items():
            own_N = np.array(
                [
                    distances(values(copy_K)[None], signs_NK[row][None])[0, 0]
                    for copy_K, row in zip(copies_NK, drawn, strict=True)
                ]
            )
            found[name][f"{edit} {strength:g}"] = float((own_N <= limits[name]).mean())
    return found


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of the data sets' Parquet files")
    parser.add_argument("--model", nargs="+", default=["default", "default-128"], help="built-in names, or files")
    parser.add_argument("--quick", action="store_true", help="200 photographs, two edits; writes no record")
    given = parser.parse_args()
    pixels = photographs(given.folder)[:: 7 if given.quick else 1]
    results = {}
    for name in given.model:
        hasher = Hasher.load(name)
        results[name] = {"model": hasher.name, **measure(hasher, pixels, EDITS[:2] if given.quick else EDITS)}
        print(name, json.dumps(results[name], indent=1), flush=True)
    if not given.quick:
        about = record.machine("lookalike", "numpy", "onnxruntime")
        what = f"{len(pixels)} photographs, copies of {COPIES}, 1 false pair in {1 / RATE:,.0f}"
        print(record.write("asymmetric", {"what": what, "results": results, **about}))


if __name__ == "__main__":
    main()
