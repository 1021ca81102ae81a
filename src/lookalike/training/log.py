"""A run's log, in JSON lines: settings, one line per epoch, then the model's description."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lookalike.training.files import write_aside

PACKAGES = ("lookalike", "torch", "onnx", "onnxruntime", "numpy", "pillow")


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRecord:
    """Results of an epoch. Losses are in nats per image, averaged over the epoch's images."""

    epoch: int  # from 1
    step: int  # batches since the start of the run
    train: dict[str, float]  # total and parts, during training
    validation: dict[str, float]  # total and parts, on the held-out images after the epoch
    bits_alive: int  # bits whose rarer value occurs in at least 1 in 100 held-out images
    best: bool  # whether no earlier epoch had a lower validation loss
    seconds: float  # of training in this call, without validation
    images_per_second: float


def versions() -> dict[str, str]:
    """Installed versions of the packages that affect a model."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def write_log(path: Path, settings: dict[str, Any], history: Sequence[EpochRecord], **outcome: dict[str, Any]) -> None:
    """Write a run's log so far; `outcome` by kind: skipped images, the model."""
    lines = [("settings", settings | {"versions": versions()}), *(("epoch", asdict(one)) for one in history)]
    text = "".join(
        json.dumps({"kind": kind, **values}, ensure_ascii=False) + "\n" for kind, values in [*lines, *outcome.items()]
    )
    write_aside(path, text.encode())


def read_log(path: Path) -> tuple[dict[str, Any], tuple[EpochRecord, ...]]:
    """A run's settings with package versions, and its epochs so far."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kinds = [line.pop("kind") for line in lines]
    return lines[0], tuple(EpochRecord(**line) for kind, line in zip(kinds, lines, strict=True) if kind == "epoch")
