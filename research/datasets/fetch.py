"""Download of data sets from their authors: at present CIFAR-10, the only one that is freely downloadable.

The download is checked and unpacked in a temporary folder, then moved to its destination in one step, so that the
destination holds a complete data set or nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from lookalike.core.atomic import put_in_place
from lookalike.core.errors import DataError
from research.datasets import cifar10

Progress = Callable[[int, int], object]  # bytes done, total bytes
Opener = Callable[
    ..., Any
]  # like urllib.request.urlopen: takes an address and a `timeout`, returns a readable response

TIMEOUT = 60.0  # seconds without data
CHUNK = 1 << 20  # bytes
NEEDED = 360  # MB, including the archive of 170 MB, which is deleted at the end
REMEDY = "Try again later, or fetch that file by other means and unpack it in the folder of data sets"
MEMBERS = frozenset(f"{cifar10.FOLDER}/{name}" for name in (*cifar10.TRAIN, cifar10.TEST, cifar10.NAMES))


def get_cifar10(folder: Path, *, progress: Progress | None = None, opener: Opener | None = None) -> Path:
    """Download CIFAR-10 in its official binary format into a folder of data sets, and return its folder.

    `opener` is `urllib.request.urlopen` by default. Raises `DataError`, and leaves nothing behind, if the data set
    exists already, cannot be downloaded or written, or differs from the official one.
    """
    place = folder / cifar10.FOLDER
    if os.path.lexists(place):
        raise DataError(f"{place} already exists; to fetch CIFAR-10 again, remove it first")
    with _response(opener or _urlopen()) as response, _writing(folder), _workshop(folder) as workshop:
        archive = workshop / "cifar-10-binary.tar.gz.part"
        _download(response, archive, progress)
        _unpack(archive, workshop)
        put_in_place(workshop / cifar10.FOLDER, place)
    return place


def _urlopen() -> Opener:
    from urllib.request import urlopen

    return urlopen


@contextmanager
def _response(opener: Opener) -> Iterator[IO[bytes]]:
    """The server's response for the CIFAR-10 archive."""
    with _reaching():
        response = opener(cifar10.URL, timeout=TIMEOUT)
    try:
        yield response
    finally:
        response.close()


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """Temporary folder on the same disk; deleted on exit, together with `folder` if that was created and is empty."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder))
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        if is_new:
            with suppress(OSError):
                folder.rmdir()


def _download(response: IO[bytes], archive: Path, progress: Progress | None) -> None:
    """Download to a file. Raises `DataError` if size or digest is wrong."""
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with archive.open("wb") as file:
        while done <= cifar10.SIZE and (chunk := _read(response)):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            if progress:
                progress(done, cifar10.SIZE)
    if done != cifar10.SIZE:
        what = "ended early, after" if done < cifar10.SIZE else "is too long, with at least"
        raise DataError(f"{cifar10.URL} {what} {done} bytes; expected {cifar10.SIZE}. {REMEDY}")
    if digest.hexdigest() != cifar10.MD5:
        raise DataError(f"{cifar10.URL} has the MD5 digest {digest.hexdigest()}; expected {cifar10.MD5}. {REMEDY}")


def _read(response: IO[bytes]) -> bytes:
    with _reaching():
        return response.read(CHUNK)


def _unpack(archive: Path, workshop: Path) -> None:
    """Unpack the batches and the class names, ignoring other members of the archive."""
    import gzip
    import tarfile
    import zlib

    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.name in MEMBERS and member.isfile():
                    target = workshop / member.name  # a known name, so the path is safe
                    target.parent.mkdir(exist_ok=True)
                    with cast(IO[bytes], tar.extractfile(member)) as packed, target.open("wb") as file:
                        shutil.copyfileobj(packed, file)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{cifar10.URL} is not a readable archive ({error}). {REMEDY}") from error
    if not cifar10.is_here(workshop / cifar10.FOLDER):
        raise DataError(f"{cifar10.URL} lacks some of {', '.join(sorted(MEMBERS))}. {REMEDY}")


@contextmanager
def _reaching() -> Iterator[None]:
    """Turn network errors into `DataError`."""
    from http.client import HTTPException

    try:
        yield
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{cifar10.URL} cannot be fetched ({reason}). {REMEDY}") from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn disk errors into `DataError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{folder} cannot be written to ({reason}); CIFAR-10 needs {NEEDED} MB there") from error
