"""Work spread over threads, with results in the order of the input."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


@functools.cache
def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Given], Made],
    given: Iterable[Given],
    *,
    workers: int | None = None,
    threads: ThreadPoolExecutor | None = None,
) -> Generator[Made]:
    """Results in the order of the input, of which two items a worker are worked on ahead of the caller.

    When the caller stops, no further work starts. Work in progress is waited for only by the owner of `threads`, if
    these are given.
    """
    workers = workers or cores()
    pool = threads or ThreadPoolExecutor(workers)
    waiting: deque[Future[Made]] = deque()
    try:
        for one in given:
            waiting.append(pool.submit(work, one))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        if threads is None:
            pool.shutdown(wait=False)  # whoever stops ends the decoders that they may wait for


def on_all_cores(work: Callable[[Given], Made], parts: Sequence[Given]) -> Iterator[Made]:
    """Results of short pieces of work, in order, by threads that stay alive."""
    if len(parts) < 2 or cores() < 2:
        return map(work, parts)
    return _pool().map(work, parts)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="lookalike")
