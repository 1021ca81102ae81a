"""Snapshots of files: identity and content, read without following links.

A file that was read is recognised by device, inode, size and time, so that nothing is done to another file that has
replaced it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lookalike.core.errors import DataError

PIECE = 1 << 20  # bytes
LARGEST = 1 << 30  # of a plan or a log


class _Identity(NamedTuple):
    """Identifies a file and its unchanged content."""

    device: int
    number: int
    size: int
    mtime_ns: int


class FileSnapshot(NamedTuple):
    """A file that was read."""

    identity: _Identity
    digest: str  # hexadecimal, as in catalogs
    mode: int
    owner: int


def _identity(status: os.stat_result) -> _Identity:
    """The identity in a file's status."""
    return _Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def snapshot(path: str) -> FileSnapshot:
    """A snapshot of the file at a path. Raises `DataError` if it is unreadable or not a regular file."""
    try:
        _check_regular(os.lstat(path))
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            before = os.fstat(descriptor)
            digest = hashlib.blake2b(digest_size=16)
            while piece := file.read(PIECE):
                digest.update(piece)
            after = os.fstat(descriptor)
    except OSError as error:
        raise DataError(f"is unreadable ({error.strerror})") from error
    if _identity(before) != _identity(after):
        raise DataError("is being written to")
    return FileSnapshot(_identity(after), digest.hexdigest(), stat.S_IMODE(after.st_mode), after.st_uid)


def _check_regular(status: os.stat_result) -> None:
    """Raise `DataError` for a link, folder or device."""
    if stat.S_ISLNK(status.st_mode):
        raise DataError("is a symbolic link, which is not followed")
    if not stat.S_ISREG(status.st_mode):
        raise DataError("is not a regular file")


def removable(path: str, folders: Sequence[str]) -> FileSnapshot:
    """A snapshot of a file below some folders that may be moved or replaced. Raises `DataError` otherwise."""
    check_below(path, folders)
    status = os.lstat(path)
    _check_regular(status)
    if status.st_nlink > 1:
        raise DataError(f"has {status.st_nlink} names (hard links), so removing one frees nothing")
    return snapshot(path)


def check_below(path: str, folders: Sequence[str]) -> None:
    """Raise `DataError` for a file that is not below any of the folders."""
    if not is_below(path, folders):
        raise DataError("is not below an indexed folder")


def is_unchanged(path: str, seen: FileSnapshot) -> bool:
    """Whether the file in the snapshot is still at its path, unchanged."""
    try:
        return _identity(os.lstat(path)) == seen.identity
    except OSError:
        return False


def is_below(path: str, folders: Sequence[str], *, strict: bool = True) -> bool:
    """Whether a file is below one of the folders, after following links to folders.

    Without `strict`, folders on its path may be missing.
    """
    try:
        real = Path(os.path.realpath(os.path.dirname(path), strict=strict))
    except OSError:
        return False
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def read_whole(path: Path, *, what: str) -> bytes:
    """The bytes of a plan or a log. Raises `DataError`; the message continues after the path."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"is not a file; name {what}")
        if status.st_size > LARGEST:
            raise DataError(f"is larger than {LARGEST >> 20} MiB; name {what}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"is unreadable ({error.strerror})") from error
    except ValueError as error:  # a zero byte in its name
        raise DataError(f"is not a valid file name ({error})") from error
