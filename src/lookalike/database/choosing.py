"""Which of some copies is the best, and why, in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lookalike.store.records import Record

LOSSLESS = frozenset({"PNG", "BMP", "TIFF", "PPM"})  # as they are nearly always written
NEVER = 1 << 63


class Best(NamedTuple):
    """The best of some images, and what makes it so."""

    id: int
    why: str


class Rule(NamedTuple):
    """Something that is compared, where the greater is better, and how the winner is described."""

    value: Callable[[Record], Any]
    words: Callable[[Record], str]


def best(records: Sequence[Record]) -> Best:
    """The image with the most pixels; of those the largest file, a lossless one, the oldest, the first by path."""
    left = list(records)
    for rule in RULES:
        most = max(map(rule.value, left))
        remaining = [record for record in left if rule.value(record) == most]
        if len(remaining) == 1 < len(left):
            return Best(remaining[0].id, rule.words(remaining[0]))
        left = remaining
    first = min(left, key=lambda record: record.name)
    return Best(first.id, "first by path")


def _pixels(record: Record) -> int:
    return (record.width or 0) * (record.height or 0)


def _day(record: Record) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(record.mtime_ns / 1e9))


RULES = (
    Rule(_pixels, lambda one: f"most pixels ({one.width}×{one.height})"),
    Rule(lambda one: one.length or 0, lambda one: f"largest file ({one.length:,} bytes)"),
    Rule(lambda one: one.format in LOSSLESS, lambda one: f"lossless ({one.format})"),
    Rule(lambda one: -(one.mtime_ns if one.mtime_ns >= 0 else NEVER), lambda one: f"oldest file ({_day(one)})"),
)
