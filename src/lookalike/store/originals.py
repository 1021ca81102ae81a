"""Originals kept inside a database, one file for each content, named by its digest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lookalike.core import atomic
from lookalike.core.errors import LookalikeError
from lookalike.imaging.files import content_digest
from lookalike.store.records import Record

if TYPE_CHECKING:
    from lookalike.imaging.isolation.decoders import Decoders, ImageFile, Source

FOLDER = "originals"


def path(database: Path, digest: bytes) -> Path:
    """Where the original with that digest lies, or would lie."""
    name = digest.hex()
    return database / FOLDER / name[:2] / name[2:]


def keep(database: Path, digest: bytes, content: bytes) -> None:
    """Store the bytes of an image, once; what lies there with other bytes is damaged, and replaced."""
    place = path(database, digest)
    if has(database, digest, len(content)) and place.read_bytes() == content:
        return
    if not place.parent.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        atomic.flush_folder(place.parents[1])
    with atomic.replacing(place, within=database / FOLDER) as temporary:
        temporary.write_bytes(content)


def has(database: Path, digest: bytes, length: int | None) -> bool:
    """Whether a file lies where that original would, of this length in bytes if one is known; it is not read."""
    try:
        status = path(database, digest).stat()
    except OSError:
        return False
    return length is None or status.st_size == length


def digests(database: Path) -> Iterator[bytes]:
    """The digests of all originals that are kept."""
    for place in files(database):
        name = place.parent.name + place.name
        if re.fullmatch(r"[0-9a-f]{32}", name):
            yield bytes.fromhex(name)


def files(database: Path) -> list[Path]:
    """All files where originals are kept, also those that are none."""
    return sorted((database / FOLDER).glob("??/*"))


def temporary(database: Path) -> list[Path]:
    """What was being written when a process was killed."""
    return [path for path in (database / FOLDER).glob(".*.tmp") if atomic.is_temporary(path)]


def drop_temporary(database: Path) -> list[Path]:
    """Delete what earlier versions were writing when they were killed, next to the originals; what it was."""
    found = [path for path in files(database) if path.name.startswith("tmp") and path.name.endswith(".tmp")]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def is_intact(database: Path, digest: bytes) -> bool:
    """Whether an original has the bytes that its name says."""
    try:
        return content_digest(path(database, digest).read_bytes()) == digest
    except OSError:
        return False


def drop(database: Path, digest: bytes) -> None:
    """Delete an original that no row refers to any more."""
    path(database, digest).unlink(missing_ok=True)


@contextmanager
def opened(record: Record, folder: Path, decoders: Decoders) -> Iterator[ImageFile | None]:
    """The image of a record; nothing if its file has changed or is gone and no original is kept in the folder."""
    with ExitStack() as stack:
        yield _open(record, folder, decoders, stack)


def _open(record: Record, folder: Path, decoders: Decoders, stack: ExitStack) -> ImageFile | None:
    from lookalike import data

    for source in (partial(data.source, record.item), partial(_kept, record, folder)):
        with suppress(LookalikeError, OSError), ExitStack() as holding:
            image = holding.enter_context(decoders.opened(source()))
            if image.digest is not None and image.digest == record.digest:
                stack.push(holding.pop_all())
                return image
    return None


def _kept(record: Record, folder: Path) -> Source:
    return b"" if record.digest is None else path(folder, record.digest)
