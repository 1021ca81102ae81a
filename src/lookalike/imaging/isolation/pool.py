"""A pool of worker processes for threads: each thread uses one worker at a time; dead workers are replaced.

One thread of the pool, the keeper, starts workers and ends those that exceed their time. (Linux kills a process when
the thread that started it ends, so that thread must live as long as the pool.)
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace

from lookalike.core.errors import ConfigError, Interrupted, RetryableImageError
from lookalike.core.limits import MAX_PIXELS
from lookalike.core.parallel import cores
from lookalike.imaging.isolation import process, protocol
from lookalike.imaging.isolation.decoders import Decoders, Direct, ImageFile, Source, checked, opening
from lookalike.imaging.isolation.limits import DecodeLimits
from lookalike.imaging.isolation.protocol import Head, Message

TICK = 0.1  # seconds between checks for late workers
ESTIMATED = 1 << 20  # bytes; for larger files the worker estimates the memory before decoding
READ_SECONDS = 60.0  # allowed for reading a file, plus its size divided by
READ_SPEED = 1e6  # bytes a second

OnDeath = Callable[[str], object]


class _GoneError(Exception):
    """A worker died before it decoded anything."""


class _Worker:
    """One process; used by one thread at a time."""

    def __init__(self, started: process.Process) -> None:
        self.process = started
        self.due = float("inf")  # deadline of its answer, by `time.monotonic`
        self.is_late = False  # missed its deadline and was ended
        self.is_starved = False  # it ran out of memory
        self.is_asked = False  # owes an answer

    def ask(self, head: Head, content: bytes = b"", *, seconds: float) -> Message | None:
        """The answer to a request; None if the process died or was ended after `seconds`."""
        self.is_asked, self.due = True, time.monotonic() + seconds
        try:
            with suppress(OSError):  # it has ended; reading will show that
                protocol.write(self.process.requests, {**head, "seconds": seconds}, content)
            answer = protocol.read(self.process.answers)
        except (OSError, ValueError):  # ended, and its streams closed, by another thread
            answer = None
        finally:
            self.due = float("inf")
        self.is_asked = answer is None
        return answer


class _IsolatedSession:
    """A worker's current image, decoded within the limits."""

    def __init__(self, worker: _Worker, limits: DecodeLimits, budget: _Budget) -> None:
        self._worker, self._limits, self._budget = worker, limits, budget
        self._size = 0  # bytes of the file
        self._left = limits.seconds  # for decoding

    def open(self, source: Source) -> Head:
        """What is known about an image before it is decoded.

        Raises `OSError` if the file is unreadable, and `_GoneError` if the worker has ended; another worker may then
        take the image, because no decoder has seen it yet.
        """
        head, content = opening(source, self._limits)
        self._size = len(content) or _size(source)
        is_read = not isinstance(source, bytes)
        seconds = READ_SECONDS + self._size / READ_SPEED if is_read else self._limits.seconds
        memory = self._amount(2 * self._size if self._size <= self._limits.file_bytes else 0)
        with self._budget.taken(memory):
            answer = self._worker.ask({**head, "memory": memory}, content, seconds=seconds)
        if answer is None:
            if not self._worker.is_late:
                raise _GoneError
            raise _too_slow("reading it" if is_read else "decoding", seconds)
        return self._starved() if answer[0].get("starved") else checked(answer[0])

    def ask(self, head: Head) -> Message:
        """The answer to a request, retried with all allowed memory if the estimate was too low."""
        memory = self._amount(self._needs())
        while True:
            about, content = self._limited(head, memory)
            if _is_settled(about, memory=memory, most=self._limits.memory):
                return about, content
            if memory == self._limits.memory:
                return self._starved(), b""
            memory = self._limits.memory

    def _needs(self) -> int:
        """Rough estimate of the memory that the image needs, in bytes; small files are simply tried."""
        if self._size <= ESTIMATED:
            return self._size
        about, _ = self._limited({"do": "needs"}, self._amount(2 * self._size))
        return max(int(about.get("needs", 0)), self._size)

    def _limited(self, head: Head, memory: int) -> Message:
        """The answer to a request with limited memory, within the image's remaining time."""
        with self._budget.taken(memory):
            began = time.monotonic()
            answer = self._worker.ask({**head, "memory": memory}, seconds=self._left)
            self._left = max(TICK, self._left - (time.monotonic() - began))
        if answer is None:
            if self._worker.is_late:
                raise _too_slow("decoding", self._limits.seconds)
            raise process.crashed(self._worker.process.end())
        return answer

    def _amount(self, needed: int) -> int:
        """Bytes of memory to reserve for an image that needs `needed` bytes."""
        usual, most = min(self._limits.usual_memory, self._limits.memory), self._limits.memory
        return usual if needed <= usual // 2 else min(usual + needed, most)

    def _starved(self) -> Head:
        self._worker.is_starved = True
        self._worker.process.end()  # its state after running out of memory is unreliable
        most, pixels = self._limits.memory, max(self._limits.max_pixels, MAX_PIXELS)
        return {
            "error": f"needs more than {most / 1e6:.0f} MB of memory to be decoded. "
            f"Allow more with --max-pixels {2 * pixels}",
            "again": True,
        }


