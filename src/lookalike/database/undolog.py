"""The log of what a plan did, written before each action so that it can be undone, also after a kill.

A line of JSON for each file. Whether the action was done is told by the files themselves.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from lookalike.errors import DataError

FORMAT = 1


class How(StrEnum):
    """What can be done with a file that is to go."""

    TRASH = "trash"  # moved into a folder
    HARDLINK = "hardlink"  # replaced by a further name of the copy that is kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One file, before something is done with it."""

    how: How
    path: str
    digest: str  # hexadecimal
    size: int  # bytes
    to: str  # where it is moved, or the kept file that it becomes a name of
    aside: str = ""  # a name that the link has for a moment
    mode: int = 0  # of the file, to give it back
    mtime_ns: int = 0


class Log:
    """A log that is open for writing."""

    def __init__(self, path: Path) -> None:
        """Raises `DataError` if the file is there and no such log."""
        self.path = path
        new = not path.exists() or not path.stat().st_size
        if not new:
            read(path)
        self._file: BinaryIO = path.open("ab")
        if new:
            self._write({"lookalike_undo": FORMAT})
        elif not path.read_bytes().endswith(b"\n"):  # a line that was cut off, whose action did not begin
            self._file.write(b"\n")

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def about_to(self, action: Action) -> None:
        """Keep an action on disk, before it is done."""
        self._write(asdict(action))

    def _write(self, values: dict[str, Any]) -> None:
        self._file.write(json.dumps(values).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def aside(path: str) -> str:
    """A hidden name beside a file, the same each time."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".lookalike-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}")


def read(path: Path) -> list[Action]:
    """The actions in a log, in their order; lines that a kill cut off are passed over. Raises `DataError`."""
    try:
        first, *lines = path.read_bytes().splitlines() or [b""]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    head = _parsed(first)
    if head is None or head.get("lookalike_undo") != FORMAT:
        raise DataError(f"{path} is no log of what a plan did; it is written by: lookalike duplicates --apply PLAN")
    return [_action(values, path) for line in lines if (values := _parsed(line)) is not None]


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _action(values: dict[str, Any], path: Path) -> Action:
    try:
        action = Action(**{**values, "how": How(values["how"])})
        _check(action)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds an action that is not known ({error})") from error
    return action


def _check(action: Action) -> None:
    """Raise `ValueError` for an action that no run has written: a log is obeyed, and must not reach any other file."""
    for name, value in (("path", action.path), ("to", action.to)):
        os.fsencode(value)
        if not os.path.isabs(value) or os.path.normpath(value) != value:
            raise ValueError(f"{name} is {value!r}, which is no whole path")
    if action.to == action.path:
        raise ValueError(f"{action.path} is to become itself")
    if action.aside != (aside(action.path) if action.how is How.HARDLINK else ""):
        raise ValueError(f"aside is {action.aside!r}")
    for number in (action.size, action.mode, action.mtime_ns):
        if not isinstance(number, int):
            raise ValueError(f"{number!r} is no whole number")
