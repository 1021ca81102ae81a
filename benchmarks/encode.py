"""Indexing 12-megapixel JPEG files against imagehash's pHash: images a second, same files, same cores, same run.

The files are photographs of scikit-image enlarged to 4000×3000 with sensor-like noise, at JPEG quality 90. Both
sides read the files from the page cache with as many threads as there are cores; rounds alternate. Besides: how long
the built-in models take for an image of which the pixels are there, on one core.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagehash
import numpy as np
import record
import skimage
from PIL import Image

from lookalike import Database, Hasher

FILES, ROUNDS, SIZE, QUALITY = 40, 5, (4000, 3000), 90
BUILT_IN = ("default", "default-128")
PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "ihc.png")


def make_files(folder: Path) -> list[Path]:
    """The files, each another part of a photograph with noise of its own."""
    random = np.random.default_rng(0)
    sources = [Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB") for name in PHOTOS]
    paths = []
    for number in range(FILES):
        image = sources[number % len(sources)]
        left, top = (int(random.integers(0, side // 4)) for side in image.size)
        part = image.crop((left, top, left + image.width * 3 // 4, top + image.height * 3 // 4)).resize(SIZE)
        noise = random.normal(0, 3, (SIZE[1], SIZE[0], 1))
        pixels = (np.asarray(part) + noise).clip(0, 255).astype(np.uint8)
        paths.append(folder / f"{number:03}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=QUALITY)
    return paths


def phash(paths: list[Path]) -> None:
    """pHash of all files, as imagehash's documentation shows it."""

    def one(path: Path) -> imagehash.ImageHash:
        with Image.open(path) as image:
            return imagehash.phash(image)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, paths))


def index(paths: list[Path]) -> None:
    """A new database of all files: digests, codes, catalog and code file."""
    with tempfile.TemporaryDirectory() as folder, Database.create(Path(folder) / "db") as database:
        report = database.index(paths)
        assert report.encoded == len(paths), report


def milliseconds(model: str) -> float:
    """Of one image, of its pixels as the model takes them, on one thread; the median of ten batches of 32."""
    hasher = Hasher.load(model, threads=1)
    arrays = np.random.default_rng(0).integers(0, 256, (32, *hasher.spec.shape), np.uint8)
    hasher.encode_arrays(arrays)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        hasher.encode_arrays(arrays)
        times.append(1e3 * (time.perf_counter() - began) / len(arrays))
    return statistics.median(times)


def seconds(work: Callable[[list[Path]], None], paths: list[Path]) -> float:
    began = time.perf_counter()
    work(paths)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = make_files(Path(folder))
        megabytes = sum(path.stat().st_size for path in paths) / 1e6
        for work in (phash, index):
            work(paths[:4])  # imports and page cache
        rounds = [(seconds(phash, paths), seconds(index, paths)) for _ in range(ROUNDS)]
    ours, theirs = (
        FILES / statistics.median(column) for column in (list(zip(*rounds, strict=True))[i] for i in (1, 0))
    )
    path = record.write(
        "encode",
        {
            "what": f"{FILES} JPEG files of 4000×3000 pixels, quality {QUALITY}, {megabytes / FILES:.1f} MB each",
            "images_per_second": {"lookalike index": round(ours, 1), "imagehash phash": round(theirs, 1)},
            "ratio": round(ours / theirs, 2),
            "ratio_per_round": [round(peer / own, 2) for peer, own in rounds],
            "rounds": ROUNDS,
            "model": "default",
            "milliseconds_an_image_on_one_core": {name: round(milliseconds(name), 2) for name in BUILT_IN},
            "machine": record.machine("lookalike", "Pillow", "onnxruntime", "ImageHash", "numpy"),
        },
    )
    print(path.read_text())


if __name__ == "__main__":
    main()
