"""SIGTERM handled like Ctrl-C: recorded work is kept, worker processes end, and one line reports it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 130  # the exit code that shells report for a program ended by Ctrl-C
TERMINATED = 143  # ... and by SIGTERM


class _Signals:
    """The signal that stopped a command."""

    def __init__(self) -> None:
        self.exit_code = STOPPED

    def terminate(self, number: int, frame: FrameType | None) -> None:
        """Stop the command as Ctrl-C does."""
        self.exit_code = TERMINATED
        raise KeyboardInterrupt


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[_Signals]:
    """Make SIGTERM raise `KeyboardInterrupt`; signals reach only the main thread."""
    signals = _Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    before = signal.signal(signal.SIGTERM, signals.terminate)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)
