"""The model file in a database's folder."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from lookalike.core import atomic
from lookalike.core.errors import DatabaseError, ModelError
from lookalike.hasher import Hasher, builtin_models
from lookalike.store.catalog import Catalog

FILE = "model.onnx"


def load(catalog: Catalog) -> Hasher:
    """The model that made the codes. Raises `DatabaseError` if its file is missing, damaged or another model."""
    folder, digest = catalog.folder, catalog.get("model")
    path, aside = folder / FILE, pending(folder)
    candidates: list[str | Path] = [path, aside, *builtin_models()]  # built-in models are always available
    for candidate in candidates:
        with suppress(ModelError):
            if (hasher := Hasher.load(candidate)).digest == digest:
                return hasher
    name = catalog.get("model_name")
    raise DatabaseError(
        f"{path} is missing, damaged, or not the model that made the codes of {folder} ({name}@{digest[:8]}). "
        "Restore that file, or encode all images again with: lookalike index IMAGES --model MODEL --reindex"
    )


def pending(folder: Path) -> Path:
    """Path of the next model during a change of model; it stays there if the change is interrupted."""
    return folder / f"{FILE}.tmp"


def copy(hasher: Hasher, path: Path) -> None:
    """Write a model's file atomically."""
    atomic.write(path, Path(hasher.path).read_bytes())


def has_digest(path: Path, digest: str) -> bool:
    """Whether a file exists and is the model with that digest."""
    return path.exists() and hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest() == digest
