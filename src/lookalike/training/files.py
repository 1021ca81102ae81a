"""Files that are either whole or not there."""

from __future__ import annotations

from pathlib import Path

from lookalike.core import atomic
from lookalike.core.errors import TrainingError


def write_aside(path: Path, content: bytes) -> None:
    """Replace a file at once: the content is flushed to the disk under another name, and that file renamed.

    Raises `TrainingError` if it cannot be written; the file is then as it was.
    """
    try:
        atomic.write(path, content)
    except OSError as error:
        raise TrainingError(f"{path} cannot be written: {error.strerror or error}") from error
