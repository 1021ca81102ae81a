"""Adapting a built-in model to a collection: trained further on edited copies, and kept only if it then finds more.

A fifth of the images is held out. At a threshold that 1 in 10,000 pairs of different held-out images reaches, each
model finds a share of the held-out images' edited copies (`robustness`). No label is needed.

The built-in models' files hold each convolution with its batch norm folded in, so statistics stay fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from lookalike import data
from lookalike.core import atomic
from lookalike.core.errors import ConfigError, DataError
from lookalike.core.progress import Progress, silent
from lookalike.hasher.paths import find_model
from lookalike.models import copy_encoder
from lookalike.models.copy_encoder import CopyEncoder
from lookalike.models.hashing import HashingNetwork, Head
from lookalike.models.objectives import Copies
from lookalike.robustness import run as robustness
from lookalike.robustness.peers import of_model
from lookalike.training import export
from lookalike.training.hashing import CopyTask
from lookalike.training.run import TrainReport, train
from lookalike.training.settings import TrainConfig
from lookalike.training.task import TrainRequest

START = "default-128"  # `default` is its first 64 bits
BITS, SHORTER = 128, 64
HELD_OUT = 0.2  # share of the images
FEWEST = 100  # images; a fifth of fewer makes too few pairs to compare models by
EDITS = (
    "jpeg 20", "grey 1", "brighter 1.6", "blur 0.02", "crop 0.25", "crop 0.4", "rotate 15", "rotate 30",
    "perspective 0.2", "caption 0.2", "text 0.1", "screenshot 0.06",
)  # fmt: skip
CARD = "The built-in model `default`, trained further on edited copies of the images of a collection, without labels."


@dataclass(frozen=True, kw_only=True, slots=True)
class AdaptReport:
    """The share of held-out images' edited copies that each model finds, and the training."""

    before: float
    after: float
    held_out: int  # images
    pairs: int  # of different ones, by which thresholds are set
    trained: TrainReport

    @property
    def helps(self) -> bool:
        """Whether the adapted model finds more, and so was written."""
        return self.after > self.before


def adapt(
    images: data.Paths, config: TrainConfig, *, out: Path, resume: bool = False, progress: Progress = silent
) -> AdaptReport:
    """Train the built-in model further on a collection, and write it to `out`; the built-in one if it finds more.

    Raises `ConfigError` for a length other than 64 or 128, `DataError` for fewer than `FEWEST` images, and as `train`.
    """
    if config.bits not in (SHORTER, BITS):
        raise ConfigError(f"bits is {config.bits}; the built-in models have {SHORTER} or {BITS}")
    items = data.find(images)
    if len(items) < FEWEST:
        raise DataError(f"{len(items)} images are too few to adapt a model to; {FEWEST} are the least")
    order = np.random.default_rng((config.seed, 1)).permutation(len(items))[: config.limit]
    held = max(FEWEST // 5, round(HELD_OUT * len(order)))
    rest = [items[row] for row in sorted(order[held:])]
    whole = replace(
        config, model="copies", bits=BITS, limit=None, name=config.name or data.default_name(images), card=CARD
    )
    trained = train(rest, whole, out=out, resume=resume, progress=progress, tasks={"copies": _AdaptTask.of})
    if config.bits == SHORTER:
        export.truncate(out, bits=SHORTER, out=out)
    start = START if config.bits == BITS else "default"
    before, after, pairs = _found(start, out, [items[row] for row in sorted(order[:held])], config, progress)
    report = AdaptReport(before=before, after=after, held_out=held, pairs=pairs, trained=trained)
    if not report.helps:
        atomic.write(out, Path(find_model(start)).read_bytes())
    return report


def _found(
    start: str, out: Path, items: Sequence[data.Item], config: TrainConfig, progress: Progress
) -> tuple[float, float, int]:
    """The share of copies that each model finds, a mean over all edits; and the number of different pairs."""
    settings = robustness.RobustnessOptions(
        edits=EDITS, queries=len(items), verified=0, seed=config.seed, max_pixels=config.max_pixels
    )
    peers = [of_model(start), replace(of_model(out), name="adapted")]
    before, after = robustness.run(items, peers, settings=settings, progress=progress).methods
    shares = [float(np.mean([share.value for share in method.recall(0)])) for method in (before, after)]
    return shares[0], shares[1], before.thresholds[0].pairs


class _Settled(HashingNetwork):
    """A network whose batch norms keep their statistics in training."""

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.eval()
        return self


class _AdaptTask(CopyTask):
    """Recognising edited copies, starting from the built-in model."""

    @classmethod
    def of(cls, request: TrainRequest) -> Self:
        return cls.starting(request, {"bits": BITS, "nested": (SHORTER,), "start": START}, {})

    def network(self) -> HashingNetwork:
        return start_network()


def start_network() -> HashingNetwork:
    """The built-in model as a network to train."""
    head = Head(features=copy_encoder.FEATURES, bits=BITS)
    network = _Settled(head, {length: Copies() for length in (SHORTER, BITS)}, encoder=CopyEncoder())
    network.load_state_dict(_unfolded(_start_weights(), network))
    return network


def _start_weights() -> dict[str, Tensor]:
    """The weights in the built-in model's file, by their names in `HashingNetwork`."""
    held = {one.name: one for one in onnx.load(find_model(START)).graph.initializer}
    found = {
        name.removeprefix("network.").removesuffix("_half"): _tensor(one)
        for name, one in held.items()
        if name.startswith("network.")
    }
    return found | {"encoder.pool.power": _tensor(held["clamp"])}


def _tensor(held: Any) -> Tensor:
    return torch.tensor(numpy_helper.to_array(held).astype(np.float32))


def _unfolded(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """All of a network's state: batch norms that are folded neither shift nor scale."""
    filled = dict(network.state_dict())
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and f"{name}.running_var" not in weights:
            filled[f"{name}.weight"] = torch.ones(module.num_features)
            filled[f"{name}.running_mean"] = torch.zeros(module.num_features)
            filled[f"{name}.running_var"] = torch.full((module.num_features,), 1 - module.eps)
    return filled | {name: value for name, value in weights.items() if name in filled}