class _Budget:
    """Bytes of memory shared by threads, first come, first served, so that large requests are not starved."""

    def __init__(self, total: int) -> None:
        self._total, self._left = total, total
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """Reserve `amount` bytes, or the total if that is less."""
        amount = min(amount, self._total)
        self._take(amount)
        try:
            yield
        finally:
            with self._changed:
                self._left += amount
                self._changed.notify_all()

    def _take(self, amount: int) -> None:
        with self._changed:
            if not self._waiting and amount <= self._left:
                self._left -= amount
                return
            ticket = object()
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and amount <= self._left)
                self._left -= amount
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()


class Pool(AbstractContextManager["Pool", None]):
    """Workers that decode for this process's threads. Close it, or use it as a context manager.

    `on_death` receives the reason when a worker dies: "time", "memory" or "crash".
    """

    def __init__(self, limits: DecodeLimits, *, workers: int = 0, on_death: OnDeath = lambda why: None) -> None:
        self._limits, self._count, self._on_death = limits, workers or cores(), on_death
        self._budget = _Budget(max(limits.memory, self._count * limits.usual_memory))
        self._changed = threading.Condition()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._wanted = self._count  # workers still to be started
        self._server: process.ForkServer | None = None
        self._failures = 0  # consecutive failures to start a worker
        self._failed: str | None = None  # why no worker can be started
        self._is_closed = False
        self._keeper = threading.Thread(target=self._keep, name="lookalike-decoders", daemon=True)
        self._keeper.start()

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def alive(self) -> int:
        """Number of running workers."""
        with self._changed:
            return sum(worker.process.is_alive() for worker in self._all)

    def wait(self) -> None:
        """Wait until all workers have started. Raises `ConfigError` if they cannot."""
        with self._changed:
            self._changed.wait_for(lambda: not self._wanted or self._failures >= process.ATTEMPTS or self._is_closed)
            self._check()

    def close(self) -> None:
        """End all workers immediately."""
        with self._changed:
            self._is_closed = True
            for worker in self._all:
                worker.process.end()
            self._changed.notify_all()
        self._keeper.join()

    @contextmanager
    def opened(self, source: Source, *, max_pixels: int | None = None) -> Iterator[ImageFile]:
        """The image of a source, held by one worker. Raises `OSError` if it is unreadable.

        `max_pixels` overrides the pool's limit for this image.
        """
        limits = self._limits if max_pixels is None else replace(self._limits, max_pixels=max_pixels)
        with ExitStack() as stack:
            yield self._open(source, limits, stack)

    def _open(self, source: Source, limits: DecodeLimits, stack: ExitStack) -> ImageFile:
        for _ in range(process.ATTEMPTS):
            with ExitStack() as holding, suppress(_GoneError):
                worker = holding.enter_context(self._worker())
                session = _IsolatedSession(worker, limits, self._budget)
                image = ImageFile(session.open(source), limits, session.ask)
                stack.push(holding.pop_all())
                return image
        raise RetryableImageError("the processes that decode images were ended again and again while it was read")

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        """An idle worker; it is replaced afterwards if it has ended."""
        worker = self._take()
        try:
            yield worker
        finally:
            self._give_back(worker)

    def _take(self) -> _Worker:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._idle or self._is_closed or self._failed)
                self._check()
                worker = self._idle.pop()
                if worker.process.is_alive():
                    return worker
                self._replace(worker)

    def _check(self) -> None:
        """Raise an error if no worker will become available."""
        if self._is_closed:
            raise Interrupted("Stopped")
        if self._failed:
            raise ConfigError(f"the processes that decode images do not start ({self._failed})")

    def _give_back(self, worker: _Worker) -> None:
        with self._changed:
            # a late answer would be taken for the answer to the next request
            if self._is_closed or worker.is_asked or not worker.process.is_alive():
                self._replace(worker)
            else:
                self._idle.append(worker)
            self._changed.notify_all()

    def _replace(self, worker: _Worker) -> None:
        worker.process.end()
        self._all.discard(worker)
        self._wanted += 1
        if not self._is_closed:
            self._on_death("time" if worker.is_late else "memory" if worker.is_starved else "crash")
        self._changed.notify_all()

    def _keep(self) -> None:
        """Start workers and end late ones until the pool is closed."""
        try:
            while not self._is_closed:
                if self._wanted and not self._failed:
                    self._start()
                with self._changed:
                    if not self._is_closed and (self._failed or not self._wanted):
                        self._changed.wait(TICK)
                    for worker in self._all:
                        if worker.due < time.monotonic():
                            worker.is_late = True
                            worker.process.end()
        finally:
            if self._server is not None:
                self._server.close()

    def _start(self) -> None:
        """Start one worker, in this thread."""
        try:
            worker = _Worker(self._started())
        except (OSError, EOFError) as error:
            if self._server is not None and isinstance(error, EOFError):
                self._server.close()
                self._server = None
            self._fail(getattr(error, "strerror", None) or str(error))
            return
        with self._changed:
            self._failures = 0
            self._wanted -= 1
            self._all.add(worker)
            self._idle.append(worker)
            if self._is_closed:
                worker.process.end()
            self._changed.notify_all()

    def _started(self) -> process.Process:
        if not process.CAN_FORK:
            return process.Spawned(self._limits.memory)
        self._server = self._server or process.ForkServer(self._limits.memory)
        return self._server.start()

    def _fail(self, reason: str) -> None:
        """Wait before the next attempt, or give up."""
        with self._changed:
            self._failures += 1
            if self._failures >= process.ATTEMPTS and not self._all:
                self._failed = reason
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_closed or self._failed, process.PAUSE)


def make_decoders(
    limits: DecodeLimits, *, workers: int = 0, isolation: bool = True
) -> AbstractContextManager[Decoders]:
    """A pool of decoder processes (one a core if `workers` is 0), or this process without isolation."""
    return Pool(limits, workers=workers) if isolation else nullcontext(Direct(limits))


def _too_slow(what: str, seconds: float) -> RetryableImageError:
    return RetryableImageError(f"{what} takes longer than {seconds:.3g} seconds")


def _is_settled(about: Head, *, memory: int, most: int) -> bool:
    """Whether more memory would not change an answer; decoders report many kinds of errors when memory is short."""
    if "error" not in about or about.get("settled") or (about.get("again") and not about.get("starved")):
        return True
    return memory == most and not about.get("starved") and about.get("needs", 0) <= memory


def _size(source: Source) -> int:
    try:
        return os.stat(source).st_size
    except (OSError, ValueError):  # the worker will report it
        return 0
