"""Reading files that may be anything: pipes, devices, sparse, still growing, or larger than memory.

Files are opened without blocking, and only regular ones. Memory use is bounded whatever size a file claims to have.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import BinaryIO

from lookalike.core.errors import ImageError, RetryableImageError

MAX_BYTES = 512 << 20  # largest file that is read into memory
PIECE = 1 << 20  # bytes read at once
DIGEST_BYTES = 16
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def content_digest(content: bytes) -> bytes:
    """The BLAKE2b digest (16 bytes) that identifies a file's content."""
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, open for reading. Raises `ImageError` for others, because opening them may block forever."""
    _check_regular(os.stat(path).st_mode)  # merely opening a tape or a terminal may have effects
    file = os.fdopen(os.open(path, _FLAGS), "rb", buffering=0)
    try:
        _check_regular(os.fstat(file.fileno()).st_mode)  # it may have been replaced in the meantime
    except BaseException:
        file.close()
        raise
    return file


def read_whole(file: BinaryIO, *, most: int = MAX_BYTES) -> bytes:
    """The rest of a file. Raises `RetryableImageError` if that is more than `most` bytes."""
    size = os.fstat(file.fileno()).st_size
    _check_size(size, most=most)
    content = file.read(size + 1)  # in one read, so that only one copy is in memory
    while more := file.read(PIECE):  # short read, or a file longer than its size says
        content += more
        _check_size(len(content), most=most)
    return content


def read(path: str | os.PathLike[str], *, most: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file. Raises `ImageError` or `OSError`."""
    with open_regular(path) as file:
        return read_whole(file, most=most)


def digest_of(file: BinaryIO) -> tuple[bytes, int]:
    """Digest and length in bytes of a whole file, read in pieces."""
    file.seek(0)
    digest, length = hashlib.blake2b(digest_size=DIGEST_BYTES), 0
    while piece := file.read(PIECE):
        digest.update(piece)
        length += len(piece)
    return digest.digest(), length


def is_sparse(file: BinaryIO) -> bool:
    """Whether less than an eighth of a file's size is allocated on disk."""
    status = os.fstat(file.fileno())
    blocks = getattr(status, "st_blocks", None)  # absent on Windows
    return blocks is not None and blocks * 512 < status.st_size // 8


def _check_size(length: int, *, most: int) -> None:
    """Raise `RetryableImageError` if a file is larger than `most` bytes."""
    if length > most:
        raise RetryableImageError(
            f"has {length / 1e6:,.0f} MB; files of up to {most / 1e6:,.0f} MB are decoded. "
            "Raise that with a higher --max-pixels"
        )


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ImageError("not a file, but a pipe, a socket or a device")
