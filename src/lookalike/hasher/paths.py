"""Locations of model files."""

from __future__ import annotations

import os
import stat
from importlib.resources import files
from pathlib import Path

from lookalike.core.errors import ModelError

DEFAULT = "default"
MAX_BYTES = 1 << 30  # of a model file


def builtin_models() -> dict[str, Path]:
    """Built-in model files by name, the default first."""
    folder = Path(str(files("lookalike") / "builtin"))
    return {
        path.stem: path for path in sorted(folder.glob("*.onnx"), key=lambda path: (path.stem != DEFAULT, path.stem))
    }


def find_model(model: str | os.PathLike[str]) -> Path:
    """The file of a built-in model's name, or of a path. Raises `ModelError`, listing the built-in models."""
    builtin = builtin_models()
    if os.fspath(model) in builtin:
        return builtin[os.fspath(model)]
    path = Path(model)
    if _is_file(path):
        return path
    names = ", ".join(builtin)
    raise ModelError(f"{model} is neither a model file nor one of the built-in models ({names}). See: lookalike models")


def read_model(path: Path) -> bytes:
    """The bytes of a model file. Raises `ModelError` if it is unreadable, not a regular file, or too large.

    For a missing file it raises `FileNotFoundError`.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{path} is not a regular file; name a model file")
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise ModelError(f"{path} is larger than {MAX_BYTES >> 20} MiB, the limit for a model file")
    return data


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
