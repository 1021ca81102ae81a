"""A whole collection of codes: taking 1 or 10 million in with paths and labels, opening, searching; duplicates of one.

    python benchmarks/collection.py [--count 10000000] [--quick]

Codes lie around as many centres as a hundredth of them, each bit flipped with probability 0.05; a thousandth are there
twice. Every step is a command of its own, as a person gives it; what it holds at most is the system's figure for that
process. Beside all pairs within 3 bits: FAISS's flat index, which compares every code with every other one, timed on a
part of them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import record
from search import flipped, near, uniform

from lookalike import Database
from lookalike.core.codes import Codes
from lookalike.core.parallel import cores
from lookalike.search.all_pairs import pairs_within

RADIUS = 3
ASKED = 1_000  # codes that FAISS is asked for
SEARCHES = 200
COMPARED = 1_000_000  # codes; more are not compared with each other here


def collection(count: int) -> Codes:
    """Codes around centres, a few of them twice."""
    random = np.random.default_rng(count)
    centres = uniform(max(1, count // 100), 8, random)
    codes_NW = flipped(centres[random.integers(0, len(centres), count)], 0.05, random)
    twice = random.permutation(count)[: 2 * (count // 1000)].reshape(2, -1)
    codes_NW[twice[0]] = codes_NW[twice[1]]
    return codes_NW


def write(path: Path, codes_NW: Codes) -> None:
    """A Parquet file as machines that encode write it: paths as a camera's, a thousand labels."""
    schema = pa.schema(
        {"code": pa.binary(8), "path": pa.string(), "label": pa.string(), "width": pa.int32(), "height": pa.int32()}
    )
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(codes_NW), 1_000_000):
            rows = range(start, min(start + 1_000_000, len(codes_NW)))
            paths = [f"20{row // 1_000_000:02}/{row // 10_000 % 100:02}/IMG_{row:08}.jpg" for row in rows]
            columns = [
                pa.array([code.tobytes() for code in codes_NW[start : rows.stop]], pa.binary(8)),
                pa.array(paths), pa.array([f"label {row % 1000}" for row in rows]),
                pa.array([4000] * len(rows), pa.int32()), pa.array([3000] * len(rows), pa.int32()),
            ]  # fmt: skip
            writer.write_table(pa.table(columns, schema=schema))


def command(*arguments: str | Path) -> dict[str, Any]:
    """Run `lookalike`; how long it took, and how much memory it held at most."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "lookalike", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    said = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"lookalike {arguments[0]} ended with {status}: {said}")
    return {"seconds": time.perf_counter() - began, "peak_mib": usage.ru_maxrss / 1024}


def opened(db: Path, codes_NW: Codes) -> dict[str, Any]:
    """Opening, the first search, and searches whose hits are joined with the catalog."""
    script = (
        "import sys, time, json\nbegan = time.perf_counter()\nfrom lookalike import Database\nimport numpy as np\n"
        "imported = time.perf_counter()\nwith Database.open(sys.argv[1]) as database:\n"
        "    ready = time.perf_counter()\n    database.search_codes(np.load(sys.argv[2])[:1], top=10)\n"
        "    print(json.dumps({'open_ms': 1e3 * (ready - imported),"
        " 'first_search_ms': 1e3 * (time.perf_counter() - ready)}))\n"
    )
    queries_QW = near(codes_NW, SEARCHES, np.random.default_rng(1))
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/queries.npy", queries_QW)
        runs = [
            json.loads(subprocess.check_output([sys.executable, "-c", script, db, f"{folder}/queries.npy"]))
            for _ in range(3)
        ]
    found = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    with Database.open(db) as database:
        milliseconds = []
        for query_W in queries_QW:
            began = time.perf_counter()
            database.search_codes(query_W[None], top=10)
            milliseconds.append(1e3 * (time.perf_counter() - began))
    return found | {"search_with_rows_ms": statistics.median(milliseconds)}


def flat_pairs(codes_NW: Codes) -> float:
    """Seconds that FAISS's flat index would take for all pairs, from those for some of the codes."""
    faiss.omp_set_num_threads(cores())
    flat = faiss.IndexBinaryFlat(64)
    flat.add(codes_NW)
    began = time.perf_counter()
    flat.range_search(codes_NW[:ASKED], RADIUS + 1)
    return (time.perf_counter() - began) * len(codes_NW) / ASKED


def measure(count: int) -> dict[str, Any]:
    """All steps with so many codes."""
    codes_NW = collection(count)
    with tempfile.TemporaryDirectory() as folder:
        table, db = Path(folder) / "codes.parquet", Path(folder) / "db"
        write(table, codes_NW)
        taken = command("import", table, "--db", db)
        sizes = {file.name: file.stat().st_size for file in db.iterdir() if re.search(r"sqlite$|bin$", file.name)}
        found: dict[str, Any] = {"import": taken | {"rows_per_second": count / taken["seconds"]}, "bytes": sizes}
        found["open"] = opened(db, codes_NW)
        for name in ("duplicates", "duplicates_again") if count <= COMPARED else ():
            found[name] = command("duplicates", "--db", db, "--radius", str(RADIUS), "--quick", "--json")
    if count <= COMPARED:
        began = time.perf_counter()
        found["pairs"] = sum(len(pairs.first) for _, pairs in pairs_within(np.unique(codes_NW, axis=0), radius=RADIUS))
        found["pairs_seconds"] = time.perf_counter() - began
        found["faiss_flat_all_pairs_seconds"] = flat_pairs(codes_NW)
    return found


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--quick", action="store_true", help="50,000 codes; writes no record")
    given = parser.parse_args()
    results = {}
    for count in [50_000] if given.quick else given.count:
        results[str(count)] = measure(count)
        print(count, json.dumps(results[str(count)], indent=1), flush=True)
    if not given.quick:
        about = record.machine("lookalike", "numpy", "faiss-cpu", "pyarrow")
        print(record.write("collection", {"results": results, **about}))


if __name__ == "__main__":
    main()
