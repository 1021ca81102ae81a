"""The shim of `faults.c`: compiled by the machine's C compiler, preloaded into a process, armed there."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("faults.c")


class Mode(IntEnum):
    """What happens at the n-th call that changes files; same values as in `faults.c`."""

    OFF = 0
    COUNT = 1  # nothing; calls are counted and recorded
    KILL_BEFORE = 2  # the process is killed before the call
    KILL_HALF = 3  # a write writes half of its bytes, any other call is made, then the process is killed
    FAIL = 4  # the call fails
    FAIL_ALWAYS = 5  # this and all later calls fail, as on a full disk


@dataclass(frozen=True, slots=True)
class Fault:
    """What to do to a process, and at which call, counting from 1."""

    mode: Mode = Mode.OFF
    at: int = 0
    error: int = 0  # errno


def why_not() -> str | None:
    """Why the shim cannot be used on this machine; empty if it can."""
    if sys.platform != "linux":
        return "LD_PRELOAD and /proc are needed: Linux only"
    return None if _compiler() else "no C compiler"


def build(folder: Path) -> Path:
    """The compiled shim."""
    out, compiler = folder / "faults.so", _compiler()
    assert compiler is not None
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", out, SOURCE, "-ldl", "-lpthread"], check=True)
    return out


class Shim:
    """The shim that this process was started with."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.faults_arm.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_char_p]
        self._library.faults_count.restype = ctypes.c_long
        self._library.faults_met.restype = ctypes.c_long
        self._library.faults_call.argtypes = [ctypes.c_long]
        self._library.faults_call.restype = ctypes.c_char_p

    def arm(self, fault: Fault, folders: Sequence[str]) -> None:
        """Watch this process: only calls on paths below these folders count."""
        self._library.faults_arm(fault.mode, fault.at, fault.error, ":".join(folders).encode())

    def met(self) -> int:
        """Number of the first failed call; 0 if there was none."""
        return int(self._library.faults_met())

    def calls(self) -> list[str]:
        """The counted calls, each as name and path."""
        return [self._library.faults_call(i).decode(errors="replace") for i in range(self._library.faults_count())]


def _compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
