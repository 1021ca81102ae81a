"""A process with all of `lookalike` imported that forks a child for each command, so that a run takes milliseconds.

Started with the shim preloaded: `python -m tests.faults.server SHIM`. Jobs and answers are lines of JSON. Orphans of a
killed child become the server's own children, so that it can check that they end.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from lookalike import cli
from tests.faults import state
from tests.faults.shim import Fault, Mode, Shim

SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
LONGEST = 300.0  # maximum seconds of a command
GRACE = 5.0  # seconds for orphans of a killed process to end


def main() -> None:
    """Answer jobs until stdin ends."""
    shim = Shim(Path(sys.argv[1]))
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line), shim)) + "\n")
        sys.stdout.flush()


def _answer(job: dict[str, Any], shim: Shim) -> dict[str, Any]:
    told = Path(job["told"])
    told.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        _work(job, shim, told)
    status, late = _wait(child)
    answer: dict[str, Any] = {"calls": [], "met": 0, "modules": []}
    if told.exists():
        answer = json.loads(told.read_text())
    _import(answer.pop("modules"))
    return {**answer, "status": status, "late": late, "orphans": _orphans(child)}


def _import(modules: list[str]) -> None:
    """Import modules that a child had to import, so that the next one need not."""
    new = [name for name in modules if name not in sys.modules]
    for name in new:
        with suppress(Exception):
            importlib.import_module(name)
    if new:
        gc.freeze()  # else garbage collection would copy memory in each child


def _wait(child: int) -> tuple[int, bool]:
    """The child's exit code, or the negative number of its signal; and whether it timed out."""
    until, late = time.monotonic() + LONGEST, False
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > until:
            late = True
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.001)
    return os.waitstatus_to_exitcode(ended[1]), late


def _orphans(group: int) -> int:
    """Number of a killed child's processes that did not end."""
    until, killed = time.monotonic() + GRACE, 0
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return killed
        if not ended:
            if time.monotonic() > until:
                killed += 1
                os.killpg(group, signal.SIGKILL)
                until = time.monotonic() + GRACE
            time.sleep(0.001)


def _work(job: dict[str, Any], shim: Shim, told: Path) -> NoReturn:
    code = 70
    try:
        _redirect(job["out"], job["err"])
        for name, value in job["settings"].items():
            module, attribute = name.split(":")
            getattr(importlib.import_module(module), attribute)  # it must be there
            setattr(importlib.import_module(module), attribute, value)
        if job["acknowledged"]:
            state.acknowledge(Path(job["acknowledged"]), states_of=job["states_of"], moves=job["moves"])
        fault = Fault(Mode(job["mode"]), job["at"], job["error"])
        shim.arm(fault, job["folders"])
        try:
            code = _run(job)
        finally:
            calls, met = shim.calls() if fault.mode is Mode.COUNT else [], shim.met()
            shim.arm(Fault(), [])
        told.write_text(json.dumps({"calls": calls, "met": met, "modules": list(sys.modules)}))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _run(job: dict[str, Any]) -> int:
    """The exit code of a command, or of a function."""
    sys.argv = ["lookalike", *job["command"]]
    if ":" not in job["command"][0]:
        return _code(cli.main)
    module, name = job["command"][0].split(":")
    call: Callable[..., None] = getattr(importlib.import_module(module), name)
    return _code(partial(cli.main, partial(call, *job["command"][1:])))  # reports errors like a command


def _code(call: Callable[[], None]) -> int:
    try:
        call()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _redirect(out: str, err: str) -> None:
    for fd, path, flags in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        opened = os.open(path, flags | (os.O_CREAT | os.O_TRUNC if fd else 0), 0o600)
        os.dup2(opened, fd)
        os.close(opened)


if __name__ == "__main__":
    main()
