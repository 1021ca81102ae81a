"""Work that takes longer than a request may: done in the background, once for each state of the database, and kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lookalike.core.errors import Interrupted
from lookalike.opening import AnyDatabase

Report = Callable[[int, int], object]  # told how much is done, of how much
Work = Callable[[AnyDatabase, Report], Any]
KEPT = 8  # results
PATIENCE = 2.0  # seconds to wait for work to end


@dataclass(frozen=True, slots=True)
class Done:
    """A result, and whether the codes have changed since."""

    value: Any
    revision: int
    fresh: bool


@dataclass(slots=True)
class Running:
    """Work in progress."""

    revision: int
    done: int = 0
    total: int = 0
    error: Exception | None = None


class Jobs:
    """One piece of work after the other, each with a database of its own."""

    def __init__(self, open_database: Callable[[], AnyDatabase]) -> None:
        self._open = open_database
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._threads: list[threading.Thread] = []
        self._done: dict[Any, tuple[int, Any]] = {}
        self._running: dict[Any, Running] = {}
        self._stopped = False

    def ask(self, key: Any, revision: int, work: Work) -> Done | Running:
        """The result of the work named `key`, an older one if it must be done anew, or how far it has come.

        An error is raised to whoever asks next; after that the work begins anew.
        """
        with self._lock:
            running = self._running.get(key)
            if running is not None and running.error is not None:
                del self._running[key]
                raise running.error
            held = self._done.get(key)
            if held is not None and held[0] == revision:
                return Done(held[1], held[0], True)
            if running is None:
                running = self._running[key] = Running(revision)
                self._start(key, running, work)
            return Done(held[1], held[0], False) if held is not None else running

    def stop(self) -> None:
        """Let work in progress end at its next report; what does not report for long ends with the process."""
        self._stopped = True
        for thread in self._threads:
            thread.join(PATIENCE)

    def _start(self, key: Any, running: Running, work: Work) -> None:
        thread = threading.Thread(target=self._do, args=(key, running, work), name="lookalike-serve-job", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def _do(self, key: Any, running: Running, work: Work) -> None:
        def report(done: int, total: int) -> None:
            running.done, running.total = done, total
            if self._stopped:
                raise Interrupted("the server is stopping")

        try:
            with self._turn, self._open() as database:
                report(0, 0)
                revision = database.revision
                value = work(database, report)
        except Exception as error:
            running.error = error
            return
        with self._lock:
            self._done.pop(key, None)
            self._done[key] = (revision, value)
            for old in list(self._done)[:-KEPT]:
                del self._done[old]
            del self._running[key]
