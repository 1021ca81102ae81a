"""Files and folders that are written whole or not at all: the one way this program replaces a file.

Content goes to a temporary file in the same folder, which is flushed to the disk and then renamed; the folder is
flushed last, so that the new name survives a power failure too. With `durable=False` nothing is flushed: for caches
whose content is checked when it is read.

A killed process leaves its temporary file behind. The next one that replaces the same file deletes it: a temporary file
is locked while it is written, and the lock ends with its process.
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

LONGEST = 40  # characters of a file's name that its temporary file has in its own; names end at 255 bytes
NOT_FLUSHED = {errno.EINVAL, errno.ENOTSUP, errno.EBADF}  # file systems that cannot flush a folder


@contextmanager
def replacing(path: Path, *, durable: bool = True, within: Path | None = None) -> Iterator[Path]:
    """Path of an empty temporary file that takes the place of `path` at the end; it is deleted if anything fails.

    It lies next to `path`, or `within` another folder of the same file system.

    The new file has the mode of the old one, or the one that the umask gives. Of a symbolic link, the target is
    replaced. Pipes and devices are written to directly: yields `path` itself. An `OSError` names `path`.
    """
    place = path.resolve() if path.is_symlink() else path
    mode = _mode(place)
    if mode is not None and not stat.S_ISREG(mode):
        yield path
        return
    if durable and within is None:
        _delete_leftovers(place)
    temporary, lock = temporary_name(within / place.name if within else place), -1
    try:
        lock = _create(temporary)
        if mode is not None:
            _set_mode(temporary, mode | stat.S_IWUSR)
        yield temporary
        if mode is not None:
            _set_mode(temporary, mode)
        put_in_place(temporary, place, durable=durable)
    except OSError as error:
        with suppress(OSError):  # what went wrong first is what a person must know
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
    """Replace a file by one with this content."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def put_in_place(made: Path, path: Path, *, durable: bool = True) -> None:
    """Rename a finished file, or a folder with all that is in it, to `path`; on the same file system."""
    if durable:
        flush(made)
    made.replace(path)
    if durable:
        flush_folder(path.parent)


def flush(made: Path) -> None:
    """Make sure that a file, or all files of a folder, are on the disk."""
    if not made.is_dir():
        with made.open("rb") as file:
            os.fsync(file.fileno())
        return
    for folder, _, names in os.walk(made):
        for name in names:
            flush(Path(folder, name))
        flush_folder(Path(folder))


def is_temporary(path: Path, name: str | None = None) -> bool:
    """Whether a path is a temporary file of `replacing` (of a file with this name): left over, unless it is in use."""
    found = re.fullmatch(r"\.(.+)\.[0-9a-f]{8}\.tmp", path.name, re.DOTALL)
    return found is not None and (name is None or found[1] == name[:LONGEST])


def temporary_name(path: Path) -> Path:
    """A new name next to a file or folder for what is to replace it."""
    return path.with_name(f".{path.name[:LONGEST]}.{secrets.token_hex(4)}.tmp")


def leftovers(path: Path) -> Iterator[Path]:
    """Temporary files and folders that killed processes left next to `path`; each is locked while it is yielded."""
    for one in path.parent.iterdir():
        if is_temporary(one, path.name) and not one.is_symlink() and (one.is_file() or one.is_dir()):
            with suppress(OSError), held(one, wait=False) as is_held:
                if is_held:
                    yield one


@contextmanager
def held(made: Path, *, wait: bool = True) -> Iterator[bool]:
    """Whether a temporary file or folder could be locked: then it is no leftover to other processes meanwhile."""
    if sys.platform == "win32":
        yield False
        return
    descriptor = os.open(made, os.O_RDONLY)
    try:
        yield _lock(descriptor, wait=wait)
    finally:
        os.close(descriptor)


def _create(path: Path) -> int:
    """Descriptor of a new file, which is locked until it is closed."""
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
        for one in leftovers(path):
            if one.is_file():
                one.unlink(missing_ok=True)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _set_mode(path: Path, mode: int) -> None:
    with suppress(OSError):  # not every file system has modes
        path.chmod(stat.S_IMODE(mode))


def flush_folder(folder: Path) -> None:
    """Make sure that the names of what is in a folder are on the disk."""
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
