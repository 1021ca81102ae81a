"""A collection and an encoder for methods that hash features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike.training import TrainReport
from tests.references.encoders import write_encoder, write_kinds
from tests.references.training import trained

# 80 images can be read, 72 train: 4 steps an epoch.
QUICK: dict[str, Any] = {"bits": 32, "epochs": 2, "batch": 16, "seed": 3}

Learn = Callable[..., TrainReport]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` of four kinds, with one that cannot be read, and `small.onnx`. Not to be changed."""
    folder = tmp_path_factory.mktemp("kinds")
    photos = write_kinds(folder / "photos")
    (photos / "green/05a.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    write_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def learn(place: Path) -> Learn:
    """A function that trains a model; features are computed once."""

    def learn(model: str, out: Path, **settings: Any) -> TrainReport:
        own = {"backbone": str(place / "small.onnx"), "cache": place / "cache"}
        return trained(settings.pop("images", place / "photos"), model=model, out=out, **QUICK | own | settings)

    return learn
