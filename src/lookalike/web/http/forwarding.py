"""Requests that one of several processes answers for all: what is worked out in the background, and decided.

Duplicates, maps and what bits react to take long to work out and are kept by the process that did it, so all such
requests go to the same one: over a socket in a folder that nobody else can enter. What is asked is passed on as it
came, and so is the answer; the limits and permissions are those of the process that answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike.web.http import problems

KEPT = ("/api/duplicates", "/api/decisions", "/api/map", "/api/model")
OWN = frozenset({b"connection", b"keep-alive", b"expect", b"upgrade", b"proxy-connection"})  # of one connection
MADE_ANEW = OWN | {b"transfer-encoding", b"date"}  # by the server that answers the asker
PIECE = 1 << 16  # bytes


class Forward:
    """An application whose background work is done by another process, which listens on a socket in the file system."""

    def __init__(self, app: ASGIApp, place: str | os.PathLike[str]) -> None:
        self._app, self._place = app, os.fspath(place)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_kept(scope["path"]):
            await self._app(scope, receive, send)
            return
        passing = _Passing(send)
        try:
            reader, writer = await asyncio.open_unix_connection(self._place)
        except OSError:
            await _refuse(scope, receive, send)
            return
        try:
            await passing.pass_on(scope, receive, reader, writer)
        except (OSError, EOFError, h11.RemoteProtocolError):
            if passing.has_begun:
                raise  # the asker sees that the rest is missing
            await _refuse(scope, receive, send)
        finally:
            writer.close()


def is_kept(path: str) -> bool:
    """Whether one process answers this for all."""
    return any(path == kept or path.startswith(f"{kept}/") for kept in KEPT)


class _Passing:
    """A request on its way there, and the answer on its way back."""

    def __init__(self, send: Send) -> None:
        self._send, self._connection = send, h11.Connection(h11.CLIENT)
        self.has_begun = False  # whether some of the answer has gone out

    async def pass_on(
        self, scope: Scope, receive: Receive, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        query = scope["query_string"]
        headers = [(name, value) for name, value in scope["headers"] if name not in OWN]
        writer.write(
            self._sent(
                h11.Request(
                    method=scope["method"],
                    target=scope["raw_path"] + (b"?" + query if query else b""),
                    headers=[*headers, (b"connection", b"close")],
                )
            )
        )
        asking = asyncio.create_task(self._ask(receive, writer))
        answering = asyncio.create_task(self._answer(reader))
        asking.add_done_callback(lambda task: answering.cancel() if _failed(task) else None)  # the asker has gone
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await answering
        finally:
            asking.cancel()
            await asyncio.gather(asking, answering, return_exceptions=True)

    async def _ask(self, receive: Receive, writer: asyncio.StreamWriter) -> None:
        """Pass the body on, and wait for the asker to go."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ConnectionAbortedError
            with contextlib.suppress(OSError):  # what it will not read, it has answered already
                writer.write(self._sent(h11.Data(data=message.get("body", b""))))
                await writer.drain()
            more = message.get("more_body", False)
        with contextlib.suppress(OSError):
            writer.write(self._sent(h11.EndOfMessage()))
            await writer.drain()
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ConnectionAbortedError

    async def _answer(self, reader: asyncio.StreamReader) -> None:
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await reader.read(PIECE))
            elif isinstance(event, h11.Response):
                headers = [(name, value) for name, value in event.headers if name not in MADE_ANEW]
                await self._out({"type": "http.response.start", "status": event.status_code, "headers": headers})
            elif isinstance(event, h11.Data):
                await self._out({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.EndOfMessage):
                await self._out({"type": "http.response.body", "body": b""})
                return
            elif isinstance(event, h11.ConnectionClosed):
                raise EOFError

    async def _out(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)

    def _sent(self, event: Any) -> bytes:
        return self._connection.send(event) or b""


def _failed(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is not None


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """The process that would answer is being started anew."""
    answer = problems.response(
        503, "this part of the server is being started anew; ask again", headers={"Retry-After": "2"}
    )
    await answer(scope, receive, send)
