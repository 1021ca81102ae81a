"""Caches of a collection's decoded images, or of their features, for random access during training.

`NAME.bin` has one entry for each readable image, in the order of the items, without a header. `NAME.json` has the
cache's key, its shape, and the unreadable items; it is written last, so a cache that has it is complete.

Shapes: N images, S pixels a side, D features.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import filelock
import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.backbones.backbone import Backbone
from lookalike.core import atomic
from lookalike.core.errors import Interrupted, LookalikeError, TrainingError
from lookalike.core.parallel import cores, in_order
from lookalike.core.progress import Progress, silent
from lookalike.imaging import decode
from lookalike.imaging.isolation import pool
from lookalike.imaging.isolation.decoders import array_of
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.training.files import write_aside

IMAGES = "images"  # name of the cache of decoded images
BATCH = 64  # images per call of a backbone
WAIT_SECONDS = 0.5  # between checks for a stop request, while waiting for another process

Result = tuple[data.Item, npt.NDArray[Any] | str]  # an item with its entry, or with the reason for its absence


@dataclass(frozen=True, slots=True)
class Skipped:
    """An image that could not be read."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Cached:
    """The cached entries of readable images, memory-mapped."""

    arrays: npt.NDArray[Any]  # (N, …)
    rows_N: npt.NDArray[np.int64]  # their items
    skipped: tuple[Skipped, ...]


class Edit(NamedTuple):
    """An edit of images before their features are computed."""

    name: str  # part of the cache's name
    of: Callable[[decode.Array, int], decode.Array]  # an image and its row → the edited image


def digest(items: Sequence[data.Item], spec: decode.ImageSpec, *, max_pixels: int) -> str:
    """BLAKE2b, in hexadecimal, of what determines the content: names, sizes, times, and decoding options."""
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
    """The decoded images, uint8 (N, S, S[, C]), from a folder's cache, or decoded by worker processes and cached.

    Raises `Interrupted` once `stop_requested` is set, `TrainingError` if no image can be read.
    """
    key = digest(items, spec, max_pixels=max_pixels)
    if (found := _open_cache(folder, key=key)) is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with closing(read_all(items, spec, max_pixels, stop_requested=stop_requested)) as results:
        return _write_cache(folder, _reported(results, len(items), "reading images", progress), key=key)


def _open_cache(folder: Path, *, key: str, name: str = IMAGES) -> Cached | None:
    """The cache with this name, if it is complete and has this key."""
    try:
        manifest = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if manifest["digest"] != key:
            return None
        arrays = np.memmap(folder / f"{name}.bin", manifest["kind"], mode="r", shape=tuple(manifest["shape"]))
        rows_N = np.array(manifest["rows"], np.int64)
        return Cached(arrays, rows_N, tuple(Skipped(**entry) for entry in manifest["skipped"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_cache(folder: Path, results: Iterable[Result], *, key: str, name: str = IMAGES) -> Cached:
    """A new cache of these results; unreadable images are skipped and listed."""
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
            f"none of {len(skipped)} images is readable; the first: {skipped[0].name}: {skipped[0].reason}"
        )
    atomic.flush(folder / f"{name}.bin")  # before the manifest that marks it as complete
    manifest = {
        "digest": key, "kind": str(entry.dtype), "shape": (len(rows), *entry.shape), "rows": rows,
        "skipped": [asdict(one) for one in skipped],
    }  # fmt: skip
    write_aside(folder / f"{name}.json", json.dumps(manifest).encode())
    made = _open_cache(folder, key=key, name=name)
    assert made is not None
    return made


def remove_cache(folder: Path, name: str = IMAGES) -> None:
    """Delete a cache."""
    for ending in ("json", "bin"):
        (folder / f"{name}.{ending}").unlink(missing_ok=True)


def read_all(
    items: Sequence[data.Item], spec: decode.ImageSpec, max_pixels: int, *, stop_requested: Event | None = None
) -> Generator[Result]:
    """Each item with its array, or with the reason for its absence. Raises `Interrupted` once `stop_requested`."""

    def read(item: data.Item) -> decode.Array | str:
        try:
            return array_of(data.source(item), spec, decoders)
        except (LookalikeError, OSError) as error:
            return str(error)

    workers = min(cores(), len(items)) or 1
    with (
        pool.make_decoders(DecodeLimits.of(max_pixels), workers=workers) as decoders,
        closing(in_order(read, items, workers=2 * workers)) as results,  # reading continues while results are consumed
    ):
        for item, result in zip(items, results, strict=True):
            if stop_requested is not None and stop_requested.is_set():
                raise Interrupted("stopped while reading images, before training began; start again")
            yield item, result


def features(
    items: Sequence[data.Item],
    backbone: Backbone,
    folder: Path,
    *,
    edit: Edit | None = None,
    kind: npt.DTypeLike = np.float32,
    max_pixels: int = decode.MAX_PIXELS,
    stop_requested: Event | None = None,
    progress: Progress = silent,
) -> Cached:
    """The features of the readable images, (N, D), from a folder of caches, or computed and cached.

    A backbone takes far longer than training the network behind it. A cache's name is a digest of the backbone, the
    images, the number type `kind` and the `edit`, so all runs can share a folder.
    Raises `Interrupted` once `stop_requested` is set, `TrainingError` if no image can be read.
    """
    what = f"{backbone.digest} {digest(items, backbone.spec, max_pixels=max_pixels)} {np.dtype(kind)}"
    key = hashlib.blake2b(what.encode(), digest_size=16).hexdigest() + (f"-{edit.name}" if edit else "")
    if (found := _open_cache(folder, key=key, name=key)) is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"features cannot be cached in {folder}: {error.strerror}. Name another folder in $LOOKALIKE_CACHE"
        ) from error
    with (
        _alone(folder / f"{key}.lock", stop_requested),
        closing(read_all(items, backbone.spec, max_pixels, stop_requested=stop_requested)) as read,
    ):
        if (found := _open_cache(folder, key=key, name=key)) is not None:  # another process has computed it meanwhile
            return found
        results = _reported(_computed(read, backbone, edit, kind), len(items), "computing features", progress)
        return _write_cache(folder, results, key=key, name=key)


def _computed(read: Iterator[Result], backbone: Backbone, edit: Edit | None, kind: npt.DTypeLike) -> Generator[Result]:
    """Items with their features, computed in batches, or with the reasons for their absence."""
    numbered = enumerate(read)
    while part := list(itertools.islice(numbered, BATCH)):
        seen = [edit.of(array, row) if edit else array for row, (_, array) in part if not isinstance(array, str)]
        found = iter(backbone.features(np.stack(seen)).astype(kind) if seen else ())
        for _, (item, array) in part:
            yield item, array if isinstance(array, str) else next(found)


@contextmanager
def _alone(lock: Path, stop_requested: Event | None) -> Iterator[None]:
    """Keep other processes from computing the same features; wait for one that does."""
    held = filelock.FileLock(lock)
    while not held.is_locked:
        if stop_requested is not None and stop_requested.is_set():
            raise Interrupted("stopped before computing features; start again")
        with suppress(filelock.Timeout):
            held.acquire(timeout=WAIT_SECONDS)
    try:
        yield
    finally:
        held.release()


def _reported(results: Iterable[Result], total: int, stage: str, progress: Progress) -> Generator[Result]:
    """The results, with progress reported as they are consumed."""
    for done, result in enumerate(results, 1):
        progress(stage, done, total)
        yield result
