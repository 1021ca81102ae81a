"""How many edited copies the built-in models and other perceptual hashes find, at 1 false pair in 10,000.

    python benchmarks/peers.py DATA

The photographs are those of `benchmarks/unseen.py`, which no training of the built-in models has seen; DATA is the
folder of data sets named there. Besides the extra `robustness` this needs two packages that no extra installs:
`pip install photo-dna-rs iscc-core`. Prints the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pyarrow.parquet as pq
import record
import unseen
from robustness_table import table

from lookalike import data
from lookalike.robustness import peers, report, run
from lookalike.robustness.run import RobustnessOptions, RobustnessResult

PEERS = ("default", "default-128", "phash-64", "pdq", "photodna", "iscc-64", "iscc-256")
PACKAGES = ("lookalike", "numpy", "Pillow", "onnxruntime", "ImageHash", "pdqhash", "photo-dna-rs", "iscc-core")
EDITS = (
    "jpeg 20", "resize 0.25", "grey 1", "brighter 1.6", "blur 0.02", "crop 0.1", "crop 0.25", "crop 0.4", "crop 0.5",
    "rotate 15", "rotate 30", "mirror 1", "perspective 0.2", "border 0.1", "letterbox 0.125", "caption 0.2", "text 0.1",
    "screenshot 0.06", "collage 0.5",
)  # fmt: skip


def measure(folder: Path, queries: int) -> RobustnessResult:
    """What each peer made of the copies."""
    with tempfile.TemporaryDirectory() as scratch:
        photographs = Path(scratch) / "unseen.parquet"
        pq.write_table(unseen.table(folder), photographs)
        settings = RobustnessOptions(edits=EDITS, queries=queries, workers=1)
        return run.run(data.find(photographs), [peers.find(name) for name in PEERS], settings=settings)


def values(outcome: RobustnessResult) -> dict[str, object]:
    """The record."""
    return {
        "what": "recall of edited copies at the distance that at most 1 in 10,000 pairs of different photographs reach",
        "photographs": len(outcome.originals.items),
        "edited": len(outcome.edited),
        "seed": outcome.settings.seed,
        "peers": {
            method.peer.name: {
                "threshold": method.peer.measure.in_words(method.thresholds[0].distance),
                "false_pairs": method.thresholds[0].false,
                "pairs": method.thresholds[0].pairs,
                "milliseconds_an_image": round(outcome.milliseconds[method.peer.name], 2),
            }
            for method in outcome.methods
        },
        "recall": {
            edit: {method.peer.name: round(method.cells[at].recall[0].value, 3) for method in outcome.methods}
            for at, edit in enumerate(EDITS)
        },
        "machine": record.machine(*PACKAGES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--queries", type=int, default=300, help="photographs of which copies are made")
    given = parser.parse_args()
    outcome = measure(given.data, given.queries)
    print(f"record: {record.write('peers', values(outcome))}")
    print(table(report.values(outcome), list(EDITS)))


if __name__ == "__main__":
    main()
