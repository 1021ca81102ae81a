"""How long-running work reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A callback that receives the progress of long-running work."""

    def __call__(self, stage: str, done: int, total: int | None, /) -> object:
        """`done` of `total` items of a stage are finished; `total` may be unknown."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Ignores progress."""
