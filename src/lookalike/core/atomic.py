"""Atomic writes of files and folders: the only code in this package that replaces a file.

Content is written to a temporary file in the same folder, flushed to disk and renamed; the folder is flushed last, so
that the new name survives a power failure. `durable=False` skips the flushes, for caches that are checked when read.

A killed process leaves its temporary file behind; the next process that replaces the same file deletes it. A temporary
file is locked while it is written, and the lock ends with its process.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LONGEST = 40  # characters of the file's name that its temporary name keeps; names are limited to 255 bytes
NOT_FLUSHED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # raised by file systems that cannot flush a folder


@contextmanager
def replacing(path: Path, *, durable: bool = True, within: Path | None = None) -> Iterator[Path]:
    """Path of an empty temporary file that replaces `path` on exit; it is deleted if anything fails.

    It is created next to `path`, or in the folder `within` on the same file system.

    The new file keeps the old file's mode, or gets the umask's default. For a symbolic link, its target is replaced.
    Pipes and devices are written to directly: `path` itself is yielded. An `OSError` names `path`.
    """
    target = path.resolve() if path.is_symlink() else path
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        yield path
        return
    if durable and within is None:
        _delete_leftovers(target)
    temporary, lock = temporary_name(within / target.name if within else target), -1
    try:
        lock = _create(temporary)
        if mode is not None:
            _set_mode(temporary, mode | stat.S_IWUSR)
        yield temporary
        if mode is not None:
            _set_mode(temporary, mode)
        put_in_place(temporary, target, durable=durable)
    except OSError as error:
        with suppress(OSError):  # the first error is the leftover to report
            temporary.unlink()
        if error.filename in (None, os.fspath(temporary)):
            raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from error
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        if lock >= 0:
            os.close(lock)


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace a file's content atomically."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def put_in_place(source: Path, path: Path, *, durable: bool = True) -> None:
    """Rename a finished file or folder to `path`, on the same file system."""
    if durable:
        flush(source)
    source.replace(path)
    if durable:
        flush_folder(path.parent)


def flush(source: Path) -> None:
    """Flush a file, or every file in a folder, to disk."""
    if not source.is_dir():
        with source.open("rb") as file:
            os.fsync(file.fileno())
        return
    for folder, _, names in os.walk(source):
        for name in names:
            flush(Path(folder, name))
        flush_folder(Path(folder))


def is_temporary(path: Path, name: str | None = None) -> bool:
    """Whether a path is a temporary file source by `replacing` (for a file called `name`): in use or a leftover."""
    found = re.fullmatch(r"\.(.+)\.[0-9a-f]{8}\.tmp", path.name, re.DOTALL)
    return found is not None and (name is None or found[1] == name[:LONGEST])


def temporary_name(path: Path) -> Path:
    """A new temporary name next to a file or folder, for its replacement."""
    return path.with_name(f".{path.name[:LONGEST]}.{secrets.token_hex(4)}.tmp")


def leftovers(path: Path) -> Iterator[Path]:
    """Temporary files and folders left next to `path` by killed processes; each is locked while it is yielded."""
    for other in path.parent.iterdir():
        if is_temporary(other, path.name) and not other.is_symlink() and (other.is_file() or other.is_dir()):
            with suppress(OSError), locked(other, wait=False) as is_locked:
                if is_locked:
                    yield other


@contextmanager
def locked(source: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whether a temporary file or folder could be locked, so that other processes do not take it for a leftover."""
    if sys.platform == "win32":
        yield False
        return
    descriptor = os.open(source, os.O_RDONLY)
    try:
        yield _lock(descriptor, wait=wait)
    finally:
        os.close(descriptor)


def _create(path: Path) -> int:
    """Descriptor of a new file, locked until it is closed."""
    while True:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        if sys.platform == "win32":  # an open file cannot be renamed there
            os.close(descriptor)
            return -1
        _lock(descriptor, wait=True)
        if path.exists():
            return descriptor
        os.close(descriptor)  # another process took it for a leftover before it was locked


def _lock(descriptor: int, *, wait: bool) -> bool:
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process has it, or the file system has no locks
        return False
    return True


def _delete_leftovers(path: Path) -> None:
    with suppress(OSError):
        for leftover in leftovers(path):
            if leftover.is_file():
                leftover.unlink(missing_ok=True)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _set_mode(path: Path, mode: int) -> None:
    with suppress(OSError):  # not every file system has modes
        path.chmod(stat.S_IMODE(mode))


def flush_folder(folder: Path) -> None:
    """Flush a folder's entries (the names of its files) to disk."""
    if os.name == "nt":
        return  # a folder cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_FLUSHED:
            raise
    finally:
        os.close(descriptor)
