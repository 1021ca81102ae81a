"""Tasks for hashing networks: recognising edited copies, and codes of a backbone's cached features.

Shapes: N images, B images of a batch, R pixels a side as read, S as an encoder expects, D features, K bits.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lookalike.backbones import backbone as backbones
from lookalike.backbones import efficientnet
from lookalike.backbones.backbone import EFFICIENTNET, Backbone
from lookalike.core.cache_dir import cache_dir
from lookalike.core.codes import check_bits
from lookalike.core.errors import ConfigError, TrainingError
from lookalike.hasher import ModelInfo
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.models import copy_encoder, frozen, hashing
from lookalike.models.base import Losses
from lookalike.models.copy_encoder import SIDE, CopyEncoder
from lookalike.models.hashing import HashingNetwork, Head
from lookalike.models.objectives import Clusters, Copies
from lookalike.training.cache import Cached, features, read_all
from lookalike.training.clusters import cluster_labels
from lookalike.training.edits import Edits, grey, resized
from lookalike.training.export import Threshold, export, export_behind
from lookalike.training.settings import Rows, TrainConfig
from lookalike.training.task import CHECKED, VALIDATION_SEED, Floats, Task, TrainRequest, blocks

USUAL = (16, 32, 64, 128)  # lengths of nested codes
LARGER = 1.5  # side of images before cropping, in units of the encoder's
DROPOUT = 0.2  # of features, when learning clusters


class _HashingTask(Task[HashingNetwork]):
    """A task that trains a hashing network."""

    clip = 5.0

    @abstractmethod
    def unedited(self, rows: Rows) -> npt.NDArray[Any]:
        """The network's inputs for unedited images."""

    def network(self) -> HashingNetwork:
        """The network to train, initialised by PyTorch's global random generator."""
        raise NotImplementedError(f"{self.settings.model} is solved, not trained")

    def batch_loss(self, module: HashingNetwork, rows: Rows, *, step: int, random: np.random.Generator) -> Losses:
        """The loss of a batch; `random` generates views and edits."""
        raise NotImplementedError(f"{self.settings.model} is solved, not trained")

    def create(self) -> HashingNetwork:
        return hashing.seeded(self.network, self.settings.seed)

    def loss(self, module: HashingNetwork, rows: Rows, *, step: int, generator: torch.Generator) -> Losses:
        seeds = torch.randint(2**62, (2,), generator=generator, device=generator.device).tolist()
        with _seeded(seeds[0], generator.device):
            return self.batch_loss(module, rows, step=step, random=np.random.default_rng(seeds[1]))

    def validate(self, module: HashingNetwork, rows: Rows) -> dict[str, float]:
        """The mean loss of these rows."""
        random, total = np.random.default_rng(VALIDATION_SEED), 0.0
        with torch.inference_mode():
            for block in _blocks(rows):
                total += self.batch_loss(module, block, step=0, random=random).total.item() * len(block)
        return {"total": total / len(rows)}

    def latents(self, module: HashingNetwork, rows: Rows) -> Floats:
        with torch.inference_mode():
            parts = [module(self.tensor(self.unedited(block))).cpu() for block in blocks(rows)]
        return torch.cat(parts).double().numpy()

    def tensor(self, array: npt.NDArray[Any]) -> Tensor:
        """An array on the device."""
        return torch.tensor(array, device=self.device)


