"""The log of what a plan did, written before each action so that it can be undone, also after a kill.

A line of JSON for each file. Whether the action was done is told by the files themselves. A kill may leave an empty
file, or the beginning of the first line: no log yet, and no obstacle for the next run.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from lookalike.core import display
from lookalike.core.atomic import flush_folder
from lookalike.core.errors import DataError
from lookalike.duplicates.cleanup import file_identity

FORMAT = 1
SHOWN = 200  # characters of an error
HEAD = json.dumps({"lookalike_undo": FORMAT}).encode() + b"\n"


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
    of: str = ""  # the photo that it is a companion of
    mode: int = 0  # of the file, to give it back
    mtime_ns: int = 0


class Log:
    """A log that is open for writing."""

    def __init__(self, path: Path) -> None:
        """Raises `DataError` if the file is there and no such log."""
        self.path = path
        self._file: BinaryIO
        if is_begun(path):
            read(path)
            self._file = path.open("ab")
            if not _content(path).endswith(b"\n"):  # a line that was cut off, whose action did not begin
                self._file.write(b"\n")
        else:
            self._file = path.open("wb")
            self._put(HEAD)
            with suppress(OSError):  # where the system can
                flush_folder(path.parent)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def about_to(self, action: Action) -> None:
        """Keep an action on disk, before it is done."""
        self._put(json.dumps(asdict(action)).encode() + b"\n")

    def _put(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())


def aside(path: str) -> str:
    """A hidden name beside a file, the same each time."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".lookalike-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}")


def is_begun(path: Path) -> bool:
    """Whether there is a file with more than what a kill leaves of the first line. Raises `DataError`."""
    return os.path.lexists(path) and not HEAD[:-1].startswith(_content(path).rstrip(b"\0"))


def read(path: Path) -> list[Action]:
    """The actions in a log, in their order; lines that a kill cut off are passed over. Raises `DataError`."""
    first, *lines = _content(path).split(b"\n")
    head = _parsed(first)
    if head is None or head.get("lookalike_undo") != FORMAT:
        raise DataError(f"{path} is no log of what a plan did; it is written by: lookalike apply PLAN")
    return [_action(values, path) for line in lines if (values := _parsed(line)) is not None]


def _content(path: Path) -> bytes:
    try:
        return file_identity.read_whole(path, what="a log that lookalike apply has written")
    except DataError as error:
        raise DataError(f"{display.printable(os.fspath(path))} {error}") from error


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _action(values: dict[str, Any], path: Path) -> Action:
    try:
        action = Action(**{**values, "how": How(values["how"])})
        _check(action)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} holds an action that is not known ({str(error)[:SHOWN]})") from error
    return action


def _check(action: Action) -> None:
    """Raise `ValueError` for an action that no run has written: a log is obeyed, and must not reach any other file."""
    for name, value in (("path", action.path), ("to", action.to)):
        if "\0" in value or b"\0" in os.fsencode(value):
            raise ValueError(f"{name} has a zero byte")
        if not os.path.isabs(value) or os.path.normpath(value) != value:
            raise ValueError(f"{name} is {value!r}, which is no whole path")
    if not isinstance(action.of, str):
        raise ValueError("of is no path")
    if action.to == action.path:
        raise ValueError(f"{action.path} is to become itself")
    if action.aside != (aside(action.path) if action.how is How.HARDLINK else ""):
        raise ValueError(f"aside is {action.aside!r}")
    for number in (action.size, action.mode, action.mtime_ns):
        if not isinstance(number, int):
            raise ValueError(f"{str(number)[:SHOWN]!r} is no whole number")
