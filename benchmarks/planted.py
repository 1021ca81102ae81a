"""How near codes of edited copies are, and how many pairs of different images are as near.

    python benchmarks/planted.py FOLDER_OF_DATA_SETS [--model NAME|FILE] [--quick]

The images are those that no training has seen: the part `val` of Imagenette and Tiny-ImageNet (64 pixels), and every
third food photograph. 500 copies are made of images of 200 pixels and more, each by one of the edits that
`lookalike calibrate` calls re-encoded and edited, in turn. For each radius, the record has the share of copies within
it, and the number of pairs of all images. What the product says of copies is measured by `verdicts.py`.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import record
from PIL import Image

from lookalike import Hasher
from lookalike.calibration.rates import MIX
from lookalike.imaging import decode
from lookalike.imaging.edits.catalogue import perturb
from lookalike.robustness.originals import SIDE
from lookalike.search.all_pairs import pairs_within
from research import builtin_models as default
from research.builtin_models import kept

IMAGES, COPIES, LEAST = 10_000, 500, 200
MORE = 4  # bits beyond the radius up to which pairs are counted


class Planted(NamedTuple):
    """The files of a collection, and of which original each is."""

    files: list[bytes]
    original: list[int]


def unseen(folder: Path) -> Iterator[bytes]:
    """The images that no training has seen, photographs first."""
    sources = sorted(default.default().sources, key=lambda source: source.file == "tiny_imagenet.parquet")
    for source in sources:
        column = pq.read_table(folder / source.file, columns=["image"]).column("image")
        yield from (column[int(row)].as_py() for row in kept(source, folder))


def plant(files: list[bytes], count: int, seed: int) -> Planted:
    """The files, and copies of some of them behind."""
    random = np.random.default_rng(seed)
    pixels = [np.asarray(decode.thumbnail(file, SIDE)) for file in files[:1400]]
    large = [row for row, image in enumerate(pixels) if min(image.shape[:2]) >= LEAST]
    chosen = random.permutation(large)[:count].tolist()
    edits = [variant for kind in ("re-encoded", "edited") for variant in MIX[kind]]
    made, original = list(files), list(range(len(files)))
    for number, row in enumerate(chosen):
        copy = perturb(pixels[row], *edits[number % len(edits)], seed=number)
        file = io.BytesIO()
        Image.fromarray(copy).save(file, "PNG")
        made.append(file.getvalue())
        original.append(row)
    return Planted(made, original)


def by_radius(everything: list[bytes], planted: Planted, model: str, radius: int) -> dict[str, dict[str, float]]:
    """By radius, up to some bits more than the default: the share of copies found by code alone, and of other pairs."""
    hasher = Hasher.load(model)
    plants = [number for number, row in enumerate(planted.original) if row != number]
    codes_NW = hasher.encode(everything + [planted.files[number] for number in plants])
    false: list[int] = []
    for _, pairs in pairs_within(codes_NW[: len(everything)], radius=radius + MORE):
        false += pairs.distances.tolist()
    copies = [(len(everything) + at, planted.original[number]) for at, number in enumerate(plants)]
    true = [int(np.bitwise_count(codes_NW[copy] ^ codes_NW[row]).sum()) for copy, row in copies]
    return {
        str(bits): {"found": sum(one <= bits for one in true) / len(true), "false": sum(one <= bits for one in false)}
        for bits in range(radius + MORE + 1)
    }


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", nargs="+", default=["default", "default-128"])
    parser.add_argument("--quick", action="store_true", help="1,400 images, 40 copies; writes no record")
    given = parser.parse_args()
    count, copied = (1400, 40) if given.quick else (IMAGES, COPIES)
    everything = list(unseen(given.data))[: count if given.quick else None]
    planted = plant(everything[:count], copied, seed=0)
    pairs = len(everything) * (len(everything) - 1) // 2
    results: dict[str, Any] = {"unseen": len(everything), "pairs": pairs}
    for model in given.model:
        radius = Hasher.load(model).info.duplicate
        results[model] = {"radius": radius, "by_radius": by_radius(everything, planted, model, radius)}
    print(json.dumps(results, indent=2))
    if not given.quick:
        what = f"{copied} copies among {count} images"
        print(record.write("planted", {"what": what, "results": results, **record.machine("lookalike", "pillow")}))


if __name__ == "__main__":
    main()
