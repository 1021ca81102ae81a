"""How often the product's answers are true, by its command line at its defaults: copies, other pictures, and time.

    python benchmarks/verdicts.py FOLDER_OF_DATA_SETS [--only copies different uploads match absent planted] [--quick]

    copies      edited copies of 500 photographs, 18 edits each: the share that `leakage` calls a copy of its original
    different   2,000 different photographs: the pairs that `duplicates` calls copies
    uploads     1,000 other photographs against a list of 300: those that `leakage` calls a copy
    match       1,000 others and 150 edited copies against a bank of 300, and against lists of their hashes
    absent      150 photographs without a copy among 2,934 images: those that `search` calls a copy of anything
    planted     500 copies among 10,000 images: precision, recall, groups of several originals, and time, twice

The photographs are those that no training of the built-in models has seen (`unseen.py`) and 730 of Caltech-101, some of
which are copies of each other: the record lists all pairs that are called copies, so that they can be checked by eye.
Larger collections are filled up with images of the training sets.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import record
import unseen
from PIL import Image

from lookalike.core.parallel import cores, in_order
from lookalike.imaging.edits.catalogue import Variant, perturb
from lookalike.robustness import peers

EDITS = [
    Variant("jpeg", 20), Variant("resize", 0.25), Variant("grey", 1), Variant("border", 0.1),
    Variant("letterbox", 0.125), Variant("brighter", 1.6), Variant("blur", 0.02), Variant("crop", 0.1),
    Variant("crop", 0.25), Variant("rotate", 15), Variant("caption", 0.2), Variant("screenshot", 0.06),
    Variant("text", 0.1), Variant("mirror", 1), Variant("rotate", 30), Variant("crop", 0.4), Variant("collage", 0.5),
    Variant("crop", 0.5),
]  # fmt: skip
COPIES = ("exact", "same-pixels", "edited")
QUALITY = 90  # of edited copies that are written as JPEG


def photographs(data: Path) -> list[bytes]:
    """The photographs that nothing was trained on, in a random order that is always the same."""
    files = unseen.table(data).column("image").to_pylist()
    files += pq.read_table(data / "same_scene.parquet", columns=["image"]).column("image").to_pylist()
    files = list(dict.fromkeys(files))
    return [files[at] for at in np.random.default_rng(0).permutation(len(files))]


def others(data: Path) -> Iterator[bytes]:
    """More images: of the sets that were trained on, photographs first."""
    for name in ("imagenette224", "tagged_food", "tiny_imagenet"):
        yield from pq.read_table(data / f"{name}.parquet", columns=["image"]).column("image").to_pylist()


def write(folder: Path, files: Iterable[bytes]) -> None:
    """Images as files that are named by their number."""
    folder.mkdir(parents=True)
    for number, content in enumerate(files):
        (folder / f"{number:05}.jpg").write_bytes(content)


def edited(content: bytes, edit: Variant, *, seed: int) -> bytes:
    """An edited copy of an encoded image, as a JPEG file."""
    with Image.open(io.BytesIO(content)) as image:
        pixels = perturb(np.asarray(image.convert("RGB")), *edit, seed=seed)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def write_edited(folder: Path, originals: Sequence[bytes], edits: Sequence[Variant]) -> None:
    """Edited copies, the edits in turn; files are named by their original's number."""
    folder.mkdir(parents=True)

    def one(number: int) -> None:
        content = edited(originals[number], edits[number % len(edits)], seed=number)
        (folder / f"{number:05}.jpg").write_bytes(content)

    for _ in in_order(one, range(len(originals)), workers=cores()):
        pass


