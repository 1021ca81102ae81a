"""Training in one call, and a collection and an encoder to train with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lookalike.core.progress import Progress, silent
from lookalike.training import TrainConfig, TrainReport, train
from tests.references.encoders import write_encoder, write_kinds

# 80 images can be read, 72 train: 4 steps an epoch.
QUICK: dict[str, Any] = {"bits": 32, "epochs": 2, "batch": 16, "seed": 3}


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`photos` of four kinds, with one that cannot be read, and `small.onnx`; read-only."""
    folder = tmp_path_factory.mktemp("kinds")
    photos = write_kinds(folder / "photos")
    (photos / "green/05a.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    write_encoder(folder)
    return folder


def trained(
    images: Any, *, out: Path, resume: bool = False, progress: Progress = silent, **settings: Any
) -> TrainReport:
    """Train with these settings, and return the report."""
    return train(images, TrainConfig(**settings), out=out, resume=resume, progress=progress)
