"""Thread pools whose results come in the order of their input."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class computed_once(Generic[Result]):  # noqa: N801 used as a decorator
    """`functools.cached_property` without its lock: until Python 3.12 all instances share it, and threads wait."""

    def __init__(self, work: Callable[[Any], Result]) -> None:
        self._work, self.__doc__ = work, work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Result:
        found = self._work(instance)
        instance.__dict__[self._name] = found  # where it is found from now on, before this is asked
        return found


@functools.cache
def cores() -> int:
    """Number of CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    threads: ThreadPoolExecutor | None = None,
) -> Generator[Result]:
    """Results in the order of the input; at most two items a worker are processed ahead of the caller.

    When the caller stops, no further work starts. Work in progress is awaited only by the owner of `threads`, if given.
    """
    workers = workers or cores()
    pool = threads or ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        if threads is None:
            pool.shutdown(wait=False)  # do not wait: the caller ends any decoder processes that the work is waiting for


def on_all_cores(work: Callable[[Item], Result], parts: Sequence[Item]) -> Iterator[Result]:
    """Results of short pieces of work, in order, from a permanent thread pool."""
    if len(parts) < 2 or cores() < 2:
        return map(work, parts)
    return _pool().map(work, parts)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="lookalike")
