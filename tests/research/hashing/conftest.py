"""A labelled collection and an encoder for the compared methods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike import data
from lookalike.training import TrainConfig, TrainReport, train
from research.hashing.task import METHOD_TASKS
from tests.references.training import QUICK
from tests.references.training import place as place

Learn = Callable[..., TrainReport]


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
