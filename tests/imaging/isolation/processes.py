"""Child processes and their memory; Linux only."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress


def below(pid: int) -> Iterator[int]:
    """The process ids of all descendants of a process."""
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    yield child
                    yield from below(child)


def resident(pid: int) -> int:
    """Memory of a process in bytes; 0 if it has ended."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return 0


def resident_of_all(pid: int) -> int:
    """Memory of a process and its descendants in bytes; shared memory counts several times."""
    return sum(map(resident, [pid, *below(pid)]))
