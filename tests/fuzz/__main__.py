"""Fuzz one target, or all in turn: `python -m tests.fuzz [TARGET…] --seconds N`. Needs `pip install atheris`.

Atheris (libFuzzer) records which branches of lookalike's Python code an input reaches, and keeps inputs that reach new
ones. C libraries are not instrumented. Seconds are processor time, so that a busy machine tries no less.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Run each target in its own process, since Atheris ends its process."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=60, help="of the processor, for each target")
    parser.add_argument("--work", type=Path, default=Path("fuzz-work"), help="where inputs and crashes are kept")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        _fuzz(arguments.targets[0], arguments.seconds, arguments.work)
        return
    from tests.fuzz.targets import TARGETS

    for name in arguments.targets or TARGETS:
        options = ["--one", "--seconds", str(arguments.seconds), "--work", str(arguments.work)]
        subprocess.run([sys.executable, "-m", "tests.fuzz", name, *options], check=False)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    sys.stdout.write(f"{(used.ru_utime + used.ru_stime) / 60:.1f} minutes of the processor\n")


def _fuzz(name: str, seconds: int, work: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["lookalike"]):
        from tests.fuzz import targets
    inputs = work / name
    inputs.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_len={targets.LONGEST}", "-rss_limit_mb=2048", "-timeout=20",
        "-print_final_stats=1", f"-artifact_prefix={work}/{name}-",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options, str(inputs), str(CORPUS / name)], targets.TARGETS[name])
    threading.Thread(target=_end_after, args=(seconds,), daemon=True).start()
    atheris.Fuzz()


def _end_after(seconds: int) -> None:
    """End this process once it and its children have used this much processor time."""
    while sum(os.times()[:4]) < seconds:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGUSR1)  # makes libFuzzer print a summary and exit


main()
