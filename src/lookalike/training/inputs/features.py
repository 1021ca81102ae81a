"""Features of a collection, computed once: a backbone takes far longer than what is trained behind it.

They are kept as float32 (N, D), or float16 for tokens (see `cache`). The name of the cache is the digest of backbone
and images, so a folder can be shared by all runs of all collections.

Shapes: N images, D features.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event

import filelock
import numpy as np

from lookalike import data
from lookalike.backbones.backbone import Backbone
from lookalike.core.errors import Interrupted, TrainingError
from lookalike.core.progress import Progress, silent
from lookalike.imaging.decode import MAX_PIXELS, Array
from lookalike.training.inputs import cache, views
from lookalike.training.inputs.cache import Cached, Result, open_cache, write_cache

BATCH = 64  # images handed to a backbone at once
WAIT_SECONDS = 0.5  # for another process, before looking whether to stop


def features(
    items: Sequence[data.Item],
    backbone: Backbone,
    folder: Path,
    *,
    seed: int | None = None,
    max_pixels: int = MAX_PIXELS,
    stop_requested: Event | None = None,
    progress: Progress = silent,
) -> Cached:
    """The features of the readable images (N, D), from a folder of such caches or computed and put there.

    With a `seed` they are those of a view of each image, drawn under it (see `views`). Raises `Interrupted` once
    `stop_requested` is set, `TrainingError` if no image can be read.
    """
    what = f"{backbone.digest} {cache.digest(items, backbone.spec, max_pixels=max_pixels)}"
    key = hashlib.blake2b(what.encode(), digest_size=16).hexdigest() + ("" if seed is None else f"-view-{seed}")
    if (found := open_cache(folder, key=key, name=key)) is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"features cannot be kept in {folder}: {error.strerror}. Name a folder in $LOOKALIKE_CACHE"
        ) from error
    with (
        _alone(folder / f"{key}.lock", stop_requested),
        closing(cache.read_all(items, backbone.spec, max_pixels, stop_requested=stop_requested)) as read,
    ):
        if (found := open_cache(folder, key=key, name=key)) is not None:  # computed by another process meanwhile
            return found
        stage = "computing features" if seed is None else "computing features of views"
        results = cache.reported(_computed(read, backbone, seed), len(items), stage, progress)
        return write_cache(folder, results, key=key, name=key)


@contextmanager
def _alone(lock: Path, stop_requested: Event | None) -> Iterator[None]:
    """No other process computes the same features at the same time; waits for one that does."""
    held = filelock.FileLock(lock)
    while not held.is_locked:
        if stop_requested is not None and stop_requested.is_set():
            raise Interrupted("stopped before features were computed; start again")
        with suppress(filelock.Timeout):
            held.acquire(timeout=WAIT_SECONDS)
    try:
        yield
    finally:
        held.release()


def _computed(read: Iterator[Result], backbone: Backbone, seed: int | None) -> Generator[Result]:
    """Items with their features, in batches, or with the reasons why there are none."""
    kind = np.float16 if backbone.tokens else np.float32
    numbered = enumerate(read)
    while part := list(itertools.islice(numbered, BATCH)):
        seen = [_seen(array, row, seed) for row, (_, array) in part if not isinstance(array, str)]
        found = iter(backbone.features(np.stack(seen)).astype(kind) if seen else ())
        for _, (item, array) in part:
            yield item, array if isinstance(array, str) else next(found)


def _seen(image: Array, row: int, seed: int | None) -> Array:
    return image if seed is None else views.view(image, np.random.default_rng((seed, row)))
