"""Admission of model files: each is checked and tried once in a separate process, then remembered by its digest.

Built-in models are not tried. The record is in the user's cache, not in the database's folder, because that may come
from a stranger, too.
"""

from __future__ import annotations

import functools
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lookalike.hasher.paths import builtin_models
from lookalike.hasher.session import named, naming

Kind = Literal["model", "encoder", "backbone"]

RULES = 1  # increased when the rules get stricter, so that all models are tried again
MEMORY = 1 << 30  # bytes allowed in a trial, plus four times the file's size
SECONDS = 10  # CPU seconds allowed in a trial, plus one for each `BYTES_A_SECOND` of the file
BYTES_A_SECOND = 20 << 20


def digest(data: bytes) -> str:
    """BLAKE2b of a model file: 16 bytes, hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def admit(kind: Kind, data: bytes, path: str) -> None:
    """Raise `ModelError`, naming the file, unless it may be used; tries it the first time."""
    known = digest(data)
    if known in _builtin() or _was_tried(kind, known):
        return
    if error := _try(kind, data):
        raise named(path, error)
    _remember(kind, known)


def admit_own(kind: Kind, data: bytes, path: str) -> None:
    """Admit a file that this program has just made: checked, so that others will accept it, but not tried."""
    from lookalike.hasher import trial

    with naming(path):
        trial.check(kind, data, run=False)
    _remember(kind, digest(data))


def _remember(kind: Kind, known: str) -> None:
    mark = _mark(kind, known)
    with suppress(OSError):  # then it is tried again next time
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _was_tried(kind: Kind, known: str) -> bool:
    with suppress(OSError):  # an unreadable cache
        return _mark(kind, known).exists()
    return False


def _mark(kind: Kind, known: str) -> Path:
    from lookalike.core.cache_dir import cache_dir

    return cache_dir() / "models" / f"{known}.{kind}-{RULES}"


@functools.cache
def _builtin() -> frozenset[str]:
    """Digests of the built-in models."""
    return frozenset(digest(path.read_bytes()) for path in builtin_models().values())


def _try(kind: Kind, data: bytes) -> str:
    """Why a file may not be used; empty if it may."""
    from lookalike.core.confinement import run_confined

    seconds, memory = SECONDS + len(data) // BYTES_A_SECOND, MEMORY + 4 * len(data)
    arguments = [kind, str(memory), str(seconds)]
    return run_confined("lookalike.hasher.trial", arguments, data=data, memory=memory, seconds=seconds)
