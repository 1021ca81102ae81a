"""Runs commands that are killed, or whose disk fails, and examines the result.

After each: every acknowledged commit is there and nothing is half written, people's files are all there, the database
is sound, and repeating the command ends as if nothing had happened.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import shim, state
from tests.faults.scenarios import Command, Scenario, populate
from tests.faults.shim import Fault, Mode

ROOT = Path(__file__).resolve().parents[2]
NONE = Fault()
TEMPORARY = "/dev/shm"  # in memory, if available: syncing costs nothing there, and a kill loses nothing


@dataclass(frozen=True, slots=True)
class Done:
    """A finished or killed command."""

    status: int  # exit code, or the signal that ended it as a negative number
    out: str
    err: str
    calls: list[str]
    met: int  # number of the first failed call, or 0
    commits: list[str]  # states of the database, or "-"

    @property
    def was_killed(self) -> bool:
        return self.status == -signal.SIGKILL


@dataclass(slots=True)
class Reference:
    """An undisturbed run: the required final state, and the allowed states before it."""

    calls: list[str]  # that change files, in order
    states: list[str]  # of the database, in order
    commits: list[int]  # for each commit, the index of its state in `states`
    final: list[Any] | str
    trees: dict[str, dict[str, str]]  # files by folder at the end, with digests
    before: dict[str, dict[str, str]]  # the same at the beginning
    looks: tuple[dict[str, str], dict[str, str]]  # people's files at the beginning and at the end, with mode and time


class Harness:
    """A workspace, and a server that runs commands in it."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "w"
        self._aside = folder / "aside"
        self._aside.mkdir()
        self._pristine: dict[str, Path] = {}
        self._library = shim.build(folder)
        self._server = self._start()

    def close(self) -> None:
        """End the server."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(timeout=30)
        self._server.stdout.close()

    def reset(self, scenario: Scenario) -> None:
        """Reset the workspace to the state before a scenario's command."""
        if scenario.name not in self._pristine:
            self._pristine[scenario.name] = self._prepared(scenario)
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(self._pristine[scenario.name], self.place, symlinks=True, copy_function=_keeping_links())

    def run(
        self, scenario: Scenario, fault: Fault = NONE, *, command: Command | None = None, with_states: bool = False
    ) -> Done:
        """Run a scenario's command, or another one, in its own process; optionally record the states it commits."""
        log = self._aside / "commits"
        log.unlink(missing_ok=True)
        job = {
            "command": [one.replace("{w}", os.fspath(self.place)) for one in command or scenario.command],
            "settings": scenario.settings,
            "moves": scenario.moves,
            "mode": fault.mode,
            "at": fault.at,
            "error": fault.error,
            "folders": [os.fspath(self.place)],
            "out": os.fspath(self._aside / "out"),
            "err": os.fspath(self._aside / "err"),
            "told": os.fspath(self._aside / "told"),
            "acknowledged": os.fspath(log),
            "states_of": os.fspath(self.place / "db") if with_states else None,
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(job) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        assert line, "the server of the harness has died"
        answer = json.loads(line)
        assert not answer["late"], f"{job['command']} did not end"
        assert not answer["orphans"], f"{job['command']} left processes behind"
        out, err = ((self._aside / name).read_text(errors="surrogateescape") for name in ("out", "err"))
        commits = log.read_text().split() if log.exists() else []
        return Done(answer["status"], out, err, answer["calls"], answer["met"], commits)

    def reference(self, scenario: Scenario) -> Reference:
        """An undisturbed run of a scenario."""
        self.reset(scenario)
        before, looked = self._trees(), state.looks(self.place / "photos")
        first = state.digest(state.of_database(self.place / "db"), scenario.moves)
        done = self.run(scenario, with_states=True)
        assert done.status == 0, f"{scenario.name} fails undisturbed: {done}"
        final = state.of_database(self.place / "db")
        states, commits = [first], []
        for one in [*done.commits, state.digest(final, scenario.moves)]:
            if one != states[-1]:
                states.append(one)
            commits.append(len(states) - 1)
        trees, looks = self._trees(), (looked, state.looks(self.place / "photos"))
        self.reset(scenario)
        counted = self.run(scenario, Fault(Mode.COUNT))
        assert counted.status == 0, counted
        return Reference(counted.calls, states, commits[:-1], final, trees, before, looks)

    def _trees(self) -> dict[str, dict[str, str]]:
        return {name: state.tree(self.place / name) for name in ("photos", "trash", "out", "db")}

    def _prepared(self, scenario: Scenario) -> Path:
        shutil.rmtree(self.place, ignore_errors=True)
        populate(self.place, different=scenario.different)
        for command in scenario.prepare:
            done = self.run(scenario, command=command)
            assert done.status == 0, f"{command}: {done}"
        if scenario.arrange:
            scenario.arrange(self.place)
        kept = self._aside / f"pristine-{len(self._pristine)}"
        self.place.rename(kept)
        return kept

    def _start(self) -> subprocess.Popen[str]:
        here = {
            name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
        }  # measuring coverage takes time
        own = {"LD_PRELOAD": os.fspath(self._library), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.faults.server", os.fspath(self._library)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**here, **own}
        )


@contextmanager
def harness() -> Iterator[Harness]:
    """A harness in its own folder, in memory if possible."""
    with tempfile.TemporaryDirectory(
        prefix="lookalike-faults-", dir=TEMPORARY if os.path.isdir(TEMPORARY) else None
    ) as folder:
        opened = Harness(Path(folder).resolve())
        try:
            yield opened
        finally:
            opened.close()


def _keeping_links() -> Callable[[str, str], str]:
    """A function that copies a file, or links it if the same file was already copied under another name."""
    copied: dict[int, str] = {}

    def copy(source: str, target: str) -> str:
        known = copied.setdefault(os.stat(source).st_ino, target)
        if known == target:
            shutil.copy2(source, target)
        else:
            os.link(known, target)
        return target

    return copy
