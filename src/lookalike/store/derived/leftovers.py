"""Temporary files in a database's folder, left by a killed process or a power failure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from lookalike.core import atomic
from lookalike.store import catalog, model_file, originals
from lookalike.store.derived import codefile

VARIANTS = "variants.npz"  # codes of variants of images
UNFINISHED = "catalog.new"  # a catalog under construction
OURS = (
    catalog.FILE, codefile.FILE, VARIANTS, model_file.FILE, model_file.pending(Path()).name,
)  # fmt: skip
WITHOUT_LOCK = (VARIANTS,)  # also written by processes without the writer's lock
IN_USE = 3600.0  # seconds; younger temporary files of these may be in use
# Derived files of earlier versions
FORMER = {"pairs.bin", "pairs.lock", "turned.npz", "tables.bin", "tabled.bin", "changes.npz"}
OLD = {f"{model_file.FILE}.part", *(f".{name}.tmp" for name in OURS), *FORMER}


def _find(folder: Path) -> Iterator[Path]:
    """Temporary files of a database without a writer, including those of earlier versions."""
    for path in chain(folder.iterdir(), originals.temporary(folder)):
        if (path.parent != folder or _is_ours(path)) and path.is_file():
            yield path


def delete(folder: Path) -> list[Path]:
    """Delete leftover temporary files; returns them."""
    leftovers = sorted(_find(folder))
    for path in leftovers:
        path.unlink(missing_ok=True)
    return leftovers


def _is_ours(path: Path) -> bool:
    if path.name in OLD or path.name.startswith(UNFINISHED):
        return True
    name = next((name for name in OURS if atomic.is_temporary(path, name)), None)
    return name is not None and not _may_be_in_use(path, name)


def _may_be_in_use(path: Path, name: str) -> bool:
    try:
        return name in WITHOUT_LOCK and time.time() - path.stat().st_mtime < IN_USE
    except FileNotFoundError:
        return True
