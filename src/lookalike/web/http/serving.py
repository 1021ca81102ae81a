"""Running the application until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from types import FrameType
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI

from lookalike.core.errors import ConfigError
from lookalike.web.http import connections, redaction
from lookalike.web.http.security import cookie_value, is_loopback

BACKLOG = 1024
GRACE = 5  # seconds that requests have to end
KEEP_ALIVE = 30  # seconds


def bind(host: str, port: int, *, shared: bool = False, listen: bool = True) -> socket.socket:
    """A socket that listens; port 0 means a free one. Raises `ConfigError` if the address cannot be had.

    A `shared` address is for several processes (`processes`); without `listen` it is only kept for them.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise ConfigError(f"host is {host!r}, which is no address of this machine; try 127.0.0.1") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(address)
        if listen:
            listening.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listening.close()
        raise ConfigError(_why(error, host, port)) from None
    return listening


def taken(port: int) -> str:
    """What is said of a port that another server has."""
    return f"port {port} is in use; stop what uses it, or take another: --port 0 finds a free one"


def url(listening: socket.socket, host: str, *, token: str = "") -> str:
    """The address to open, with the token if there is one."""
    name = host if is_loopback(host) else socket.gethostname() if host in ("0.0.0.0", "::", "") else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{listening.getsockname()[1]}/" + (f"?token={quote(token)}" if token else "")


def run(app: FastAPI, *listening: socket.socket, on_ready: Callable[[], object] = lambda: None) -> None:
    """Serve until SIGINT or SIGTERM, then let requests end, and return."""
    server = Running(app, on_ready)
    with contextlib.ExitStack() as stack:
        server.run(sockets=[stack.enter_context(one) for one in listening])
    if not server.started and not server.was_told:
        raise ConfigError("the server did not start; what is written above says why")


class Running(uvicorn.Server):
    """A server that says when it is ready, and stops when it is told to, or `should_exit` is set."""

    def __init__(self, app: FastAPI, on_ready: Callable[[], object]) -> None:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="on", server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=GRACE, timeout_keep_alive=KEEP_ALIVE, ws="none",
            http=connections.protocol(app.state.server.settings),
        )  # fmt: skip
        super().__init__(config)
        token = app.state.server.settings.token
        if token:
            redaction.redact(redaction.forms(token, cookie_value(token)))
        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of each body that is no form
        self._on_ready = on_ready
        self.was_told = False  # to stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; who presses Ctrl-C twice is in no more of a hurry than `GRACE`."""
        self.should_exit = self.was_told = True
        if not self.started:  # what Ctrl-C has cut off in the middle of starting is no error
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(connections.Damped())
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()


def _why(error: Exception, host: str, port: int) -> str:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return taken(port)
    if number == errno.EACCES:
        return f"port {port} needs the rights of an administrator; take one from 1024 on, or --port 0"
    if number == errno.EADDRNOTAVAIL:
        return f"host is {host!r}, which is no address of this machine; try 127.0.0.1"
    return f"{host} port {port} cannot be listened on ({getattr(error, 'strerror', None) or error})"
