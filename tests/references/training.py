"""Training in one call, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lookalike.core.progress import Progress, silent
from lookalike.training import TrainConfig, TrainReport, train


def trained(
    images: Any, *, out: Path, resume: bool = False, progress: Progress = silent, **settings: Any
) -> TrainReport:
    """Train with these settings, and return the report."""
    return train(images, TrainConfig(**settings), out=out, resume=resume, progress=progress)
