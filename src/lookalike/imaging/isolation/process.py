"""Starting and ending worker processes, and interpreting their exit status.

On Linux, one process imports what decoding needs and forks the workers. It never sees an image itself, so every worker
starts clean.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from lookalike.core.errors import ImageError, RetryableImageError
from lookalike.imaging.isolation import protocol

STARTING = 30.0  # seconds
ATTEMPTS = 3  # to start one, before giving up
PAUSE = 1.0  # seconds between attempts when memory or processes are short
PROGRAM = "lookalike.imaging.isolation.worker"
CAN_FORK = sys.platform == "linux"  # on macOS, libraries may break in a forked process
_FROM_OUTSIDE = [
    getattr(signal, name) for name in ("SIGKILL", "SIGTERM", "SIGXCPU", "SIGHUP") if hasattr(signal, name)
]  # signals that say nothing about the file


class ForkServer:
    """The process that forks workers; the thread that creates it must outlive it."""

    def __init__(self, memory: int) -> None:
        self._control, theirs = socket.socketpair()
        self._control.settimeout(STARTING)
        self._lock = threading.Lock()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    _command(memory, "fork"), stdin=theirs.fileno(), stdout=subprocess.DEVNULL, **_options()
                )
        except BaseException:
            self._control.close()
            raise

    def start(self) -> Process:
        """A new worker. Raises `OSError` if none can be started now, `EOFError` if the server has ended."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                pid = self._order(0, theirs)
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
        except BaseException:
            ours.close()
            raise
        return _Forked(self, pid, ours)

    def end(self, pid: int) -> int:
        """Kill a worker; returns its exit status."""
        try:
            return self._order(pid)
        except EOFError:  # its workers have ended with it
            return -signal.SIGKILL

    def close(self) -> None:
        """End the server and its workers."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    def _order(self, order: int, file: socket.socket | None = None) -> int:
        """The answer to an order: 0 to fork, with the worker's end of a socket, or the pid of a worker to end."""
        with self._lock:
            try:
                socket.send_fds(self._control, [protocol.NUMBER.pack(order)], [file.fileno()] if file else [])
                answer = self._control.recv(protocol.NUMBER.size)
            except OSError as error:  # a late answer would be taken for the answer to the next order
                self.close()
                raise EOFError(str(error)) from error
        if not answer:
            raise EOFError(_ended(self._process.wait()))
        return int(protocol.NUMBER.unpack(answer)[0])


class _Forked:
    """A worker forked from a server."""

    def __init__(self, server: ForkServer, pid: int, connection: socket.socket) -> None:
        self.pid, self._server, self._connection = pid, server, connection
        self.requests: IO[bytes] = connection.makefile("wb")
        self.answers: IO[bytes] = connection.makefile("rb")
        self._ending = threading.Lock()
        self._status: int | None = None

    def is_alive(self) -> bool:
        """Whether it accepts requests."""
        try:
            return self._status is None and self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except OSError as error:
            return isinstance(error, BlockingIOError)

    def end(self) -> int:
        """Kill it and wait; returns its exit status."""
        with self._ending:  # only once: the pid may be reused afterwards
            if self._status is None:
                self._status = self._server.end(self.pid)
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)  # so that nobody waits for an answer
                _close(self.requests, self.answers, self._connection)
            return self._status


class Spawned:
    """A worker started as a process of its own, which takes longer."""

    def __init__(self, memory: int) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(_command(memory, "single"), stdin=pipe, stdout=pipe, bufsize=-1, **_options())
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.pid, self.requests, self.answers = self._process.pid, self._process.stdin, self._process.stdout
        if protocol.read(self.answers) is None:
            raise EOFError(_ended(self.end()))

    def is_alive(self) -> bool:
        """Whether it accepts requests."""
        return self._process.poll() is None

    def end(self) -> int:
        """Kill it and wait; returns its exit status."""
        self._process.kill()
        status = self._process.wait()
        _close(self.requests, self.answers)
        return status


Process = _Forked | Spawned


def _ended(status: int) -> str:
    return f"the last one ended with status {status}"


def _close(*streams: IO[bytes] | socket.socket) -> None:
    for stream in streams:
        with suppress(OSError):  # data that could not be sent
            stream.close()


def _command(memory: int, mode: str) -> list[str]:
    """The command line of a worker that may use `memory` bytes, or of the server that forks such workers."""
    return [sys.executable, "-P", "-m", PROGRAM, str(memory), str(os.getpid()), mode]


def _options() -> dict[str, Any]:
    """Options of `subprocess` that shield a worker from Ctrl-C and limit its libraries to one thread."""
    here = str(Path(__file__).resolve().parents[3])  # where this package is, if it is not installed
    paths = [path for path in (os.environ.get("PYTHONPATH"), here) if path]
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {
        **apart,
        "stderr": subprocess.DEVNULL,
        "env": {**os.environ, **single, "PYTHONPATH": os.pathsep.join(paths)},
    }


def crashed(status: int) -> ImageError:
    """The error for an image over which a worker died."""
    if -status in _FROM_OUTSIDE:
        return RetryableImageError(f"the decoder was ended while it worked on it ({signal.Signals(-status).name})")
    return ImageError("the decoder crashed over it; the file is damaged, or made to do that")
