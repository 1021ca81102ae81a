"""The program of a worker: `python -m lookalike.imaging.isolation.worker MEMORY PARENT`, over stdin and stdout.

Whatever a broken file does to a decoder happens here: it may take MEMORY bytes, or fewer if a request says so, and
write no file. A worker ends when its stdin does; on Linux it is killed with its parent, whose process id is PARENT,
even in the middle of an image.
"""

from __future__ import annotations

import os
import signal
import sys

from lookalike.imaging.isolation import protocol, work

try:
    import resource
except ImportError:  # Windows; what remains there are the limits on pixels and time
    resource = None  # type: ignore[assignment]

_PR_SET_PDEATHSIG = 1
_SPARE_SECONDS = 2.0  # of processor time, beyond twice the time that a decoder may take


def main(memory: int, parent: int) -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    _die_with(parent)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer
    work.warm()
    limiter, desk = Limiter(memory), work.Desk()
    protocol.write(answers, {"ready": True})
    while (message := protocol.read(requests)) is not None:
        head, content = message
        limiter.set(head.get("memory", memory), head.get("seconds"))
        protocol.write(answers, *desk.answer(head, content))


class Limiter:
    """The limits of this process: no file written, no core left behind, and memory and time for one request."""

    def __init__(self, memory: int) -> None:
        self._memory: int | None = None
        if resource is None:
            return
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        if sys.platform == "linux":  # others accept the number and ignore it
            with open("/proc/self/statm", encoding="ascii") as file:
                self._base = int(file.read().split()[0]) * resource.getpagesize()
            self._most = self._base + memory
            self.set(memory, None)

    def set(self, memory: int, seconds: float | None) -> None:
        """Allow `memory` bytes more than at the start, and processor time for a request of so many seconds."""
        if resource is None:
            return
        if sys.platform == "linux" and memory != self._memory:
            resource.setrlimit(resource.RLIMIT_AS, (min(self._base + memory, self._most), self._most))
            self._memory = memory
        # the parent ends what takes too long; this ends it where the parent is gone
        used, hard = resource.getrusage(resource.RUSAGE_SELF), resource.getrlimit(resource.RLIMIT_CPU)[1]
        most = int(used.ru_utime + used.ru_stime + 2 * seconds + _SPARE_SECONDS) if seconds else hard
        resource.setrlimit(resource.RLIMIT_CPU, (most, hard))


def _die_with(parent: int) -> None:
    """Have Linux kill this process when its parent ends, and end now if that has happened already."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
