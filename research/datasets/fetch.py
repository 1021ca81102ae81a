"""Data sets from where their makers keep them: today CIFAR-10, the only one that may be had without asking.

What is fetched is checked and unpacked in a folder beside its place, and moved there in one step, so that a place holds
all of a data set or nothing.
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

Progress = Callable[[int, int], object]  # bytes done, bytes in all
Opener = Callable[..., Any]  # as urllib.request.urlopen: an address and a `timeout` to a response that can be read

TIMEOUT = 60.0  # seconds without an answer
CHUNK = 1 << 20  # bytes
NEEDED = 360  # MB, of which the archive, 170, is removed at the end
REMEDY = "Try again later, or fetch that file by other means and unpack it in the folder of data sets"
MEMBERS = frozenset(f"{cifar10.FOLDER}/{name}" for name in (*cifar10.TRAIN, cifar10.TEST, cifar10.NAMES))


def get_cifar10(folder: Path, *, progress: Progress | None = None, opener: Opener | None = None) -> Path:
    """The folder of CIFAR-10's official binary form, fetched into a folder of data sets.

    `opener` answers as `urllib.request.urlopen`, which it is by default. Raises `DataError` if the data set is there
    already, cannot be fetched or written, or is not what its makers say it is; nothing is left behind then.
    """
    place = folder / cifar10.FOLDER
    if os.path.lexists(place):
        raise DataError(f"{place} is there already; to fetch CIFAR-10 anew, remove it first")
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
    """The answer of CIFAR-10's makers."""
    with _reaching():
        response = opener(cifar10.URL, timeout=TIMEOUT)
    try:
        yield response
    finally:
        response.close()


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A folder for what is unfinished, on the same disk; it goes at the end, with `folder` if that is new and empty."""
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
    """Write what is sent to a file. Raises `DataError` if it has not the right size and digest."""
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
    """Unpack the batches and the names of the classes, and nothing else that the archive may hold."""
    import gzip
    import tarfile
    import zlib

    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.name in MEMBERS and member.isfile():
                    target = workshop / member.name  # one of ours, so it lies where it should
                    target.parent.mkdir(exist_ok=True)
                    with cast(IO[bytes], tar.extractfile(member)) as packed, target.open("wb") as file:
                        shutil.copyfileobj(packed, file)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{cifar10.URL} is not a readable archive ({error}). {REMEDY}") from error
    if not cifar10.is_here(workshop / cifar10.FOLDER):
        raise DataError(f"{cifar10.URL} lacks some of {', '.join(sorted(MEMBERS))}. {REMEDY}")


@contextmanager
def _reaching() -> Iterator[None]:
    """What the network says, as a `DataError`."""
    from http.client import HTTPException

    try:
        yield
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(f"{cifar10.URL} cannot be fetched ({reason}). {REMEDY}") from error


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """What the disk says, as a `DataError`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{folder} cannot be written to ({reason}); CIFAR-10 needs {NEEDED} MB there") from error
