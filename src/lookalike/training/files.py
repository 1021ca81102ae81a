"""Atomic file writes with training errors."""

from __future__ import annotations

from pathlib import Path

from lookalike.core import atomic
from lookalike.core.errors import TrainingError


def write_aside(path: Path, content: bytes) -> None:
    """Write a file atomically. Raises `TrainingError` if that fails, leaving the file unchanged."""
    try:
        atomic.write(path, content)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror or error}") from error
