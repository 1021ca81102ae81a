"""Training tasks: a module, its data, its loss, and its export. Implemented here for the paper's models.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, Generic, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike import data
from lookalike.core.progress import Progress
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.models import MODELS, HashModel, Models, create
from lookalike.models.base import SIDE, Losses
from lookalike.models.blocks import MinMax
from lookalike.models.vae import VAE
from lookalike.training.cache import Cached, Skipped, cached_images, digest, remove_cache
from lookalike.training.checkpoint import Module
from lookalike.training.edits import edited
from lookalike.training.export import Threshold, export_autoencoder
from lookalike.training.settings import Rows, Settings, TrainConfig

SPEC = ImageSpec(side=SIDE)  # of the paper's models
CHECKED = 64  # training images for comparing the exported model with the trained one
STARTED = 2_048  # training images for the initial weights of a VAE
EVALUATION_BATCH = 128
VALIDATION_SEED = 0  # of the noise; fixed, so that epochs are comparable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """A requested training run."""

    config: TrainConfig
    items: list[data.Item]
    folder: Path  # the run's
    init_digest: str  # of the initial weights; empty if there are none
    progress: Progress
    stop_requested: Event

    def settings(self, *, spec: ImageSpec, config: dict[str, Any]) -> Settings:
        """The run's settings, given its image format and model configuration."""
        asked = self.config
        return Settings(
            images=digest(self.items, spec, max_pixels=asked.max_pixels), config=config, init_digest=self.init_digest,
            model=asked.model, limit=asked.limit, seed=asked.seed, epochs=asked.epochs,
            batch=asked.batch or (64 if asked.model in MODELS else 128), learning_rate=asked.learning_rate,
            validation=asked.validation, augment=asked.augment,
        )  # fmt: skip

    def decoded(self, spec: ImageSpec) -> Cached:
        """The decoded images, from the run's folder or the given cache, decoded if missing there."""
        return cached_images(
            self.folder if self.config.cache is None else Path(self.config.cache), self.items, spec,
            max_pixels=self.config.max_pixels, stop_requested=self.stop_requested, progress=self.progress,
        )  # fmt: skip

    def clean_up(self) -> None:
        """Delete decoded images that no other run can use."""
        if self.config.cache is None:
            remove_cache(self.folder)


