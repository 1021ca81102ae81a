"""Files and folders that are written whole or not at all: the one way this program replaces a file.

Content goes to a temporary file in the same folder, which is flushed to the disk and then renamed; the folder is
flushed last, so that the new name survives a power failure too. With `durable=False` nothing is flushed: for caches
whose content is checked when it is read.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
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
    temporary = (within or place.parent) / f".{place.name[:LONGEST]}.{secrets.token_hex(4)}.tmp"
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
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
