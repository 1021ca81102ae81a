"""Training a hashing network: behind a backbone, whose features are computed once, or with an encoder of our own.

Shapes: N images, D features, C classes, M clusterings, K bits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.core import codes
from lookalike.imaging.decode import Array
from lookalike.metrics.ranking import mean_average_precision
from lookalike.models import hashing
from lookalike.models.base import Losses
from lookalike.models.hashing import HashingConfig, HashingNetwork
from lookalike.models.methods import method
from lookalike.training.inputs.edits import Edits, grey, resized
from lookalike.training.inputs.views import view
from lookalike.training.settings import Rows
from lookalike.training.task import VALIDATION_SEED, Floats, Task, blocks, values

SEARCHED = 4_000  # training images among which held-out ones are searched for, at most


class Inputs(ABC):
    """The input of a network, by rows of a collection."""

    @abstractmethod
    def plain(self, rows: Rows) -> npt.NDArray[np.generic]:
        """The unchanged images."""

    @abstractmethod
    def view(self, rows: Rows, random: np.random.Generator) -> npt.NDArray[np.generic]:
        """A view of each image, or the image where there are no views."""

    def pair(self, rows: Rows, random: np.random.Generator) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Two views of each."""
        return self.view(rows, random), self.view(rows, random)


@dataclass(frozen=True, slots=True)
class FeatureInputs(Inputs):
    """Features of images, and of views of them where a method takes views."""

    features_ND: npt.NDArray[np.floating]
    views_ND: tuple[npt.NDArray[np.floating], ...] = ()

    def plain(self, rows: Rows) -> npt.NDArray[np.generic]:
        return np.asarray(self.features_ND[rows], np.float32)

    def view(self, rows: Rows, random: np.random.Generator) -> npt.NDArray[np.generic]:
        if not self.views_ND:
            return self.plain(rows)
        return self._picked(rows, random.integers(len(self.views_ND), size=len(rows)))

    def pair(self, rows: Rows, random: np.random.Generator) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Two different views of each; the same view twice teaches nothing."""
        count = len(self.views_ND)
        if count < 2:
            return self.view(rows, random), self.view(rows, random)
        first = random.integers(count, size=len(rows))
        second = (first + random.integers(1, count, size=len(rows))) % count
        return self._picked(rows, first), self._picked(rows, second)

    def _picked(self, rows: Rows, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.generic]:
        picked = [self.views_ND[one][row] for one, row in zip(chosen, rows, strict=True)]
        return np.asarray(picked, np.float32)


@dataclass(frozen=True, slots=True)
class ImageInputs(Inputs):
    """Images themselves."""

    images_NSSC: Array

    def plain(self, rows: Rows) -> npt.NDArray[np.generic]:
        return self.images_NSSC[rows]

    def view(self, rows: Rows, random: np.random.Generator) -> npt.NDArray[np.generic]:
        return np.stack([view(self.images_NSSC[row], random) for row in rows])


@dataclass(frozen=True, slots=True)
class CopyInputs(Inputs):
    """Images in colour, larger than the encoder's input, and edited copies of them."""

    images_NRRC: Array
    side: int  # that the encoder takes
    colour: bool = True  # whether the encoder takes it; edits are made in colour, since they change it

    def plain(self, rows: Rows) -> npt.NDArray[np.generic]:
        return self._images(resized(self._pixels(rows), self.side))

    def view(self, rows: Rows, random: np.random.Generator) -> npt.NDArray[np.generic]:
        return self._images(self._edits(random).edited(self._pixels(rows)))

    def pair(self, rows: Rows, random: np.random.Generator) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
        """Each image nearly unchanged, and an edited copy of it."""
        x_BCRR, edits = self._pixels(rows), self._edits(random)
        return self._images(edits.slightly(x_BCRR)), self._images(edits.edited(x_BCRR))

    def _edits(self, random: np.random.Generator) -> Edits:
        return Edits(torch.Generator().manual_seed(int(random.integers(2**62))), side=self.side)

    def _pixels(self, rows: Rows) -> Tensor:
        return torch.from_numpy(self.images_NRRC[rows]).permute(0, 3, 1, 2).to(torch.float32) / 255

    def _images(self, x_BCSS: Tensor) -> npt.NDArray[np.generic]:
        """Images uint8, (B, S, S, C) in colour or (B, S, S) in grey, of pixels in [0, 1]."""
        x_BSSC = x_BCSS.permute(0, 2, 3, 1) if self.colour else grey(x_BCSS)[:, 0]
        return np.asarray((255 * x_BSSC).round().to(torch.uint8).contiguous().numpy())


