"""Memory that several threads share: each takes what its image may need, and waits until there is as much."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """An amount of memory in bytes; who asked first is served first, so that a large request is not passed over."""

    def __init__(self, total: int) -> None:
        self._total, self._left = total, total
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """Hold `amount` bytes, or all there are if that is less."""
        amount = min(amount, self._total)
        self._take(amount)
        try:
            yield
        finally:
            with self._changed:
                self._left += amount
                self._changed.notify_all()

    def _take(self, amount: int) -> None:
        with self._changed:
            if not self._waiting and amount <= self._left:
                self._left -= amount
                return
            ticket = object()
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and amount <= self._left)
                self._left -= amount
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
