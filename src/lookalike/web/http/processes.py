"""Several processes that answer at one address: a process of Python searches for one request at a time.

Each is a whole server over the same database, and the operating system gives every connection to one of them. What is
worked out in the background one of them does for all (`forwarding`). The first process answers nothing and looks after
the others: one that ends by itself is started anew, and all end with it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

from lookalike.core.errors import ConfigError, LookalikeError
from lookalike.opening import open_database
from lookalike.web.http import serving
from lookalike.web.http.app import create_app
from lookalike.web.http.forwarding import Forward
from lookalike.web.http.metrics import SHARED
from lookalike.web.http.settings import Settings

STARTING = 120.0  # seconds that a process may take until it answers
ENDING = 5.0  # seconds that it may take to end, after requests have had theirs
LOOK = 0.5  # seconds between two looks at whether to stop
SIGNALS = (signal.SIGINT, signal.SIGTERM)
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
    folder: str  # of this server alone

    @property
    def place(self) -> str:
        """The socket of the process that works in the background."""
        return os.path.join(self.folder, "background")


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
    only = _only(settings.host, port)
    kept = serving.bind(settings.host, port, shared=True, listen=False)
    with only, kept, _folder() as folder, _told() as stop:
        where = Served(db=db, settings=settings, host=settings.host, port=port, folder=folder)
        children = Children(where, count, stop)
        try:
            if children.start():
                on_ready(serving.url(kept, settings.host, token=settings.token))
            children.look_after()
        finally:
            children.end()


class Children:
    """The processes that answer."""

    def __init__(self, where: Served, count: int, stop: threading.Event) -> None:
        self._where, self._stop = where, stop
        self._all: list[SpawnProcess | None] = [None] * count  # the first works in the background for all
        self._waiting: list[Connection] = []  # by which those that have begun say that they answer, or why not

    def start(self) -> bool:
        """Start all; whether all of them answer before it is time to stop. Raises `ConfigError` with what one says."""
        for number in range(len(self._all)):
            self._begin(number)
        until = time.monotonic() + STARTING
        while self._waiting and not self._stop.is_set():
            for why in self._heard(LOOK):
                if self._stop.wait(LOOK):  # all are told at the same time
                    return False
                raise ConfigError(f"a process of the server did not start: {why}")
            if time.monotonic() > until:
                raise ConfigError(f"a process of the server did not start within {STARTING:g} seconds")
        return not self._waiting

    def look_after(self) -> None:
        """Start a process in place of each that ends, until it is time to stop."""
        while not self._stop.is_set():
            wait([one.sentinel for one in self._all if one is not None], LOOK)
            for number, one in enumerate(self._all):
                if one is not None and one.is_alive():
                    continue
                if self._stop.wait(PAUSE):
                    return
                if one is not None:
                    _log.error("a process of the server ended (%s); another takes its place", _end_of(one))
                    self._all[number] = None
                try:
                    self._begin(number)
                except OSError as error:  # no memory or no process left: it may pass
                    _log.error("no process can be started (%s)", error.strerror)
            for why in self._heard(0):
                _log.error("it did not start: %s", why)

    def end(self) -> None:
        """Tell all to end, and wait for it."""
        begun = [one for one in self._all if one is not None]
        for one in begun:
            if one.is_alive():
                one.terminate()
        until = time.monotonic() + serving.GRACE + ENDING
        for one in begun:
            one.join(max(0, until - time.monotonic()))
            if one.is_alive():
                one.kill()
                one.join()

    def _heard(self, seconds: float) -> list[str]:
        """Wait so long for those that have begun to answer; why some cannot."""
        said = []
        for ready in wait(self._waiting, seconds):
            assert isinstance(ready, Connection)
            self._waiting.remove(ready)
            said.append(_received(ready))
        return [why for why in said if why]

    def _begin(self, number: int) -> None:
        """Start a process in a place."""
        ready, says = _spawn.Pipe(duplex=False)
        process = _spawn.Process(target=_serve, args=(self._where, number == 0, says), name="lookalike-serve")
        try:
            with says, _deaf():
                process.start()
        except OSError:
            ready.close()
            raise
        self._all[number] = process
        self._waiting.append(ready)


def _serve(where: Served, in_background: bool, ready: Connection) -> None:
    """What one process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the server takes both signals; the first process decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, args=(where.folder,), daemon=True).start()
    try:
        sockets = [serving.bind(where.host, where.port, shared=True)]
        if in_background:
            sockets.append(_background(where.place))
        with open_database(where.db) as database:
            app = create_app(database, where.settings, reopen=lambda: open_database(where.db))
            if not in_background:
                app.add_middleware(Forward, place=where.place)
            serving.run(app, *sockets, on_ready=lambda: ready.send(""))
    except LookalikeError as error:
        ready.send(str(error))
        raise SystemExit(1) from None


def _background(place: str) -> socket.socket:
    """The socket by which others pass requests on."""
    Path(place).unlink(missing_ok=True)  # of the process in whose place this one is
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(place)
    except OSError as error:
        raise ConfigError(f"{place} cannot be listened on ({error}); set TMPDIR to a shorter folder") from error
    listening.listen(serving.BACKLOG)
    return listening


def _only(host: str, port: int) -> socket.socket:
    """What one such server has at an address: until its processes listen there, nothing else tells that it is taken."""
    kept = socket.socket(socket.AF_UNIX)
    try:
        kept.bind(f"\0lookalike serve {host} {port}")  # a name without a file, which ends with the process
    except OSError:
        kept.close()
        raise ConfigError(serving.taken(port)) from None
    return kept


def _end_with_parent(folder: str) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutil.rmtree(folder, ignore_errors=True)  # it was killed, or it would have done that
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
def _folder() -> Iterator[str]:
    """A folder for what the processes share: what Prometheus is told, so that any of them tells it for all."""
    with tempfile.TemporaryDirectory(prefix="lookalike-serve-", ignore_cleanup_errors=True) as folder:
        figures = Path(folder) / "figures"
        figures.mkdir()
        os.environ[SHARED] = os.fspath(figures)
        try:
            yield folder
        finally:
            del os.environ[SHARED]


@contextmanager
def _deaf() -> Iterator[None]:
    """A process that is started here hears none of the signals until it takes them; Ctrl-C is sent to all at once."""
    resource_tracker.ensure_running()  # which would let them through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _told() -> Iterator[threading.Event]:
    """What is set by SIGINT and SIGTERM."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