def asked(*arguments: object) -> tuple[list[dict[str, Any]], float]:
    """What a command of `lookalike` says as JSON lines, and its seconds."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "lookalike", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0 and (arguments[0] not in ("index", "match") or run.returncode != 1):  # unread; no match
        raise SystemExit(f"{' '.join(command)}\n{run.stderr}")
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    return lines, time.perf_counter() - start


def number_of(path: str) -> int:
    """The number that a file is named by."""
    return int(Path(path).stem)


def copies(photos: Sequence[bytes], folder: Path, count: int) -> dict[str, Any]:
    """The share of edited copies that are called a copy of their original, by edit."""
    originals = photos[:count]
    write(folder / "originals", originals)
    for at, edit in enumerate(EDITS):
        write_edited(folder / f"edited/{at:02}", originals, [edit])
    asked("index", folder / "originals", folder / "edited", "--db", folder / "db")
    found, missed = {}, {}
    for at, edit in enumerate(EDITS):
        matches, seconds = asked(
            "leakage", folder / "originals", folder / f"edited/{at:02}", "--db", folder / "db", "--json"
        )
        right = {
            number_of(one["path"])
            for one in matches
            if one.get("relation") in COPIES and number_of(one["path"]) == number_of(one["copy"])
        }
        name = f"{edit.edit} {edit.strength:g}"
        found[name] = len(right) / count
        missed[name] = sorted(set(range(count)) - right)
        print(name, found[name], f"{seconds:.0f} s", missed[name][:20], flush=True)
    return {"photographs": count, "called a copy": found, "missed": {name: some[:20] for name, some in missed.items()}}


def different(photos: Sequence[bytes], folder: Path, count: int) -> dict[str, Any]:
    """The pairs of different photographs that are called copies."""
    write(folder / "images", photos[:count])
    asked("index", folder / "images", "--db", folder / "db")
    groups, seconds = asked("duplicates", "--db", folder / "db", "--json")
    named = [sorted(number_of(one["path"]) for one in group["images"]) for group in groups if "images" in group]
    return {"photographs": min(count, len(photos)), "groups": named, "seconds": seconds}


def uploads(photos: Sequence[bytes], folder: Path, known: int, count: int) -> dict[str, Any]:
    """The innocent uploads that are called a copy of something on a list."""
    write(folder / "list", photos[:known])
    write(folder / "uploads", photos[known : known + count])
    asked("index", folder / "list", folder / "uploads", "--db", folder / "db")
    matches, seconds = asked("leakage", folder / "list", folder / "uploads", "--db", folder / "db", "--json")
    pairs = [(one["path"], one["copy"], one["relation"]) for one in matches if "path" in one]
    flagged = [(number_of(path) + known, number_of(copy)) for path, copy, relation in pairs if relation in COPIES]
    return {"list": known, "uploads": min(count, len(photos) - known), "flagged": flagged, "seconds": seconds}


def match(photos: Sequence[bytes], folder: Path, known: int, copied: int, count: int) -> dict[str, Any]:
    """The edited copies that match their original in a bank, the innocent uploads that match anything, and the rates.

    Besides verification, which has calibrated rates, hashes alone are compared: PDQ, pHash, and our codes.
    """
    write(folder / "list", photos[:known])
    write(folder / "innocent", photos[known : known + count])
    write(folder / "background", photos[known + count : known + count + 400])
    write_edited(folder / "copies", photos[:copied], EDITS)
    asked("index", folder / "list", "--db", folder / "db", "--bank", "image")
    for kind, name in (("pdq", "pdq"), ("phash", "phash-64"), ("code", "default")):
        encode, lines = peers.find(name).encode, []
        for number in range(known):
            with Image.open(io.BytesIO(photos[number])) as image:
                lines.append(f"{encode(np.asarray(image.convert('RGB'))).tobytes().hex()} {number:05}\n")
        (folder / f"{kind}.txt").write_text("".join(lines))
        asked("import", folder / f"{kind}.txt", "--db", folder / "db", "--bank", kind, "--hash", kind)
    asked("calibrate", "--db", folder / "db", "--background", folder / "background")
    (stated, *_), _ = asked("match", folder / "innocent/00000.jpg", "--db", folder / "db", "--bank", "image", "--json")
    found: dict[str, dict[str, Any]] = {}
    answers, seconds = asked("match", folder / "copies", folder / "innocent", "--db", folder / "db", "--json")
    for kind in ("image", "pdq", "phash", "code"):
        pairs = {
            (number_of(one["path"]) + (0 if "/copies/" in one["path"] else known), number_of(match["path"]))
            for one in answers
            for match in one["matches"]
            if match["bank"] == kind
        }
        right = {upload for upload, entry in pairs if upload == entry}
        found[kind] = {
            "copies found": len(right), "missed": [at for at in range(copied) if at not in right],
            "innocent flagged": len({upload for upload, _ in pairs if upload >= known}),
            "innocent pairs": sorted(pair for pair in pairs if pair[0] >= known)[:50],
            "pairs": len([pair for pair in pairs if pair[0] >= known]),
        }  # fmt: skip
        print(kind, found[kind], flush=True)
    return {
        "list": known, "copies": copied, "innocent": min(count, len(photos) - known), "stated rate": stated["rate"],
        "found": found, "seconds": seconds,
    }  # fmt: skip


def absent(photos: Sequence[bytes], filling: Iterable[bytes], folder: Path, queries: int, count: int) -> dict[str, Any]:
    """The queries without a copy for which a copy is found."""
    write(folder / "queries", photos[:queries])
    write(folder / "images", [*photos[queries:], *filling][:count])
    asked("index", folder / "images", "--db", folder / "db")
    flagged, seconds = [], []
    for number in range(queries):
        hits, took = asked("search", folder / f"queries/{number:05}.jpg", "--db", folder / "db", "--json")
        seconds.append(took)
        flagged += [(number, number_of(hit["path"]) + queries) for hit in hits if hit.get("relation") in COPIES]
    return {"queries": queries, "images": count, "flagged": flagged, "seconds": float(np.median(seconds))}


def planted(photos: Sequence[bytes], filling: Iterable[bytes], folder: Path, copied: int, count: int) -> dict[str, Any]:
    """Precision and recall of groups among a collection with planted copies, and how long they take, twice."""
    have, files = set(photos), list(photos)
    files += itertools.islice((one for one in dict.fromkeys(filling) if one not in have), count - len(photos))
    write(folder / "images", files[:count])
    write_edited(folder / "copies", files[:copied], EDITS)
    _, indexed = asked("index", folder / "images", folder / "copies", "--db", folder / "db")
    groups, first = asked("duplicates", "--db", folder / "db", "--json")
    _, second = asked("duplicates", "--db", folder / "db", "--json")
    true, false = set(), []
    for group in groups:
        names = [(number_of(one["path"]), "/copies/" in one["path"]) for one in group.get("images", ())]
        for one, other in itertools.combinations(names, 2):
            if one[0] == other[0]:
                true.add(one[0])
            else:
                false.append((one, other))
    missed: dict[str, list[int]] = defaultdict(list)
    for number in sorted(set(range(copied)) - true):
        missed[" ".join(map(str, EDITS[number % len(EDITS)]))].append(number)
    return {
        "images": count, "copies": copied, "recall": len(true) / copied,
        "precision": len(true) / max(1, len(true) + len(false)), "missed": missed, "other pairs": false,
        "seconds": {"index": indexed, "duplicates": first, "again": second},
    }  # fmt: skip


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", default=["different", "uploads", "match", "copies", "absent", "planted"])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything; writes no record")
    parser.add_argument("--keep", type=Path, help="a new folder for the images and databases, which are kept")
    given = parser.parse_args()
    photos, share = photographs(given.data), 0.1 if given.quick else 1.0

    def of(count: int) -> int:
        return round(share * count)

    parts: dict[str, Callable[[Path], dict[str, Any]]] = {
        "copies": lambda place: copies(photos, place, of(500)),
        "different": lambda place: different(photos, place, of(2000)),
        "uploads": lambda place: uploads(photos, place, of(300), of(1000)),
        "match": lambda place: match(photos, place, of(300), of(150), of(1000)),
        "absent": lambda place: absent(photos, others(given.data), place, of(150), of(2934)),
        "planted": lambda place: planted(photos[: of(2000)], others(given.data), place, of(500), of(10_000)),
    }
    earlier = record.RESULTS / "verdicts.json"
    results = json.loads(earlier.read_text())["results"] if earlier.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.only:
            results[name] = parts[name]((given.keep or Path(temporary)) / name)
            print(name, json.dumps(results[name]), flush=True)
    if not given.quick:
        print(record.write("verdicts", {"results": results, **record.machine("lookalike", "opencv-python-headless")}))


if __name__ == "__main__":
    main()
