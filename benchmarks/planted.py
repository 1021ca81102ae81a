"""Planted duplicates: 500 edited copies among 10,000 images that no training has seen, found at the default distance.

    python benchmarks/planted.py FOLDER_OF_DATA_SETS [--model NAME|FILE] [--quick]

The images are the rows that the recipe of the built-in models keeps: the part `val` of Imagenette and Tiny-ImageNet (64
pixels), and every third food photograph. Copies are of images drawn from those of 200 pixels and more, and each is made
by one of the edits that `lookalike calibrate` calls re-encoded and edited, in turn. A collection has duplicates of its
own: pairs of originals whose grey thumbnails correlate by 0.98 or more are not counted as false, and how many there are
is in the record. So is, for each radius, how many copies and how many pairs of all unseen images are that near. Groups
are looked for twice: of files in the order of the rows, and of the same files under other names.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import record
from PIL import Image

from lookalike import Database, Hasher
from lookalike.calibration.rates import MIX
from lookalike.imaging import decode
from lookalike.imaging.edits.catalogue import perturb
from lookalike.imaging.thumbnail_vector import SUSPECTED, thumbnail_vector
from lookalike.robustness.originals import SIDE
from lookalike.search.all_pairs import pairs_within
from research import builtin_models as default
from research.builtin_models import kept

IMAGES, COPIES, LEAST = 10_000, 500, 200
MORE = 4  # bits beyond the radius up to which pairs are counted
Pairs = set[tuple[int, int]]


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


def groups(planted: Planted, order: Sequence[int], model: str) -> tuple[list[list[int]], int]:
    """The groups of files, written in this order, and the radius in bits."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "images"
        place.mkdir()
        for name, number in enumerate(order):
            (place / f"{name:05}").write_bytes(planted.files[number])
        with Database.create(Path(folder) / "db", model=model) as database:
            database.index(place)
            found = [[order[int(Path(one.path).name)] for one in group] for group in database.duplicates()]
            return found, database.duplicate_radius()


def alike(files: list[bytes]) -> Pairs:
    """Pairs of originals whose thumbnails hardly differ."""
    small = np.stack([thumbnail_vector(np.asarray(decode.thumbnail(file, SIDE))) for file in files])
    first, second = np.nonzero(np.triu(small @ small.T, 1) >= SUSPECTED)
    return set(zip(first.tolist(), second.tolist(), strict=True))


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


def judged(planted: Planted, found: list[list[int]], suspected: Pairs) -> dict[str, Any]:
    """Precision of the pairs that groups say, recall of the copies, and groups of different pictures."""
    true = false = left_out = mixed = 0
    for group in found:
        of = [planted.original[number] for number in group]
        wrong = False
        for one, other in itertools.combinations(of, 2):
            if one == other:
                true += 1
            elif (min(one, other), max(one, other)) in suspected:
                left_out += 1
            else:
                false, wrong = false + 1, True
        mixed += wrong
    together = {frozenset(pair) for group in found for pair in itertools.combinations(group, 2)}
    plants = [number for number, row in enumerate(planted.original) if row != number]
    hits = sum(frozenset((planted.original[number], number)) in together for number in plants)
    return {
        "precision": true / max(1, true + false), "recall": hits / len(plants), "true_pairs": true,
        "false_pairs": false, "pairs_left_out": left_out, "groups": len(found), "groups_of_different": mixed,
    }  # fmt: skip


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
    suspected = alike(planted.files[:count])
    other = np.random.default_rng(1).permutation(len(planted.files)).tolist()
    pairs = len(everything) * (len(everything) - 1) // 2
    results: dict[str, Any] = {"suspected_pairs": len(suspected), "unseen": len(everything), "pairs": pairs}
    for model in given.model:
        found, radius = groups(planted, range(len(planted.files)), model)
        again, _ = groups(planted, other, model)
        equal = sorted(map(sorted, found)) == sorted(map(sorted, again))
        each = by_radius(everything, planted, model, radius)
        results[model] = judged(planted, found, suspected) | {
            "radius": radius, "same_under_other_names": equal, "by_radius": each,
        }  # fmt: skip
    print(json.dumps(results, indent=2))
    if not given.quick:
        what = f"{copied} copies among {count} images"
        print(record.write("planted", {"what": what, "results": results, **record.machine("lookalike", "pillow")}))


if __name__ == "__main__":
    main()
