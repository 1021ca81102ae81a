"""The worker program: `python -m lookalike.imaging.isolation.worker MEMORY PARENT fork|single`.

Decoders run in a worker, which may use MEMORY bytes, or fewer if a request says so, and may not write files. With
`fork`, this process never sees an image: it imports all that decoding needs and forks workers on demand, in 10 ms
instead of 200. On Linux all of them are killed together with PARENT, even in the middle of an image; on other systems
they end when the parent closes its end of the socket.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import IO

from lookalike.imaging.isolation import protocol

try:
    import resource
except ImportError:  # Windows; only the limits on pixels and time apply
    resource = None  # type: ignore[assignment]

_PR_SET_PDEATHSIG = 1
_SPARE_SECONDS = 2.0  # of CPU time, beyond twice the decoding time limit


def main(memory: int, parent: int, mode: str) -> None:
    """Serve the parent until it closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    _die_with(parent)
    gc.disable()  # imports leave no garbage, and searching for it takes a tenth of the start-up time
    from lookalike.imaging.isolation import work

    work.warm()
    gc.freeze()  # permanent objects; scanning them would also copy memory that workers share
    gc.enable()
    if mode == "fork":
        _fork_workers(socket.socket(fileno=0), memory)
        return
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever libraries print is not an answer
    protocol.write(answers, {"ready": True})
    _serve(sys.stdin.buffer, answers, memory)


def _fork_workers(control: socket.socket, memory: int) -> None:
    """Start and end workers on the orders of `process.ForkServer`."""
    server, workers = os.getpid(), set[int]()
    while True:
        order, files, _, _ = socket.recv_fds(control, protocol.NUMBER.size, 1)
        if not order:
            break
        if files:
            answer = _fork(server, control, files[0], memory)
            workers.add(answer)
            os.close(files[0])
        else:
            (worker,) = protocol.NUMBER.unpack(order)
            workers.discard(worker)
            os.kill(worker, signal.SIGKILL)
            answer = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        control.sendall(protocol.NUMBER.pack(answer))
    for worker in workers:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


def _fork(server: int, control: socket.socket, file: int, memory: int) -> int:
    """Process id of a new worker that answers on a socket; the negative error number on failure."""
    try:
        worker = os.fork()
    except OSError as error:
        return -(error.errno or 1)
    if worker:
        return worker
    try:
        _die_with(server)
        control.close()
        with socket.socket(fileno=file) as parent, parent.makefile("rb") as requests, parent.makefile("wb") as answers:
            _serve(requests, answers, memory)
    finally:
        os._exit(0)


def _serve(requests: IO[bytes], answers: IO[bytes], memory: int) -> None:
    """Answer requests until the stream ends."""
    from lookalike.imaging.isolation import work

    limiter, session = _Limiter(memory), work.ImageTasks()
    while (message := protocol.read(requests)) is not None:
        head, content = message
        limiter.set(head.get("memory", memory), head.get("seconds"))
        protocol.write(answers, *session.answer(head, content))


class _Limiter:
    """Limits of this process: no written files, no core dumps, and memory and time for each request."""

    def __init__(self, memory: int) -> None:
        self._memory: int | None = None
        if resource is None:
            return
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        if sys.platform == "linux":  # other systems accept the limit but ignore it
            with open("/proc/self/statm", encoding="ascii") as file:
                self._base = int(file.read().split()[0]) * resource.getpagesize()
            self._most = self._base + memory
            self.set(memory, None)

    def set(self, memory: int, seconds: float | None) -> None:
        """Allow `memory` bytes more than at the start, and CPU time for a request of `seconds`."""
        if resource is None:
            return
        if sys.platform == "linux" and memory != self._memory:
            resource.setrlimit(resource.RLIMIT_AS, (min(self._base + memory, self._most), self._most))
            self._memory = memory
        # the parent ends late workers; this ends the worker if the parent is gone
        used, hard = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_CPU)[1]
        most = int(used.ru_utime + used.ru_stime + 2 * seconds + _SPARE_SECONDS) if seconds else hard
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _die_with(parent: int) -> None:
    """Have Linux kill this process when its parent ends; exit now if the parent has ended already."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
