"""How long-running work reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A function that is called as work advances."""

    def __call__(self, stage: str, done: int, total: int | None, /) -> object:
        """`done` of `total` items of a stage are finished; the total may be unknown."""


def silent(stage: str, done: int, total: int | None) -> None:
    """No report."""