class Task(ABC, Generic[Module]):
    """A module to train, and its data."""

    clip: ClassVar[float]  # maximum gradient norm
    cut_at_mean: bool = True  # θ is the mean latent of the training images, otherwise 0
    lengths: tuple[int, ...] = ()  # of nested codes

    def __init__(
        self, settings: Settings, inputs: npt.NDArray[Any], *, spec: ImageSpec = SPEC,
        skipped: tuple[Skipped, ...] = (), device: str = "cpu",
    ) -> None:  # fmt: skip
        """`inputs` are the images or features to train on, one row each; `spec` is the model's image format."""
        self.settings, self.inputs, self.spec, self.skipped, self.device = settings, inputs, spec, skipped, device
        self.info: dict[str, Any] = {}  # task-specific metadata of the model file

    @abstractmethod
    def create(self) -> Module:
        """The module with its initial weights, reproducible; PyTorch's global random state is not changed."""

    def start(self, module: Module, rows: Rows) -> None:
        """Prepare the initial weights of a new run by the training images, for modules that do so."""

    @abstractmethod
    def loss(self, module: Module, rows: Rows, *, step: int, generator: torch.Generator) -> Losses:
        """The loss of a batch; `generator`, on the module's device, generates the noise."""

    @abstractmethod
    def validate(self, module: Module, rows: Rows) -> dict[str, float]:
        """`total`, the loss of held-out rows, and further measurements."""

    @abstractmethod
    def latents(self, module: Module, rows: Rows) -> Floats:
        """Latents (N, K) of these rows, as float64."""

    @abstractmethod
    def write(self, path: Path, module: Module, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        """Write the model file, after checking it on some training images."""

    def solve(self, rows: Rows) -> Module | None:
        """The closed-form solution, if there is one; otherwise None, and the module is trained."""
        return None

    def pictures(self, rows: Rows) -> Iterable[Array]:
        """Images of some rows, uint8."""
        return self.inputs[rows]

    def validation_metric(self, validation: dict[str, float]) -> float:
        """Metric for model selection; lower is better."""
        return validation["total"]

    def scale(self, module: Module) -> float:
        """Factor applied to the loss before gradient clipping."""
        return 1.0


class AutoencoderTask(Task[HashModel[Any]]):
    """One of the paper's models, trained to reconstruct images."""

    clip = 0.2  # usual norms are 0.01 to 0.1
    models: ClassVar[Models] = MODELS

    @classmethod
    def of(cls, request: TrainRequest, **changes: Any) -> Self:
        """The requested task, with decoded images; `changes` are settings of the model that are not the default."""
        config = cls.models[request.config.model][0](bits=request.config.bits, **changes)
        settings = request.settings(spec=SPEC, config=asdict(config))
        found = request.decoded(SPEC)
        return cls(settings, found.arrays, skipped=found.skipped, device=request.config.device)

    def create(self) -> HashModel[Any]:
        return create(self.settings.model, seed=self.settings.seed, models=self.models, **self.settings.config)

    def start(self, module: HashModel[Any], rows: Rows) -> None:
        if isinstance(module, VAE):
            some = rows[np.linspace(0, len(rows) - 1, min(STARTED, len(rows))).astype(np.int64)]
            module.start(to_input(self.inputs[some], self.device))

    def loss(self, module: HashModel[Any], rows: Rows, *, step: int, generator: torch.Generator) -> Losses:
        images_NSS = self.inputs[rows]
        x_N1SS = seen_N1SS = to_input(images_NSS, self.device)
        if self.settings.augment:
            seed = int(torch.randint(2**62, (), generator=generator, device=generator.device).item())
            seen_N1SS = to_input(edited(images_NSS, seed=seed), self.device)
        return module.loss(x_N1SS, seen_N1SS=seen_N1SS, generator=generator)

    def validate(self, module: HashModel[Any], rows: Rows) -> dict[str, float]:
        """Total and parts of the mean loss of these rows, in nats per image."""
        noise = torch.Generator(self.device).manual_seed(VALIDATION_SEED)
        sums: dict[str, float] = {}
        with torch.inference_mode():
            for block in blocks(rows):
                found = values(module.loss(to_input(self.inputs[block], self.device), generator=noise))
                sums = {name: sums.get(name, 0.0) + value * len(block) for name, value in found.items()}
        return {name: total / len(rows) for name, total in sums.items()}

    def latents(self, module: HashModel[Any], rows: Rows) -> Floats:
        with torch.inference_mode():
            parts = [module.latent(to_input(self.inputs[block], self.device)).cpu() for block in blocks(rows)]
        return torch.cat(parts).double().numpy()

    def scale(self, module: HashModel[Any]) -> float:
        """Scales the loss to a pixel's squared error, so that one gradient bound fits every σ."""
        return float(2 * module.config.sigma**2 / SIDE**2)

    def write(self, path: Path, module: HashModel[Any], theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        export_autoencoder(path, module, theta_K, info, check_NSS=np.asarray(self.inputs[rows[:CHECKED]]))


def to_input(images_NSS: Array, device: str) -> Tensor:
    """Images as an autoencoder's input, float32 (N, 1, S, S) in [0, 1]."""
    x_N1SS: Tensor = MinMax()(torch.tensor(images_NSS, device=device))
    return x_N1SS


def blocks(rows: Rows) -> Iterator[Rows]:
    """The rows in blocks."""
    for start in range(0, len(rows), EVALUATION_BATCH):
        yield rows[start : start + EVALUATION_BATCH]


def values(losses: Losses) -> dict[str, float]:
    """Losses as numbers, by name."""
    return {"total": losses.total.item()} | {name: value.item() for name, value in losses.parts.items()}
