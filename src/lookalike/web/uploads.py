"""Images from outside, decoded by processes of their own: a bomb or a crash of a decoder costs one request.

The processes are started before they are needed, and started anew when they end. Bytes are passed on piece by piece,
so that requests that wait hold no images in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from lookalike.errors import ConfigError
from lookalike.imaging.decode import Array, ImageSpec
from lookalike.web import worker
from lookalike.web.problems import Problem
from lookalike.web.settings import Settings

PIECE = 1 << 16  # bytes
PATIENCE = 20.0  # seconds that a request waits for its turn
WAITING = 256  # requests that wait at most
STARTING = 30.0  # seconds that a process may take to start


class Decoded(NamedTuple):
    """An image as a model takes it, and what the file said of it."""

    array: Array
    width: int  # pixels, as shown
    height: int
    format: str


class Worker:
    """One process and its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._in, self._out = process, process.stdin, process.stdout

    @classmethod
    async def start(cls, memory: int) -> Worker:
        """A process that is ready."""
        command = [sys.executable, "-P", "-m", worker.__name__, str(memory)]
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the server, which lets requests end
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        )
        started = cls(process)
        try:
            await asyncio.wait_for(started._receive(), STARTING)
        except BaseException:  # also if the server stops meanwhile
            await started.stop()
            raise
        return started

    @property
    def is_alive(self) -> bool:
        return self.process.returncode is None

    async def ask(self, head: dict[str, Any], content: BinaryIO, length: int) -> tuple[dict[str, Any], bytes]:
        """The answer to one message."""
        self._in.write(worker.packed(head, length))
        while piece := content.read(PIECE):
            self._in.write(piece)
            await self._in.drain()
        return await self._receive()

    async def _receive(self) -> tuple[dict[str, Any], bytes]:
        start = await self._out.readexactly(worker.LENGTH.size)
        head = json.loads(await self._out.readexactly(worker.LENGTH.unpack(start)[0]))
        return head, await self._out.readexactly(head["length"])

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()

    async def stop(self) -> None:
        """End the process."""
        self.kill()
        await self.process.wait()
        self._in.close()


class Decoders:
    """A number of processes that are ready to decode."""

    def __init__(self, settings: Settings, *, on_death: Callable[[str], object] = lambda why: None) -> None:
        self._settings, self._on_death = settings, on_death
        self._idle: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        self._all: set[Worker] = set()
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._waiting = 0

    async def start(self) -> None:
        """Start the processes, and wait until they are ready."""
        starts = (Worker.start(self._settings.memory) for _ in range(self._settings.workers))
        try:
            for one in await asyncio.gather(*starts):
                self._take_in(one)
        except (OSError, EOFError, TimeoutError) as error:
            raise ConfigError(f"the processes that decode images do not start ({type(error).__name__})") from error

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

    async def array(self, content: BinaryIO, length: int, spec: ImageSpec) -> Decoded:
        """The array of an encoded image. Raises `Problem` with the reason why there is none."""
        head = {"do": "array", "spec": asdict(spec), "max_pixels": self._settings.max_pixels}
        about, values = await self._ask(head, content, length)
        array = np.frombuffer(values, np.uint8).reshape(spec.shape)
        return Decoded(array, about["width"], about["height"], about["format"])

    async def thumbnail(self, content: BinaryIO, length: int, side: int, *, max_pixels: int) -> bytes:
        """A JPEG of an encoded image, at most `side` pixels a side. Raises `Problem` if there is none."""
        head = {"do": "thumbnail", "side": side, "max_pixels": max_pixels}
        return (await self._ask(head, content, length))[1]

    async def pixels(self, content: BinaryIO, length: int, *, max_pixels: int) -> bytes:
        """What is the same for images of the same pixels (`images.pixel_digest`). Raises `Problem` if there is none."""
        return (await self._ask({"do": "pixels", "max_pixels": max_pixels}, content, length))[1]

    async def _ask(self, head: dict[str, Any], content: BinaryIO, length: int) -> tuple[dict[str, Any], bytes]:
        async with self._worker() as chosen:
            about, answer = await self._asked(chosen, head, content, length)
        if "error" in about:
            raise Problem(422, str(about["error"]).replace("Raise the cap with --max-pixels", "").rstrip())
        return about, answer

    async def _asked(
        self, chosen: Worker, head: dict[str, Any], content: BinaryIO, length: int
    ) -> tuple[dict[str, Any], bytes]:
        limit = self._settings.seconds
        try:
            about, answer = await asyncio.wait_for(chosen.ask(head, content, length), limit)
        except TimeoutError:
            self._end(chosen, "time")
            raise Problem(422, f"decoding takes longer than {limit:g} seconds") from None
        except (OSError, EOFError):  # its end of the pipe has gone
            self._end(chosen, "crash")
            raise Problem(422, "the decoder crashed over it; the file is damaged, or made to do that") from None
        except BaseException:  # an answer that nobody waits for would be taken for that of the next question
            self._end(chosen, "cancelled")
            raise
        if about.get("tired"):  # what a decoder left behind when memory ran out is better gone
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
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                while not (chosen := await self._idle.get()).is_alive:
                    self._end(chosen, "crash")
            return chosen
        except TimeoutError:
            raise _busy() from None
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
                one = await Worker.start(self._settings.memory)
            except (OSError, EOFError, TimeoutError):  # no memory or no process left: it may pass
                await asyncio.sleep(1)
                continue
            self._take_in(one)
            return

    def _take_in(self, one: Worker) -> None:
        self._all.add(one)
        self._idle.put_nowait(one)


def _busy() -> Problem:
    return Problem(503, "too many images are waiting to be decoded; ask again", headers={"Retry-After": "2"})
