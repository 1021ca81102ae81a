"""The undo log of a plan, written before each action, so that even a killed run can be undone.

It has one line of JSON for each file. Whether an action was done is determined from the files themselves. A kill may
leave an empty file or a partial first line: that is not a log yet, and does not stop the next run.
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
SHOWN = 200  # characters of an error that are shown
HEAD = json.dumps({"lookalike_undo": FORMAT}).encode() + b"\n"


class How(StrEnum):
    """What is done with a file to remove."""

    TRASH = "trash"  # moved to a folder
    HARDLINK = "hardlink"  # replaced by a hard link to the kept copy


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One file, before something is done to it."""

    how: How
    path: str
    digest: str  # hexadecimal
    size: int  # bytes
    to: str  # where it is moved, or the kept file that it becomes a link to
    aside: str = ""  # temporary name of the link
    of: str = ""  # the photo whose companion it is
    mode: int = 0  # file mode, to restore it
    mtime_ns: int = 0


class Log:
    """A log open for writing."""

    def __init__(self, path: Path) -> None:
        """Raise `DataError` if the file exists and is not such a log."""
        self.path = path
        self._file: BinaryIO
        if is_begun(path):
            read(path)
            self._file = path.open("ab")
            if not _content(path).endswith(b"\n"):  # a truncated line, whose action did not begin
                self._file.write(b"\n")
        else:
            self._file = path.open("wb")
            self._put(HEAD)
            with suppress(OSError):  # where the system supports it
                flush_folder(path.parent)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def about_to(self, action: Action) -> None:
        """Record an action on disk before it is done."""
        self._put(json.dumps(asdict(action)).encode() + b"\n")

    def _put(self, line: bytes) -> None:
        self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())


def aside(path: str) -> str:
    """A hidden name next to a file, always the same."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".lookalike-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}")


def is_begun(path: Path) -> bool:
    """Whether a log exists with more than a partial first line. Raises `DataError`."""
    return os.path.lexists(path) and not HEAD[:-1].startswith(_content(path).rstrip(b"\0"))


def read(path: Path) -> list[Action]:
    """The actions in a log, in order, without truncated lines. Raises `DataError`."""
    first, *lines = _content(path).split(b"\n")
    head = _parsed(first)
    if head is None or head.get("lookalike_undo") != FORMAT:
        raise DataError(f"{path} is not an undo log, as written by: lookalike apply PLAN")
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
        raise DataError(f"{path} has an unknown action ({str(error)[:SHOWN]})") from error
    return action


def _check(action: Action) -> None:
    """Raise `ValueError` for an action that no run wrote: a log is obeyed, so it must not refer to other files."""
    for name, value in (("path", action.path), ("to", action.to)):
        if "\0" in value or b"\0" in os.fsencode(value):
            raise ValueError(f"{name} has a zero byte")
        if not os.path.isabs(value) or os.path.normpath(value) != value:
            raise ValueError(f"{name} is {value!r}; expected a normalised absolute path")
    if not isinstance(action.of, str):
        raise ValueError("of is not a path")
    if action.to == action.path:
        raise ValueError(f"{action.path} would be replaced by itself")
    if action.aside != (aside(action.path) if action.how is How.HARDLINK else ""):
        raise ValueError(f"aside is {action.aside!r}")
    for number in (action.size, action.mode, action.mtime_ns):
        if not isinstance(number, int):
            raise ValueError(f"{str(number)[:SHOWN]!r} is not an integer")
