"""mAP of 10,000 queries against 50,000 codes of 64 bits, beside the published way: sort each query's distances.

    python benchmarks/evaluate.py

The peer is the function that the published research code of this field copies from one repository to the next
(`CalcTopMap`, written anew from its formulas): distances by a dot product of ±1, `numpy.argsort`, the relevance by
that order, cumulative sums. It takes too long for all queries, so it does 200 of them and its time is scaled.
Codes are random, as many as a real evaluation has: the time hangs on their number only.
"""

from __future__ import annotations

import resource
import statistics
import time

import numpy as np
import numpy.typing as npt
import record

from lookalike.core import codes as coding
from lookalike.metrics.ranking import mean_average_precision

QUERIES, DATABASE, BITS, CLASSES = 10_000, 50_000, 64, 10
PEER_QUERIES, ROUNDS = 200, 3
Signs = npt.NDArray[np.float32]


def by_sorting(query_QK: Signs, query_QC: Signs, database_NK: Signs, database_NC: Signs) -> float:
    """mAP over the whole database as published code computes it."""
    total = 0.0
    for query_K, query_C in zip(query_QK, query_QC, strict=True):
        relevant_N = (query_C @ database_NC.T > 0).astype(np.float32)
        distances_N = 0.5 * (query_K.shape[0] - query_K @ database_NK.T)
        relevant_N = relevant_N[np.argsort(distances_N)]
        count = int(relevant_N.sum())
        if count:
            total += float(np.mean(np.linspace(1, count, count) / (np.flatnonzero(relevant_N) + 1.0)))
    return total / len(query_QK)


def main() -> None:
    """Measure, compare, and write the record."""
    rng = np.random.default_rng(0)
    bits = [rng.random((n, BITS)) < 0.5 for n in (QUERIES, DATABASE)]
    labels = [rng.integers(0, CLASSES, n) for n in (QUERIES, DATABASE)]
    codes = [coding.pack(part) for part in bits]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = []
    signs = [(2 * part - 1).astype(np.float32) for part in (bits[0][:PEER_QUERIES], bits[1])]
    one_hot = [np.eye(CLASSES, dtype=np.float32)[part] for part in (labels[0][:PEER_QUERIES], labels[1])]
    for number in range(ROUNDS):
        began = time.perf_counter()
        ours = mean_average_precision(codes[0], labels[0], codes[1], labels[1])
        seconds = time.perf_counter() - began
        if number == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        theirs = by_sorting(signs[0], one_hot[0], signs[1], one_hot[1])
        peer = (time.perf_counter() - began) * QUERIES / PEER_QUERIES
        rounds.append({"seconds": seconds, "peer_seconds": peer, "ratio": peer / seconds})
        print(f"{seconds:.2f} s, by sorting {peer:.1f} s: {peer / seconds:.1f} times; mAP {ours:.4f}, {theirs:.4f}")
    values = {
        "what": f"mAP of {QUERIES:,} queries against {DATABASE:,} codes of {BITS} bits, {CLASSES} classes",
        "peer": f"numpy.argsort of each query's distances: {PEER_QUERIES} queries, scaled",
        "ratio": statistics.median(one["ratio"] for one in rounds),
        "rounds": rounds,
        "peak_mib": peak / 1024,
        "peak_before_mib": before / 1024,
        **record.machine("lookalike", "numpy"),
    }
    print(record.write("evaluate", values))


if __name__ == "__main__":
    main()
