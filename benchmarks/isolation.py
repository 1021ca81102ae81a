"""What decoding in worker processes costs: images a second with and without, same files, same cores, same run.

Rounds alternate. 12-megapixel JPEG files as in `encode.py`; small ones, where passing images between processes weighs
most. Besides: the time that one search of the command line takes, which must start a worker.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import record
from encode import make_files
from PIL import Image

from lookalike import Database

SMALL, SMALL_SIDE, ROUNDS, SEARCHES = 1500, 64, 5, 7


def make_small_files(folder: Path) -> list[Path]:
    """JPEG files of 64 pixels a side, each of another coarse pattern."""
    folder.mkdir()
    random, paths = np.random.default_rng(0), []
    for number in range(SMALL):
        pattern = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
        paths.append(folder / f"{number:04}.jpg")
        pattern.resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def seconds(paths: list[Path], *, isolation: bool) -> float:
    """Indexing all files into a new database."""
    with tempfile.TemporaryDirectory() as folder, Database.create(Path(folder) / "db") as database:
        began = time.perf_counter()
        report = database.index(paths, isolation=isolation)
        assert report.failed == 0, report
        return time.perf_counter() - began


def searching(image: Path, db: Path, *, isolation: bool) -> float:
    """One search of the command line, from start to end."""
    more = [] if isolation else ["--no-isolation"]
    command = [sys.executable, "-m", "lookalike", "search", os.fspath(image), "--db", os.fspath(db), *more]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def compared(paths: list[Path]) -> dict[str, float | list[float]]:
    """Images a second with and without worker processes, and the ratio in each round."""
    seconds(paths[:50], isolation=True)  # imports and page cache
    rounds = [(seconds(paths, isolation=True), seconds(paths, isolation=False)) for _ in range(ROUNDS)]
    isolated, direct = (len(paths) / statistics.median(column) for column in zip(*rounds, strict=True))
    ratios = [round(without / isolated, 2) for isolated, without in rounds]
    return {
        "isolation": round(isolated, 1), "no isolation": round(direct, 1),
        "ratio": round(statistics.median(ratios), 2), "ratio_per_round": ratios,
    }  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder))
        large, small = compared(paths), compared(make_small_files(Path(folder) / "small"))
        db = Path(folder) / "db"
        with Database.create(db) as database:
            database.index(paths)
        times = [[searching(paths[0], db, isolation=isolation) for isolation in (True, False)] for _ in range(SEARCHES)]
    isolated, direct = (statistics.median(column) for column in zip(*times, strict=True))
    path = record.write(
        "isolation",
        {
            "images_per_second": {"JPEG of 12 megapixels": large, f"JPEG of {SMALL_SIDE}x{SMALL_SIDE} pixels": small},
            "seconds_of_one_search": {"isolation": round(isolated, 2), "no isolation": round(direct, 2)},
            "rounds": ROUNDS,
            "model": "default",
            "machine": record.machine("lookalike", "Pillow", "onnxruntime", "numpy"),
        },
    )
    print(path.read_text())


if __name__ == "__main__":
    main()
