"""What a file is at this moment: looked at without following links, and read to the end.

A file that was read is known again by device, number, size and time, so that nothing is done with another that took
its place meanwhile.
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
LARGEST = 1 << 30  # bytes of a plan or a log


class Identity(NamedTuple):
    """What tells whether it is still the same file, unchanged."""

    device: int
    number: int
    size: int
    mtime_ns: int


class FileSnapshot(NamedTuple):
    """A file that was read."""

    identity: Identity
    digest: str  # hexadecimal, as catalogs have it
    mode: int
    owner: int


def identity(status: os.stat_result) -> Identity:
    """Of a file's status."""
    return Identity(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def snapshot(path: str) -> FileSnapshot:
    """The file at a path, read. Raises `DataError` for what is no regular file, or cannot be read."""
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
        raise DataError(f"cannot be read ({error.strerror})") from error
    if identity(before) != identity(after):
        raise DataError("is being written to")
    return FileSnapshot(identity(after), digest.hexdigest(), stat.S_IMODE(after.st_mode), after.st_uid)


def _check_regular(status: os.stat_result) -> None:
    """Raises `DataError` for a link, a folder, a device."""
    if stat.S_ISLNK(status.st_mode):
        raise DataError("is a symbolic link, which is not followed")
    if not stat.S_ISREG(status.st_mode):
        raise DataError("is no regular file")


def removable(path: str, folders: Sequence[str]) -> FileSnapshot:
    """A file below one of some folders that may be moved or replaced, read. Raises `DataError` if it may not."""
    check_below(path, folders)
    status = os.lstat(path)
    _check_regular(status)
    if status.st_nlink > 1:
        raise DataError(f"has {status.st_nlink} names (hard links), so that removing one frees nothing")
    return snapshot(path)


def check_below(path: str, folders: Sequence[str]) -> None:
    """Raises `DataError` for a file that lies below none of some folders."""
    if not is_below(path, folders):
        raise DataError("lies below no folder that was indexed")


def is_unchanged(path: str, seen: FileSnapshot) -> bool:
    """Whether the file that was read is still at its path."""
    try:
        return identity(os.lstat(path)) == seen.identity
    except OSError:
        return False


def is_below(path: str, folders: Sequence[str], *, strict: bool = True) -> bool:
    """Whether a file lies below one of some folders, once all links to folders are followed; not `strict`: or would
    if the folders on its way were made.
    """
    try:
        real = Path(os.path.realpath(os.path.dirname(path), strict=strict))
    except OSError:
        return False
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def read_whole(path: Path, *, what: str) -> bytes:
    """The bytes of a plan or a log. Raises `DataError`, whose text goes on after the path."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"is no file; name {what}")
        if status.st_size > LARGEST:
            raise DataError(f"is larger than {LARGEST >> 20} MiB; name {what}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from error
    except ValueError as error:  # a zero byte in its name
        raise DataError(f"is no name of a file ({error})") from error
