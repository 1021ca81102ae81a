"""What decoding in worker processes costs, against `--no-isolation`: images a second and processor time, same run.

Rounds alternate between the two. JPEG files of 12 megapixels, as in `encode.py`, and of 64×64 pixels, where messages
between processes weigh most. Also the start: one search of the command line, for which a worker must start. Processor
time is that of all processes, user and system, and the measure to trust on a machine with other things to do.
"""

from __future__ import annotations

import argparse
import functools
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import record
from encode import make_files
from PIL import Image

from lookalike import Database

SMALL_SIDE = 64  # pixels


class Cost(NamedTuple):
    """Seconds by the clock, and of processor time."""

    clock: float
    processor: float


def make_large_files(folder: Path, count: int) -> list[Path]:
    """The pictures of `encode.py`, repeated with another comment in each file, so that each is decoded."""
    originals = [path.read_bytes() for path in make_files(folder)]
    paths = []
    for number in range(count):
        content, comment = originals[number % len(originals)], f"{number:06}".encode()
        paths.append(folder / f"copy-{number:04}.jpg")
        paths[-1].write_bytes(content[:2] + b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment + content[2:])
    return paths


def make_small_files(folder: Path, count: int) -> list[Path]:
    """JPEG files, each of another coarse pattern."""
    folder.mkdir()
    random, paths = np.random.default_rng(0), []
    for number in range(count):
        pattern = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
        paths.append(folder / f"{number:04}.jpg")
        pattern.resize((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def cost(work: Callable[[], object]) -> Cost:
    """What work takes, with all the processes that it started and ended."""
    clock, processor = time.perf_counter(), _processor()
    work()
    return Cost(time.perf_counter() - clock, _processor() - processor)


def _processor() -> float:
    who = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(one.ru_utime + one.ru_stime for one in who)


def indexing(paths: list[Path], isolation: bool) -> Cost:
    """The cost of indexing all files into a new database."""
    with tempfile.TemporaryDirectory() as folder, Database.create(Path(folder) / "db") as database:

        def work() -> None:
            report = database.index(paths, isolation=isolation)
            assert report.encoded == len(paths), report

        return cost(work)


def searching(image: Path, db: Path, isolation: bool) -> Cost:
    """The cost of one search of the command line, from start to end."""
    more = [] if isolation else ["--no-isolation"]
    command = [sys.executable, "-m", "lookalike", "search", os.fspath(image), "--db", os.fspath(db), *more]
    return cost(lambda: subprocess.run(command, check=True, capture_output=True))


def compared(measure: Callable[[bool], Cost], rounds: int) -> list[tuple[Cost, Cost]]:
    """With and without isolation, in turn; the first goes first in every other round."""
    found = []
    for number in range(rounds):
        order = (True, False) if number % 2 == 0 else (False, True)
        costs = {isolation: measure(isolation) for isolation in order}
        found.append((costs[True], costs[False]))
    return found


def rates(rounds: list[tuple[Cost, Cost]], images: int) -> dict[str, Any]:
    """Images a second with and without worker processes, by the clock and of processor time, and their ratios."""
    values: dict[str, Any] = {}
    for measure in Cost._fields:
        isolated, direct = ([getattr(one, measure) for one in column] for column in zip(*rounds, strict=True))
        ratios = [round(without / with_, 2) for with_, without in zip(isolated, direct, strict=True)]
        values[measure] = {
            "isolation": round(images / statistics.median(isolated), 1),
            "no isolation": round(images / statistics.median(direct), 1),
            "ratio": statistics.median(ratios), "ratio_per_round": ratios,
        }  # fmt: skip
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=240, metavar="N", help="files of 12 megapixels (default: 240)")
    parser.add_argument("--small", type=int, default=1500, metavar="N", help="files of 64×64 pixels (default: 1500)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of indexing (default: 5)")
    parser.add_argument("--searches", type=int, default=11, metavar="N", help="rounds of one search (default: 11)")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules are kept, as those of an installed package are
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PYTHONPYCACHEPREFIX"] = os.fspath(folder / "compiled")
        large, small = make_large_files(folder, options.large), make_small_files(folder / "small", options.small)
        with Database.create(folder / "db") as database:  # also loads what is loaded once
            database.index(large[:40])
        searching(large[0], folder / "db", True)
        images_per_second = {}
        for title, paths in (("12 megapixels", large), (f"{SMALL_SIDE}x{SMALL_SIDE} pixels", small)):
            rounds = compared(functools.partial(indexing, paths), options.rounds)
            images_per_second[f"JPEG of {title}"] = rates(rounds, len(paths))
        searches = compared(functools.partial(searching, large[0], folder / "db"), options.searches)
    path = record.write(
        "isolation",
        {
            "images_per_second": images_per_second,
            "seconds_of_one_search": {
                measure: {
                    name: round(statistics.median(getattr(one, measure) for one in column), 2)
                    for name, column in zip(("isolation", "no isolation"), zip(*searches, strict=True), strict=True)
                }
                for measure in Cost._fields
            },
            "files": {"large": options.large, "small": options.small},
            "rounds": options.rounds,
            "searches": options.searches,
            "model": "default",
            "load_average": [round(value, 1) for value in os.getloadavg()],
            "machine": record.machine("lookalike", "Pillow", "onnxruntime", "numpy"),
        },
    )
    print(path.read_text())


if __name__ == "__main__":
    main()
