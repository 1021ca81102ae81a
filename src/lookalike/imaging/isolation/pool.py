"""Workers for threads: each thread asks one at a time, and those that end are replaced.

One thread of the pool starts all workers, and ends those that take too long. (Linux kills them when the thread that
started them ends, so that must not be a thread that comes and goes.)
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from types import TracebackType

from lookalike.errors import ImageError, Interrupted
from lookalike.imaging.isolation import program, protocol
from lookalike.imaging.isolation.budget import Budget
from lookalike.imaging.isolation.decoders import Decoders, Direct, Opened, Source, checked, opening
from lookalike.imaging.isolation.limits import Limits
from lookalike.imaging.isolation.protocol import Head, Message

TICK = 0.1  # seconds between two looks at what takes too long
READ_SECONDS = 60.0  # that reading a file may take, and
READ_SPEED = 1e6  # bytes a second that any disk or network manages


class Worker:
    """One process and its pipes; one thread at a time talks to it."""

    def __init__(self, memory: int) -> None:
        self.process: subprocess.Popen[bytes] = subprocess.Popen(program.command(memory), bufsize=-1, **program.options())
        self.due = float("inf")  # when it must have answered, by `time.monotonic`
        self.is_late = False  # and so was ended
        self.is_asked = False  # and has not answered yet
        self.has_started = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked; waits until it has started."""
        if not self.has_started:
            self.has_started = self._answer(program.STARTING) is not None
        return self.has_started and self.process.poll() is None

    def ask(self, head: Head, content: bytes = b"", *, seconds: float) -> Message | None:
        """The answer to a request; nothing if the process ended, also because that took longer than `seconds`."""
        assert self.process.stdin is not None
        self.is_asked = True
        with suppress(OSError):  # it has ended, which reading tells
            protocol.write(self.process.stdin, {**head, "seconds": seconds}, content)
        answer = self._answer(seconds)
        self.is_asked = False
        return answer

    def end(self) -> int:
        """Kill the process; its exit status."""
        self.process.kill()
        status = self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):  # what could not be sent any more
                if stream is not None:
                    stream.close()
        return status

    def _answer(self, seconds: float) -> Message | None:
        assert self.process.stdout is not None
        self.due = time.monotonic() + seconds
        try:
            return protocol.read(self.process.stdout)
        finally:
            self.due = float("inf")


class Desk:
    """The image that a worker holds, and its decoding within the limits."""

    def __init__(self, worker: Worker, limits: Limits, budget: Budget) -> None:
        self._worker, self._limits, self._budget = worker, limits, budget
        self._needs = 0

    def open(self, source: Source) -> Head:
        """What is known of an image before it is decoded. Raises `OSError` if its file cannot be read."""
        head, content = opening(source, self._limits)
        size = len(content) or _size(source)
        seconds = READ_SECONDS + size / READ_SPEED
        in_memory = 2 * size if size <= self._limits.file_bytes else 0
        answer = self._asked(head, content, memory=self._amount(in_memory), seconds=seconds)
        if answer is None:
            raise program.unreadable(seconds) if self._worker.is_late else self._crash()
        self._needs = max(answer[0].get("needs", 0), size)
        return checked(answer[0])

    def ask(self, head: Head) -> Message:
        """The answer to a request; what needs more memory than was thought gets all that is allowed."""
        until = time.monotonic() + self._limits.seconds
        memory = self._amount(self._needs)
        while True:
            left, waited = until - time.monotonic(), time.monotonic()
            with self._budget.taken(memory):
                until += time.monotonic() - waited
                answer = self._worker.ask({**head, "memory": memory}, seconds=max(left, TICK))
            if answer is None:
                raise program.too_slow(self._limits.seconds) if self._worker.is_late else self._crash()
            if not _needs_more(answer[0], memory):
                return answer
            if memory == self._limits.memory:
                self._worker.process.kill()  # what a decoder left behind when memory ran out is better gone
                return {"error": program.starved(memory), "again": True}, b""
            memory = self._limits.memory

    def _asked(self, head: Head, content: bytes, *, memory: int, seconds: float) -> Message | None:
        with self._budget.taken(memory):
            return self._worker.ask({**head, "memory": memory}, content, seconds=seconds)

    def _amount(self, needed: int) -> int:
        """The bytes of memory that are taken for an image that needs so many."""
        little, most = self._limits.little, self._limits.memory
        return little if needed <= little // 2 else min(little + needed, most)

    def _crash(self) -> ImageError:
        return program.crashed(self._worker.end())


