"""The images of a collection, decoded once into a file that training reads at random; their features likewise.

`NAME.bin` holds one entry for each readable image, in the order of the items and without a header. `NAME.json` says
what it was made of, its shape, and which items could not be read; it is written last, so a cache that has one is
complete.

Shapes: N images, S pixels a side.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.core import atomic
from lookalike.core.errors import Interrupted, LookalikeError, TrainingError
from lookalike.core.progress import Progress, silent
from lookalike.imaging import decode
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import array_of
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.training.outputs.files import write_aside

IMAGES = "images"  # name of the cache of decoded images
TICK = 0.2  # seconds between two looks at whether to stop
CHUNK = 256  # images handed to the threads at once

Result = tuple[data.Item, npt.NDArray[Any] | str]  # an item with its entry, or with the reason why there is none


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that could not be read."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cached:
    """What is kept of the readable images, mapped from its file."""

    arrays: npt.NDArray[Any]  # (N, …)
    rows_N: npt.NDArray[np.int64]  # which items they belong to
    skipped: tuple[Skipped, ...]


def digest(items: Sequence[data.Item], spec: decode.ImageSpec, *, max_pixels: int) -> str:
    """BLAKE2b, in hexadecimal, of what decides the content: names, sizes, modification times, and the reading."""
    what = hashlib.blake2b(f"{spec}{' trimmed' * spec.trim} {max_pixels}\n".encode(), digest_size=16)
    for item in items:
        what.update(f"{item.name}\0{item.size}\0{item.mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return what.hexdigest()


def cached_images(
    folder: Path,
    items: Sequence[data.Item],
    spec: decode.ImageSpec,
    *,
    max_pixels: int = decode.MAX_PIXELS,
    stop_requested: Event | None = None,
    progress: Progress = silent,
) -> Cached:
    """The decoded images, uint8 (N, S, S[, C]), from a folder's cache, or decoded by worker processes and put there.

    Raises `Interrupted` once `stop_requested` is set, `TrainingError` if no image can be read.
    """
    key = digest(items, spec, max_pixels=max_pixels)
    if (found := open_cache(folder, key=key)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with closing(read_all(items, spec, max_pixels, stop_requested=stop_requested)) as results:
        return write_cache(folder, reported(results, len(items), "reading images", progress), key=key)


def open_cache(folder: Path, *, key: str, name: str = IMAGES) -> Cached | None:
    """The cache of that name, if it is complete and was made under `key`."""
    try:
        manifest = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if manifest["digest"] != key:
            return None
        arrays = np.memmap(folder / f"{name}.bin", manifest["kind"], mode="r", shape=tuple(manifest["shape"]))
        rows_N = np.array(manifest["rows"], np.int64)
        return Cached(arrays, rows_N, tuple(Skipped(**entry) for entry in manifest["skipped"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_cache(folder: Path, results: Iterable[Result], *, key: str, name: str = IMAGES) -> Cached:
    """A new cache of these results; images that could not be read are skipped and named."""
    remove_cache(folder, name)
    rows, skipped, entry = [], [], np.empty(0)
    with (folder / f"{name}.bin").open("wb") as file:
        for row, (item, result) in enumerate(results):
            if isinstance(result, str):
                skipped.append(Skipped(item.name, result))
                continue
            entry = result
            file.write(entry.tobytes())
            rows.append(row)
    if not rows:
        raise TrainingError(
            f"none of {len(skipped)} images can be read; the first: {skipped[0].name}: {skipped[0].reason}"
        )
    atomic.flush(folder / f"{name}.bin")  # before the manifest says that it is complete
    manifest = {
        "digest": key, "kind": str(entry.dtype), "shape": (len(rows), *entry.shape), "rows": rows,
        "skipped": [asdict(one) for one in skipped],
    }  # fmt: skip
    write_aside(folder / f"{name}.json", json.dumps(manifest).encode())
    made = open_cache(folder, key=key, name=name)
    assert made is not None
    return made


def remove_cache(folder: Path, name: str = IMAGES) -> None:
    """Delete a cache."""
    for ending in ("json", "bin"):
        (folder / f"{name}.{ending}").unlink(missing_ok=True)


def reported(results: Iterable[Result], total: int, stage: str, progress: Progress) -> Generator[Result]:
    """The results, reported as they are taken."""
    for done, result in enumerate(results, 1):
        progress(stage, done, total)
        yield result


def read_all(
    items: Sequence[data.Item], spec: decode.ImageSpec, max_pixels: int, *, stop_requested: Event | None = None
) -> Generator[Result]:
    """Each item with its array, or with the reason why there is none. Raises `Interrupted` once `stop_requested`."""

    def read(item: data.Item) -> decode.Array | str:
        try:
            return array_of(data.source(item), spec, decoders)
        except (LookalikeError, OSError) as error:
            return str(error)

    workers = min(os.cpu_count() or 1, len(items)) or 1
    with (
        ThreadPoolExecutor(2 * workers) as threads,  # one reads on while the results of another are taken
        pool.make_decoders(DecodeLimits.of(max_pixels), workers=workers) as decoders,  # ended first
    ):
        for start in range(0, len(items), CHUNK):
            chunk = items[start : start + CHUNK]
            found = [threads.submit(read, item) for item in chunk]
            try:
                for item, future in zip(chunk, found, strict=True):
                    yield item, _result(future, stop_requested)
            finally:
                for future in found:
                    future.cancel()


def _result(future: Future[decode.Array | str], stop_requested: Event | None) -> decode.Array | str:
    """The result of reading an image. Raises `Interrupted` once `stop_requested`, however long the image takes."""
    while True:
        if stop_requested is not None and stop_requested.is_set():
            raise Interrupted("stopped while the images were being read, before training began; start again")
        if wait([future], TICK).done:
            return future.result()
