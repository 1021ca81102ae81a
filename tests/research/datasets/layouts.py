"""Small data sets in their official layouts, made for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from research.datasets import cifar10

ROWS = 4  # images of a batch
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def batch(seed: int) -> bytes:
    """A CIFAR-10 batch of 4 images, of the classes 0 to 3."""
    records = np.random.default_rng(seed).integers(0, 256, (ROWS, cifar10.RECORD), np.uint8)
    records[:, 0] = np.arange(ROWS)
    return records.tobytes()


def make_cifar10(folder: Path) -> Path:
    """CIFAR-10 in its official layout, but with 4 images a batch."""
    folder.mkdir(parents=True)
    for seed, name in enumerate((*cifar10.TRAIN, cifar10.TEST)):
        (folder / name).write_bytes(batch(seed))
    (folder / cifar10.NAMES).write_text("\n".join([*CLASSES, "", ""]), encoding="ascii")
    return folder


def touch(folder: Path, names: Iterable[str]) -> None:
    """Files whose content is their own name."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
