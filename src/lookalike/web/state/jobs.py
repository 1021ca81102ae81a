"""Background jobs, for work that takes longer than a request; run once for each revision of the database.

Results are stored in the database's folder, so that a server's worker processes share them and the next server finds
them. They are derived: an unreadable or stale one is computed again. A lock lets one process work at a time. If the
folder is read-only, each process keeps its own results.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from lookalike import __version__
from lookalike.core import atomic
from lookalike.core.cache_dir import cache_dir
from lookalike.core.errors import Interrupted
from lookalike.database import Database

Report = Callable[[int, int], object]  # called with the units done, and the total
FOLDER = "background"
LOCK, PROGRESS = "lock", "progress.json"
KEPT = 8  # results in memory
PATIENCE = 2.0  # seconds to wait for a job to stop
EVERY = 0.5  # seconds between two writes of the progress, or two attempts to lock


class Job(NamedTuple):
    """A job, and the format of its result; `load` raises `ValueError` or `KeyError` for invalid bytes."""

    name: str  # of its file
    run: Callable[[Database, Report], Any]
    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Done:
    """A result, and whether it belongs to the current revision."""

    value: Any
    revision: int
    fresh: bool


@dataclass(slots=True)
class Running:
    """Work in progress."""

    done: int = 0
    total: int = 0
    error: Exception | None = None


class _Stored(NamedTuple):
    stamp: tuple[int, int, int] | None  # of its file; None: not in a file
    revision: int
    value: Any


class Jobs:
    """The background jobs of one process, run one after another, each with its own open database."""

    def __init__(self, open_database: Callable[[], Database], folder: Path) -> None:
        self._open, self._folder = open_database, folder
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._stored: dict[str, _Stored] = {}
        self._running: dict[str, Running] = {}
        self._stopped = False

    def ask(self, job: Job, revision: int) -> Done | Running:
        """A job's result, possibly stale while it is recomputed, or its progress; thread-safe.

        An error is raised once; the next call starts the job again.
        """
        with self._lock:
            running = self._running.get(job.name)
            if running is not None and running.error is not None:
                del self._running[job.name]
                raise running.error
            stored = self._read(job)
            if stored is not None and stored.revision == revision:
                return Done(stored.value, revision, True)
            if running is None:
                running = self._running[job.name] = Running()
                self._start(job, running)
        return running if stored is None else Done(stored.value, stored.revision, False)

    def stop(self) -> None:
        """Stop the running job at its next report; one that does not report soon ends with the process."""
        self._stopped = True
        for thread in self._threads:
            thread.join(PATIENCE)

    def _start(self, job: Job, running: Running) -> None:
        thread = threading.Thread(target=self._do, args=(job, running), name="lookalike-serve-job", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _do(self, job: Job, running: Running) -> None:
        try:
            with self._turn, self._alone(running), self._open() as database:
                revision = database.revision
                with self._lock:
                    stored = self._read(job)
                if stored is None or stored.revision != revision:
                    value = job.run(database, self._reporter(running))
                    with self._lock:
                        self._write(job, revision, value)
        except Exception as error:
            running.error = error
            return
        with self._lock:
            del self._running[job.name]

    @contextmanager
    def _alone(self, running: Running) -> Iterator[None]:
        """Hold the lock shared by all processes; while waiting, show the other process's progress."""
        lock = FileLock(self._folder / LOCK)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
        while not lock.is_locked:
            self._check_stopped()
            try:
                lock.acquire(EVERY)
            except Timeout:
                with suppress(OSError, ValueError):
                    running.done, running.total = json.loads((self._folder / PROGRESS).read_bytes())
            except (OSError, NotImplementedError):  # locking is impossible there: this process works on its own
                break
        try:
            yield
        finally:
            lock.release()

    def _reporter(self, running: Running) -> Report:
        written = 0.0

        def report(done: int, total: int) -> None:
            nonlocal written
            running.done, running.total = done, total
            self._check_stopped()
            if time.monotonic() - written > EVERY:
                written = time.monotonic()
                with suppress(OSError):
                    atomic.write(self._folder / PROGRESS, json.dumps([done, total]).encode(), durable=False)

        report(0, 0)
        return report

    def _check_stopped(self) -> None:
        if self._stopped:
            raise Interrupted("the server is stopping")

    def _read(self, job: Job) -> _Stored | None:
        """The stored result, if any; read again if its file has changed."""
        path, known = self._folder / job.name, self._stored.get(job.name)
        try:
            about = path.stat()
            stamp = (about.st_ino, about.st_mtime_ns, about.st_size)
            if known is None or known.stamp != stamp:
                head, _, content = path.read_bytes().partition(b"\n")
                version, revision, digest = json.loads(head)
                if version != __version__ or digest != _digest(content):
                    return None
                known = self._stored[job.name] = _Stored(stamp, revision, job.load(content))
        except OSError:  # no file
            return known if known is not None and known.stamp is None else None
        except (ValueError, KeyError, TypeError):  # damaged
            return None
        return known

    def _write(self, job: Job, revision: int, value: Any) -> None:
        path = self._folder / job.name
        try:
            content = job.dump(value)
            head = json.dumps([__version__, revision, _digest(content)]).encode()
            atomic.write(path, head + b"\n" + content, durable=False)
            about = path.stat()
            stamp = (about.st_ino, about.st_mtime_ns, about.st_size)
            others = (one for one in self._folder.iterdir() if one.name not in (LOCK, PROGRESS))
            for old in sorted(others, key=lambda one: one.stat().st_mtime_ns)[:-KEPT]:
                old.unlink(missing_ok=True)
        except OSError:
            stamp = None
        self._stored.pop(job.name, None)
        self._stored[job.name] = _Stored(stamp, revision, value)
        for name in list(self._stored)[:-KEPT]:
            del self._stored[name]


def folder_of(path: str | Path) -> Path:
    """The folder for a database's results: its own, or a cache folder if it has none."""
    if Path(path).is_dir():
        return Path(path) / FOLDER
    return cache_dir() / FOLDER / hashlib.sha256(str(path).encode()).hexdigest()[:16]


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
