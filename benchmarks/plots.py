"""Draw the record of `search.py`: time of a query against the number of codes, to `docs/benchmarks/`.

python benchmarks/plots.py

"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import record

matplotlib.use("svg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).parent.parent / "docs" / "benchmarks"
ENGINES = {
    "multi_index": ("lookalike, multi-index", "o-"),
    "scan": ("lookalike, scan", "s--"),
    "faiss flat": ("FAISS flat", "^:"),
}
KINDS = {"near": "3 bits from a stored code", "clustered": "around the same centres", "uniform": "drawn evenly"}


def lines(results: dict[str, Any], bits: int, codes: str, queries: str, top: int) -> dict[str, list[tuple[int, float]]]:
    """By engine: numbers of codes, ascending, and milliseconds of a query at each."""
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in ENGINES}
    for key, values in results.items():
        count, length, kind = key.split()
        if (int(length), kind) != (bits, codes) or queries not in values:
            continue
        for name in ENGINES:
            found[name].append((int(count), values[queries][str(top)][name]["p50_ms"]))
    return {name: sorted(points) for name, points in found.items()}


def draw(results: dict[str, Any], bits: int, codes: str) -> Path:
    """One picture of a kind of codes: a panel for each kind of queries, the 10 nearest; where it lies."""
    kinds = [kind for kind in KINDS if any(lines(results, bits, codes, kind, 10).values())]
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(4.2 * len(kinds), 3.6), sharey=True, squeeze=False, layout="constrained"
    )
    for panel, kind in zip(panels[0], kinds, strict=True):
        for name, points in lines(results, bits, codes, kind, 10).items():
            label, style = ENGINES[name]
            panel.loglog(*zip(*points, strict=True), style, label=label)
        panel.set(title=f"queries {KINDS[kind]}", xlabel="codes")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("ms a query, median")
    panels[0][0].legend()
    figure.suptitle(f"{bits} bits, codes {'drawn evenly' if codes == 'uniform' else codes}, the 10 nearest")
    path = FOLDER / f"search-{bits}-{codes}.svg"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return path


def main() -> None:
    """Draw all kinds of codes that the record has."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "lookalike"
    results = json.loads((record.RESULTS / "search.json").read_text())["results"]
    for bits, codes in sorted({(int(key.split()[1]), key.split()[2]) for key in results}):
        print(draw(results, bits, codes))


if __name__ == "__main__":
    main()