class Pool:
    """A number of workers that decode for the threads of this process. Close it, or use it in a `with` statement."""

    def __init__(self, limits: Limits, *, workers: int = 0) -> None:
        self._limits, self._count = limits, workers or os.cpu_count() or 1
        self._budget = Budget(max(limits.memory, self._count * limits.little))
        self._changed = threading.Condition()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._wanted = self._count  # workers that are to be started
        self._failures = 0  # workers in succession that never answered
        self._failed: str | None = None  # why none can be started
        self._is_closed = False
        self._keeper = threading.Thread(target=self._keep, name="lookalike-decoders", daemon=True)
        self._keeper.start()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers at once, whatever they are doing."""
        with self._changed:
            self._is_closed = True
            for worker in self._all:
                worker.process.kill()
            self._changed.notify_all()
        self._keeper.join()

    @contextmanager
    def opened(self, source: Source) -> Iterator[Opened]:
        """The image of a source, which one worker holds meanwhile. Raises `OSError` if it cannot be read."""
        with self._worker() as worker:
            desk = Desk(worker, self._limits, self._budget)
            yield Opened(desk.open(source), self._limits, desk.ask)

    @contextmanager
    def _worker(self) -> Iterator[Worker]:
        """An idle worker, which is replaced afterwards if it has ended."""
        worker = self._take()
        try:
            yield worker
        finally:
            self._give_back(worker)

    def _take(self) -> Worker:
        while not (worker := self._first_idle()).is_ready:
            self._give_back(worker)
        return worker

    def _first_idle(self) -> Worker:
        with self._changed:
            self._changed.wait_for(lambda: self._idle or self._is_closed or self._failed)
            if self._is_closed:
                raise Interrupted("Stopped")
            if self._failed:
                raise program.not_started(self._failed)
            return self._idle.pop()

    def _give_back(self, worker: Worker) -> None:
        with self._changed:
            # an answer that nobody waited for would be taken for that of the next request
            if worker.process.poll() is None and not (self._is_closed or worker.is_asked):
                self._idle.append(worker)
            else:
                self._replace(worker)
            self._changed.notify_all()

    def _replace(self, worker: Worker) -> None:
        self._all.discard(worker)
        status = worker.end()
        self._failures = 0 if worker.has_started else self._failures + 1
        if self._failures >= program.ATTEMPTS:
            self._failed = f"the last one ended with status {status}"
        self._wanted += 1

    def _keep(self) -> None:
        """Start workers and end what takes too long, until the pool is closed."""
        while not self._is_closed:
            if self._wanted:
                self._start()
            with self._changed:
                if not self._wanted and not self._is_closed:
                    self._changed.wait(TICK)
                for worker in self._all:
                    if worker.due < time.monotonic():
                        worker.is_late = True
                        worker.process.kill()
        with self._changed:
            for worker in self._idle:
                worker.end()

    def _start(self) -> None:
        """Start one worker, in this thread."""
        try:
            worker = Worker(self._limits.memory)
        except OSError as error:
            with self._changed:
                self._failures += 1
                if self._failures >= program.ATTEMPTS:
                    self._failed = error.strerror or str(error)
                self._changed.notify_all()
                self._changed.wait(1)  # no memory or no process left: it may pass
            return
        with self._changed:
            self._wanted -= 1
            self._all.add(worker)
            self._idle.append(worker)
            self._changed.notify_all()


def make_decoders(limits: Limits, *, workers: int = 0, isolation: bool = True) -> AbstractContextManager[Decoders]:
    """Workers that decode, as many as there are cores if `workers` is 0; or this process, without isolation."""
    return Pool(limits, workers=workers) if isolation else nullcontext(Direct(limits))


def _needs_more(about: Head, memory: int) -> bool:
    """Whether an image may have failed because there was too little memory."""
    return "error" in about and bool(about.get("starved") or about.get("needs", 0) > memory)


def _size(source: Source) -> int:
    try:
        return os.stat(source).st_size
    except (OSError, ValueError):  # the worker will say so
        return 0
