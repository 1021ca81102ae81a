"""Does the calibrated distance hold for images that it was not calibrated on?

    python benchmarks/calibration.py FOLDER_OF_DATA_SETS [--model NAME|FILE ...] [--draws 5] [--quick]

Of 10,000 images that no training of the built-in models has seen, half are drawn and made a database, which
`Database.calibrate` is asked for the distance of near-duplicates at each stated rate. Then the rate is counted among
all pairs of the other half: the share within that distance, of those that are not suspected to show the same picture,
as a multiple of the stated one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import planted
import record

from lookalike import Database, Hasher
from lookalike.calibration.run import CalibrationOptions
from lookalike.core.codes import Codes, hamming
from lookalike.imaging import decode
from lookalike.imaging.thumbnail_vector import SUSPECTED, thumbnail_vector
from lookalike.robustness.originals import SIDE

IMAGES = 10_000
RATES = (1e-3, 1e-4, 1e-5, 1e-6)
EDITED = 20  # images of which copies are made; these have no part in the rate
BLOCK = 500
Floats = npt.NDArray[np.float32]


def thumbnail_vectors(files: list[bytes]) -> Floats:
    """Grey thumbnails of mean 0 and length 1, whose products are correlations, (N, M)."""
    return np.stack([thumbnail_vector(np.asarray(decode.thumbnail(file, SIDE))) for file in files])


def counts(codes_NW: Codes, seen_NM: Floats) -> npt.NDArray[np.int64]:
    """How many pairs that are not suspected lie at each distance, (K + 1,)."""
    found = np.zeros(8 * codes_NW.shape[1] + 1, np.int64)
    for start in range(0, len(codes_NW), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(codes_NW)))
        distances = hamming(codes_NW[rows], codes_NW)
        counted = (np.arange(len(codes_NW)) > rows[:, None]) & (seen_NM[rows] @ seen_NM.T < SUSPECTED)
        found += np.bincount(distances[counted], minlength=len(found))
    return found


def calibrated(files: list[bytes], model: str) -> list[int]:
    """The distance of near-duplicates of a collection, at each of the rates."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "images"
        place.mkdir()
        for number, file in enumerate(files):
            (place / f"{number:05d}").write_bytes(file)
        with Database.create(Path(folder) / "db", model=model) as database:
            database.index(place)
            found = [database.calibrate(options=CalibrationOptions(rate=rate, edited=EDITED))[0] for rate in RATES]
    return [one.rates["near-duplicate"].distance for one in found]


def measure(files: list[bytes], seen_NM: Floats, model: str, draws: int) -> dict[str, Any]:
    """Distances, and rates at them as multiples of the stated ones."""
    hasher = Hasher.load(model)
    codes_NW = np.concatenate([hasher.encode(files[at : at + BLOCK]) for at in range(0, len(files), BLOCK)])
    distances: list[list[int]] = []
    multiples: list[list[float]] = []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(files))
        one, other = np.split(order, [len(files) // 2])
        distances.append(calibrated([files[row] for row in one], model))
        below = np.cumsum(counts(codes_NW[other], seen_NM[other]))
        pairs = len(other) * (len(other) - 1) / 2
        multiples.append(
            [float(below[distance]) / pairs / rate for distance, rate in zip(distances[-1], RATES, strict=True)]
        )
    return {
        f"{rate:g}": {
            "distances": [min(some), max(some)],
            "median": statistics.median(times),
            "least": min(times),
            "greatest": max(times),
        }
        for rate, some, times in zip(RATES, zip(*distances, strict=True), zip(*multiples, strict=True), strict=True)
    }


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of the data sets' Parquet files")
    parser.add_argument("--model", nargs="+", default=["default", "default-128"], help="built-in names, or files")
    parser.add_argument("--draws", type=int, default=5, help="how often halves are drawn")
    parser.add_argument("--quick", action="store_true", help="600 images, one draw; writes no record")
    given = parser.parse_args()
    wanted, draws = (600, 1) if given.quick else (IMAGES, given.draws)
    files = list(dict.fromkeys(itertools.islice(planted.unseen(given.folder), wanted)))  # each content once
    seen_NM = thumbnail_vectors(files)
    results = {model: measure(files, seen_NM, model, draws) for model in given.model}
    print(json.dumps(results, indent=2))
    if not given.quick:
        values = {"what": f"{len(files)} unseen images in halves, drawn {draws} times", "results": results}
        print(record.write("calibration", {**values, **record.machine("lookalike", "numpy", "pillow")}))


if __name__ == "__main__":
    main()
