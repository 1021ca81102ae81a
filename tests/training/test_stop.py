"""The first signal requests a stop, the second one forces it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from lookalike.training.stop import SIGNALS, stop_on_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_sets_the_flag_and_restores_what_was(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as asked:
        assert not asked.is_set()
        os.kill(os.getpid(), number)
        assert asked.wait(5)
        assert signal.getsignal(number) is before


def test_handlers_are_restored_at_the_end() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_on_signals():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_another_thread_gets_a_flag_that_nothing_sets() -> None:
    flags: list[bool] = []

    def work() -> None:
        with stop_on_signals() as asked:
            flags.append(asked.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert flags == [False]
