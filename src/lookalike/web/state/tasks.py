"""Jobs that people start, pause and stop: indexing, calibration, plans.

Each is a file in the database's folder, so that all processes of a server show it, and the next server, too. A lock
that the operating system releases tells whether a job's process still lives. Jobs run one after another.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lookalike.answers import Job
from lookalike.core import atomic
from lookalike.core.errors import Interrupted, LookalikeError
from lookalike.core.progress import Progress
from lookalike.database import Database

Work = Callable[[Database, Progress], dict[str, Any]]
FOLDER, TURN = "jobs", "turn.lock"
ID = r"^[0-9]{8}-[0-9]{6}-[0-9a-f]{6}$"
PAUSE, RESUME, STOP = "pause", "resume", "stop"
KEPT = 50  # jobs
EVERY = 0.2  # seconds between two looks at orders, or two writes of the progress
PATIENCE = 2.0  # seconds to wait for a job to stop


class Tasks:
    """The jobs of a database, of which this process runs its own."""

    def __init__(self, open_database: Callable[[], Database], folder: Path) -> None:
        self._open, self._folder = open_database, folder / FOLDER
        self._threads: list[threading.Thread] = []
        self.stopped = threading.Event()

    def start(self, kind: Any, about: str, work: Work) -> Job:
        """A new job, which waits for those before it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget()
        job = Job(
            id=new_id(), kind=kind, state="waiting", stage="", done=0, total=None, error=None, result=None,
            at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), about=about,
        )  # fmt: skip
        lock = FileLock(self._folder / f"{job.id}.lock", thread_local=False)
        lock.acquire(0)
        running = _Running(self._folder, job, self.stopped)
        running.write()
        thread = threading.Thread(target=self._do, args=(running, lock, work), name="lookalike-serve-task", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()
        return job

    def find(self, id_: str) -> Job | None:
        """The job with this id; one whose process has ended is interrupted."""
        job = self._read(id_)
        if job is None or job.is_over:
            return job
        lock = FileLock(self._folder / f"{id_}.lock", thread_local=False)
        try:
            lock.acquire(0)
        except Timeout:
            return job
        try:
            job = self._read(id_)  # it may just have ended by itself
            if job is not None and not job.is_over:
                job = replace(job, state="interrupted")
                _write(self._folder, job)
            return job
        finally:
            lock.release()

    def all(self) -> list[Job]:
        """All jobs that are remembered, newest first."""
        found = (self.find(path.stem) for path in sorted(self._folder.glob("*.json"), reverse=True))
        return [job for job in found if job is not None]

    def last_about(self, about: str) -> Job | None:
        """The newest job about a plan."""
        return next((job for job in self.all() if job.about == about), None)

    def order(self, id_: str, order: str) -> None:
        """Pause, resume or stop a job."""
        atomic.write(self._folder / f"{id_}.order", order.encode(), durable=False)

    def stop(self) -> None:
        """Stop this process's jobs at their next report; they are interrupted."""
        self.stopped.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _do(self, running: _Running, lock: FileLock, work: Work) -> None:
        turn = FileLock(self._folder / TURN, thread_local=False)
        try:
            while not turn.is_locked:
                running.obey()
                with contextlib.suppress(Timeout):
                    turn.acquire(EVERY)
            running.update(state="running")
            with self._open() as database:
                result = work(database, running.report)
            running.update(state="done", result=result)
        except (KeyboardInterrupt, Interrupted):
            running.update(state="interrupted" if self.stopped.is_set() else "stopped")
        except (LookalikeError, OSError) as error:
            running.update(state="failed", error=str(error))
        except Exception as error:
            running.update(state="failed", error="internal error; the server's log has the details")
            raise error
        finally:
            turn.release()
            lock.release()

    def _read(self, id_: str) -> Job | None:
        try:
            return Job(**json.loads((self._folder / f"{id_}.json").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _forget(self) -> None:
        """Forget the oldest jobs that are over."""
        for path in sorted(self._folder.glob("*.json"))[: 1 - KEPT]:
            job = self.find(path.stem)
            if job is None or job.is_over:
                for ending in (".json", ".order", ".lock"):
                    path.with_suffix(ending).unlink(missing_ok=True)


class _Running:
    """A job that this process runs."""

    def __init__(self, folder: Path, job: Job, stopped: threading.Event) -> None:
        self._folder, self._job, self._stopped = folder, job, stopped
        self._written = self._looked = 0.0

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Record progress, and obey orders: wait while paused, raise `KeyboardInterrupt` to stop, like Ctrl-C."""
        self._job = replace(self._job, stage=stage, done=done, total=total)
        if time.monotonic() - self._looked > EVERY:
            self.write()
            self.obey()
            self._looked = time.monotonic()

    def obey(self) -> None:
        """Wait while paused; raise `KeyboardInterrupt` to stop."""
        before = self._job.state
        while (order := self._order()) == PAUSE and not self._stopped.is_set():
            if self._job.state != "paused":
                self.update(state="paused")
            self._stopped.wait(EVERY)
        if order == STOP or self._stopped.is_set():
            raise KeyboardInterrupt
        if self._job.state != before:
            self.update(state=before)

    def update(self, **changes: Any) -> None:
        """Record a change."""
        self._job = replace(self._job, **changes)
        self.write()

    def write(self) -> None:
        """Write the job's file."""
        _write(self._folder, self._job)

    def _order(self) -> str:
        try:
            return (self._folder / f"{self._job.id}.order").read_text()
        except OSError:
            return ""


def new_id() -> str:
    """A new id, later than those before: the time (UTC) to microseconds, and a random digit."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond:05x}{secrets.choice('0123456789abcdef')}"


def is_id(text: str) -> bool:
    """Whether a text has the form of an id."""
    return re.fullmatch(ID, text) is not None


def _write(folder: Path, job: Job) -> None:
    atomic.write(folder / f"{job.id}.json", json.dumps(asdict(job)).encode(), durable=False)
