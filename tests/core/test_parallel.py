"""Results come in the order of the input, and work stops with the caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from lookalike.core import parallel
from lookalike.core.parallel import computed_once, in_order, on_all_cores


def test_results_come_in_the_order_of_the_input() -> None:
    second_is_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_is_done.wait(10)
        if number == 1:
            second_is_done.set()
        return number * number

    assert list(in_order(work, range(50), workers=2)) == [number * number for number in range(50)]


def test_only_a_few_items_are_read_ahead() -> None:
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            read.append(number)
            yield number

    results = in_order(lambda number: number, items(), workers=3)
    next(results)
    assert len(read) == 7
    results.close()
    assert len(read) == 7


def test_an_error_reaches_the_caller_and_later_work_does_not_start() -> None:
    started: list[int] = []

    def work(number: int) -> int:
        started.append(number)
        if number == 2:
            raise ValueError("two")
        return number

    with pytest.raises(ValueError, match="two"), ThreadPoolExecutor(1) as threads:
        list(in_order(work, range(100), workers=1, threads=threads))
    assert max(started) <= 5


def test_short_work_on_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(on_all_cores(abs, [-1, 2, -3])) == [1, 2, 3]
    monkeypatch.setattr(parallel, "cores", lambda: 1)
    assert list(on_all_cores(abs, [-1, 2, -3])) == [1, 2, 3]


def test_a_value_is_computed_once_an_instance_and_instances_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2)

    class Slow:
        computed = 0

        @computed_once
        def value(self) -> int:
            self.computed += 1
            both.wait(10)  # fails if only one of them may compute
            return 7

    first, second = Slow(), Slow()
    assert list(in_order(lambda one: one.value, (first, second), workers=2)) == [7, 7]
    assert (first.value, first.computed, second.computed) == (7, 1, 1)
