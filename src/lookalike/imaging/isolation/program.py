"""How a worker is started, and what its end means; the same for threads and for the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from lookalike.core.errors import ConfigError, ImageError, RetryableImageError
from lookalike.core.limits import MAX_PIXELS
from lookalike.imaging.isolation.limits import Limits

STARTING = 30.0  # seconds that a worker may take to start
ATTEMPTS = 3  # to start one, before that is an error
PAUSE = 1.0  # seconds before another attempt, where there was no memory or no process left
PROGRAM = "lookalike.imaging.isolation.worker"
_FROM_OUTSIDE = ("SIGKILL", "SIGTERM", "SIGXCPU", "SIGHUP")  # signals that say nothing of the file


def command(memory: int) -> list[str]:
    """The command line of a worker that may take `memory` bytes."""
    return [sys.executable, "-P", "-m", PROGRAM, str(memory), str(os.getpid())]


def options() -> dict[str, Any]:
    """Arguments of `subprocess` that keep Ctrl-C from a worker, and its libraries to one thread."""
    here = str(Path(__file__).resolve().parents[3])  # where this package lies, if not among the installed ones
    paths = [path for path in (os.environ.get("PYTHONPATH"), here) if path]
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {
        **apart,
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
        "env": {**os.environ, **single, "PYTHONPATH": os.pathsep.join(paths)},
    }


def not_started(reason: str) -> ConfigError:
    """The error of workers that cannot be started."""
    return ConfigError(f"the processes that decode images do not start ({reason})")


def too_slow(seconds: float) -> RetryableImageError:
    """The error of an image that takes too long."""
    return RetryableImageError(f"decoding takes longer than {seconds:g} seconds")


def unreadable(seconds: float) -> RetryableImageError:
    """The error of a file that cannot be read in time."""
    return RetryableImageError(f"reading it takes longer than {seconds:.0f} seconds")


def starved(limits: Limits) -> str:
    """The reason of an image that needs more memory than is allowed."""
    return (
        f"needs more than {limits.memory / 1e6:.0f} MB of memory to be decoded. "
        f"Allow more with --max-pixels {2 * max(limits.max_pixels, MAX_PIXELS)}"
    )


def crashed(status: int | None) -> ImageError:
    """The error of an image over which a worker ended with an exit status."""
    name = _signal(status)
    if name in _FROM_OUTSIDE:
        return RetryableImageError(f"the decoder was ended while it worked on it ({name})")
    return ImageError("the decoder crashed over it; the file is damaged, or made to do that")


def _signal(status: int | None) -> str:
    """The name of the signal that ended a process; nothing if none did."""
    try:
        return signal.Signals(-(status or 0)).name
    except ValueError:
        return ""
