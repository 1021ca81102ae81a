"""A job: everything that a run needs to know of what it trains, whatever that is.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.models import HashModel
from lookalike.models.base import SIDE
from lookalike.training.inputs.cache import Cache, Skipped, make_cache, open_cache, remove_cache
from lookalike.training.outputs.checkpoint import Module
from lookalike.training.outputs.export import Threshold, export_autoencoder
from lookalike.training.progress import bar
from lookalike.training.settings import Rows, Settings, Split
from lookalike.training.task import Autoencoding, Task

CHECKED = 64  # training images on which the exported model is compared with the trained one


@dataclass(frozen=True, kw_only=True, slots=True)
class Job(Generic[Module]):
    """What is trained, on what, and how it becomes a model file."""

    settings: Settings
    spec: ImageSpec
    inputs: npt.NDArray[Any]  # of readable images, one row each: images or features
    pictures: Callable[[Rows], Iterable[Array]]  # uint8 pixels of the images of some rows
    skipped: tuple[Skipped, ...]
    task: Callable[[Split], Task[Module]]
    write: Callable[[Path, Module, Threshold, ModelInfo, Rows], None]
    solve: Callable[[Split], Module] | None = None  # in the place of training, where there is a closed form
    cut_at_mean: bool = True  # θ is the mean latent of the training images; else 0
    lengths: tuple[int, ...] = ()  # shorter codes that are the first bits
    info: dict[str, Any] = field(default_factory=dict)  # of the model file, beyond what all have
    clean_up: Callable[[], None] = lambda: None


def autoencoding(
    items: list[data.Item], settings: Settings, folder: Path, *, cache: Path | None, max_pixels: int, device: str,
    asked: Event,
) -> Job[HashModel[Any]]:  # fmt: skip
    """A job for one of the paper's models, its images decoded."""
    spec = ImageSpec(side=SIDE)
    decoded = decode(cache or folder, items, spec, key=settings.images, max_pixels=max_pixels, asked=asked)

    def write(path: Path, model: HashModel[Any], theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        export_autoencoder(path, model, theta_K, info, check_NSS=decoded.arrays[rows[:CHECKED]])

    return Job(
        settings=settings,
        spec=spec,
        inputs=decoded.arrays,
        pictures=lambda rows: decoded.arrays[rows],
        skipped=decoded.skipped,
        task=lambda _: Autoencoding(settings, decoded.arrays, device),
        write=write,
        clean_up=(lambda: None) if cache else (lambda: remove_cache(folder)),
    )


def decode(folder: Path, items: list[data.Item], spec: ImageSpec, *, key: str, max_pixels: int, asked: Event) -> Cache:
    """The images of a run, from its cache where that is whole."""
    if (cache := open_cache(folder, key=key)) is not None:
        return cache
    folder.mkdir(parents=True, exist_ok=True)
    with bar(len(items), what="reading images", unit="image") as reading:
        return make_cache(folder, items, spec, key=key, max_pixels=max_pixels, asked=asked, on_read=reading.update)


def rows_of(items: list[data.Item], skipped: tuple[Skipped, ...]) -> npt.NDArray[np.int64]:
    """Which items the readable images are."""
    left_out = {one.name for one in skipped}
    return np.array([row for row, item in enumerate(items) if item.name not in left_out], np.int64)
