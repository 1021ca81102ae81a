"""Whether a model file may be used: checked and tried once in a process of its own, and remembered by its digest.

The built-in models are not tried. What is remembered lies in the user's cache, not in the folder of a database, which
may be a stranger's as well.
"""

from __future__ import annotations

import functools
import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lookalike.hasher.paths import builtin_models
from lookalike.hasher.session import named, naming

Kind = Literal["model", "decoder", "encoder", "backbone"]

RULES = 1  # raised when the rules get stricter, so that all models are tried again
MEMORY = 1 << 30  # bytes that a trial may take, and four times the file's size
SECONDS = 10  # of the processor that a trial may take, and one more for each `BYTES_A_SECOND` of the file
BYTES_A_SECOND = 20 << 20


def digest(data: bytes) -> str:
    """BLAKE2b of a model file, 16 bytes in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def admit(kind: Kind, data: bytes, path: str) -> None:
    """Raise `ModelError`, naming the file, unless it may be used; tries it if this has not been done before."""
    known = digest(data)
    if known in _builtin() or _was_tried(kind, known):
        return
    if error := _try(kind, data):
        raise named(path, error)
    _remember(kind, known)


def admit_own(kind: Kind, data: bytes, path: str) -> None:
    """The same of a file that this program has just made: checked, so that others will take it, but not tried."""
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
    with suppress(OSError):  # a cache that cannot be looked into
        return _mark(kind, known).exists()
    return False


def _mark(kind: Kind, known: str) -> Path:
    from lookalike.core.cache_dir import cache_dir

    return cache_dir() / "models" / f"{known}.{kind}-{RULES}"


@functools.cache
def _builtin() -> frozenset[str]:
    """The digests of the built-in models."""
    return frozenset(digest(path.read_bytes()) for path in builtin_models().values())


def _try(kind: Kind, data: bytes) -> str:
    """Why a file may not be used; nothing if it may."""
    from lookalike.core.confinement import run_confined

    seconds, memory = SECONDS + len(data) // BYTES_A_SECOND, MEMORY + 4 * len(data)
    arguments = [kind, str(memory), str(seconds)]
    return run_confined("lookalike.hasher.trial", arguments, data=data, memory=memory, seconds=seconds)
