"""The model that a database keeps beside its codes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from lookalike.core import atomic
from lookalike.core.errors import DatabaseError, ModelError
from lookalike.hasher import Hasher, builtin_models, decoder_path
from lookalike.store.catalog import Catalog

FILE = "model.onnx"
DECODER = decoder_path(FILE).name  # only of models that have one
DECODER_KEY = "decoder"  # of its digest, in the catalog's `meta`


def load(catalog: Catalog) -> Hasher:
    """The model that made the codes. Raises `DatabaseError` if its file is absent, damaged or another's."""
    folder, digest = catalog.folder, catalog.get("model")
    path, aside = folder / FILE, pending(folder)
    candidates: list[str | Path] = [path, aside, *builtin_models()]  # a built-in model is always at hand
    for candidate in candidates:
        with suppress(ModelError):
            if (hasher := Hasher.load(candidate)).digest == digest:
                return hasher
    name = catalog.get("model_name")
    raise DatabaseError(
        f"{path} is absent, damaged, or not the model that made the codes of {folder} ({name}@{digest[:8]}). "
        "Put that file there, or encode all images again with: lookalike index IMAGES --model MODEL --reindex"
    )


def pending(folder: Path) -> Path:
    """Where the next model lies during a change of model; it is left there if that is cut off before its last step."""
    return folder / f"{FILE}.tmp"


def copy(hasher: Hasher, place: Path) -> None:
    """Write a model's file aside, then put it in place; its decoder, if it has one, beside it."""
    _put(Path(hasher.path), place)
    decoder, beside = decoder_path(hasher.path), place.with_name(DECODER)
    if decoder.is_file() and decoder != beside:
        _put(decoder, beside)


def _put(source: Path, place: Path) -> None:
    atomic.write(place, source.read_bytes())


def decoder_digest(hasher: Hasher) -> str:
    """The digest of the decoder that lies next to a model; empty if there is none."""
    path = decoder_path(hasher.path)
    return _digest(path) if path.is_file() else ""


def has_digest(path: Path, digest: str) -> bool:
    """Whether a file is there and is the model with that digest."""
    return path.exists() and _digest(path) == digest


def _digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