@dataclass(frozen=True, kw_only=True, slots=True)
class Hashing(Task[HashingNetwork]):
    """A network that learns codes."""

    config: HashingConfig
    inputs: Inputs
    train: Rows  # of which some are searched in validation
    labels_NC: npt.NDArray[np.bool_] | None = None
    clusters_NM: npt.NDArray[np.int64] | None = None
    first: Mapping[str, Tensor] | None = None  # initial weights of its encoder, some of them
    device: str = "cpu"

    clip = 5.0

    def create(self) -> HashingNetwork:
        network = hashing.create(self.config)
        if self.first is not None:
            network.encoder.load_state_dict(self.first, strict=False)
        return network

    def loss(self, module: HashingNetwork, rows: Rows, *, step: int, generator: torch.Generator) -> Losses:
        seeds = torch.randint(2**62, (2,), generator=generator, device=generator.device).tolist()
        with _seeded(seeds[0], generator.device):
            return self._loss(module, rows, step=step, random=np.random.default_rng(seeds[1]))

    def validate(self, module: HashingNetwork, rows: Rows) -> dict[str, float]:
        """The loss, mean over these rows; with labels also `map`, of them among some of the training images."""
        random = np.random.default_rng(VALIDATION_SEED)
        total = 0.0
        with torch.inference_mode():
            for block in _blocks(rows):
                total += values(self._loss(module, block, step=0, random=random))["total"] * len(block)
        found = {"total": total / len(rows)}
        if self.labels_NC is not None:
            found["map"] = self._map(module, rows)
        return found

    def validation_metric(self, validation: dict[str, float]) -> float:
        """1 − mAP where there are labels, else the loss."""
        return 1 - validation["map"] if "map" in validation else validation["total"]

    def latents(self, module: HashingNetwork, rows: Rows) -> Floats:
        with torch.inference_mode():
            parts = [module(self._tensor(self.inputs.plain(block))).cpu() for block in blocks(rows)]
        return torch.cat(parts).double().numpy()

    def _loss(self, module: HashingNetwork, rows: Rows, *, step: int, random: np.random.Generator) -> Losses:
        target = method(self.config.method).target
        if target == "view":
            first, second = map(self._tensor, self.inputs.pair(rows, random))
            return module.loss(first, second, step=step)
        seen = self.inputs.view(rows, random) if module.training else self.inputs.plain(rows)
        x = self._tensor(seen)
        if target == "features":
            return module.loss(x, x, step=step)
        followed = self.labels_NC if target == "labels" else self.clusters_NM
        assert followed is not None
        return module.loss(x, self._tensor(followed[rows]), step=step)

    def _map(self, module: HashingNetwork, rows: Rows) -> float:
        assert self.labels_NC is not None
        searched = self.train[np.linspace(0, len(self.train) - 1, min(SEARCHED, len(self.train))).astype(np.int64)]
        query, database = (codes.pack(self.latents(module, part) > 0) for part in (rows, searched))
        found = mean_average_precision(query, self.labels_NC[rows], database, self.labels_NC[searched])
        return float(found)

    def _tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        return torch.tensor(array, device=self.device)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """PyTorch's own random numbers under a seed, for dropout, which takes no generator; the state is restored after."""
    others = {} if device.type == "cpu" else {"devices": [device], "device_type": device.type}
    with torch.random.fork_rng(**{"devices": []} | others):
        torch.default_generator.manual_seed(seed)
        if others:
            getattr(torch, device.type).manual_seed(seed)
        yield


def _blocks(rows: Rows) -> list[Rows]:
    """The rows in blocks, none of them with a single row: losses of pairs are undefined for one image."""
    parts = list(blocks(rows))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts
