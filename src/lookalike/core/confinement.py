"""Processes that work on a stranger's file, with so much memory and time, and whose only answer is a line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress

PATIENCE = 6  # times as long by the clock as of the processor, on a machine that has other things to do
_OUT_OF_TIME = (-24, -9)  # SIGXCPU, and SIGKILL, which follows it


def run_confined(module: str, arguments: list[str], *, data: bytes, memory: int, seconds: int) -> str:
    """What a module run as a process says is wrong with a file; nothing if it may be used.

    Also said is that it crashed, or took too long.
    """
    command = [sys.executable, "-P", "-m", module, *arguments]
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
        f"crashed while it was tried, or needs more than {memory >> 20} MiB of memory; it is damaged, or made to do "
        "that"
    )


def confine(memory: int, seconds: int) -> None:
    """Let this process have so many more bytes of memory, and so many seconds of the processor; and write no file."""
    try:
        import resource
    except ImportError:  # Windows has nothing like it; there the parent's time limit remains
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    spent = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, spent + seconds))
    if sys.platform == "linux":  # others take the number and do not heed it
        with open("/proc/self/statm", encoding="ascii") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))


def _too_slow(seconds: int) -> str:
    return f"takes longer than {seconds} seconds of the processor; it is damaged, or made to do that"
