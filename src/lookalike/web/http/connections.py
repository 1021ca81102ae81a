"""Connections that do not stay open for nothing: uvicorn waits for a request's headers as long as it takes."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from lookalike.web.http.settings import Settings

if TYPE_CHECKING:
    from asyncio import Protocol
else:
    Protocol = object  # what uvicorn's classes are comes after this one

EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
PAUSE = 60.0  # seconds between two lines that say that there are too many files
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 2\r\nConnection: close\r\n\r\n"
_log = logging.getLogger(__name__)


class Patient(Protocol):
    """What is added to a class of uvicorn's: a time for headers to come, and for answers to be taken; a most of both.

    The time for headers runs from the start of a connection, and from the first byte of each further request.
    """

    settings: Settings
    loop: asyncio.AbstractEventLoop
    transport: Any
    connections: set[Any]
    cycle: Any  # the last request and its answer, once its headers are there
    _coming: asyncio.TimerHandle | None = None
    _going: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.settings.connections:
            transport.write(FULL)
            transport.close()
        else:
            self._coming = self.loop.call_later(self.settings.header_seconds, self.transport.close)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._coming = _ended(self._coming)
        elif self._coming is None and not self.transport.is_closing():
            self._coming = self.loop.call_later(self.settings.header_seconds, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._going = self.loop.call_later(self.settings.body_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._going = _ended(self._going)

    def connection_lost(self, exc: Exception | None) -> None:
        self._coming, self._going = _ended(self._coming), _ended(self._going)
        super().connection_lost(exc)


def protocol(settings: Settings, base: type[asyncio.Protocol] = AutoHTTPProtocol) -> type[asyncio.Protocol]:
    """uvicorn's class for connections, the faster one if httptools is there, with patience that ends."""
    return type("Connection", (Patient, base), {"settings": settings})


class Damped:
    """Handles what goes wrong in an event loop: that there are no more files is said once in a while, in one line."""

    def __init__(self) -> None:
        self._said = -PAUSE

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in EXHAUSTED:
            loop.default_exception_handler(context)
        elif time.monotonic() - self._said >= PAUSE:
            self._said = time.monotonic()
            _log.error("no connection can be taken (%s); allow more files with: ulimit -n", error.strerror)


def _ended(timer: asyncio.TimerHandle | None) -> asyncio.TimerHandle | None:
    """No timer, after one that is not to go off."""
    if timer is not None:
        timer.cancel()
    return None
