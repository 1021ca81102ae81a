"""The images of a run, decoded once into one file that training reads at random.

`images.bin` is uint8 (N, S, S) without a header, one entry for each readable image in the order of the items;
`images.json` beside it says which items it was made of, how many entries it has and which items could not be read.
It is written last and renamed, so a cache that has it is whole.

Shapes: N images, S pixels a side.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lookalike import data
from lookalike.core import atomic
from lookalike.core.errors import Interrupted, LookalikeError, TrainingError
from lookalike.imaging import decode
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import array_of
from lookalike.imaging.isolation.limits import Limits
from lookalike.training.outputs.files import write_aside

TICK = 0.2  # seconds between two looks at whether to stop
CHUNK = 256  # images handed to the threads at once


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that could not be read."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cache:
    """The decoded images, mapped from their file."""

    arrays: decode.Array  # uint8 (N, S, S)
    skipped: tuple[Skipped, ...]


def digest(items: Sequence[data.Item], spec: decode.ImageSpec, *, max_pixels: int) -> str:
    """BLAKE2b in hexadecimal of what decides the cache's content: names, sizes, times of change, and the reading."""
    what = hashlib.blake2b(f"{spec}{' trimmed' * spec.trim} {max_pixels}\n".encode(), digest_size=16)
    for item in items:
        what.update(f"{item.name}\0{item.size}\0{item.mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return what.hexdigest()


def open_cache(folder: Path, *, key: str) -> Cache | None:
    """The cache in a run's folder, if it is whole and made under `key`."""
    try:
        manifest = json.loads((folder / "images.json").read_text(encoding="utf-8"))
        if manifest["digest"] != key:
            return None
        images_NSS = np.memmap(folder / "images.bin", np.uint8, mode="r", shape=tuple(manifest["shape"]))
        return Cache(images_NSS, tuple(Skipped(**entry) for entry in manifest["skipped"]))
    except (OSError, ValueError, KeyError):
        return None


def make_cache(
    folder: Path,
    items: Sequence[data.Item],
    spec: decode.ImageSpec,
    *,
    key: str,
    max_pixels: int = decode.MAX_PIXELS,
    asked: threading.Event | None = None,
    on_read: Callable[[int], object] = lambda _count: None,
) -> Cache:
    """Decode the items in worker processes; images that cannot be read are skipped and named.

    `on_read` is told how many more items were read. Raises `Interrupted` once `asked` is set.
    """
    remove_cache(folder)
    skipped = []
    with (folder / "images.bin").open("wb") as file, closing(read_all(items, spec, max_pixels, asked=asked)) as read:
        for item, result in read:
            if isinstance(result, str):
                skipped.append(Skipped(item.name, result))
            else:
                file.write(result.tobytes())
            on_read(1)
    shape = (len(items) - len(skipped), *spec.shape)
    if shape[0] == 0:
        raise TrainingError(
            f"none of {len(items)} images can be read; the first: {skipped[0].name}: {skipped[0].reason}"
        )
    atomic.flush(folder / "images.bin")  # before the manifest says that it is whole
    manifest = {"digest": key, "shape": shape, "skipped": [asdict(entry) for entry in skipped]}
    write_aside(folder / "images.json", json.dumps(manifest).encode())
    cache = open_cache(folder, key=key)
    assert cache is not None
    return cache


def remove_cache(folder: Path) -> None:
    """Delete the cache in a run's folder."""
    for name in ("images.json", "images.bin"):
        (folder / name).unlink(missing_ok=True)


def read_all(
    items: Sequence[data.Item], spec: decode.ImageSpec, max_pixels: int, *, asked: threading.Event | None = None
) -> Generator[tuple[data.Item, decode.Array | str]]:
    """Each item with its array, or with the reason why there is none. Raises `Interrupted` once `asked` is set."""

    def read(item: data.Item) -> decode.Array | str:
        try:
            return array_of(data.source(item), spec, decoders)
        except (LookalikeError, OSError) as error:
            return str(error)

    workers = min(os.cpu_count() or 1, len(items)) or 1
    with (
        ThreadPoolExecutor(2 * workers) as threads,  # one reads on while the results of another are taken
        pool.make_decoders(Limits.of(max_pixels), workers=workers) as decoders,  # ended first
    ):
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            found = [threads.submit(read, item) for item in chunk]
            try:
                for item, future in zip(chunk, found, strict=True):
                    yield item, _result(future, asked)
            finally:
                for future in found:
                    future.cancel()


def _result(future: Future[decode.Array | str], asked: threading.Event | None) -> decode.Array | str:
    """What came of reading an image. Raises `Interrupted` once `asked` is set, however long the image takes."""
    while not wait([future], TICK).done:
        if asked is not None and asked.is_set():
            break
    if asked is not None and asked.is_set():
        raise Interrupted("stopped while the images were being read, before training began; start again")
    return future.result()
