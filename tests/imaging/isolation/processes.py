"""Processes below one another, and the memory that they take together; Linux only."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress


def below(pid: int) -> Iterator[int]:
    """The process ids of the children of a process, and of theirs."""
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for child in map(int, file.read().split()):
                    yield child
                    yield from below(child)


def resident(pid: int) -> int:
    """Bytes of memory of a process; 0 if it is gone."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
    return 0


def resident_of_all(pid: int) -> int:
    """Bytes of memory of a process and all below it; what they share counts several times."""
    return sum(map(resident, [pid, *below(pid)]))
