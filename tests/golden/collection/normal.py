"""The one place where answers are made comparable: changed names, paths, times, floats; and the format they have.

When an answer's *name* changes (a key of JSON, a word for a tier), add it here and leave the expectation as it is. When
an answer itself is meant to change, write the expectation again and look at the difference.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# today's key, or column of a table → the one in the stored expectation
KEYS: dict[str, str] = {"weighted_distance": "weighed", "orientation": "turned"}
PHRASES: dict[str, str] = {  # today's words within a text → those in the stored expectation
    "border, caption or more picture added": "border or caption added",
    "within a larger picture": "part of a larger picture",
}
VOLATILE = frozenset({  # keys that are left out, as they depend on the machine or the moment
    "at", "decoders", "network", "network_roots", "revision", "seconds", "searched", "version", "versions",
})  # fmt: skip
DIGITS = 6  # significant digits of floats, beyond which mathematical libraries round differently
WIDTH = 118  # characters of a line of the expectation

_THUMBNAIL = re.compile(r"(/thumbnail\?v=)[0-9a-f.]+")


def normal(value: Any, folder: Path) -> Any:
    """An answer as it is stored: what is volatile left out, paths relative to the folder.

    Objects that follow each other with the same keys become a table, so that a new name shows once in a difference.
    """
    if isinstance(value, dict):
        kept = ((text(key, folder), item) for key, item in value.items() if key not in VOLATILE)
        return {KEYS.get(key, key): normal(item, folder) for key, item in kept}
    if isinstance(value, (list, tuple)):
        return _table([normal(item, folder) for item in value])
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return text(value, folder) if isinstance(value, str) else value


def _table(items: list[Any]) -> Any:
    if len(items) < 2 or not all(isinstance(item, dict) for item in items):
        return items
    columns = list(items[0])
    if any(list(item) != columns for item in items):
        return items
    return {"columns": columns, "rows": [list(item.values()) for item in items]}


def text(value: str, folder: Path) -> str:
    """A text with relative paths and the names of the expectation."""
    value = value.replace(f"{folder}/", "").replace(os.fspath(folder), ".")
    for today, stored in PHRASES.items():
        value = value.replace(today, stored)
    return _THUMBNAIL.sub(r"\1…", value)


def lines(value: Any, indent: int = 0, key: str = "", end: str = "") -> Iterator[str]:
    """JSON in lines that a person can compare: what fits on a line stays on one."""
    start = " " * indent + (f"{json.dumps(key, ensure_ascii=False)}: " if key else "")
    whole = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or len(start) + len(whole) <= WIDTH:
        yield start + whole + end
        return
    if isinstance(value, list) and all(isinstance(item, (int, float)) for item in value):
        yield from textwrap.wrap(start + whole + end, WIDTH, subsequent_indent=" " * (indent + 1))
        return
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    items: Sequence[tuple[str, Any]] = list(value.items() if isinstance(value, dict) else (("", one) for one in value))
    yield start + opening
    for number, (name, item) in enumerate(items, start=1):
        yield from lines(item, indent + 1, name, "," if number < len(items) else "")
    yield " " * indent + closing + end
