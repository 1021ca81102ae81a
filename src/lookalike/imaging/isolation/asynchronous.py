"""Workers for a server: asked from one event loop, replaced when they end.

The workers are started before they are needed. Bytes are passed on piece by piece, so that requests that wait hold no
images in memory.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import BinaryIO

from lookalike.core.errors import ImageError, LookalikeError, RetryableImageError
from lookalike.imaging.isolation import program, protocol
from lookalike.imaging.isolation.protocol import Head, Message

PIECE = 1 << 16  # bytes
PATIENCE = 20.0  # seconds that a request waits for its turn
WAITING = 256  # requests that wait at most


class Busy(LookalikeError):
    """Too many images are waiting to be decoded."""


class Worker:
    """One process and its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._in, self._out = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, memory: int) -> Worker:
        """A process that is ready."""
        started = cls(await asyncio.create_subprocess_exec(*program.command(memory), **program.options()))
        try:
            await asyncio.wait_for(started._receive(), program.STARTING)
        except BaseException:  # also if the server stops meanwhile
            await started.stop()
            raise
        return started

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def ask(self, head: Head, content: BinaryIO, length: int) -> Message:
        """The answer to one message."""
        self._in.write(protocol.packed(head, length))
        while piece := content.read(PIECE):
            self._in.write(piece)
            await self._in.drain()
        return await self._receive()

    async def _receive(self) -> Message:
        start = await self._out.readexactly(protocol.LENGTH.size)
        head = json.loads(await self._out.readexactly(protocol.LENGTH.unpack(start)[0]))
        return head, await self._out.readexactly(head["length"])

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()

    async def stop(self) -> None:
        """End the process."""
        self.kill()
        await self.process.wait()
        self._in.close()


class Workers:
    """A number of processes that are ready to decode."""

    def __init__(
        self, count: int, *, memory: int, seconds: float, on_death: Callable[[str], object] = lambda why: None
    ) -> None:
        self._count, self._memory, self._seconds, self._on_death = count, memory, seconds, on_death
        self._idle: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        self._all: set[Worker] = set()
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._waiting = 0

    async def start(self) -> None:
        """Start the processes, and wait until they are ready."""
        try:
            for one in await asyncio.gather(*(Worker.start(self._memory) for _ in range(self._count))):
                self._take_in(one)
        except (OSError, EOFError, TimeoutError) as error:
            raise program.not_started(type(error).__name__) from error

    async def stop(self) -> None:
        """End the processes."""
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, *self._ends, return_exceptions=True)
        await asyncio.gather(*(one.stop() for one in self._all))

    @property
    def alive(self) -> int:
        """How many processes are there."""
        return sum(one.is_alive for one in self._all)

    async def ask(self, head: Head, content: BinaryIO, length: int) -> Message:
        """The answer to a request about an image. Raises `ImageError` with the reason if there is none, or `Busy`."""
        async with self._worker() as chosen:
            about, answer = await self._asked(chosen, head, content, length)
        if "error" in about:
            raise (RetryableImageError if about.get("again") else ImageError)(str(about["error"]))
        return about, answer

    async def _asked(self, chosen: Worker, head: Head, content: BinaryIO, length: int) -> Message:
        limits = {"memory": self._memory, "seconds": self._seconds}
        try:
            about, answer = await asyncio.wait_for(chosen.ask({**head, **limits}, content, length), self._seconds)
        except TimeoutError:
            self._end(chosen, "time")
            raise program.too_slow(self._seconds) from None
        except (OSError, EOFError):  # its end of the pipe has gone
            self._end(chosen, "crash")
            raise program.crashed(None) from None
        except BaseException:  # an answer that nobody waits for would be taken for that of the next question
            self._end(chosen, "cancelled")
            raise
        if about.get("starved"):  # what a decoder left behind when memory ran out is better gone
            self._end(chosen, "memory")
        return about, answer

    @asynccontextmanager
    async def _worker(self) -> AsyncIterator[Worker]:
        """A process for one question; a live one goes back afterwards."""
        chosen = await self._take()
        try:
            yield chosen
        finally:
            if chosen in self._all:
                self._idle.put_nowait(chosen)

    async def _take(self) -> Worker:
        if self._waiting >= WAITING:
            raise Busy("too many images are waiting to be decoded")
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                while not (chosen := await self._idle.get()).is_alive:
                    self._end(chosen, "crash")
            return chosen
        except TimeoutError:
            raise Busy("too many images are waiting to be decoded") from None
        finally:
            self._waiting -= 1

    def _end(self, one: Worker, why: str) -> None:
        """End a process, and begin to start another."""
        self._all.discard(one)
        self._on_death(why)
        for work, tasks in ((one.stop(), self._ends), (self._add(), self._starts)):
            task = asyncio.create_task(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _add(self) -> None:
        while True:
            try:
                one = await Worker.start(self._memory)
            except (OSError, EOFError, TimeoutError):  # no memory or no process left: it may pass
                await asyncio.sleep(1)
                continue
            self._take_in(one)
            return

    def _take_in(self, one: Worker) -> None:
        self._all.add(one)
        self._idle.put_nowait(one)
