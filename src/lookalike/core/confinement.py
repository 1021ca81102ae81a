"""Child processes that parse untrusted files under limits on memory and time, and answer with one line of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress

PATIENCE = 6  # wall-clock seconds allowed per second of CPU time, because the machine may be busy
_OUT_OF_TIME = (-24, -9)  # SIGXCPU, and SIGKILL, which follows it


def run_confined(module: str, arguments: list[str], *, data: bytes, memory: int, seconds: int) -> str:
    """What a module, run as a child process, reports as wrong with a file; empty if the file may be used.

    A crash and a time-out are reported too.
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
        return f"cannot be checked: the system refuses to start a process ({error.strerror})"
    with suppress(ValueError, TypeError, AttributeError):
        return str(json.loads(ended.stdout).get("error", ""))
    if ended.returncode in _OUT_OF_TIME:
        return _too_slow(seconds)
    return (
        f"crashed while it was tried, or needs more than {memory >> 20} MiB of memory; it is damaged, or made to do "
        "that"
    )


def confine(memory: int, seconds: int) -> None:
    """Limit this process to `memory` more bytes and `seconds` more of CPU time, and forbid it to write files."""
    try:
        import resource
    except ImportError:  # Windows has no equivalent; the parent's time limit still applies
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    spent = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, spent + seconds))
    if sys.platform == "linux":  # other systems accept the limit but ignore it
        with open("/proc/self/statm", encoding="ascii") as file:
            size = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))


def _too_slow(seconds: int) -> str:
    return f"takes more than {seconds} seconds of CPU time; it is damaged, or made to do that"
