"""Serving the application with uvicorn, in one process or several, until SIGINT or SIGTERM."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from lookalike.core.errors import ConfigError
from lookalike.web.http.app import load
from lookalike.web.http.metrics import SHARED
from lookalike.web.http.security import is_loopback
from lookalike.web.http.settings import Settings
from lookalike.web.http.timeouts import ConnectionTimeouts

BACKLOG = 1024
GRACE = 5  # seconds for requests to finish
KEEP_ALIVE = 30  # seconds
STARTING = 120  # seconds for a worker to answer its supervisor


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Raises `ConfigError` if the address is unavailable."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ConfigError(f"host is {host!r}, which is not an address of this machine; try 127.0.0.1") from None
    family, kind, protocol, _, address = addresses[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(_reason(error, host, port)) from None
    return listening


def url(listening: socket.socket, host: str, *, token: str = "") -> str:
    """The address to open in a browser, with the token if there is one."""
    name = host if is_loopback(host) else socket.gethostname() if host in ("0.0.0.0", "::", "") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{listening.getsockname()[1]}/" + (f"?token={quote(token)}" if token else "")


def run(db: str, settings: Settings, listening: socket.socket, *, processes: int = 1) -> None:
    """Serve a database until SIGINT or SIGTERM, let requests finish, and return."""
    config = configure(partial(load, db, settings), settings, workers=processes)
    if processes == 1:
        Server(config).run(sockets=[listening])
        return
    with tempfile.TemporaryDirectory(prefix="lookalike-serve-", ignore_cleanup_errors=True) as figures:
        os.environ[SHARED] = figures
        try:
            _supervise(Multiprocess(config, sockets=[listening]))
        finally:
            del os.environ[SHARED]


def configure(make: Callable[[], FastAPI], settings: Settings, **more: Any) -> uvicorn.Config:
    """The uvicorn configuration for an application, which each process creates for itself."""
    return uvicorn.Config(
        make, factory=True, log_level="warning", access_log=False, lifespan="on", server_header=False,
        proxy_headers=False, ws="none", timeout_graceful_shutdown=GRACE, timeout_keep_alive=KEEP_ALIVE,
        timeout_worker_healthcheck=STARTING,
        http=partial(ConnectionTimeouts, settings=settings),  # type: ignore[arg-type]
        **more,
    )  # fmt: skip


class Server(uvicorn.Server):
    """A server that exits without raising the signal again, even if it is sent twice."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True


def _supervise(supervisor: Multiprocess) -> None:
    """Run worker processes. Raises `ConfigError` if one cannot start."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt  # the supervisor may be waiting for a starting worker

    stops = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in stops}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            supervisor.run()
    finally:
        for number in stops:
            signal.signal(number, signal.SIG_IGN)
        supervisor.terminate_all()
        supervisor.join_all()
        for number, handler in before.items():
            signal.signal(number, handler)
    if any(one.exitcode == STARTUP_FAILURE for one in supervisor.processes):
        raise ConfigError("the server did not start; the reason is given above")


def _reason(error: Exception, host: str, port: int) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return f"port {port} is in use; stop the program that uses it, or choose another: --port 0 finds a free one"
    if number == errno.EACCES:
        return f"port {port} needs administrator rights; choose one from 1024 on, or --port 0"
    if number == errno.EADDRNOTAVAIL:
        return f"host is {host!r}, which is not an address of this machine; try 127.0.0.1"
    return f"cannot listen on {host} port {port} ({getattr(error, 'strerror', None) or error})"
