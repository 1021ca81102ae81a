"""Search among 10,000 to 10 million codes (100 million with --huge), beside FAISS: a query, a batch, memory.

    lookalike index IMAGES --db DB && lookalike export real.npy --db DB
    python benchmarks/search.py --real real.npy [--huge] [--quick] && python benchmarks/plots.py
    python benchmarks/search.py --milvus HOST:PORT

Distances of every exact engine are compared with those of FAISS's flat index, which compares a query with every code.
Three kinds of codes: drawn evenly; around 10,000 centres, each bit flipped with probability 0.08; and those of --real,
brought to size by repeating them with each bit flipped with probability 3/64.
Three kinds of queries: 3 bits from a stored code; around the same centres; drawn evenly.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import record

from lookalike.core.codes import Codes
from lookalike.core.parallel import cores
from lookalike.milvus.client import MilvusServer, parse
from lookalike.milvus.engine import MilvusEngine
from lookalike.search import Hits
from lookalike.search.multi_index import MultiIndex
from lookalike.search.scan import KERNELS, Scan

SINGLE, CHECKED, BATCH = 100, 1_000, 100
TOPS = (1, 10, 100)
INEXACT = 1_000_000  # codes that a graph is built of, and that a server is given
CENTRES, FLIPPED = 10_000, 0.08
CHUNK = 1_000_000
SEALING = 60  # seconds that a server is given to put what was written in order, as it does by itself in some minutes
MOST_UNIFORM = 10_000_000  # codes drawn evenly; of more only those that lie in clusters, as images do
Search = Callable[[Codes, int], Any]


def uniform(count: int, width: int, random: np.random.Generator) -> Codes:
    """Codes drawn evenly from all there are."""
    return random.integers(0, 256, (count, width), np.uint8)


def flipped(codes_NW: Codes, probability: float, random: np.random.Generator) -> Codes:
    """Codes of which each bit is flipped with a probability."""
    parts = [
        part ^ np.packbits(random.random((len(part), 8 * part.shape[1]), np.float32) < probability, axis=1)
        for part in np.array_split(codes_NW, max(1, len(codes_NW) // CHUNK))
    ]
    return np.concatenate(parts)


def near(codes_NW: Codes, count: int, random: np.random.Generator, *, bits: int = 3) -> Codes:
    """Codes that are so many bits from stored ones."""
    found = codes_NW[random.integers(0, len(codes_NW), count)].copy()
    for code in found:
        for bit in random.permutation(8 * len(code))[:bits]:
            code[bit // 8] ^= np.uint8(128 >> bit % 8)
    return found


def collections(count: int, width: int, reals: list[Path]) -> Iterator[tuple[str, Codes, dict[str, Codes]]]:
    """Kinds of codes, and of queries to each."""
    random = np.random.default_rng([count, width])
    if count <= MOST_UNIFORM:
        even = uniform(count, width, random)
        yield "uniform", even, {"near": near(even, CHECKED, random), "uniform": uniform(CHECKED, width, random)}
    centres = uniform(CENTRES, width, random)
    around = flipped(centres[random.integers(0, CENTRES, count)], FLIPPED, random)
    yield (
        "clustered",
        around,
        {
            "near": near(around, CHECKED, random),
            "clustered": flipped(centres[random.integers(0, CENTRES, CHECKED)], FLIPPED, random),
            "uniform": uniform(CHECKED, width, random),
        },
    )
    for known in (np.load(real) for real in reals):
        if known.shape[1] != width:
            continue
        grown = flipped(known[random.integers(0, len(known), count)], 3 / 64, random)
        yield "real", grown, {"near": near(grown, CHECKED, random)}


def times(search: Search, queries_QW: Codes, top: int) -> list[float]:
    """Milliseconds of each query by itself."""
    found = []
    for query in queries_QW:
        began = time.perf_counter()
        search(query[None], top)
        found.append(1e3 * (time.perf_counter() - began))
    return found


def wrong(search: Callable[[Codes, int], list[Hits]], truth: Any, queries_QW: Codes, top: int) -> int:
    """To how many queries the distances are not those of brute force."""
    expected_QT, _ = truth.search(queries_QW, top)
    found = search(queries_QW, top)
    return sum(hits.distances.tolist() != row.tolist() for hits, row in zip(found, expected_QT, strict=True))


def recall(index: Any, truth: Any, queries_QW: Codes, top: int) -> float:
    """Share of the nearest that an inexact index finds, by distance."""
    expected_QT, _ = truth.search(queries_QW, top)
    found_QT, _ = index.search(queries_QW, top)
    return float((found_QT <= expected_QT[:, -1:]).mean())


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        return 0
    return 1024 * int(found[1]) if found else 0


def numpy_scan(codes_NW: Codes) -> Search:
    """The plain way in NumPy."""
    words = codes_NW.view(np.uint64)

    def search(queries_QW: Codes, top: int) -> Any:
        distances = np.bitwise_count(words ^ queries_QW.view(np.uint64)).sum(axis=1, dtype=np.uint16)
        return np.argpartition(distances, top)[:top]

    return search


def measure(codes_NW: Codes, queries: dict[str, Codes], *, others: bool) -> dict[str, Any]:
    """Every engine on one collection."""
    bits = 8 * codes_NW.shape[1]
    flat = faiss.IndexBinaryFlat(bits)
    flat.add(codes_NW)
    before, began = resident(), time.perf_counter()
    multi = MultiIndex(bits, codes_NW=codes_NW)
    build, held = time.perf_counter() - began, resident() - before
    scan = Scan(bits, codes_NW=codes_NW)
    engines: dict[str, Search] = {
        "multi_index": lambda q, top: multi.search(q, top=top),
        "scan": lambda q, top: scan.search(q, top=top),
        "faiss flat": lambda q, top: flat.search(q, top),
    }
    tables = sum(table.starts.nbytes + table.rows.nbytes for table in multi.tables)
    values: dict[str, Any] = {"build_seconds": build, "tables_bytes": tables, "codes_bytes": codes_NW.nbytes,
                              "tables_resident_bytes": held}  # fmt: skip
    singles, checks = (SINGLE, CHECKED) if len(codes_NW) <= MOST_UNIFORM else (SINGLE // 2, SINGLE)
    for kind, queries_QW in queries.items():
        for top in TOPS:
            found: dict[str, Any] = {}
            for name, search in engines.items():
                search(queries_QW[:1], top)
                single = times(search, queries_QW[:singles], top)
                began = time.perf_counter()
                search(queries_QW[:BATCH], top)
                batch = BATCH / (time.perf_counter() - began)
                found[name] = {"p50_ms": statistics.median(single), "p99_ms": float(np.percentile(single, 99)),
                               "batch_per_second": batch}  # fmt: skip
            flat_ms, flat_rate = found["faiss flat"]["p50_ms"], found["faiss flat"]["batch_per_second"]
            for name in ("multi_index", "scan"):
                found[name] |= {
                    "times_faster": flat_ms / found[name]["p50_ms"],
                    "batch_times_faster": found[name]["batch_per_second"] / flat_rate,
                }
            checked = queries_QW[: checks if top == 10 else singles]
            found["wrong"] = {name: wrong(engines[name], flat, checked, top) for name in ("multi_index", "scan")}
            values.setdefault(kind, {})[str(top)] = found
            print(kind, top, json.dumps(found), flush=True)
    if others:
        values["others"] = inexact(codes_NW, flat, queries["near"][:SINGLE])
    return values


def inexact(codes_NW: Codes, truth: Any, queries_QW: Codes) -> dict[str, Any]:
    """FAISS's graph and inverted lists, and NumPy, on near queries, the 10 nearest."""
    bits = 8 * codes_NW.shape[1]
    graph: Any = faiss.IndexBinaryHNSW(bits, 16)
    graphs = [("faiss HNSW", graph)] if len(codes_NW) <= INEXACT else []
    lists: Any = faiss.IndexBinaryIVF(faiss.IndexBinaryFlat(bits), bits, 1024)
    found: dict[str, Any] = {}
    for name, index in (*graphs, ("faiss IVF", lists)):
        began = time.perf_counter()
        if name == "faiss IVF":
            index.train(codes_NW[:: max(1, len(codes_NW) // 100_000)].copy())
            index.nprobe = 8
        index.add(codes_NW)
        build = time.perf_counter() - began
        single = times(index.search, queries_QW, 10)
        found[name] = {"p50_ms": statistics.median(single), "recall": recall(index, truth, queries_QW, 10),
                       "build_seconds": build}  # fmt: skip
    if codes_NW.shape[1] == 8:
        found["numpy"] = {"p50_ms": statistics.median(times(numpy_scan(codes_NW), queries_QW[:10], 10))}
    return found


def on_milvus(at: str, width: int) -> dict[str, Any]:
    """A Milvus server (BIN_FLAT) and FAISS, a million codes around centres, near queries, the 10 nearest."""
    from pymilvus import MilvusClient

    _, codes_NW, queries = list(collections(INEXACT, width, []))[1]
    queries_QW, bits = queries["near"][:SINGLE], 8 * width
    flat = faiss.IndexBinaryFlat(bits)
    flat.add(codes_NW)
    server = MilvusServer(parse(f"milvus://{at}/benchmark_{bits}"))
    remote = MilvusEngine(bits, server)
    try:
        began = time.perf_counter()
        server.put(remote.name, ({"id": row, "code": code.tobytes()} for row, code in enumerate(codes_NW)))
        found: dict[str, Any] = {"build_seconds": time.perf_counter() - began}
        engines: dict[str, Search] = {
            "milvus": lambda q, top: remote.search(q, top=top),
            "faiss flat": lambda q, top: flat.search(q, top),
        }
        found["wrong"] = wrong(engines["milvus"], flat, queries_QW, 10)
        found["milvus, as written"] = one_by_one(engines["milvus"], queries_QW)
        MilvusClient(f"http://{at}").flush(remote.name)
        time.sleep(SEALING)
        return found | {name: one_by_one(search, queries_QW) for name, search in engines.items()}
    finally:
        server.drop(remote.name)


def one_by_one(search: Search, queries_QW: Codes) -> dict[str, float]:
    """The 10 nearest of each query alone, and of all in one call."""
    single = times(search, queries_QW, 10)
    began = time.perf_counter()
    search(queries_QW, 10)
    batch = len(queries_QW) / (time.perf_counter() - began)
    return {"p50_ms": statistics.median(single), "p99_ms": float(np.percentile(single, 99)), "batch_per_second": batch}


def main() -> None:
    """Measure what is asked for, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--huge", action="store_true", help="100 million codes too")
    parser.add_argument("--quick", action="store_true", help="up to 100,000 codes; writes no record")
    parser.add_argument("--milvus", default="", metavar="HOST:PORT", help="measure a Milvus server, alone")
    parser.add_argument(
        "--real", type=Path, nargs="*", default=[],
        help="codes of real images, uint8 (N, 8) or (N, 16), .npy files of lookalike export",
    )  # fmt: skip
    given = parser.parse_args()
    counts = [10_000, 100_000, 1_000_000, 10_000_000, *([100_000_000] if given.huge else [])]
    if given.quick:
        counts = counts[:2]
    faiss.omp_set_num_threads(cores())
    if given.milvus:
        found = {f"{INEXACT} {8 * width}": on_milvus(given.milvus, width) for width in (8, 16)}
        about = record.machine("lookalike", "faiss-cpu", "pymilvus")
        print(record.write("search-milvus", {"what": on_milvus.__doc__, "results": found, **about}))
        return
    about = {
        "what": f"{SINGLE} single queries and a batch of {BATCH}; distances of {CHECKED} queries compared",
        "kernels": KERNELS.__name__,
        **record.machine("lookalike", "numpy", "faiss-cpu"),
    }
    results: dict[str, Any] = {}
    for count in counts:
        for width in (8, 16):
            if count > 10_000_000 and width > 8:
                continue
            for kind, codes_NW, queries in collections(count, width, given.real):
                name = f"{count} {8 * width} {kind}"
                print(name, flush=True)
                others = kind == "clustered" and count in (INEXACT, 10 * INEXACT)
                results[name] = measure(codes_NW, queries, others=others)
                if not given.quick:  # each time, so that who stops it keeps what there is
                    print(record.write("search", about | {"results": results}))


if __name__ == "__main__":
    main()
