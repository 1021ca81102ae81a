"""The model file in a database's folder."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from lookalike.core import atomic
from lookalike.core.errors import DatabaseError, ModelError
from lookalike.hasher import Hasher, builtin_models, decoder_path
from lookalike.store.catalog import Catalog

FILE = "model.onnx"
DECODER = decoder_path(FILE).name  # only for models that have a decoder
DECODER_KEY = "decoder"  # key of its digest in the catalog's `meta`


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
    """Write a model's file atomically, and next to it its decoder, if it has one."""
    _put(Path(hasher.path), path)
    decoder, target = decoder_path(hasher.path), path.with_name(DECODER)
    if decoder.is_file() and decoder != target:
        _put(decoder, target)


def _put(source: Path, path: Path) -> None:
    atomic.write(path, source.read_bytes())


def decoder_digest(hasher: Hasher) -> str:
    """Digest of the decoder next to a model; empty if there is none."""
    path = decoder_path(hasher.path)
    return _digest(path) if path.is_file() else ""


def has_digest(path: Path, digest: str) -> bool:
    """Whether a file exists and is the model with that digest."""
    return path.exists() and _digest(path) == digest


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