class CopyTask(_HashingTask):
    """Recognising edited copies, with an encoder initialised from the first blocks of EfficientNet-Lite0.

    Images are read in colour, because edits change colours, and larger than the encoder's grey input, so that crops are
    sharp.
    """

    def __init__(self, *given: Any, weights: dict[str, Tensor], **named: Any) -> None:
        super().__init__(*given, **named)
        self.weights, self.lengths = weights, self.settings.config["nested"]
        refined = f"first blocks of {efficientnet.about(SIDE).sentence}, trained further"
        self.info = {"backbone": refined, "supervised": False}

    @classmethod
    def of(cls, request: TrainRequest) -> Self:
        """The requested task, with decoded images."""
        asked = request.config
        if asked.side is not None or (asked.backbone or EFFICIENTNET) != EFFICIENTNET:
            raise ConfigError(f"{asked.model} trains an encoder of its own; leave out --backbone and --side")
        config = {"bits": asked.bits, "nested": shorter_lengths(asked)}
        return cls.starting(request, config, copy_encoder.first_weights(efficientnet.weights()))

    @classmethod
    def starting(cls, request: TrainRequest, config: dict[str, Any], weights: dict[str, Tensor]) -> Self:
        """The task with these weights to start from, and decoded images."""
        spec = ImageSpec(side=SIDE, colour=False, trim=True)
        read = replace(spec, side=round(LARGER * SIDE), colour=True)
        settings, found = request.settings(spec=read, config=config), request.decoded(read)
        return cls(
            settings, found.arrays, spec=spec, skipped=found.skipped, device=request.config.device, weights=weights
        )

    def network(self) -> HashingNetwork:
        encoder, bits = CopyEncoder(), self.settings.config["bits"]
        encoder.load_state_dict(self.weights, strict=False)
        head = Head(features=copy_encoder.FEATURES, bits=bits)
        return HashingNetwork(head, {length: Copies() for length in (*self.lengths, bits)}, encoder=encoder)

    def unedited(self, rows: Rows) -> npt.NDArray[Any]:
        return self._images(resized(self._pixels(rows), SIDE))

    def pair(self, rows: Rows, random: np.random.Generator) -> tuple[Array, Array]:
        """Each image nearly unchanged, and an edited copy, uint8 (B, S, S)."""
        x_B3RR = self._pixels(rows)
        edits = Edits(torch.Generator().manual_seed(int(random.integers(2**62))), side=SIDE)
        return self._images(edits.slightly(x_B3RR)), self._images(edits.edited(x_B3RR))

    def batch_loss(self, module: HashingNetwork, rows: Rows, *, step: int, random: np.random.Generator) -> Losses:
        first, second = map(self.tensor, self.pair(rows, random))
        return module.loss(first, second, step=step)

    def write(self, path: Path, module: HashingNetwork, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        export(path, module, theta_K, info, check_NSSC=self.unedited(rows[:CHECKED]))

    def _pixels(self, rows: Rows) -> Tensor:
        return torch.from_numpy(self.inputs[rows]).permute(0, 3, 1, 2).to(torch.float32) / 255

    def _images(self, x_B3SS: Tensor) -> Array:
        return np.asarray((255 * grey(x_B3SS)[:, 0]).round().to(torch.uint8).contiguous().numpy())


class Source(NamedTuple):
    """Source of features."""

    request: TrainRequest
    backbone: Backbone

    @classmethod
    def of(cls, request: TrainRequest) -> Self:
        """The requested backbone. Raises `ConfigError` or `ModelError`."""
        asked = request.config
        return cls(request, backbones.load(asked.backbone or EFFICIENTNET, side=asked.side))

    def features(self) -> Cached:
        """Features of the readable images, cached or computed."""
        request, asked = self.request, self.request.config
        folder = cache_dir() if asked.cache is None else Path(asked.cache)
        return features(
            request.items, self.backbone, folder, max_pixels=asked.max_pixels, stop_requested=request.stop_requested,
            progress=request.progress,
        )  # fmt: skip


class BackboneTask(_HashingTask):
    """Codes of a backbone's features."""

    def __init__(self, *given: Any, source: Source | None = None, rows_N: Rows | None = None, **named: Any) -> None:
        """`rows_N` are the features' items; `source` and `rows_N` are needed to write a model file."""
        super().__init__(*given, **named)
        self.lengths = self.settings.config["nested"]
        if source is not None and rows_N is not None:
            self.source, self.rows_N, self.spec = source, rows_N, source.backbone.spec
            self.info = {"backbone": source.backbone.about.in_full, "supervised": False}

    @classmethod
    def of(cls, request: TrainRequest) -> Self:
        """The requested task, with computed features. Raises `ConfigError` if the backbone is unusable."""
        config = {"bits": request.config.bits, "nested": shorter_lengths(request.config)}
        source = Source.of(request)
        found = source.features()
        settings = request.settings(spec=source.backbone.spec, config=config | {"backbone": source.backbone.digest})
        return cls(
            settings, found.arrays, source=source, rows_N=found.rows_N, skipped=found.skipped,
            device=request.config.device,
        )  # fmt: skip

    def unedited(self, rows: Rows) -> npt.NDArray[Any]:
        return np.asarray(self.inputs[rows], np.float32)

    def pictures(self, rows: Rows) -> Iterator[Array]:
        request = self.source.request
        items = [request.items[self.rows_N[row]] for row in rows]
        for item, array in read_all(items, self.spec, request.config.max_pixels):
            if isinstance(array, str):
                raise TrainingError(
                    f"{item.name} is no longer readable: {array}; restore it, then continue after the last epoch with "
                    "--resume"
                )
            yield array

    def write(self, path: Path, module: HashingNetwork, theta_K: Threshold, info: ModelInfo, rows: Rows) -> None:
        rows = rows[:CHECKED]
        export_behind(
            path, self.source.backbone, module, theta_K, info, check_NSSC=np.asarray(list(self.pictures(rows))),
            features_ND=self.unedited(rows),
        )  # fmt: skip


class ClosedFormTask(BackboneTask):
    """Principal components of the features, optionally rotated towards their signs."""

    cut_at_mean = False  # features are centred

    def solve(self, rows: Rows) -> HashingNetwork:
        name, bits = self.settings.model, self.settings.config["bits"]
        turned = frozen.TURNED.get(name)
        x_ND = self.unedited(rows)
        return hashing.linear(turned(x_ND, bits, seed=self.settings.seed) if turned else frozen.pca(x_ND, bits))


class ClusterTask(BackboneTask):
    """Predicting an image's clusters in the features' neighbour graph."""

    cut_at_mean = False  # outputs are driven towards −1 and 1

    def __init__(self, *given: Any, clusters_NM: npt.NDArray[np.int64] | None = None, **named: Any) -> None:
        super().__init__(*given, **named)
        features_ND, seed = np.asarray(self.inputs, np.float32), self.settings.seed
        self.clusters_NM = cluster_labels(features_ND, seed=seed) if clusters_NM is None else clusters_NM

    def network(self) -> HashingNetwork:
        bits, sizes = self.settings.config["bits"], (self.clusters_NM.max(axis=0) + 1).tolist()
        head = Head(features=self.inputs.shape[1], bits=bits, dropout=DROPOUT)
        return HashingNetwork(head, {length: Clusters(bits=length, sizes=sizes) for length in (*self.lengths, bits)})

    def batch_loss(self, module: HashingNetwork, rows: Rows, *, step: int, random: np.random.Generator) -> Losses:
        return module.loss(self.tensor(self.unedited(rows)), self.tensor(self.clusters_NM[rows]), step=step)


def shorter_lengths(asked: TrainConfig) -> tuple[int, ...]:
    """The nested code lengths, ascending. Raises `ConfigError`."""
    if asked.matryoshka is True or asked.model == "pca":
        lengths = tuple(length for length in USUAL if length < asked.bits)
    else:
        lengths = tuple(sorted(map(check_bits, asked.matryoshka or ())))
    if asked.matryoshka and (not lengths or lengths[-1] >= asked.bits):
        least = max(lengths or USUAL[:1])
        raise ConfigError(f"bits is {asked.bits}; nested codes need more than {least}. Leave out --matryoshka")
    if lengths and asked.model in frozen.TURNED:
        raise ConfigError(
            f"{asked.model} rotates all bits together, so its first bits are not a code; use pca for nested codes"
        )
    return lengths


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch's global generator, for dropout, and restore its state afterwards."""
    others = {} if device.type == "cpu" else {"devices": [device], "device_type": device.type}
    with torch.random.fork_rng(**{"devices": []} | others):
        torch.default_generator.manual_seed(seed)
        if others:
            getattr(torch, device.type).manual_seed(seed)
        yield


def _blocks(rows: Rows) -> list[Rows]:
    """The rows in blocks of at least two, because pair losses are undefined for one image."""
    parts = list(blocks(rows))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [np.concatenate(parts[-2:])]
    return parts
