"""Several processes that answer at one address: a process of Python searches for one request at a time.

Each is a whole server over the same database, and the operating system gives every connection to one of them. The
first process answers nothing and looks after the others: one that ends by itself is started anew, and all end with it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from lookalike.database.opening import open_database
from lookalike.errors import ConfigError, LookalikeError
from lookalike.web import serving
from lookalike.web.app import create_app
from lookalike.web.metrics import SHARED
from lookalike.web.settings import Settings

STARTING = 120.0  # seconds that a process may take until it answers
ENDING = 5.0  # seconds that it may take to end, after requests have had theirs
LOOK = 0.5  # seconds between two looks at whether to stop
PAUSE = 1.0  # seconds before a process is started in place of one that ended
_log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class Served:
    """What each of the processes serves, and where."""

    db: str
    settings: Settings
    host: str
    port: int


def check(count: int) -> None:
    """Raises `ConfigError` where connections are not given to several processes."""
    if sys.platform != "linux":
        raise ConfigError(
            f"processes is {count}; only Linux gives connections to several. Leave --processes out, or serve on more "
            "ports behind a proxy"
        )


def run(db: str, settings: Settings, *, port: int, count: int, on_ready: Callable[[str], object]) -> None:
    """Let `count` processes serve until SIGINT or SIGTERM; `on_ready` gets the address once all of them answer."""
    check(count)
    with serving.bind(settings.host, port) as alone:  # nobody else listens there
        port = alone.getsockname()[1]
    where = Served(db=db, settings=settings, host=settings.host, port=port)
    with serving.bind(settings.host, port, shared=True, listen=False) as kept, _figures(), _told() as stop:
        children = Children(where, count)
        try:
            if children.start(stop):
                on_ready(serving.url(kept, settings.host, token=settings.token))
            children.look_after(stop)
        finally:
            children.end()


class Children:
    """The processes that answer."""

    def __init__(self, where: Served, count: int) -> None:
        self._where, self._count = where, count
        self._all: list[SpawnProcess] = []

    def start(self, stop: threading.Event) -> bool:
        """Start all; whether all of them answer before it is time to stop. Raises `ConfigError` with what one says."""
        waiting = [self._begin() for _ in range(self._count)]
        until = time.monotonic() + STARTING
        while waiting and not stop.is_set():
            for ready in wait(waiting, LOOK):
                assert isinstance(ready, Connection)
                why = _received(ready)
                if why:
                    raise ConfigError(f"a process of the server did not start: {why}")
                waiting.remove(ready)
            if time.monotonic() > until:
                raise ConfigError(f"a process of the server did not start within {STARTING:g} seconds")
        return not waiting

    def look_after(self, stop: threading.Event) -> None:
        """Start a process in place of each that ends, until it is time to stop."""
        while not stop.is_set():
            wait([one.sentinel for one in self._all], LOOK)
            for one in [one for one in self._all if not one.is_alive()]:
                if stop.wait(PAUSE):
                    return
                _log.error("a process of the server ended (%s); another takes its place", _end_of(one))
                self._all.remove(one)
                self._begin()

    def end(self) -> None:
        """Tell all to end, and wait for it."""
        for one in self._all:
            if one.is_alive():
                one.terminate()
        until = time.monotonic() + serving.GRACE + ENDING
        for one in self._all:
            one.join(max(0, until - time.monotonic()))
            if one.is_alive():
                one.kill()
                one.join()

    def _begin(self) -> Connection:
        """Start a process; what it says when it answers, or cannot."""
        ready, says = _spawn.Pipe(duplex=False)
        process = _spawn.Process(target=_serve, args=(self._where, says), name="lookalike-serve")
        process.start()
        says.close()
        self._all.append(process)
        return ready


def _serve(where: Served, ready: Connection) -> None:
    """What one process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the server takes both signals; the first process decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        listening = serving.bind(where.host, where.port, shared=True)
        with listening, open_database(where.db) as database:
            app = create_app(database, where.settings, reopen=lambda: open_database(where.db))
            serving.run(app, listening, on_ready=lambda: ready.send(""))
    except LookalikeError as error:
        ready.send(str(error))
        raise SystemExit(1) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _received(ready: Connection) -> str:
    """Nothing if a process answers, or why it does not."""
    with ready:
        try:
            return str(ready.recv())
        except EOFError:
            return "it ended without a word"


def _end_of(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    return f"by signal {-code}" if code < 0 else f"exit status {code}"


@contextmanager
def _figures() -> Iterator[None]:
    """A folder in which the processes keep what Prometheus is told, so that any of them tells it for all."""
    with tempfile.TemporaryDirectory(prefix="lookalike-figures-") as folder:
        os.environ[SHARED] = folder
        try:
            yield
        finally:
            del os.environ[SHARED]


@contextmanager
def _told() -> Iterator[threading.Event]:
    """What is set by SIGINT and SIGTERM."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
