"""Whether a model file may be used: checked and tried once in a process of its own, and remembered by its digest.

The built-in models are not tried. What is remembered lies in the user's cache, not in the folder of a database, which
may be a stranger's as well.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

from lookalike.core.cache_dir import cache_dir
from lookalike.hasher import trial
from lookalike.hasher.paths import builtin_models
from lookalike.hasher.session import named, naming

Kind = Literal["model", "decoder", "encoder", "backbone"]

RULES = 1  # raised when the rules get stricter, so that all models are tried again
MEMORY = 1 << 30  # bytes that a trial may take, and four times the file's size
SECONDS = 10  # of the processor that a trial may take, and one more for each `BYTES_A_SECOND` of the file
BYTES_A_SECOND = 20 << 20
PATIENCE = 6  # times as long by the clock, on a machine that has other things to do


def digest(data: bytes) -> str:
    """BLAKE2b of a model file, 16 bytes in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def admit(kind: Kind, data: bytes, path: str) -> None:
    """Raise `ModelError`, naming the file, unless it may be used; tries it if this has not been done before."""
    known = digest(data)
    if _is_builtin(known, len(data)) or _mark(kind, known).exists():
        return
    if error := _try(kind, data):
        raise named(path, error)
    _remember(kind, known)


def admit_own(kind: Kind, data: bytes, path: str) -> None:
    """The same of a file that this program has just made: checked, so that others will take it, but not tried."""
    with naming(path):
        trial.check(kind, data, run=False)
    _remember(kind, digest(data))


def _remember(kind: Kind, known: str) -> None:
    mark = _mark(kind, known)
    with suppress(OSError):  # then it is tried again next time
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark(kind: Kind, known: str) -> Path:
    return cache_dir() / "models" / f"{known}.{kind}-{RULES}"


@functools.cache
def _builtin() -> dict[str, int]:
    """Sizes of the built-in models, by digest."""
    return {digest(data): len(data) for data in (path.read_bytes() for path in builtin_models().values())}


def _is_builtin(known: str, size: int) -> bool:
    return _builtin().get(known) == size


def _try(kind: Kind, data: bytes) -> str:
    """Why a file may not be used; nothing if it may."""
    seconds = SECONDS + len(data) // BYTES_A_SECOND
    memory = MEMORY + 4 * len(data)
    command = [sys.executable, "-P", "-m", "lookalike.hasher.trial", kind, str(memory), str(seconds)]
    try:
        ended = subprocess.run(
            command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=PATIENCE * seconds,
            check=False, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return _too_slow(seconds)
    except OSError as error:
        return f"cannot be tried, as no process can be started ({error.strerror})"
    with suppress(ValueError, TypeError, AttributeError):
        return str(json.loads(ended.stdout).get("error", ""))
    if ended.returncode in _OUT_OF_TIME:
        return _too_slow(seconds)
    return (
        f"crashed while it was tried, or needs more than {memory >> 20} MiB of memory for one image; it is damaged, "
        "or made to do that"
    )


_OUT_OF_TIME = (-24, -9)  # SIGXCPU, and SIGKILL, which follows it


def _too_slow(seconds: int) -> str:
    return f"takes longer than {seconds} seconds for its first image; it is damaged, or made to do that"
