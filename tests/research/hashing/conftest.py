"""A labelled collection and an encoder for the compared methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike import data
from lookalike.training import TrainConfig, TrainReport, train
from research.hashing.task import METHOD_TASKS
from tests.references.encoders import write_encoder, write_kinds

# 80 images can be read, 72 train: 4 steps an epoch.
QUICK: dict[str, Any] = {"bits": 32, "epochs": 2, "batch": 16, "seed": 3}

Learn = Callable[..., TrainReport]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` of four classes, with one that cannot be read, and `small.onnx`; read-only."""
    folder = tmp_path_factory.mktemp("kinds")
    photos = write_kinds(folder / "photos")
    (photos / "green/05a.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    write_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def learn(place: Path) -> Learn:
    """A function that trains a method, labelled by folder; features are computed once."""

    def learn(model: str, out: Path, **settings: Any) -> TrainReport:
        running = {name: settings.pop(name) for name in ("resume", "progress") if name in settings}
        items = settings.pop("images", None) or data.find(place / "photos", labels_from_folders=True)
        own = {"backbone": str(place / "small.onnx"), "cache": place / "cache", "name": "photos"}
        config = TrainConfig(model=model, **QUICK | own | settings)
        return train(items, config, out=out, tasks=METHOD_TASKS, **running)

    return learn
