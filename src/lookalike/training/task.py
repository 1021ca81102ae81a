"""What a run trains: a module, its loss on rows of a collection, and the latents that its codes are made of.

Shapes: N images, S pixels a side, K bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Generic

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.imaging.decode import Array
from lookalike.models import HashModel, create
from lookalike.models.base import SIDE, Losses
from lookalike.models.blocks import MinMax
from lookalike.training.inputs.edits import edited
from lookalike.training.outputs.checkpoint import Module
from lookalike.training.settings import Rows, Settings

EVALUATION_BATCH = 128
VALIDATION_SEED = 0  # of the noise; always the same, so that epochs can be compared

Floats = npt.NDArray[np.float64]


class Task(ABC, Generic[Module]):
    """A module to train, and its data."""

    clip: ClassVar[float]  # highest norm of a step's gradient

    @abstractmethod
    def create(self) -> Module:
        """The module with its initial weights, the same each time; PyTorch's own random state is left as it was."""

    @abstractmethod
    def loss(self, module: Module, rows: Rows, *, step: int, generator: torch.Generator) -> Losses:
        """The loss of a batch; `generator`, on the module's device, draws the noise."""

    @abstractmethod
    def validate(self, module: Module, rows: Rows) -> dict[str, float]:
        """`total`, the loss on held-out rows, and further measurements."""

    @abstractmethod
    def latents(self, module: Module, rows: Rows) -> Floats:
        """Latents (N, K) of these rows, as float64."""

    def validation_metric(self, validation: dict[str, float]) -> float:
        """Metric for model selection; lower is better."""
        return validation["total"]

    def scale(self, module: Module) -> float:
        """Factor on a loss before its gradient is clipped."""
        return 1.0


@dataclass(frozen=True, slots=True)
class Autoencoding(Task[HashModel[Any]]):
    """One of the paper's models, which learns to reconstruct its images."""

    settings: Settings
    images: Array  # uint8 (N, S, S)
    device: str = "cpu"

    clip = 0.2  # usual norms are 0.01 to 0.1

    def create(self) -> HashModel[Any]:
        return create(self.settings.model, seed=self.settings.seed, **self.settings.config)

    def loss(self, module: HashModel[Any], rows: Rows, *, step: int, generator: torch.Generator) -> Losses:
        images_NSS = self.images[rows]
        x_N1SS = seen_N1SS = to_input(images_NSS, self.device)
        if self.settings.augment:
            seed = int(torch.randint(2**62, (), generator=generator, device=generator.device).item())
            seen_N1SS = to_input(edited(images_NSS, seed=seed), self.device)
        return module.loss(x_N1SS, seen_N1SS=seen_N1SS, generator=generator)

    def validate(self, module: HashModel[Any], rows: Rows) -> dict[str, float]:
        """Total and parts of the loss, nats an image, mean over the images in these rows."""
        noise = torch.Generator(self.device).manual_seed(VALIDATION_SEED)
        sums: dict[str, float] = {}
        with torch.inference_mode():
            for block in blocks(rows):
                found = values(module.loss(to_input(self.images[block], self.device), generator=noise))
                sums = {name: sums.get(name, 0.0) + value * len(block) for name, value in found.items()}
        return {name: total / len(rows) for name, total in sums.items()}

    def latents(self, module: HashModel[Any], rows: Rows) -> Floats:
        with torch.inference_mode():
            parts = [module.latent(to_input(self.images[block], self.device)).cpu() for block in blocks(rows)]
        return torch.cat(parts).double().numpy()

    def scale(self, module: HashModel[Any]) -> float:
        """In units of the squared error of a pixel, so that one bound on the gradient fits every σ."""
        return float(2 * module.config.sigma**2 / SIDE**2)


def to_input(images_NSS: Array, device: str) -> Tensor:
    """What an autoencoder takes, float32 (N, 1, S, S) in [0, 1]."""
    x_N1SS: Tensor = MinMax()(torch.tensor(images_NSS, device=device))
    return x_N1SS


def blocks(rows: Rows) -> Iterator[Rows]:
    """The rows in blocks."""
    for start in range(0, len(rows), EVALUATION_BATCH):
        yield rows[start : start + EVALUATION_BATCH]


def values(losses: Losses) -> dict[str, float]:
    """Losses as numbers, by name."""
    return {"total": losses.total.item()} | {name: value.item() for name, value in losses.parts.items()}
