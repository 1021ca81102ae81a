"""What is asked of a run, and what the run then needs to know of what it trains.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Generic

import numpy as np
import numpy.typing as npt

from lookalike import data
from lookalike.core.progress import Progress
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.models import MODELS, HashModel
from lookalike.models.base import SIDE
from lookalike.training.inputs.cache import Cached, Skipped, cached_images, digest, remove_cache
from lookalike.training.outputs.checkpoint import Module
from lookalike.training.outputs.export import Threshold, export_autoencoder
from lookalike.training.settings import Rows, Settings, Split, TrainConfig
from lookalike.training.task import Autoencoding, Task

SPEC = ImageSpec(side=SIDE)  # of the paper's models
CHECKED = 64  # training images on which the exported model is compared with the trained one


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """A training that was asked for, in its own folder."""

    config: TrainConfig
    items: list[data.Item]
    folder: Path  # the run's
    init_digest: str  # of the weights to start from; empty if none
    progress: Progress
    stop_requested: Event

    def settings(self, *, images: str, config: dict[str, Any]) -> Settings:
        """The settings of the run, given the digest of its images and the configuration of its model."""
        asked = self.config
        return Settings(
            images=images, config=config, init_digest=self.init_digest, model=asked.model, limit=asked.limit,
            seed=asked.seed, epochs=asked.epochs, batch=asked.batch or (64 if asked.model in MODELS else 128),
            learning_rate=asked.learning_rate, validation=asked.validation, augment=asked.augment,
        )  # fmt: skip

    def digest(self, spec: ImageSpec) -> str:
        """The digest of the images as they are read by `spec`."""
        return digest(self.items, spec, max_pixels=self.config.max_pixels)

    def decoded(self, spec: ImageSpec, folder: Path) -> Cached:
        """The decoded images, from the cache in a folder if it is complete."""
        return cached_images(
            folder, self.items, spec, max_pixels=self.config.max_pixels, stop_requested=self.stop_requested,
            progress=self.progress,
        )  # fmt: skip


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
    solve: Callable[[Split], Module] | None = None  # instead of training, where there is a closed form
    cut_at_mean: bool = True  # θ is the mean latent of the training images; else 0
    lengths: tuple[int, ...] = ()  # shorter codes that are the first bits
    info: dict[str, Any] = field(default_factory=dict)  # of the model file, beyond what all have
    clean_up: Callable[[], None] = lambda: None

    @property
    def bits(self) -> int:
        """K."""
        return int(self.settings.config["bits"])


def autoencoding(request: TrainRequest) -> Job[HashModel[Any]]:
    """A job for one of the paper's models, its images decoded."""
    asked = request.config
    config = MODELS[asked.model][0](bits=asked.bits)
    settings = request.settings(images=request.digest(SPEC), config=asdict(config))
    images = request.decoded(SPEC, request.folder if asked.cache is None else Path(asked.cache))
    arrays: Array = images.arrays

    def write(path: Path, model: HashModel[Any], theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        export_autoencoder(path, model, theta_K, info, check_NSS=np.asarray(arrays[rows[:CHECKED]]))

    return Job(
        settings=settings,
        spec=SPEC,
        inputs=arrays,
        pictures=lambda rows: arrays[rows],
        skipped=images.skipped,
        task=lambda _: Autoencoding(settings, arrays, asked.device),
        write=write,
        clean_up=(lambda: remove_cache(request.folder)) if asked.cache is None else (lambda: None),
    )
