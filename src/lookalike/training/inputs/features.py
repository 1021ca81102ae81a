"""Features of a collection, computed once: a backbone takes far longer than what is trained behind it.

`NAME.bin` is float32 (N, D) without a header, or float16 for tokens, one row for each readable image in the order of
the items; `NAME.json`, written last, says what they were made of. The name is the digest of backbone and images, so a
folder can be shared by all runs of all collections.

Shapes: N images, D features.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock
import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.backbones.backbone import Backbone
from lookalike.core import atomic
from lookalike.core.errors import Interrupted, TrainingError
from lookalike.imaging.decode import MAX_PIXELS, Array
from lookalike.training.inputs import cache, views
from lookalike.training.inputs.cache import Skipped
from lookalike.training.outputs.files import write_aside

BATCH = 64  # images handed to a backbone at once
WAIT_SECONDS = 0.5  # for another process, before looking whether to stop

OnRead = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Features:
    """Features of the readable images, mapped from their file."""

    features_ND: npt.NDArray[np.floating]  # float32; of tokens float16
    rows_N: npt.NDArray[np.int64]  # which items they belong to
    skipped: tuple[Skipped, ...]


def features(
    items: Sequence[data.Item],
    backbone: Backbone,
    folder: Path,
    *,
    seed: int | None = None,
    max_pixels: int = MAX_PIXELS,
    asked: threading.Event | None = None,
    on_read: OnRead = lambda count: None,
) -> Features:
    """The features of a collection, from a folder of them or computed and put there.

    With a `seed` they are those of a view of each image, drawn under it (see `views`).
    `on_read` is told how many more images were done. Raises `Interrupted` once `asked` is set, `TrainingError` if no
    image can be read.
    """
    name = key(items, backbone, max_pixels=max_pixels) + ("" if seed is None else f"-view-{seed}")
    if (found := _open(folder, name)) is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"features cannot be kept in {folder}: {error.strerror}. Name a folder in $LOOKALIKE_CACHE"
        ) from error
    with _alone(folder / f"{name}.lock", asked):
        if (found := _open(folder, name)) is None:  # else another process has computed them meanwhile
            found = _compute(
                items, backbone, folder, name, seed=seed, max_pixels=max_pixels, asked=asked, on_read=on_read
            )
    return found


@contextmanager
def _alone(lock: Path, asked: threading.Event | None) -> Iterator[None]:
    """No other process computes the same features at the same time; waits for one that does."""
    held = filelock.FileLock(lock)
    while not held.is_locked:
        _heed(asked)
        with suppress(filelock.Timeout):
            held.acquire(timeout=WAIT_SECONDS)
    try:
        yield
    finally:
        held.release()


def _heed(asked: threading.Event | None) -> None:
    if asked is not None and asked.is_set():
        raise Interrupted("stopped while features were being computed, before training began; start again")


def _compute(
    items: Sequence[data.Item], backbone: Backbone, folder: Path, name: str, *, seed: int | None, max_pixels: int,
    asked: threading.Event | None, on_read: OnRead,
) -> Features:  # fmt: skip
    """The features, written to the folder."""
    rows, skipped, total = [], [], 0
    kind = "float16" if backbone.tokens else "float32"
    with (folder / f"{name}.bin").open("wb") as file:
        for number, part in _chunks(items, backbone, max_pixels):
            _heed(asked)
            good = [(row, array) for row, (_, array) in zip(number, part, strict=True) if not isinstance(array, str)]
            skipped += [Skipped(item.name, reason) for item, reason in part if isinstance(reason, str)]
            if good:
                seen = np.stack([_seen(array, row, seed) for row, array in good])
                file.write(backbone.features(seen).astype(kind).tobytes())
            rows += [row for row, _ in good]
            total += len(part)
            on_read(len(part))
    if not rows:
        raise TrainingError(f"none of {total} images can be read; the first: {skipped[0].name}: {skipped[0].reason}")
    atomic.flush(folder / f"{name}.bin")  # before the manifest says that it is whole
    manifest = {
        "dimension": backbone.dimension,
        "kind": kind,
        "rows": rows,
        "skipped": [asdict(one) for one in skipped],
    }
    write_aside(folder / f"{name}.json", json.dumps(manifest).encode())
    made = _open(folder, name)
    assert made is not None
    return made


def _seen(image: Array, row: int, seed: int | None) -> Array:
    return image if seed is None else views.view(image, np.random.default_rng((seed, row)))


def key(items: Sequence[data.Item], backbone: Backbone, *, max_pixels: int) -> str:
    """BLAKE2b in hexadecimal of backbone and images."""
    what = f"{backbone.digest} {cache.digest(items, backbone.spec, max_pixels=max_pixels)}"
    return hashlib.blake2b(what.encode(), digest_size=16).hexdigest()


def _chunks(
    items: Sequence[data.Item], backbone: Backbone, max_pixels: int
) -> Iterator[tuple[range, list[tuple[data.Item, Array | str]]]]:
    """Items with their arrays or the reasons why there are none, so many at a time, and their numbers."""
    read = cache.read_all(items, backbone.spec, max_pixels)
    for start in range(0, len(items), BATCH):
        part = list(itertools.islice(read, BATCH))
        yield range(start, start + len(part)), part


def _open(folder: Path, name: str) -> Features | None:
    try:
        manifest = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        shape = (len(manifest["rows"]), manifest["dimension"])
        features_ND = np.memmap(folder / f"{name}.bin", manifest["kind"], mode="r", shape=shape)
        rows_N = np.array(manifest["rows"], np.int64)
        return Features(features_ND, rows_N, tuple(Skipped(**entry) for entry in manifest["skipped"]))
    except (OSError, ValueError, KeyError):
        return None
