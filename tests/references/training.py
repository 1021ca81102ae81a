"""Trainings of tests, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lookalike.core.progress import Progress, silent
from lookalike.training import TrainConfig, TrainReport, train


def trained(
    images: Any, *, out: Path, resume: bool = False, progress: Progress = silent, **settings: Any
) -> TrainReport:
    """The report of a training with these settings."""
    return train(images, TrainConfig(**settings), out=out, resume=resume, progress=progress)
